import ArgumentParser
import Console
import Foundation

struct ProjectionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "projections",
        abstract: "Tables that the embedded log keeps of its streams.",
        discussion: """
            A projection folds the events of a stream into rows. A definition is JSON, for example: \
            {"stream": "orders", "key": {"data": "/customer"}, "columns": {"orders": {"fold": "count"}, \
            "spent": {"fold": "sum", "of": {"data": "/amount"}}}}
            """,
        subcommands: [List.self, Rows.self, Define.self, Rebuild.self, Remove.self],
        defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "ls", abstract: "List projections.")

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let document = try admin.client().document("/projections")
            if admin.format.output == .json { return AdminOptions.show(document) }
            for line in try ProjectionView().list(document) { AdminOptions.show(line) }
        }
    }

    struct Rows: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rows", abstract: "Show a projection's table.")

        @Argument(help: "The projection.")
        var name: String

        @Option(help: "Only the row with this key.")
        var key: String?

        @Option(help: "Only rows behind this key.")
        var after: String?

        @Option(help: "The most rows to show.")
        var limit = 100

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let document = try admin.client().document(
                ProjectionsCommand.path(name) + "/rows",
                [("key", key), ("after", after), ("limit", key == nil ? String(limit) : nil)])
            if admin.format.output == .json { return AdminOptions.show(document) }
            let (lines, next) = try ProjectionView().rows(document)
            for line in lines { AdminOptions.show(line) }
            if let next { AdminOptions.show("more: --after '\(next)'") }
        }
    }

    struct Define: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "define", abstract: "Define a projection; one that is there and differs begins from nothing.")

        @Argument(help: "The projection.")
        var name: String

        @Argument(help: ArgumentHelp("The definition, or - to read it from the input.", valueName: "file"))
        var file: String

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let input = file == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: file)
            guard let definition = try input?.readToEnd() else {
                throw ValidationError("\(file): expected a file with the definition")
            }
            let document = try admin.client().order(
                ProjectionsCommand.path(name), method: .put, body: String(decoding: definition, as: UTF8.self))
            AdminOptions.show(
                admin.format.output == .json ? document : try ProjectionView().projection(document))
        }
    }

    struct Rebuild: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rebuild", abstract: "Fold a projection anew, from the oldest event that the stream has.")

        @Argument(help: "The projection.")
        var name: String

        @Flag(help: "Return when it has caught up.")
        var wait = false

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let client = try admin.client()
            var document = try client.order(ProjectionsCommand.path(name) + "/rebuild")
            while wait, !ProjectionView().isCurrent(document) {
                Thread.sleep(forTimeInterval: 0.1)
                document = try client.document(ProjectionsCommand.path(name))
            }
            AdminOptions.show(
                admin.format.output == .json ? document : try ProjectionView().projection(document))
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a projection with its table.")

        @Argument(help: "The projection.")
        var name: String

        @OptionGroup var address: AdminAddressOptions

        func run() throws {
            try address.client().remove(ProjectionsCommand.path(name))
        }
    }

    /// Names of projections need no escapes; what is none is refused by the sidecar.
    fileprivate static func path(_ name: String) -> String {
        "/projections/" + (name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
    }
}
