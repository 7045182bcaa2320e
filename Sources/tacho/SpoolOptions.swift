import ArgumentParser
import Console

/// Which streams of the spool a command means.
struct SpoolStreamOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only of this listener.", valueName: "name"))
    var listener: String?

    @Option(help: ArgumentHelp("Only of this database.", valueName: "number"))
    var database: Int?

    @Option(help: ArgumentHelp("Only of this stream.", valueName: "name"))
    var stream: String?

    func validate() throws {
        guard (0...Int(Int32.max)).contains(database ?? 0) else {
            throw ValidationError("--database: expected a number from 0 on")
        }
    }

    var selection: SpoolSelection { SpoolSelection(listener: listener, database: database, stream: stream) }
}

/// Which messages of the spool a command means.
struct SpoolMessageOptions: ParsableArguments {
    @OptionGroup var streams: SpoolStreamOptions

    @Option(help: ArgumentHelp("Only those set aside for this reason.", valueName: "reason"))
    var reason: String?

    @Option(
        help: ArgumentHelp(
            "Only those set aside at this time or later, like 2026-01-31T08:00:00Z, or milliseconds since 1970.",
            valueName: "time"), transform: Moment.parse)
    var since: Int64?

    @Option(
        help: ArgumentHelp("Only those set aside at this time or earlier.", valueName: "time"), transform: Moment.parse)
    var until: Int64?

    func selection(_ ids: [String]) -> SpoolSelection {
        var selection = streams.selection
        (selection.ids, selection.reason, selection.since, selection.until) = (ids, reason, since, until)
        return selection
    }
}

/// Which messages of the spool an order means: it must say so.
struct SpoolOrderOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("These.", valueName: "id"))
    var ids: [String] = []

    @OptionGroup var filter: SpoolMessageOptions

    @Flag(help: "All of them.")
    var all = false

    @Option(help: ArgumentHelp("At most so many, the oldest of each stream first.", valueName: "number"))
    var limit = 1_000_000

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit: expected 1 to 1000000") }
        guard selection.meansAll == all else {
            throw ValidationError("expected ids or a filter, or --all alone")
        }
    }

    var selection: SpoolSelection { filter.selection(ids) }
}
