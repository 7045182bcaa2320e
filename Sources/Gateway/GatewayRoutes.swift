import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry

/// The resources of the HTTP server.
struct GatewayRoutes: Sendable {
    let registry: MetricsRegistry
    let spanMetrics: SpanMetricsPage
    let readiness: Readiness
    /// Nil leaves the admin API out.
    var admin: AdminSources?
    /// What other modules serve.
    var modules: [any GatewayModule] = []

    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        router.get("metrics") { request, _ in metrics(accept: request.headers[.accept]) }
        router.get("metrics/spm") { _, _ in
            Response(
                status: .ok, headers: [.contentType: ExpositionFormat.prometheusText.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: spanMetrics.render())))
        }
        router.get("healthz") { _, _ in Self.text("ok", .ok) }
        router.get("readyz") { _, _ in
            let state = readiness.state
            return Self.text(state.text, state == .ready ? .ok : .serviceUnavailable)
        }
        if let admin {
            AdminRoutes(sources: admin, readiness: readiness).add(to: router)
            TracePages(sources: admin).add(to: router)
        }
        for module in modules { module.add(to: router) }
        return router
    }

    private func metrics(accept: String?) -> Response {
        let format = ExpositionFormat.negotiate(accept: accept)
        return Response(
            status: .ok,
            headers: [.contentType: format.contentType, .vary: "Accept"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: registry.render(format))))
    }

    private static func text(_ text: String, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status,
            headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
