import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry
import Wire

/// `/api/v1/spool`: what is kept in the spool, looked at, sent on after all, or deleted.
///
/// Orders are taken as in `GuardRoutes`: from no web page.
struct SpoolRoutes: Sendable {
    let spool: (any SpoolAdministration)?

    private static let streamsMax = 10_000
    private static let messagesMax = 1_000
    private static let orderMax: Int64 = 1_000_000
    private static let idsMax = 10_000
    private static let bodyBytesMax = 1 << 20
    private static let filter = ["listener", "database", "stream"]

    func add(to group: RouterGroup<BasicRequestContext>) {
        group.get("spool") { request, _ in
            let query = try AdminQuery(request, known: Self.filter + ["limit"])
            let choice = try choice(query)
            let limit = try query.number("limit", in: 1...Self.streamsMax, default: 1_000)
            return try await answer { (spool) throws(SpoolProblem) in try await spool.streams(choice, limit: limit) }
        }
        group.get("spool/messages") { request, _ in try await messages(request) }
        group.post("spool/redrive") { request, _ in
            let order = try await order(request, known: ["filter", "all", "limit", "dry_run"])
            let isDryRun = try order.body.flag("dry_run") ?? false
            return try await answer { (spool) throws(SpoolProblem) in
                try await spool.redrive(order.choice, limit: order.limit, isDryRun: isDryRun)
            }
        }
        group.post("spool/purge") { request, _ in
            let order = try await order(request, known: ["filter", "all", "limit"])
            return try await answer { (spool) throws(SpoolProblem) in
                try await spool.purge(order.choice, limit: order.limit)
            }
        }
    }

    // MARK: Looking

    private func messages(_ request: Request) async throws -> Response {
        let query = try AdminQuery(
            request, known: Self.filter + ["state", "id", "reason", "since", "until", "after", "limit"])
        var choice = try choice(query)
        choice.ids = query.text("id").map { [$0] } ?? []
        choice.reason = query.text("reason")
        choice.since = try Self.period(try query.moment("since"), try query.moment("until"))
        let isWaiting: Bool
        switch query.text("state") {
        case "set_aside", nil: isWaiting = false
        case "waiting": isWaiting = true
        default: throw GatewayProblem.badQuery("state: expected waiting or set_aside")
        }
        let after = query.text("after")
        let limit = try query.number("limit", in: 1...Self.messagesMax, default: 100)
        return try await answer { [choice] (spool) throws(SpoolProblem) in
            try await spool.messages(choice, isWaiting: isWaiting, after: after, limit: limit)
        }
    }

    private func choice(_ query: AdminQuery) throws(GatewayProblem) -> SpoolChoice {
        var choice = SpoolChoice()
        choice.listener = query.text("listener")
        choice.stream = query.text("stream")
        if query.text("database") != nil {
            choice.database = try query.number("database", in: 0...Int(Int32.max), default: 0)
        }
        return choice
    }

    // MARK: Orders

    /// An order names what it means: a filter with at least one condition, or `all`.
    private func order(
        _ request: Request, known: [String]
    ) async throws -> (body: JSONMembersReader, choice: SpoolChoice, limit: Int) {
        try RequestOrigin.check(request)
        _ = try AdminQuery(request, known: [])
        let bytes = Array(try await request.body.collect(upTo: Self.bodyBytesMax).readableBytesView)
        let body = try JSONMembersReader(bytes.isEmpty ? Array("{}".utf8) : bytes, known: known)
        let limit = Int(try body.number("limit", in: 1...Self.orderMax) ?? 1_000)
        guard
            let parts = try body.object(
                "filter", known: "ids", "listener", "database", "stream", "reason", "since_unix_milliseconds",
                "until_unix_milliseconds")
        else {
            guard try body.flag("all") == true else {
                throw GatewayProblem.badQuery("filter: expected which messages are meant, or \"all\": true")
            }
            return (body, SpoolChoice(), limit)
        }
        var choice = SpoolChoice()
        choice.ids = try Self.ids(parts)
        choice.listener = try parts.text("listener")
        choice.database = try parts.number("database", in: 0...Int64(Int32.max)).map { Int($0) }
        choice.stream = try parts.text("stream")
        choice.reason = try parts.text("reason")
        let range = 0...Int64.max
        choice.since = try Self.period(
            try parts.number("since_unix_milliseconds", in: range),
            try parts.number("until_unix_milliseconds", in: range))
        guard choice != SpoolChoice() else {
            throw GatewayProblem.badQuery("filter: it means all messages; say \"all\": true instead")
        }
        return (body, choice, limit)
    }

    private static func ids(_ parts: JSONMembersReader) throws(GatewayProblem) -> [String] {
        let values = try parts.list("ids", atMost: idsMax) ?? []
        let ids = values.compactMap(\.text)
        guard ids.count == values.count else { throw parts.mistake("ids", "ids of messages, such as 1795452187905-0") }
        return ids
    }

    private static func period(_ since: Int64?, _ until: Int64?) throws(GatewayProblem) -> ClosedRange<UInt64>? {
        guard since != nil || until != nil else { return nil }
        let (first, last) = (UInt64(clamping: since ?? 0), until.map { UInt64(clamping: $0) } ?? .max)
        guard first <= last else { throw .badQuery("since: expected a time before until") }
        return first...last
    }

    // MARK: Answers

    private func answer<View: Encodable>(
        _ ask: (any SpoolAdministration) async throws(SpoolProblem) -> View
    ) async throws(GatewayProblem) -> Response {
        guard let spool else { throw .notFound("there is no spool: no step of resilience.on_open stores messages") }
        do throws(SpoolProblem) {
            let view = try await ask(spool)
            return Response(
                status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: JSONLine.buffer(view)))
        } catch {
            throw Self.problem(error)
        }
    }

    private static func problem(_ problem: SpoolProblem) -> GatewayProblem {
        switch problem {
        case .badID: .badQuery("ids: expected ids of messages, such as 1795452187905-0")
        case .badPlace: .badQuery("after: expected what the page before said as next")
        case .ambiguousID(let id):
            .badQuery("several streams have a message \(id); say which with listener, database and stream")
        case .busy:
            GatewayProblem(
                status: .conflict, detail: "another redrive or purge is under way; try again when it is done")
        case .storage(let reason, let done):
            GatewayProblem(
                status: .serviceUnavailable, detail: "the spool is not able to: \(reason); \(done) messages were done",
                members: ["done": Int64(done)])
        }
    }
}
