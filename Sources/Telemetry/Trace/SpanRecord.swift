/// A finished span, small and flat, on its way from an event loop to the encoder.
///
/// Everything that many spans share (system, operation, destination, group, broker address) is interned in a
/// `SpanDescriptor` and named by number here. A record is written once, on the event loop that saw the span end, and
/// is turned into protobuf on the export thread. Optional numbers use a sentinel so that the record stays flat; the
/// rare rest lives in `SpanDetail`.
public struct SpanRecord: Sendable {
    /// Operation, destination, group and broker.
    public var descriptor: SpanDescriptorID
    /// The OTLP span kind.
    public var kind: SpanKind
    /// The flags of the span's own context.
    public var flags: TraceFlags
    /// The trace that the span belongs to.
    public var traceID: TraceID
    /// The span itself.
    public var spanID: SpanID
    /// `.none` makes the span a root.
    public var parentSpanID: SpanID = .none
    /// Since 1970-01-01T00:00:00Z.
    public var startUnixNanoseconds: UInt64
    /// Since 1970-01-01T00:00:00Z; not before the start.
    public var endUnixNanoseconds: UInt64
    /// `.none` when the operation succeeded; otherwise the interned `error.type`.
    public var error: NameID = .none
    /// The consumer's own name inside its group (`tacho.consumer.name`).
    public var consumer: NameID = .none
    /// The client's name (`messaging.client.id`).
    public var client: NameID = .none
    /// The broker's id of the message (`messaging.message.id`).
    public var messageID: MessageID = .none
    /// How this span ended where that is not an error, for example a delivery that was claimed by another consumer.
    public var outcome: SpanOutcome = .unremarkable
    /// Why the message is given up with this span, if it is (`tacho.dead_letter.reason`).
    public var deadLetter = DeadLetterReason.none
    /// Who took the message that its upstream was not given (`tacho.fallback.step`).
    public var fallback = SpanFallback.none
    /// After how long the message is to be delivered again, as its consumer has asked; 0 when it has not
    /// (`tacho.redelivery.delay.seconds`).
    public var redeliveryDelayMilliseconds: UInt32 = 0
    /// 1 for the first delivery, 0 when unknown or meaningless (`tacho.delivery.attempt`).
    public var attempt: UInt32 = 0
    /// The number of messages of a batch; 0 on a single-message span, which carries no such attribute.
    public var batchCount: UInt32 = 0
    /// Bytes of the message body; -1 when unknown (`messaging.message.body.size`).
    public var bodySize: Int64 = -1
    /// Nanoseconds from publish to delivery; `Int64.min` when unknown (`tacho.queue.seconds`).
    public var queueNanoseconds: Int64 = .min
    /// The first link; the others are in `detail`.
    public var link: SpanLink?
    /// The conversation id is the trace id's text form, as it is for messages whose correlation id we generated.
    public var conversationIsTraceID = false
    /// Why the trace was kept (`sampling.reason`); nil on spans that were not.
    public var reason: KeepReason?
    /// How the parent was found, if no context told it.
    public var causality = SpanCausality.none
    /// What few spans have; nil for most.
    public var detail: SpanDetail?

    /// What every span has. Everything else starts out as absent.
    public init(
        descriptor: SpanDescriptorID, kind: SpanKind, traceID: TraceID, spanID: SpanID, flags: TraceFlags,
        startUnixNanoseconds: UInt64, endUnixNanoseconds: UInt64
    ) {
        self.descriptor = descriptor
        self.kind = kind
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
        self.startUnixNanoseconds = startUnixNanoseconds
        self.endUnixNanoseconds = endUnixNanoseconds
    }
}

/// Another message's context, with what is known of that message (semantic conventions: what differs between the
/// messages of a batch goes on the links).
public struct SpanLink: Sendable, Hashable {
    /// The context that the other message carries.
    public var context: TraceContext
    /// The broker's id of the other message.
    public var messageID: MessageID
    /// As in `SpanRecord.queueNanoseconds`.
    public var queueNanoseconds: Int64
    /// The other message may have caused this one (`tacho.causality` = `candidate`); which did is not known.
    public var isCandidate: Bool

    /// By default only the context is known.
    public init(
        context: TraceContext, messageID: MessageID = .none, queueNanoseconds: Int64 = .min, isCandidate: Bool = false
    ) {
        self.context = context
        self.messageID = messageID
        self.queueNanoseconds = queueNanoseconds
        self.isCandidate = isCandidate
    }
}

/// The parts of a span that most spans do not have. Immutable, so it may cross threads.
public final class SpanDetail: Sendable {
    /// Links after the first.
    public let moreLinks: [SpanLink]
    /// Links that were left out because of a limit (`dropped_links_count`).
    public let droppedLinkCount: UInt32
    /// The application's own correlation id (`messaging.message.conversation_id`).
    public let conversationID: String?
    /// The tracestate that came with the context, as received.
    public let traceState: String?
    /// What went wrong, for the status message. Never holds arguments of a command.
    public let statusMessage: String?
    /// What happened within the span, in order.
    public let events: [SpanEvent]
    /// Events that were left out because of a limit (`dropped_events_count`).
    public let droppedEventCount: UInt32
    /// Where the broker says that the message stands.
    public let position: StreamPosition?

