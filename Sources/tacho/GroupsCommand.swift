import ArgumentParser
import Console

struct GroupsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "groups",
        abstract: "List consumer groups with what waits for them.",
        discussion: "Pending: delivered and not acknowledged. Lag: not delivered yet.")

    @Argument(help: ArgumentHelp("Only groups of streams like this; * and ? are wildcards.", valueName: "glob"))
    var pattern: String?

    @OptionGroup var options: BusOptions

    func run() async throws {
        try await options.connected { client in
            for stream in try await client.streams(pattern) {
                for group in try await client.call(["XINFO", "GROUPS", stream]).elements {
                    if let line = options.view.group(group, stream: stream) { AdminOptions.show(line) }
                }
            }
        }
    }
}
