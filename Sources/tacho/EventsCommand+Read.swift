import ArgumentParser
import Console

/// What shows events.
extension EventsCommand {
    struct Read: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "read", abstract: "Print the events of a stream, oldest first.")

        @Argument(help: "The stream.")
        var stream: String

        @Option(help: "Begin with this id, or with this time in milliseconds since 1970.")
        var from = "-"

        @Option(help: "End with this id or time.")
        var to = "+"

        @Option(help: ArgumentHelp("Print at most so many.", valueName: "number"))
        var limit: Int?

        @Flag(help: "Print the newest first.")
        var reverse = false

        @OptionGroup var options: BusOptions

        func validate() throws {
            guard limit ?? 1 > 0 else { throw ValidationError("--limit: expected a number above 0") }
        }

        func run() async throws {
            let page = 500
            try await options.connected { client in
                var (start, left) = (reverse ? to : from, limit ?? .max)
                while left > 0 {
                    let words = [reverse ? "XREVRANGE" : "XRANGE", stream, start, reverse ? from : to]
                    let entries = try await client.call(words + ["COUNT", "\(min(page, left))"]).elements
                    for entry in entries {
                        if let line = options.view.event(entry, stream: stream) { AdminOptions.show(line) }
                    }
                    guard entries.count == min(page, left), let last = entries.last?.elements.first?.text else {
                        return
                    }
                    left -= entries.count
                    start = "(\(last)"
                }
            }
        }
    }

    struct Follow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "follow", abstract: "Print the events of streams as they come.")

        @Argument(help: ArgumentHelp("The streams.", valueName: "stream"))
        var streams: [String]

        @Option(help: "Begin after this id; 0 for everything there is.")
        var after = "$"

        @OptionGroup var options: BusOptions

        func validate() throws {
            guard !streams.isEmpty else { throw ValidationError("expected at least one stream") }
        }

        func run() async throws {
            var positions = streams.map { _ in after }
            try await options.connected { client in
                // From now on means from before the first look: `$` would lose what comes between two looks.
                for (index, stream) in streams.enumerated() where positions[index] == "$" {
                    let last = try await client.call(["XREVRANGE", stream, "+", "-", "COUNT", "1"])
                    positions[index] = last.elements.first?.elements.first?.text ?? "0"
                }
                while true {
                    let reply = try await client.call(["XREAD", "BLOCK", "0", "STREAMS"] + streams + positions)
                    for batch in reply.elements {
                        guard let name = batch.elements.first?.text, let entries = batch.elements.last?.elements,
                            let index = streams.firstIndex(of: name)
                        else { continue }
                        for entry in entries {
                            if let line = options.view.event(entry, stream: name) { AdminOptions.show(line) }
                        }
                        positions[index] = entries.last?.elements.first?.text ?? positions[index]
                    }
                }
            }
        }
    }
}
