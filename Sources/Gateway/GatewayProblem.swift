import HTTPTypes
import Hummingbird
import NIOCore

/// A request that cannot be answered, with what to do instead, as a problem body (RFC 9457).
///
/// `detail` speaks of what is expected and repeats nothing of the request, so nothing of it can leak.
struct GatewayProblem: Error, Hashable {
    let status: HTTPResponse.Status
    let detail: String

    static func badQuery(_ detail: String) -> GatewayProblem { GatewayProblem(status: .badRequest, detail: detail) }

    static func notFound(_ detail: String) -> GatewayProblem { GatewayProblem(status: .notFound, detail: detail) }
}

/// The members of a problem body that we use.
private struct ProblemBody: Encodable {
    let type = "about:blank"
    let title: String
    let status: Int
    let detail: String?
}

/// Turns every error into a problem body.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let problem = error as? GatewayProblem
            let status = problem?.status ?? (error as? any HTTPResponseError)?.status ?? .internalServerError
            let body = ProblemBody(title: status.reasonPhrase, status: status.code, detail: problem?.detail)
            return Response(
                status: status, headers: [.contentType: "application/problem+json"],
                body: ResponseBody(byteBuffer: JSONLine.buffer(body)))
        }
    }
}
