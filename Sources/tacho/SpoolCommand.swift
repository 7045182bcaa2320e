import ArgumentParser
import Console

struct SpoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool",
        abstract: "List, show, redrive and purge what the spool keeps.",
        discussion: """
            The spool keeps publishes while a breaker is open, and sends them on in order. What the broker will never take \
            is set aside: it stays until it is redriven, once the cause is gone, or purged. Asks the running sidecar over \
            its HTTP address.
            """,
        subcommands: [List.self, Show.self, Redrive.self, Purge.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List streams: what waits, and what was set aside.")

        @OptionGroup var streams: SpoolStreamOptions

        @OptionGroup var admin: AdminOptions

        func run() throws { try admin.spool.streams(streams.selection, show: AdminOptions.show) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show messages that were set aside: what they say, and why.",
            discussion: "Bytes that are no text are written as \\xff.")

        @Argument(help: ArgumentHelp("These; otherwise all that the filter means.", valueName: "id"))
        var ids: [String] = []

        @OptionGroup var filter: SpoolMessageOptions

        @Flag(help: "Those that wait to be sent on, instead.")
        var waiting = false

        @Option(help: ArgumentHelp("Show at most so many.", valueName: "number"))
        var limit = 100

        @OptionGroup var admin: AdminOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit: expected a number above 0") }
            guard !waiting || filter.reason == nil else {
                throw ValidationError("--reason: what waits was not set aside")
            }
        }

        func run() throws {
            try admin.spool.messages(
                filter.selection(ids), isWaiting: waiting, limit: limit, show: AdminOptions.show)
        }
    }

    struct Redrive: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "redrive",
            abstract: "Have messages that were set aside wait again, to be sent on.",
            discussion:
                "They queue behind what waits for their stream. An entry gets the id that its client was told, or a new "
                + "one where others have published since. Messages of a listener that is not there are left.")

        @OptionGroup var order: SpoolOrderOptions

        @Flag(help: "Only say what would be done.")
        var dryRun = false

        func run() throws {
            AdminOptions.show(
                try order.admin.spool.redrive(order.selection, limit: order.limit, isDryRun: dryRun))
        }
    }

    struct Purge: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "purge", abstract: "Delete messages that were set aside for good.")

        @OptionGroup var order: SpoolOrderOptions

        func run() throws {
            AdminOptions.show(try order.admin.spool.purge(order.selection, limit: order.limit))
        }
    }
}

extension AdminOptions {
    var spool: SpoolDesk {
        get throws(AdminError) { SpoolDesk(try client(), asJSON: format.output == .json, Self.style) }
    }
}
