public import Telemetry

/// What an event says of its trace, in the texts of its own attributes.
public struct EventContext: Sendable, Hashable {
    /// `traceparent`; nil without one. What does not parse is application data, and left alone.
    public var traceParent: String?
    /// `tracestate`.
    public var traceState: String?
    /// The application's own correlation id.
    public var correlationID: String?
    /// Whether it says itself which event caused it.
    public var hasCausation: Bool

    /// Nothing is said unless it is given.
    public init(
        traceParent: String? = nil, traceState: String? = nil, correlationID: String? = nil, hasCausation: Bool = false
    ) {
        self.traceParent = traceParent
        self.traceState = traceState
        self.correlationID = correlationID
        self.hasCausation = hasCausation
    }

    /// What an attribute may say of a trace.
    public enum Part: Sendable {
        case traceParent
        case traceState
        case correlation
        case causation

        /// By the name of the attribute; nil for any other.
        public init?(_ name: Span<UInt8>, _ correlationFields: CorrelationFields) {
            let range = 0..<name.count
            if ContextNames.isTraceParent(name, range) {
                self = .traceParent
            } else if ContextNames.isTraceState(name, range) {
                self = .traceState
            } else if ContextNames.isCausation(name, range) {
                self = .causation
            } else if correlationFields.contains(name, range) {
                self = .correlation
            } else {
                return nil
            }
        }
    }

    var trace: TraceContext? { traceParent.flatMap { TraceContext(text: $0) } }
}

extension TraceContext {
    /// The context in the text of a `traceparent`; nil when it is invalid.
    init?(text: String) {
        let bytes = Array(text.utf8)
        self.init(parsing: bytes.span)
    }
}

/// One event on its way into a stream.
public struct EventToPublish: Sendable {
    /// The stream.
    public var stream: [UInt8]
    /// What it says of its trace.
    public var context: EventContext
    /// The `traceparent` of the request that brings it.
    public var callerParent: String?
    /// The `tracestate` of that request.
    public var callerState: String?
    /// Deliveries that the same transaction settles: what it was made from.
    public var causes: EventSelection?
    /// Bytes of its fields.
    public var bodySize: Int

    /// An event that no request and no delivery has caused, unless they are given.
    public init(
        stream: [UInt8], context: EventContext, callerParent: String? = nil, callerState: String? = nil,
        causes: EventSelection? = nil, bodySize: Int
    ) {
        self.stream = stream
        self.context = context
        self.callerParent = callerParent
        self.callerState = callerState
        self.causes = causes
        self.bodySize = bodySize
    }
}

/// Events in the hands of a group.
public struct EventSelection: Sendable {
    /// Their stream.
    public var stream: [UInt8]
    /// The group.
    public var group: [UInt8]
    /// Which.
    public var ids: [MessageID]

    /// All parts.
    public init(stream: [UInt8], group: [UInt8], ids: [MessageID]) {
        self.stream = stream
        self.group = group
        self.ids = ids
    }
}

/// One event that is handed to a consumer.
public struct EventDelivery: Sendable {
    /// Its id.
    public var id: MessageID
    /// When it was stored, since 1970.
    public var storedUnixNanoseconds: UInt64
    /// The how manieth delivery to its group it is; 0 without a group.
    public var attempt: UInt32
    /// What it says of its trace.
    public var context: EventContext
    /// Bytes of its fields.
    public var bodySize: Int

    /// All parts.
    public init(
        id: MessageID, storedUnixNanoseconds: UInt64, attempt: UInt32, context: EventContext, bodySize: Int
    ) {
        self.id = id
        self.storedUnixNanoseconds = storedUnixNanoseconds
        self.attempt = attempt
        self.context = context
        self.bodySize = bodySize
    }
}

/// How something ended that a client asked for.
public enum EventOutcome: Sendable, Hashable {
    case succeeded
    /// With the `error.type`, one of a closed set.
    case failed(String)
}

/// What becomes of events that a consumer gives back.
public enum EventSettlement: Sendable {
    /// Done with.
    case acknowledged
    /// To be tried again, apart from those that had no attempt left: they are dead letters.
    case rejected(exhausted: Set<MessageID>)
    /// Never to be tried again: a dead letter.
    case deadLettered
}

/// An event between its publishing and the log's answer.
public struct OpenPublication: Sendable {
    let open: OpenSend
}

/// A request for events, from its beginning to the log's answer.
public struct OpenReception: Sendable {
    let open: OpenReceive
}
