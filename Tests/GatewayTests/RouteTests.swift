import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Telemetry
import Testing

@testable import Gateway

@Suite("Routes")
struct RouteTests {
    let registry = MetricsRegistry()
    let readiness = Readiness()

    private func get(
        _ uri: String, method: HTTPRequest.Method = .get, headers: HTTPFields = [:]
    ) async throws -> (status: Int, contentType: String?, body: String) {
        let router = GatewayRoutes(
            registry: registry, spanMetrics: SpanMetricsPage(registry: registry, service: "shop"), readiness: readiness
        ).router()
        return try await Application(router: router).test(.router) { client in
            try await client.execute(uri: uri, method: method, headers: headers) { response in
                (response.status.code, response.headers[.contentType], String(buffer: response.body))
            }
        }
    }

    @Test func health() async throws {
        let answer = try await get("/healthz")
        #expect(answer == (200, "text/plain; charset=utf-8", "ok\n"))
    }

    @Test func readinessFollowsTheLifeOfTheProcess() async throws {
        #expect(try await get("/readyz") == (503, "text/plain; charset=utf-8", "starting\n"))
        readiness.markReady()
        #expect(try await get("/readyz") == (200, "text/plain; charset=utf-8", "ready\n"))
        readiness.markDraining()
        #expect(try await get("/readyz") == (503, "text/plain; charset=utf-8", "draining\n"))
        readiness.markReady()
        #expect(readiness.state == .draining, "there is no way back")
        #expect(try await get("/healthz").status == 200, "a draining process is alive")
    }

    @Test func metricsInBothFormats() async throws {
        registry.makeShard().gauge(MetricCatalog.buildInfo, ["1.2.3"]).add(1)
        let plain = try await get("/metrics")
        #expect(plain.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(
            plain.body == """
                # HELP tacho_build_info The version that runs, as a label; the value is always 1.
                # TYPE tacho_build_info gauge
                tacho_build_info{version="1.2.3"} 1

                """)
        let open = try await get("/metrics", headers: [.accept: "application/openmetrics-text;version=1.0.0"])
        #expect(open.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
        #expect(open.body.hasSuffix("tacho_build_info{version=\"1.2.3\"} 1\n# EOF\n"))
    }

    @Test func spanMetricsHaveAPageOfTheirOwn() async throws {
        let answer = try await get("/metrics/spm")
        #expect(answer.status == 200)
        #expect(answer.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answer.body.contains("# TYPE traces_span_metrics_calls_total counter\n"))
    }

    @Test func severalAcceptLinesCountAsOne() async throws {
        var headers = HTTPFields()
        headers.append(HTTPField(name: .accept, value: "text/plain;q=0.2"))
        headers.append(HTTPField(name: .accept, value: "application/openmetrics-text;q=0.9"))
        #expect(try await get("/metrics", headers: headers).body == "# EOF\n")
    }

    @Test func aQueryDoesNotMatter() async throws {
        #expect(try await get("/healthz?verbose=1").status == 200)
        #expect(try await get("/metrics?name[]=x").status == 200)
    }

    @Test func whatIsNotThereIsAProblem() async throws {
        let answer = try await get("/nothing/here?secret=1")
        #expect(
            answer == (
                404, "application/problem+json", #"{"type":"about:blank","title":"Not Found","status":404}"# + "\n"
            ))
        #expect(try await get("/").status == 404)
        #expect(try await get("/metrics", method: .post).status == 404)
        #expect(try await get("/metrics", method: .head).status == 200)
    }
}
