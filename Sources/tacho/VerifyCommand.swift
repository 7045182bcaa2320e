import ArgumentParser
import Console

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Walk along the chains of hashes of an event log, in use or not, or of a copy.",
        discussion: """
            Every event carries a hash that was made of it and of the hash before. For each stream, says whether all of \
            them hold, or names the first that does not: its offset, the hash that stands there and the one that the \
            event gives. Then has the file as a whole looked through. Exit code 1 when anything is wrong.
            """)

    @Argument(
        help: ArgumentHelp(
            "A directory with a log, or a data directory (also TACHO_DATA; default ./tacho-data).", valueName: "dir"))
    var directory: String?

    @Option(help: ArgumentHelp("Only this stream. Repeatable.", valueName: "name"))
    var stream: [String] = []

    @OptionGroup var format: OutputOptions

    func run() throws {
        var data = DataOptions()
        data.data = directory
        let isWell = try LogFiles(LogView(asJSON: format.output == .json), show: AdminOptions.show)
            .verify(data.directory, streams: stream)
        guard isWell else { throw ExitCode(1) }
    }
}
