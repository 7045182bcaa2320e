import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Wire

/// `/api/v1/streams/{stream}/settings`: what a stream does beyond Redis, for operators. PUT changes the members that are
/// given, and makes the stream if need be; null sets a member back to what it is by itself.
struct StreamSettingsRoutes {
    let log: EventGateway.Log?

    private static let path: RouterPath = "/api/v1/streams/{stream}/settings"
    private static let bodyBytesMax = 65_536
    private static let members = [
        "deduplication", "deduplication_milliseconds", "deduplication_events", "compress_from_bytes",
        "keep_milliseconds", "keep_events", "keep_bytes", "removes_unread",
    ]

    func add(to router: Router<BasicRequestContext>) {
        router.get(Self.path) { [self] _, context in
            let (log, stream) = try target(context)
            return try await answer(log, stream)
        }
        router.put(Self.path) { [self] request, context in
            try RequestOrigin.refuseWebPages(request)
            let (log, stream) = try target(context)
            let body = try await request.body.collect(upTo: Self.bodyBytesMax)
            let wanted = try JSONMembersReader(Array(body.readableBytesView), known: Self.members)
            let now = log.desk.tracing.unixMilliseconds
            let known = try await log.desk.value { log.desk.log.overview(of: stream, now: now, answer: $0) }
            let settings = try Self.change(known?.settings ?? StreamSettings(), wanted)
            let isMade = try await log.desk.value {
                log.desk.log.configure(settings, stream: stream, now: now, answer: $0)
            }
            guard isMade else { throw GatewayProblem(status: .conflict, detail: "there are too many streams") }
            return try await answer(log, stream)
        }
    }

    private func target(_ context: BasicRequestContext) throws(GatewayProblem) -> (EventGateway.Log, [UInt8]) {
        guard let log else { throw .noLog }
        guard let name = context.parameters.get("stream").flatMap({ PercentEncoding.decode($0) }),
            (1...512).contains(name.count)
        else { throw .badQuery("stream: expected a name of 1 to 512 bytes, percent-encoded") }
        return (log, name)
    }

    private func answer(_ log: EventGateway.Log, _ stream: [UInt8]) async throws(GatewayProblem) -> Response {
        let now = log.desk.tracing.unixMilliseconds
        guard let overview = try await log.desk.value({ log.desk.log.overview(of: stream, now: now, answer: $0) })
        else { throw .noStream }
        let settings = overview.settings
        return EventAnswer.json(
            EventAnswer.object([
                "stream": EventAnswer.text(stream),
                "deduplication": Self.text(settings.deduplication),
                "deduplication_milliseconds": EventAnswer.number(settings.deduplicationMilliseconds),
                "deduplication_events": EventAnswer.number(settings.deduplicationSizeMax),
                "compress_from_bytes": EventAnswer.number(settings.compressionBytesMin.map { Int64($0) }),
                "keep_milliseconds": EventAnswer.number(settings.retentionMilliseconds),
                "keep_events": EventAnswer.number(settings.retentionLengthMax),
                "keep_bytes": EventAnswer.number(settings.retentionBytesMax),
                "removes_unread": .bool(settings.removesUnread),
            ]))
    }

    private static func text(_ deduplication: StreamSettings.Deduplication) -> JSONValue {
        switch deduplication {
        case .none: "none"
        case .cloudEvents: "cloudevents"
        case .field(let name): .string("field:" + String(decoding: name, as: UTF8.self))
        }
    }

    /// The settings with those members changed that are there.
    static func change(
        _ settings: StreamSettings, _ wanted: JSONMembersReader
    ) throws(GatewayProblem) -> StreamSettings {
        var settings = settings
        let usual = StreamSettings()
        let counts: ClosedRange<Int64> = 1...1_000_000_000_000
        if wanted.names("deduplication") { settings.deduplication = try deduplication(wanted) }
        if wanted.names("deduplication_milliseconds") {
            settings.deduplicationMilliseconds =
                try wanted.number("deduplication_milliseconds", in: counts) ?? usual.deduplicationMilliseconds
        }
        if wanted.names("deduplication_events") {
            settings.deduplicationSizeMax =
                try wanted.number("deduplication_events", in: 1...10_000_000) ?? usual.deduplicationSizeMax
        }
        if wanted.names("compress_from_bytes") {
            settings.compressionBytesMin = try wanted.number("compress_from_bytes", in: 1...1 << 30).map { Int($0) }
        }
        if wanted.names("keep_milliseconds") {
            settings.retentionMilliseconds = try wanted.number("keep_milliseconds", in: counts)
        }
        if wanted.names("keep_events") { settings.retentionLengthMax = try wanted.number("keep_events", in: counts) }
        if wanted.names("keep_bytes") { settings.retentionBytesMax = try wanted.number("keep_bytes", in: counts) }
        if wanted.names("removes_unread") { settings.removesUnread = try wanted.flag("removes_unread") ?? false }
        return settings
    }

    private static func deduplication(
        _ wanted: JSONMembersReader
    ) throws(GatewayProblem) -> StreamSettings.Deduplication {
        switch try wanted.text("deduplication") {
        case nil, "none": return .none
        case "cloudevents": return .cloudEvents
        case let text?:
            let name = text.utf8.dropFirst("field:".utf8.count)
            guard text.hasPrefix("field:"), (1...512).contains(name.count) else {
                throw .badQuery("deduplication: expected none, cloudevents or field:NAME")
            }
            return .field(Array(name))
        }
    }
}
