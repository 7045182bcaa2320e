import ArgumentParser
import Foundation
import Sidecar
import Telemetry

/// The command line. Exit codes: 0 good, 1 failed, 2 bad usage or configuration.
@main
struct Tacho: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tacho",
        abstract: "A tracing sidecar for event buses.",
        version: TachographVersion.text,
        subcommands: [
            RunCommand.self, CheckCommand.self, DemoCommand.self, TapCommand.self, TraceCommand.self,
            BreakersCommand.self, ThresholdsCommand.self, SpoolCommand.self, EventsCommand.self, StreamsCommand.self,
            GroupsCommand.self, ProjectionsCommand.self, DeadLettersCommand.self, ReplayCommand.self,
            BackupCommand.self, RestoreCommand.self,
            VerifyCommand.self, DetectCommand.self, LabCommand.self, CompletionsCommand.self, VersionCommand.self,
            ReferenceCommand.self, DemoAppCommand.self,
        ],
        defaultSubcommand: RunCommand.self
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(with: error)
        }
    }

    /// Says what went wrong, without more than the operator can use, and ends the process.
    private static func exit(with error: any Error) -> Never {
        switch error {
        case let failure as ConfigurationFailure:
            for problem in failure.problems { complain("\(problem)") }
            Foundation.exit(2)
        case let code as ExitCode:
            Foundation.exit(code.rawValue)
        case _ where exitCode(for: error) == .success:
            // Help and version.
            print(fullMessage(for: error))
            Foundation.exit(0)
        case _ where exitCode(for: error) == .validationFailure:
            StandardError.print(fullMessage(for: error))
            Foundation.exit(2)
        default:
            complain("\(error)")
            Foundation.exit(1)
        }
    }

    private static func complain(_ message: String) { StandardError.print("tacho: \(message)") }
}

/// Where complaints go: not into the output that another program reads.
enum StandardError {
    static func print(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}

/// How a command that shows something shows it.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
}

struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "How to print: text or json.")
    var output = OutputFormat.text
}
