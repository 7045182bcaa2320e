import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import NIOCore
import Pipeline
import Wire

/// One request to the HTTP face, checked before anything is asked of the log.
struct EventRequest {
    let operation: EventOperation
    let request: Request
    let log: EventGateway.Log
    private let parameters: Parameters
    let query: Parameters

    init(
        _ operation: EventOperation, _ request: Request, _ context: BasicRequestContext, _ log: EventGateway.Log
    ) throws(GatewayProblem) {
        self.operation = operation
        self.request = request
        self.log = log
        parameters = context.parameters
        query = request.uri.queryParameters
        for (name, _) in query where !operation.query.contains(where: { $0.rawValue == name }) {
            let known = operation.query.map(\.rawValue)
            throw .badQuery(
                known.isEmpty
                    ? "this resource takes no query parameters"
                    : "unknown query parameter; this resource takes \(known.joined(separator: ", "))")
        }
    }

    var desk: EventDesk { log.desk }

    func respond() async throws -> Response {
        switch operation {
        case .describe: OpenAPIDocument.response
        case .listStreams: try await listStreams()
        case .getStream: try await getStream()
        case .getStreamSettings: try await getStreamSettings()
        case .putStreamSettings: try await putStreamSettings()
        case .publishEvents: try await publishEvents()
        case .readEvents: try await readEvents()
        case .listGroups: try await listGroups()
        case .putGroup: try await putGroup()
        case .deleteGroup: try await deleteGroup()
        case .receive: try await receive()
        case .acknowledge: try await acknowledge()
        case .reject: try await reject()
        case .extend: try await extend()
        case .replay: try await replay()
        case .listDeadLetters: try await listDeadLetters()
        case .getDeadLetter: try await getDeadLetter()
        case .editDeadLetter: try await editDeadLetter()
        case .redriveDeadLetters: try await redriveDeadLetters()
        case .purgeDeadLetters: try await purgeDeadLetters()
        case .openSocket: throw GatewayProblem(status: .upgradeRequired, detail: "this resource is a WebSocket")
        case .listProjections: try await listProjections()
        case .getProjection: try await getProjection()
        case .putProjection: try await putProjection()
        case .deleteProjection: try await deleteProjection()
        case .rebuildProjection: try await rebuildProjection()
        case .listProjectionRows: try await listProjectionRows()
        }
    }

    // MARK: Path

    private static let nameBytesMax = 512

    /// A name in the path, percent-decoded.
    func name(_ part: String) throws(GatewayProblem) -> [UInt8] {
        let text = parameters.get(part) ?? ""
        guard let decoded = PercentEncoding.decode(text), (1...Self.nameBytesMax).contains(decoded.count) else {
            throw .badQuery("\(part): expected a name of 1 to \(Self.nameBytesMax) bytes, percent-encoded")
        }
        return decoded
    }

    func stream() throws(GatewayProblem) -> [UInt8] { try name("stream") }

    func group() throws(GatewayProblem) -> DurableLog.GroupName {
        DurableLog.GroupName(stream: try name("stream"), group: try name("group"))
    }

    func number() throws(GatewayProblem) -> Int64 {
        guard let number = parameters.get("number").flatMap({ Int64($0) }), number > 0 else {
            throw .notFound("dead letters are named by their number")
        }
        return number
    }

    // MARK: Query

    func text(_ parameter: EventParameter) -> String? { query.get(parameter.rawValue) }

    func bytes(_ parameter: EventParameter) -> [UInt8]? { text(parameter).map { Array($0.utf8) } }

    func number(_ parameter: EventParameter, in range: ClosedRange<Int64>) throws(GatewayProblem) -> Int64? {
        guard let text = text(parameter) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw .badQuery(
                "\(parameter.rawValue): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The `limit`, at most as many as one answer may have.
    func limit(default standard: Int) throws(GatewayProblem) -> Int {
        Int(try number(.limit, in: 1...Int64(log.limits.batchEvents)) ?? Int64(min(standard, log.limits.batchEvents)))
    }

    /// RFC 3339, or milliseconds of the Unix time.
    func moment(_ parameter: EventParameter) throws(GatewayProblem) -> Int64? {
        guard let text = text(parameter) else { return nil }
        if let milliseconds = Int64(text) { return milliseconds }
        let bytes = Array(text.utf8)
        guard let nanoseconds = RFC3339Time.unixNanoseconds(bytes.span, in: bytes.indices) else {
            throw .badQuery(
                "\(parameter.rawValue): expected a time as in RFC 3339 (2026-01-31T12:00:00Z), or milliseconds since 1970"
            )
        }
        return Int64(clamping: nanoseconds / 1_000_000)
    }

    // MARK: Body

    /// The body, up to its limit.
    func body() async throws -> [UInt8] {
        let limit = log.limits.bodyBytes
        let tooLarge = GatewayProblem(
            status: .contentTooLarge, detail: "the body is larger than \(limit) bytes (http.limits.body_bytes)",
            members: ["limit_bytes": Int64(limit)])
        if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > limit { throw tooLarge }
        var bytes: [UInt8] = []
        for try await part in request.body {
            guard part.readableBytes <= limit - bytes.count else { throw tooLarge }
            bytes.append(contentsOf: part.readableBytesView)
        }
        return bytes
    }

    /// The body, said to be JSON or nothing.
    func jsonBody() async throws -> [UInt8] {
        if let type = request.headers[.contentType], !MediaType.isJSON(type) {
            throw GatewayProblem(status: .unsupportedMediaType, detail: "expected a body of type application/json")
        }
        return try await body()
    }

    /// The body as a JSON object with no other members than these; an empty body is an empty object.
    func object(_ known: String...) async throws -> JSONMembersReader {
        let bytes = try await jsonBody()
        return try JSONMembersReader(bytes.isEmpty ? Array("{}".utf8) : bytes, known: known)
    }
}
