import ArgumentParser
import Console

struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "List streams; append, read and follow events.",
        discussion: "Speaks the Redis protocol to a listener of a running sidecar, so it works with the embedded log "
            + "and with a Redis alike.",
        subcommands: [List.self, Append.self, Read.self, Follow.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "ls", abstract: "List streams.")

        @Argument(help: ArgumentHelp("Only streams like this; * and ? are wildcards.", valueName: "glob"))
        var pattern: String?

        @OptionGroup var options: BusOptions

        func run() async throws {
            try await options.connected { client in
                for name in try await client.streams(pattern) {
                    AdminOptions.show(options.view.stream(name, try await client.call(["XINFO", "STREAM", name])))
                }
            }
        }
    }

    struct Append: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "append", abstract: "Append one event and print its id.")

        @Argument(help: "The stream.")
        var stream: String

        @Argument(help: ArgumentHelp("What it says, at least one.", valueName: "name=value"))
        var fields: [String]

        @Option(help: "The event's id; the time of appending by default.")
        var id = "*"

        @OptionGroup var options: BusOptions

        func validate() throws {
            guard !fields.isEmpty, fields.allSatisfy({ $0.contains("=") }) else {
                throw ValidationError("expected NAME=VALUE, at least once")
            }
        }

        func run() async throws {
            let words = fields.flatMap { field -> [String] in
                field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            }
            try await options.connected { client in
                let reply = try await client.call(["XADD", stream, id] + words)
                AdminOptions.show(options.view.appended(reply.text ?? "", stream: stream))
            }
        }
    }
}
