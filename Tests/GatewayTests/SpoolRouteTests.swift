import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Synchronization
import Telemetry
import Testing

@testable import Gateway

@Suite("The admin API of the spool")
struct SpoolRouteTests {
    private let spool = RecordingSpool()

    private func ask(
        _ method: HTTPRequest.Method, _ uri: String, _ body: String = "", headers: HTTPFields = [:],
        withSpool: Bool = true
    ) async throws -> (status: Int, body: String) {
        let sources = AdminSources(
            traces: nil, tap: MessageTap(catalog: SpanCatalog()),
            text: TapText(names: NameTable(capacity: 10), catalog: SpanCatalog(), listeners: []),
            spool: withSpool ? spool : nil)
        let routes = GatewayRoutes(
            registry: MetricsRegistry(),
            spanMetrics: SpanMetricsPage(registry: MetricsRegistry(), service: "shop"),
            readiness: Readiness(), admin: sources)
        return try await Application(router: routes.router()).test(.router) { client in
            try await client.execute(
                uri: "/api/v1/spool\(uri)", method: method, headers: headers, body: ByteBuffer(string: body)
            ) { (Int($0.status.code), String(buffer: $0.body)) }
        }
    }

    @Test("what a question says arrives, in its parts")
    func questions() async throws {
        _ = try await ask(.get, "?stream=orders&limit=5")
        _ = try await ask(
            .get, "/messages?state=waiting&listener=a&database=3&reason=ERR&since=5&until=9&id=1-1&after=x&limit=7")
        #expect(
            spool.calls == [
                #"streams ids [], stream orders, limit 5"#,
                #"messages ids ["1-1"], listener a, database 3, reason ERR, since 5...9, waiting true, after x, limit 7"#,
            ])
    }

    @Test("an order says which messages, and is carried out")
    func orders() async throws {
        #expect(
            try await ask(.post, "/redrive", #"{"all":true,"dry_run":true}"#)
                == (200, #"{"dry_run":true,"redriven":2,"skipped":1}"# + "\n"))
        #expect(
            try await ask(.post, "/purge", #"{"filter":{"ids":["1-1","1-2"],"since_unix_milliseconds":4},"limit":9}"#)
                == (200, #"{"purged":3}"# + "\n"))
        #expect(
            spool.calls == [
                "redrive ids [], limit 1000, dry run true",
                #"purge ids ["1-1", "1-2"], since 4...18446744073709551615, limit 9"#,
            ])
    }

    @Test(arguments: [
        ("/redrive", "", "filter: expected which messages are meant, or \\\"all\\\": true"),
        ("/purge", #"{"filter":{}}"#, "filter: it means all messages; say \\\"all\\\": true instead"),
        ("/purge", #"{"filter":{"ids":[7]}}"#, "filter.ids: expected ids of messages, such as 1795452187905-0"),
        ("/purge", #"{"all":true,"dry_run":true}"#, "unknown member; the body takes filter, all, limit"),
        ("/purge", #"{"all":true,"limit":0}"#, "limit: expected a whole number from 1 to 1000000"),
        (
            "/purge", #"{"filter":{"since_unix_milliseconds":9,"until_unix_milliseconds":1}}"#,
            "since: expected a time before until"
        ),
        ("/purge?all=true", #"{"all":true}"#, "unknown query parameter; this resource takes "),
    ])
    func mistakes(_ uri: String, _ body: String, _ detail: String) async throws {
        let answer = try await ask(.post, uri, body)
        #expect(answer.status == 400 && answer.body.contains(#""detail":"\#(detail)""#), "\(answer)")
        #expect(spool.calls == [])
    }

    @Test("no order from a web page, and none where nothing is spooled")
    func refused() async throws {
        #expect(
            try await ask(.post, "/purge", #"{"all":true}"#, headers: [.origin: "http://x.test"]).status == 403)
        let answer = try await ask(.get, "", withSpool: false)
        #expect(answer.status == 404 && answer.body.contains("no step of resilience.on_open stores messages"))
    }

    @Test(
        "problems say what to do",
        arguments: [
            (SpoolProblem.busy, 409, "another redrive or purge is under way"), (.badID, 400, "ids: expected ids"),
            (.badPlace, 400, "after: expected"), (.ambiguousID("1-1"), 400, "several streams have a message 1-1"),
            (.storage("disk is full", done: 4), 503, "disk is full; 4 messages were done"),
        ])
    func problems(_ problem: SpoolProblem, _ status: Int, _ detail: String) async throws {
        spool.problem.withLock { $0 = problem }
        let answer = try await ask(.get, "")
        #expect(answer.status == status && answer.body.contains(detail), "\(answer)")
    }
}

/// Notes what it is asked.
private final class RecordingSpool: SpoolAdministration {
    private let asked = Mutex<[String]>([])
    let problem = Mutex<SpoolProblem?>(nil)

    var calls: [String] { asked.withLock { $0 } }

    private func note(_ name: String, _ choice: SpoolChoice, _ rest: String) throws(SpoolProblem) {
        let parts: [(String, Any?)] = [
            ("listener", choice.listener), ("database", choice.database), ("stream", choice.stream),
            ("reason", choice.reason), ("since", choice.since),
        ]
        let said = parts.compactMap { name, value in value.map { "\(name) \($0)" } }
        asked.withLock { $0.append("\(name) " + (["ids \(choice.ids)"] + said + [rest]).joined(separator: ", ")) }
        if let problem = problem.withLock({ $0 }) { throw problem }
    }

    func streams(_ choice: SpoolChoice, limit: Int) async throws(SpoolProblem) -> SpoolList {
        try note("streams", choice, "limit \(limit)")
        return SpoolList(streams: [], leftOut: 0, messagesMax: 1, bytesMax: 1)
    }

    func messages(
        _ choice: SpoolChoice, isWaiting: Bool, after: String?, limit: Int
    ) async throws(SpoolProblem) -> SpoolMessageList {
        try note("messages", choice, "waiting \(isWaiting), after \(after ?? "-"), limit \(limit)")
        return SpoolMessageList(messages: [], next: nil)
    }

    func redrive(_ choice: SpoolChoice, limit: Int, isDryRun: Bool) async throws(SpoolProblem) -> SpoolRedriveReport {
        try note("redrive", choice, "limit \(limit), dry run \(isDryRun)")
        return SpoolRedriveReport(isDryRun: isDryRun, redriven: 2, skipped: 1)
    }

    func purge(_ choice: SpoolChoice, limit: Int) async throws(SpoolProblem) -> SpoolPurgeReport {
        try note("purge", choice, "limit \(limit)")
        return SpoolPurgeReport(purged: 3)
    }
}
