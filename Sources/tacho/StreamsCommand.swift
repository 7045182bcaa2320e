import ArgumentParser
import Console

struct StreamsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "streams",
        abstract: "List streams of the embedded log; show and set what they keep, compress and recognise.",
        discussion: "Asks the running sidecar over its HTTP address.",
        subcommands: [List.self, Show.self, Set.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "ls", abstract: "List streams.")

        @OptionGroup var admin: AdminOptions

        func run() throws { try admin.streams.list(show: AdminOptions.show) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show the settings of a stream.")

        @Argument(help: "The stream.")
        var stream: String

        @OptionGroup var admin: AdminOptions

        func run() throws { AdminOptions.show(try admin.streams.settings(of: stream)) }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change settings of a stream; `off` takes one back.")

        @Argument(help: "The stream; made if there is none.")
        var stream: String

        @Option(help: ArgumentHelp("By what repeated appends are known.", valueName: "none|cloudevents|field:NAME"))
        var dedup: String?

        @Option(help: ArgumentHelp("For how long they are.", valueName: "seconds|off"))
        var dedupSeconds: String?

        @Option(help: ArgumentHelp("For how many events they are.", valueName: "number|off"))
        var dedupEvents: String?

        @Option(help: ArgumentHelp("Compress (zstd) fields from this size on.", valueName: "bytes|off"))
        var compressFrom: String?

        @Option(help: ArgumentHelp("Keep events for so long.", valueName: "seconds|off"))
        var keepSeconds: String?

        @Option(help: ArgumentHelp("Keep so many events.", valueName: "number|off"))
        var keepEvents: String?

        @Option(help: ArgumentHelp("Keep so many bytes.", valueName: "bytes|off"))
        var keepBytes: String?

        @Option(help: ArgumentHelp("Whether what a group has not acknowledged goes too.", valueName: "true|false"))
        var removeUnread: Bool?

        @OptionGroup var admin: AdminOptions

        func validate() throws { guard try !changes().isEmpty else { throw ValidationError("expected a setting") } }

        func run() throws { AdminOptions.show(try admin.streams.set(try changes(), of: stream)) }

        private func changes() throws -> [String: StreamDesk.SettingValue?] {
            var changes: [String: StreamDesk.SettingValue?] = [:]
            if let dedup { changes["deduplication"] = .text(dedup) }
            if let removeUnread { changes["removes_unread"] = .flag(removeUnread) }
            for (name, member, text, factor) in [
                ("--dedup-seconds", "deduplication_milliseconds", dedupSeconds, 1_000.0),
                ("--dedup-events", "deduplication_events", dedupEvents, 1),
                ("--compress-from", "compress_from_bytes", compressFrom, 1),
                ("--keep-seconds", "keep_milliseconds", keepSeconds, 1_000),
                ("--keep-events", "keep_events", keepEvents, 1),
                ("--keep-bytes", "keep_bytes", keepBytes, 1),
            ] {
                guard let text else { continue }
                let number = Double(text).map { $0 * factor } ?? -1
                guard text == "off" || (1...1e12).contains(number) else {
                    throw ValidationError("\(name): expected a number above 0, or off")
                }
                changes.updateValue(text == "off" ? nil : .number(Int64(number)), forKey: member)
            }
            return changes
        }
    }
}

extension AdminOptions {
    var streams: StreamDesk {
        get throws(AdminError) { StreamDesk(try client(), asJSON: format.output == .json) }
    }
}
