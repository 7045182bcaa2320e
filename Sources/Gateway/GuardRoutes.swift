import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry

/// `/api/v1/breakers` and `/api/v1/thresholds`: what breakers do, why, and an operator's word about them.
///
/// A page in a browser of this machine must not be able to give orders: an order is a POST that names this server by a
/// host that no other name can be made to resolve to, and that no other site has sent.
struct GuardRoutes: Sendable {
    let guards: (any GuardAdministration)?

    private static let historyMax = 10_000

    func add(to group: RouterGroup<BasicRequestContext>) {
        group.get("breakers") { request, _ in
            _ = try AdminQuery(request, known: [])
            return try answer { (guards) throws(GuardProblem) in guards.breakers() }
        }
        for order in BreakerOrder.allCases {
            group.post("breakers/\(order.rawValue)") { request, _ in try give(order, request) }
        }
        group.get("thresholds") { request, _ in
            let (key, listener, _) = try parameters(request)
            return try answer { (guards) throws(GuardProblem) in
                try guards.thresholds(key: key, listener: listener)
            }
        }
        group.get("thresholds/history") { request, _ in
            let (key, listener, limit) = try parameters(request, takesLimit: true)
            return try answer { (guards) throws(GuardProblem) in
                try guards.history(key: key, listener: listener, limit: limit)
            }
        }
        group.get("thresholds/explain") { request, _ in
            let (key, listener, _) = try parameters(request)
            guard let key else { throw Self.noKey }
            return try answer { (guards) throws(GuardProblem) in
                try guards.explanation(key: key, listener: listener)
            }
        }
    }

    private func give(_ order: BreakerOrder, _ request: Request) throws -> Response {
        try RequestOrigin.check(request)
        let (key, listener, _) = try parameters(request)
        guard let key else { throw Self.noKey }
        return try answer { (guards) throws(GuardProblem) in
            try guards.set(order, key: key, listener: listener)
        }
    }

    private func parameters(
        _ request: Request, takesLimit: Bool = false
    ) throws(GatewayProblem) -> (key: String?, listener: String?, limit: Int) {
        let query = try AdminQuery(request, known: ["key", "listener"] + (takesLimit ? ["limit"] : []))
        let limit = try query.number("limit", in: 1...Self.historyMax, default: 100)
        return (query.text("key"), query.text("listener"), limit)
    }

    private func answer<View: Encodable>(
        _ ask: (any GuardAdministration) throws(GuardProblem) -> View
    ) throws(GatewayProblem) -> Response {
        guard let guards else { throw Self.off }
        do throws(GuardProblem) {
            return Self.json(try ask(guards))
        } catch {
            throw Self.problem(error)
        }
    }

    private static let noKey = GatewayProblem.badQuery("key: name a breaker")
    private static let off = GatewayProblem.notFound("there are no breakers: resilience.breaker is off")

    private static func problem(_ problem: GuardProblem) -> GatewayProblem {
        switch problem {
        case .unknownKey:
            .notFound("no breaker is called so; /api/v1/breakers lists them, and each appears with its first call")
        case .ambiguousKey(let listeners):
            .badQuery(
                "several listeners have a breaker of this name; add listener=, one of "
                    + listeners.joined(separator: ", "))
        case .storage(let reason):
            GatewayProblem(status: .serviceUnavailable, detail: "the audit trail cannot be read: \(reason)")
        }
    }

    private static func json(_ value: some Encodable) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: JSONLine.buffer(value)))
    }
}
