import ArgumentParser
import Console

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Replay a range of events to another stream, or to a consumer group once more.",
        discussion: """
            Events are marked as replayed, and deduplication neither refuses nor remembers them. To a stream they go at \
            the pace that is asked for; a group gets them at once, each due at its time. Asks the running sidecar over \
            its HTTP address.
            """)

    @Argument(help: "The stream.")
    var stream: String

    @Option(help: ArgumentHelp("Append to this stream.", valueName: "name"))
    var toStream: String?

    @Option(help: ArgumentHelp("Give to this group of the same stream.", valueName: "name"))
    var toGroup: String?

    @Option(help: ArgumentHelp("Begin with this offset; the stream's first has 1.", valueName: "offset"))
    var from: Int64?

    @Option(help: ArgumentHelp("End with this offset.", valueName: "offset"))
    var to: Int64?

    @Option(
        help: ArgumentHelp(
            "immediate, original, or how many times as fast as they were appended.", valueName: "pace"))
    var pace = "immediate"

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard (toStream == nil) != (toGroup == nil) else {
            throw ValidationError("expected either --to-stream or --to-group")
        }
        for (name, offset) in [("--from", from), ("--to", to)] where offset ?? 1 < 1 {
            throw ValidationError("\(name): expected an offset from 1")
        }
        let isFactor = Double(pace).map { (0.001...1_000_000).contains($0) } ?? false
        guard isFactor || ["immediate", "original"].contains(pace) else {
            throw ValidationError("--pace: expected immediate, original, or a number from 0.001 to 1000000")
        }
    }

    func run() throws {
        let target = toGroup.map(ReplayDesk.Target.group) ?? .stream(toStream ?? "")
        try ReplayDesk(try admin.client(), asJSON: admin.format.output == .json)
            .replay(stream, from: from, to: to, pace: pace, target: target, show: AdminOptions.show)
    }
}
