import ArgumentParser
import Console

struct ThresholdsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "thresholds",
        abstract: "Show the thresholds of circuit breakers, their history, or why they are what they are.",
        discussion: """
            Without arguments: every parameter of every breaker, as applied and as learned. `explain KEY` says in words \
            why the parameters of one breaker are what they are; KEY is a name from `tacho breakers`, such as: orders \
            publish
            """
    )

    @Argument(help: "`explain` and the name of a breaker; or a name alone, to show its parameters.")
    var words: [String] = []

    @Flag(help: "Show what was changed or refused, and when breakers changed their state; the newest first.")
    var history = false

    @Option(help: ArgumentHelp("Show at most so many records of the history.", valueName: "number"))
    var limit = 100

    @Option(help: ArgumentHelp("The listener, where several have a breaker of that name.", valueName: "name"))
    var listener: String?

    @OptionGroup var admin: AdminOptions

    private var explains: Bool { words.first == "explain" }
    private var key: String { words.dropFirst(explains ? 1 : 0).joined(separator: " ") }

    func validate() throws {
        guard !explains || !key.isEmpty else {
            throw ValidationError("explain needs the name of a breaker: tacho thresholds explain orders publish")
        }
        guard !explains || !history else { throw ValidationError("explain and --history exclude each other") }
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit: expected 1 to 10000") }
    }

    func run() throws {
        let (client, view, asJSON) = (try admin.client(), admin.view, admin.format.output == .json)
        let which = [("key", key.isEmpty ? nil : key), ("listener", listener)]
        if explains {
            let document = try client.document("/api/v1/thresholds/explain", which)
            AdminOptions.show(asJSON ? document : try view.explanation(document))
        } else if history {
            let document = try client.document("/api/v1/thresholds/history", which + [("limit", "\(limit)")])
            AdminOptions.show(asJSON ? document : try view.history(document))
        } else {
            let document = try client.document("/api/v1/thresholds", which)
            AdminOptions.show(asJSON ? document : try view.thresholds(document))
        }
    }
}
