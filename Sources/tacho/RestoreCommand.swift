import ArgumentParser
import Console

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make an event log from a copy, as it was at a moment.",
        discussion: """
            The chains of hashes are walked along before the log gets its name: from a damaged copy nothing is restored, \
            unless --force is given. A data directory that has a log already is not touched. With --at, events that \
            were appended later are gone, and what groups read later is unread again.
            """)

    @Argument(help: "The directory of the copy.")
    var backup: String

    @OptionGroup var data: DataOptions

    @Option(
        help: ArgumentHelp(
            "The moment: a time like 2026-01-31T08:00:00Z, or milliseconds since 1970.", valueName: "time"),
        transform: Moment.parse)
    var at: Int64?

    @Flag(help: "Restore also what is damaged.")
    var force = false

    @OptionGroup var format: OutputOptions

    func run() throws {
        try LogFiles(LogView(asJSON: format.output == .json), show: AdminOptions.show)
            .restore(backup, toData: data.directory, at: at, force: force)
    }
}
