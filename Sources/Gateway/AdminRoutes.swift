import HTTPTypes
import Hummingbird
import NIOCore
public import Telemetry

/// What the admin API shows.
public struct AdminSources: Sendable {
    let traces: RecentTraces?
    let tap: MessageTap
    let text: TapText
    let guards: (any GuardAdministration)?
    let spool: (any SpoolAdministration)?

    /// - Parameters:
    ///   - traces: nil when recent traces are not kept.
    ///   - guards: nil when nothing is guarded.
    ///   - spool: nil when nothing is spooled.
    public init(
        traces: RecentTraces?, tap: MessageTap, text: TapText, guards: (any GuardAdministration)? = nil,
        spool: (any SpoolAdministration)? = nil
    ) {
        self.traces = traces
        self.tap = tap
        self.text = text
        self.guards = guards
        self.spool = spool
    }
}

extension AdminSources {
    /// The trace with this id.
    func trace(_ text: String) throws(GatewayProblem) -> TraceView {
        guard let id = TraceID(parsing: text) else {
            throw .badQuery("a trace id has 32 hexadecimal digits and is not all zeros")
        }
        guard let trace = try kept().trace(id) else {
            throw .notFound(
                "nothing is kept of this trace: it was not sampled, has given way to newer ones, or passed elsewhere")
        }
        return trace
    }

    /// The traces that are kept in memory.
    func kept() throws(GatewayProblem) -> RecentTraces {
        guard let traces else { throw .notFound("recent traces are not kept; set traces.keep_spans above 0") }
        return traces
    }
}

/// `/api/v1`: recent traces, and messages as they pass. These read and never change anything; what gives orders is in
/// `GuardRoutes` and `SpoolRoutes`.
struct AdminRoutes: Sendable {
    let sources: AdminSources
    let readiness: Readiness

    private static let tracesMax = 1_000

    func add(to router: Router<BasicRequestContext>) {
        let group = router.group("api/v1")
        group.get("traces") { request, _ in try list(request) }
        group.get("traces/{id}") { _, context in try trace(context.parameters.get("id") ?? "") }
        group.get("tap") { request, _ in try tap(request) }
        GuardRoutes(guards: sources.guards).add(to: group)
        SpoolRoutes(spool: sources.spool).add(to: group)
    }

    private func list(_ request: Request) throws -> Response {
        let query = try AdminQuery(request, known: ["destination", "limit"])
        let limit = try query.number("limit", in: 1...Self.tracesMax, default: 20)
        let destination = try query.glob("destination")
        return Self.json(TraceList(traces: try sources.kept().list(limit: limit, destination: destination)))
    }

    private func trace(_ text: String) throws -> Response { Self.json(try sources.trace(text)) }

    private func tap(_ request: Request) throws -> Response {
        let query = try AdminQuery(
            request, known: ["destination", "limit_per_second", "outcome", "slower_than_milliseconds"])
        let filter = TapFilter(
            destination: try query.glob("destination"), outcome: try query.outcome("outcome"),
            slowerThanNanoseconds: try query.milliseconds("slower_than_milliseconds"),
            limitPerSecond: try query.number(
                "limit_per_second", in: TapFilter.limitPerSecondRange, default: TapFilter.limitPerSecondDefault))
        guard let subscription = sources.tap.watch(filter) else {
            throw GatewayProblem(
                status: .serviceUnavailable,
                detail: "\(MessageTap.watchersMax) watch already; end one of them or try again later")
        }
        let stream = TapStream(subscription: subscription, text: sources.text, readiness: readiness)
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"],
            body: stream.body(of: request))
    }

    private static func json(_ value: some Encodable) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: JSONLine.buffer(value)))
    }
}
