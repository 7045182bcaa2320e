import ArgumentParser
import Console

/// Which dead letters a command means.
struct DeadLetterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only of this stream.", valueName: "name"))
    var stream: String?

    @Option(help: ArgumentHelp("Only of groups with this name.", valueName: "name"))
    var group: String?

    @Option(help: ArgumentHelp("Only for this reason: deliveries_exhausted or rejected.", valueName: "reason"))
    var reason: String?

    @Option(
        help: ArgumentHelp(
            "Only those given up at this time or later, like 2026-01-31T08:00:00Z, or milliseconds since 1970.",
            valueName: "time"), transform: Moment.parse)
    var since: Int64?

    @Option(
        help: ArgumentHelp("Only those given up at this time or earlier.", valueName: "time"), transform: Moment.parse)
    var until: Int64?

    func choice(_ numbers: [Int64] = []) -> DeadLetterChoice {
        DeadLetterChoice(
            numbers: numbers, stream: stream, group: group, reason: reason, since: since, until: until)
    }
}

/// Which dead letters an order means: it must say so.
struct DeadLetterOrderOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("These.", valueName: "number"))
    var numbers: [Int64] = []

    @OptionGroup var filter: DeadLetterOptions

    @Flag(help: "All of them.")
    var all = false

    @Option(help: ArgumentHelp("At most so many, the oldest first.", valueName: "number"))
    var limit = 1_000_000

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit: expected 1 to 1000000") }
        guard choice.meansAll == all else {
            throw ValidationError("expected numbers or a filter, or --all alone")
        }
    }

    var choice: DeadLetterChoice { filter.choice(numbers) }
}
