import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Wire

/// What a stream does beyond Redis, for operators. PUT changes the members that are given, and makes the stream if need
/// be; null sets a member back to what it is by itself.
extension EventRequest {
    func getStreamSettings() async throws -> Response {
        let overview = try await overview()
        let settings = overview.settings
        return EventAnswer.json(
            EventAnswer.object([
                "stream": EventAnswer.text(overview.name),
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

    func putStreamSettings() async throws -> Response {
        let stream = try stream()
        let wanted = try await object(
            "deduplication", "deduplication_milliseconds", "deduplication_events", "compress_from_bytes",
            "keep_milliseconds", "keep_events", "keep_bytes", "removes_unread")
        let known = try await desk.value { desk.log.overview(of: stream, now: now, answer: $0) }
        let settings = try Self.change(known?.settings ?? StreamSettings(), wanted)
        let isMade = try await desk.value { desk.log.configure(settings, stream: stream, now: now, answer: $0) }
        guard isMade else { throw GatewayProblem(status: .conflict, detail: "there are too many streams") }
        return try await getStreamSettings()
    }

    private static func text(_ deduplication: StreamSettings.Deduplication) -> JSONValue {
        switch deduplication {
        case .none: "none"
        case .cloudEvents: "cloudevents"
        case .field(let name): .string("field:" + String(decoding: name, as: UTF8.self))
        }
    }

    /// The settings with those members changed that are there.
    private static func change(
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
