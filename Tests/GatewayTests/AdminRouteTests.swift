import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Telemetry
import Testing

@testable import Gateway

@Suite("The admin API")
struct AdminRouteTests {
    private let names = NameTable(capacity: 100)
    private let catalog = SpanCatalog()
    private let readiness = Readiness()
    private let tap: MessageTap
    private let traces: RecentTraces
    private let descriptor: SpanDescriptorID

    init() {
        tap = MessageTap(catalog: catalog)
        traces = RecentTraces(capacity: 100, names: names, catalog: catalog, next: Nowhere())
        descriptor = catalog.intern(
            SpanDescriptor(
                service: "shop", system: "redis", operation: "xadd", operationType: .send, destination: "orders",
                broker: BrokerAddress(server: "broker.test", port: 6379)))
        var record = SpanRecord(
            descriptor: descriptor, kind: .producer, traceID: TraceID(high: 0, low: 0xa), spanID: SpanID(0xb),
            flags: [.sampled], startUnixNanoseconds: 1_767_323_045_123_456_789,
            endUnixNanoseconds: 1_767_323_045_123_457_789)
        record.queueNanoseconds = 1_500_000
        record.link = SpanLink(
            context: TraceContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), flags: [.sampled]))
        var batch = [record]
        traces.offer(&batch)
    }

    private func application(keepsTraces: Bool = true) -> some ApplicationProtocol {
        let registry = MetricsRegistry()
        let sources = AdminSources(
            traces: keepsTraces ? traces : nil, tap: tap,
            text: TapText(names: names, catalog: catalog, listeners: ["main"]))
        return Application(
            router: GatewayRoutes(
                registry: registry, spanMetrics: SpanMetricsPage(registry: registry, service: "shop"),
                readiness: readiness, admin: sources
            ).router())
    }

    private func get(
        _ uri: String, method: HTTPRequest.Method = .get, keepsTraces: Bool = true
    ) async throws -> (status: Int, contentType: String?, body: String) {
        try await application(keepsTraces: keepsTraces).test(.router) { client in
            try await client.execute(uri: "/api/v1/" + uri, method: method) { response in
                (response.status.code, response.headers[.contentType], String(buffer: response.body))
            }
        }
    }

    private func event(_ milliseconds: UInt64) -> TapEvent {
        TapEvent(
            .published, unixNanoseconds: 1_767_323_045_123_456_789 + milliseconds * 1_000_000, listener: 0,
            descriptor: descriptor, traceID: TraceID(high: 0, low: 0xa), isSampled: false)
    }

    @Test func theListOfTraces() async throws {
        let list = """
            {"traces":[{"duration_nanoseconds":1000,"root":"xadd orders","service":"shop","spans":1,\
            "start":"2026-01-02T03:04:05.123456Z","trace_id":"0000000000000000000000000000000a"}]}

            """
        #expect(try await get("traces") == (200, "application/json", list))
        #expect(try await get("traces?limit=5&destination=ord*").body == list)
        #expect(try await get("traces?destination=payments").body == #"{"traces":[]}"# + "\n")
    }

    @Test func oneTrace() async throws {
        let trace = """
            {"duration_nanoseconds":1000,"spans":[{"attributes":{"messaging.destination.name":"orders",\
            "messaging.operation.name":"xadd","messaging.operation.type":"send","messaging.system":"redis",\
            "peer.service":"redis","server.address":"broker.test","server.port":6379,"service.peer.name":"redis",\
            "tacho.queue.seconds":0.0015},"duration_nanoseconds":1000,"kind":"producer","links":[{"attributes":{},\
            "span_id":"0000000000000003","trace_id":"00000000000000010000000000000002"}],"links_left_out":0,\
            "name":"xadd orders","service":"shop","span_id":"000000000000000b","start_nanoseconds":0}],\
            "start":"2026-01-02T03:04:05.123456Z","trace_id":"0000000000000000000000000000000a"}

            """
        #expect(try await get("traces/0000000000000000000000000000000a") == (200, "application/json", trace))
        #expect(try await get("traces/0000000000000000000000000000000A").body == trace, "as people paste it")
    }

    @Test(arguments: [
        ("traces?limit=0", 400, "limit: expected a whole number from 1 to 1000"),
        ("traces?limit=many", 400, "limit: expected a whole number from 1 to 1000"),
        ("traces?destination=", 400, "destination: expected a name of 1 to 256 bytes, with * and ? as wildcards"),
        ("traces?secret=1", 400, "unknown query parameter; this resource takes destination, limit"),
        ("traces/xyz", 400, "a trace id has 32 hexadecimal digits and is not all zeros"),
        (
            "traces/+000000000000000+000000000000000", 400,
            "a trace id has 32 hexadecimal digits and is not all zeros"
        ),
        (
            "traces/0000000000000000000000000000000c", 404,
            "nothing is kept of this trace: it was not sampled, has given way to newer ones, or passed elsewhere"
        ),
        (
            "tap?outcome=fine", 400,
            "outcome: expected one of \(TapOutcome.allCases.map(\.rawValue).joined(separator: ", "))"
        ),
        ("tap?slower_than_milliseconds=-1", 400, "slower_than_milliseconds: expected a number from 0 to 86400000"),
        ("tap?slower_than_milliseconds=nan", 400, "slower_than_milliseconds: expected a number from 0 to 86400000"),
        ("tap?limit_per_second=10001", 400, "limit_per_second: expected a whole number from 1 to 10000"),
    ])
    func problems(_ uri: String, _ status: Int, _ detail: String) async throws {
        let title = status == 400 ? "Bad Request" : "Not Found"
        let body = #"{"detail":"\#(detail)","status":\#(status),"title":"\#(title)","type":"about:blank"}"# + "\n"
        #expect(try await get(uri) == (status, "application/problem+json", body))
        #expect(!tap.isWatched)
    }

    @Test func tracesThatAreNotKept() async throws {
        let answer = try await get("traces", keepsTraces: false)
        #expect(answer.status == 404)
        #expect(answer.body.contains("recent traces are not kept; set traces.keep_spans above 0"))
    }

    @Test func onlyReading() async throws {
        #expect(try await get("traces", method: .post).status == 404)
        #expect(try await get("tap", method: .head).status == 200)
        #expect(!tap.isWatched, "who asks for the head alone does not watch")
    }

    @Test func tooManyWatchers() async throws {
        let subscriptions = (0..<MessageTap.watchersMax).map { _ in tap.watch(TapFilter()) }
        #expect(try await get("tap").status == 503)
        withExtendedLifetime(subscriptions) {}
    }

    /// The stream has what was told while it was open, and what was not shown; it ends when the process drains.
    @Test func theStreamEndsWithTheDrain() async throws {
        try await application().test(.live) { client in
            async let answer = client.execute(
                uri: "/api/v1/tap?limit_per_second=2&destination=orders", method: .get
            ) { response in (response.status.code, response.headers[.contentType], String(buffer: response.body)) }
            while !tap.isWatched { await Task.yield() }
            for milliseconds: UInt64 in 0..<4 { tap.emit(event(milliseconds)) }
            readiness.markDraining()
            let (status, contentType, body) = try await answer
            #expect(status == 200 && contentType == "application/x-ndjson")
            let line = """
                {"destination":"orders","listener":"main","operation":"xadd","outcome":"ok","sampled":false,\
                "stage":"published","system":"redis","time":"2026-01-02T03:04:05.12#456Z",\
                "trace_id":"0000000000000000000000000000000a"}
                """
            let lines = body.split(separator: "\n").map(String.init)
            #expect(lines.prefix(2) == [line.replacing("#", with: "3"), line.replacing("#", with: "4")])
            // Told at once, or one after the other where the watcher came by in between.
            let rest = Array(lines.dropFirst(2))
            let one = #"{"dropped":0,"skipped":1}"#
            #expect(rest == [#"{"dropped":0,"skipped":2}"#] || rest == [one, one])
        }
        #expect(!tap.isWatched)
    }
}

private struct Nowhere: SpanSink {
    func offer(_ batch: inout [SpanRecord]) { batch.removeAll() }
}
