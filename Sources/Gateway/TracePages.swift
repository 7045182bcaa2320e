import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry

/// `/traces`: recent traces as pages for people, drawn by the same code as `tacho trace`.
struct TracePages: Sendable {
    let sources: AdminSources

    private static let tracesShown = 100

    func add(to router: Router<BasicRequestContext>) {
        router.get("traces") { _, _ in
            Self.page(TraceListPage(TraceList(traces: try sources.kept().list(limit: Self.tracesShown))).html)
        }
        router.get("traces/{id}") { _, context in
            Self.page(TracePage(try sources.trace(context.parameters.get("id") ?? "")).html)
        }
    }

    private static func page(_ html: String) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
                .contentSecurityPolicy: TracePage.contentSecurityPolicy, .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }
}
