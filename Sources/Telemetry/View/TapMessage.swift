/// One step of one message as text and numbers: a line of `/api/v1/tap`.
public struct TapMessage: Codable, Hashable, Sendable {
    /// RFC 3339 in UTC.
    public var time: String
    /// `published`, `delivered`, `settled` or `pushed`.
    public var stage: String
    /// The listener's name.
    public var listener: String
    /// `messaging.system`.
    public var system: String
    /// The system's own word, or `process`.
    public var operation: String
    /// `messaging.destination.name`.
    public var destination: String
    /// The pattern of a pattern subscription.
    public var template: String?
    /// `messaging.consumer.group.name`.
    public var group: String?
    /// The consumer inside its group.
    public var consumer: String?
    /// `messaging.client.id`.
    public var client: String?
    /// The broker's id of the message.
    public var messageID: String?
    /// Bytes of the body.
    public var bodyBytes: Int64?
    /// From publish to delivery.
    public var queueSeconds: Double?
    /// Of a publish: until the answer. Of a settlement: since the delivery.
    public var durationSeconds: Double?
    /// A `TapOutcome`.
    public var outcome: String
    /// `error.type`.
    public var error: String?
    /// 1 for the first delivery.
    public var attempt: Int?
    /// 32 lowercase hex digits; of a trace that may not be kept.
    public var traceID: String
    /// Whether the trace is kept.
    public var sampled: Bool

    private enum CodingKeys: String, CodingKey {
        case time, stage, listener, system, operation, destination, template, group, consumer, client
        case messageID = "message_id"
        case bodyBytes = "body_bytes"
        case queueSeconds = "queue_seconds"
        case durationSeconds = "duration_seconds"
        case outcome, error, attempt
        case traceID = "trace_id"
        case sampled
    }
}

/// Makes words of the numbers in tap events.
public struct TapText: Sendable {
    private let names: NameTable
    private let catalog: SpanCatalog
    private let listeners: [String]

    /// - Parameters:
    ///   - names: of consumers, clients and errors.
    ///   - listeners: their names by number.
    public init(names: NameTable, catalog: SpanCatalog, listeners: [String]) {
        self.names = names
        self.catalog = catalog
        self.listeners = listeners
    }

    /// The words of one event.
    public func message(_ event: TapEvent) -> TapMessage {
        let descriptor = catalog.descriptor(event.descriptor)
        func text(_ name: NameID) -> String? { name == .none ? nil : names.text(of: name) }
        func given(_ text: String) -> String? { text.isEmpty ? nil : text }
        func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }
        let number = Int(event.listener)
        return TapMessage(
            time: UTCTime.text(unixNanoseconds: event.unixNanoseconds, .microseconds), stage: event.stage.rawValue,
            listener: listeners.indices.contains(number) ? listeners[number] : "\(number)",
            system: descriptor.system, operation: descriptor.operation, destination: descriptor.destination,
            template: given(descriptor.template), group: given(descriptor.group), consumer: text(event.consumer),
            client: text(event.client), messageID: given(event.messageID.description),
            bodyBytes: event.bodySize < 0 ? nil : event.bodySize,
            queueSeconds: event.queueNanoseconds == .min ? nil : seconds(event.queueNanoseconds),
            durationSeconds: event.durationNanoseconds < 0 ? nil : seconds(event.durationNanoseconds),
            outcome: TapOutcome(event).rawValue, error: text(event.error),
            attempt: event.attempt == 0 ? nil : Int(event.attempt), traceID: event.traceID.description,
            sampled: event.isSampled)
    }
}
