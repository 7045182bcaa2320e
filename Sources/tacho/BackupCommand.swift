import ArgumentParser
import Console
import Foundation

/// Where the log is that a command works on.
struct DataOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The data directory of the sidecar (also TACHO_DATA; default ./tacho-data).", valueName: "dir"))
    var data: String?

    var directory: String { LogPlace.data(data, environment: ProcessInfo.processInfo.environment) }
}

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the event log, also while a sidecar writes to it.",
        discussion: """
            Without --max-lag, copies the log as it is now into a new directory, and ends. With --max-lag, goes on \
            copying what is new until it is interrupted; the directory may hold the copy of an earlier run. A copy is a \
            log at any moment: `tacho verify` walks along it, and `tacho restore` makes a data directory of it.
            """)

    @Argument(help: "The directory for the copy.")
    var target: String

    @OptionGroup var data: DataOptions

    @Option(
        name: [.customLong("max-lag"), .customLong("every")],
        help: ArgumentHelp("Keep the copy at most so many seconds behind.", valueName: "seconds"))
    var maxLag: Double?

    @OptionGroup var format: OutputOptions

    func validate() throws {
        if let maxLag, !(0.1...86_400).contains(maxLag) {
            throw ValidationError("--max-lag: expected 0.1 to 86400 seconds")
        }
    }

    func run() throws {
        let view = LogView(asJSON: format.output == .json)
        guard let maxLag else {
            return try LogFiles(view, show: AdminOptions.show).backUp(data.directory, to: target)
        }
        try CopyLoop(
            data.directory, to: target, lagMaxSeconds: maxLag, view, show: AdminOptions.show,
            complain: { StandardError.print("tacho: \($0)") }
        ).run()
    }
}
