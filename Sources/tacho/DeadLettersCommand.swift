import ArgumentParser
import Console

struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "List, show, edit, redrive and purge dead letters of the embedded log.",
        discussion:
            "A dead letter is an event that a consumer group has given up, with every attempt. Asks the running "
            + "sidecar over its HTTP address.",
        subcommands: [List.self, Show.self, Edit.self, Redrive.self, Purge.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List dead letters, the oldest first.")

        @OptionGroup var filter: DeadLetterOptions

        @Option(help: ArgumentHelp("Print at most so many.", valueName: "number"))
        var limit = 1_000

        @OptionGroup var admin: AdminOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit: expected a number above 0") }
        }

        func run() throws { try admin.deadLetters.list(filter.choice(), limit: limit, show: AdminOptions.show) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show a dead letter: the event, and why each attempt failed.")

        @Argument(help: "The number, as the list has it.")
        var number: Int64

        @OptionGroup var admin: AdminOptions

        func run() throws { AdminOptions.show(try admin.deadLetters.text(of: number)) }
    }
}

extension AdminOptions {
    var deadLetters: DeadLetterDesk {
        get throws(AdminError) { DeadLetterDesk(try client(), asJSON: format.output == .json) }
    }
}