    /// By default nothing.
    public init(
        moreLinks: [SpanLink] = [], droppedLinkCount: UInt32 = 0, conversationID: String? = nil,
        traceState: String? = nil, statusMessage: String? = nil, events: [SpanEvent] = [],
        droppedEventCount: UInt32 = 0, position: StreamPosition? = nil
    ) {
        self.moreLinks = moreLinks
        self.droppedLinkCount = droppedLinkCount
        self.conversationID = conversationID
        self.traceState = traceState
        self.statusMessage = statusMessage
        self.events = events
        self.droppedEventCount = droppedEventCount
        self.position = position
    }
}

/// A moment within a span.
public struct SpanEvent: Sendable {
    /// Since 1970-01-01T00:00:00Z.
    public var unixNanoseconds: UInt64
    /// What happened.
    public var name: StaticString
    /// What is known of it. Keys are ours and shorter than 100 bytes.
    public var attributes: [(key: StaticString, value: AttributeValue)]

    /// An event with what is known of it.
    public init(
        unixNanoseconds: UInt64, name: StaticString, attributes: [(key: StaticString, value: AttributeValue)]
    ) {
        self.unixNanoseconds = unixNanoseconds
        self.name = name
        self.attributes = attributes
    }
}

/// Where a message stands, as a broker that counts its messages tells it.
public struct StreamPosition: Sendable, Hashable {
    /// The stream that stores the message (`tacho.stream.name`), where the span's destination is something else;
    /// `.none` where it is the destination.
    public var stream: NameID
    /// The how manieth delivery of its consumer this is (`tacho.consumer.sequence`); 0 when it is none.
    public var consumerSequence: UInt64
    /// Messages that wait behind it for the same consumer (`tacho.consumer.pending`).
    public var pending: UInt64

    /// A place that a broker has told.
    public init(stream: NameID = .none, consumerSequence: UInt64 = 0, pending: UInt64 = 0) {
        self.stream = stream
        self.consumerSequence = consumerSequence
        self.pending = pending
    }
}

/// The broker's id of one message, flat. Text is made from it only by the encoder.
public enum MessageID: Hashable, Sendable {
    case none
    /// A Redis stream entry id, `milliseconds-sequence`.
    case streamEntry(milliseconds: UInt64, sequence: UInt64)
    /// A place in a stream that counts its messages.
    case sequence(UInt64)
    /// A message without an id, told from others by a hash that means nothing to people and is not shown.
    case anonymous(UInt64)

    /// Whether there is a text to be shown.
    public var isShown: Bool {
        switch self {
        case .none, .anonymous: false
        case .streamEntry, .sequence: true
        }
    }
}

extension MessageID: CustomStringConvertible {
    /// `milliseconds-sequence`, the sequence alone, or nothing.
    public var description: String {
        switch self {
        case .none, .anonymous: ""
        case .streamEntry(let milliseconds, let sequence): "\(milliseconds)-\(sequence)"
        case .sequence(let sequence): "\(sequence)"
        }
    }
}

/// Span kinds, with the numbers of the OTLP `SpanKind` enumeration.
public enum SpanKind: UInt8, Sendable, Hashable {
    /// An operation of our own, without a peer.
    case `internal` = 1
    case client = 3
    case producer = 4
    case consumer = 5

    /// Such a span calls somebody: its peer is named.
    package var hasPeer: Bool { self == .client || self == .producer }
}

/// Why a process span ended, where it was not simply acknowledged (`tacho.outcome`).
public enum SpanOutcome: UInt8, Sendable, Hashable, CaseIterable {
    case unremarkable
    /// Acknowledged by the consumer.
    case acknowledged
    /// Delivered again, to this or another consumer, before it was acknowledged.
    case redelivered
    /// Not acknowledged within the limit; the span was closed so as not to stay open for ever.
    case unsettled
    /// The consumer has given it back, to be delivered again.
    case rejected
    /// The consumer has said that it is never to be delivered again.
    case terminated
    /// It was delivered as often as the broker permits.
    case deadLettered
    /// Stored on our own disk, to be sent on later.
    case spooled
    /// Kept on our own disk, for people.
    case setAside
    /// The broker had the message already and has not stored it again.
    case duplicate
    /// The entry was deleted from the stream.
    case deleted
    /// The table of open deliveries was full.
    case evicted
    /// The connection ended before the reply came.
    case disconnected
    /// The session became opaque, or the process stopped, before the end could be seen.
    case unobserved

    /// The value of `tacho.outcome`, and of the `reason` label where an outcome is counted.
    public var text: String {
        switch self {
        case .unremarkable: ""
        case .acknowledged: "acknowledged"
        case .redelivered: "redelivered"
        case .unsettled: "unsettled"
        case .rejected: "rejected"
        case .terminated: "terminated"
        case .deadLettered: "dead_lettered"
        case .spooled: "spooled"
        case .setAside: "set_aside"
        case .duplicate: "duplicate"
        case .deleted: "deleted"
        case .evicted: "evicted"
        case .disconnected: "disconnected"
        case .unobserved: "unobserved"
        }
    }
}
