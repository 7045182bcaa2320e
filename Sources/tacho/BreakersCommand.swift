import ArgumentParser
import Console

struct BreakersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "breakers",
        abstract: "Show the circuit breakers of a running sidecar, or give one an order.",
        discussion: """
            Without arguments: one line per breaker. `open KEY` refuses every call, `close KEY` lets every call pass, \
            `auto KEY` lets the breaker decide again. KEY is a name from the list, such as: orders publish
            """
    )

    enum Order: String, ExpressibleByArgument, CaseIterable {
        case open
        case close
        case auto
    }

    @Argument(help: "open, close or auto.")
    var order: Order?

    @Argument(help: "The breaker, as the list names it.")
    var key: [String] = []

    @Option(help: ArgumentHelp("The listener, where several have a breaker of that name.", valueName: "name"))
    var listener: String?

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard (order == nil) == key.isEmpty else {
            throw ValidationError("an order needs the name of a breaker: tacho breakers open orders publish")
        }
    }

    func run() throws {
        let (client, view, asJSON) = (try admin.client(), admin.view, admin.format.output == .json)
        guard let order else {
            let document = try client.document("/api/v1/breakers")
            return AdminOptions.show(asJSON ? document : try view.breakers(document))
        }
        let document = try client.order(
            "/api/v1/breakers/\(order.rawValue)",
            [("key", key.joined(separator: " ")), ("listener", listener)])
        AdminOptions.show(asJSON ? document : try view.breaker(document))
    }
}
