import ArgumentParser
import Console

/// What changes dead letters.
extension DeadLettersCommand {
    struct Edit: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "edit",
            abstract: "Change fields of the event in a dead letter.",
            discussion: "An edited event is appended to its stream anew when it is redriven.")

        @Argument(help: "The number, as the list has it.")
        var number: Int64

        @Option(help: ArgumentHelp("Set a field. Repeatable.", valueName: "name=value"))
        var set: [String] = []

        @Option(help: ArgumentHelp("Remove a field. Repeatable.", valueName: "name"))
        var remove: [String] = []

        @OptionGroup var admin: AdminOptions

        func validate() throws {
            guard !set.isEmpty || !remove.isEmpty else { throw ValidationError("expected --set or --remove") }
            guard set.allSatisfy({ $0.contains("=") }) else { throw ValidationError("--set: expected NAME=VALUE") }
        }

        func run() throws {
            let changes = set.map { text in
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (name: String(parts[0]), value: String(parts[1]))
            }
            AdminOptions.show(try admin.deadLetters.edit(number, setting: changes, removing: remove))
        }
    }

    struct Redrive: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "redrive",
            abstract: "Give dead letters back to their groups.",
            discussion:
                "One that is still in its stream as it was goes to its own group alone, with its attempts counted "
                + "anew; one that was edited, or whose event is gone, is appended to its stream.")

        @OptionGroup var order: DeadLetterOrderOptions

        @Flag(help: "Only say what would be done.")
        var dryRun = false

        func run() throws {
            AdminOptions.show(
                try order.admin.deadLetters.redrive(order.choice, limit: order.limit, isDryRun: dryRun))
        }
    }

    struct Purge: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "purge", abstract: "Delete dead letters for good.")

        @OptionGroup var order: DeadLetterOrderOptions

        func run() throws {
            AdminOptions.show(try order.admin.deadLetters.purge(order.choice, limit: order.limit))
        }
    }
}
