public import HTTPTypes
import Hummingbird
import NIOCore

/// A request that cannot be answered, with what to do instead, as a problem body (RFC 9457).
///
/// `detail` speaks of what is expected and repeats nothing of the request, so nothing of it can leak.
public struct GatewayProblem: Error, Hashable, Sendable {
    /// The status of the answer.
    public var status: HTTPResponse.Status
    /// What is expected, in a sentence.
    public var detail: String
    /// Members of the body that programs may need beside the standard ones: numbers.
    public var members: [String: Int64]
    /// When it may be tried again (`Retry-After`), in seconds; nil says nothing of it.
    public var retryAfterSeconds: Int?
    /// What the resource does take (`Allow`), with the status 405.
    public var allowedMethods: String?

    /// A problem without members of its own.
    public init(
        status: HTTPResponse.Status, detail: String, members: [String: Int64] = [:], retryAfterSeconds: Int? = nil,
        allowedMethods: String? = nil
    ) {
        self.status = status
        self.detail = detail
        self.members = members
        self.retryAfterSeconds = retryAfterSeconds
        self.allowedMethods = allowedMethods
    }

    /// 400.
    public static func badQuery(_ detail: String) -> GatewayProblem {
        GatewayProblem(status: .badRequest, detail: detail)
    }

    /// 404.
    public static func notFound(_ detail: String) -> GatewayProblem {
        GatewayProblem(status: .notFound, detail: detail)
    }
}

extension GatewayProblem {
    /// The answer.
    static func response(_ status: HTTPResponse.Status, _ problem: GatewayProblem?) -> Response {
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if status == .upgradeRequired { headers[.upgrade] = "websocket" }
        if let seconds = problem?.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
        if let allowed = problem?.allowedMethods { headers[.allow] = allowed }
        let body = ProblemBody(
            title: status.reasonPhrase, status: status.code, detail: problem?.detail, members: problem?.members ?? [:])
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: JSONLine.buffer(body)))
    }
}

/// The members of a problem body.
private struct ProblemBody: Encodable {
    let title: String
    let status: Int
    let detail: String?
    let members: [String: Int64]

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for (name, value) in members { try container.encode(value, forKey: Name(stringValue: name)) }
        try container.encode("about:blank", forKey: Name(stringValue: "type"))
        try container.encode(title, forKey: Name(stringValue: "title"))
        try container.encode(status, forKey: Name(stringValue: "status"))
        try container.encodeIfPresent(detail, forKey: Name(stringValue: "detail"))
    }
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
            return GatewayProblem.response(status, problem)
        }
    }
}
