import Telemetry

/// What a binding says of one message that a client publishes, in the words of no particular protocol.
struct Publication {
    var destination: Destination
    /// The context that the message already carries.
    var context: TraceContext?
    /// A field of that name is there but does not hold a valid context: application data, to be left alone.
    var hasForeignContextField = false
    /// What came with the context, as received.
    var traceState: String?
    /// A field of that name is there, with or without a context: ours must not stand beside it.
    var hasTraceStateField = false
    /// The application's own correlation id.
    var conversation: String?
    /// The application says itself which message caused this one.
    var hasCausation = false
    var bodySize: Int64
    /// What the binding knows of where the message comes from, apart from the message itself.
    var origin: PublicationOrigin?
    /// Why this message cannot be edited, although the listener would; nil when it can.
    var obstacle: InjectionObstacle?
}

/// Where a message comes from, as far as the request that brings it tells.
struct PublicationOrigin {
    /// The context of the request: the message continues it.
    var caller: TraceContext?
    /// What came with it.
    var callerState: String?
    /// The deliveries that the message is made from.
    var causes: [Cause] = []
}

/// Where a message goes or comes from: the name's number for labels, its hash for identity.
struct Destination {
    var name: NameID
    var hash: UInt64
    /// The pattern of a pattern subscription; `.none` otherwise.
    var template: NameID = .none

    /// No destination, or no group.
    static let absent = Destination(name: .none, hash: 0)
}

/// Why a message passed without a context of ours (`tacho_not_injected_messages_total{reason}`).
public enum InjectionObstacle: String, Sendable, CaseIterable {
    /// The application had set a valid context.
    case ownContext = "own_context"
    /// A field of our name holds something else.
    case foreignField = "foreign_field"
    /// The listener is told not to, or not for unsampled messages.
    case configured
    /// An inline command.
    case inline
    /// The broker takes no headers.
    case headersUnsupported = "headers_unsupported"
    /// With a context the message would be larger than the broker permits.
    case tooLarge = "too_large"
    /// An answer: it belongs to the trace of its request already.
    case reply
    /// The broker derives the message's identity from its content (IDMPAUTO); a context would make each retry unique.
    case contentHashed = "content_hashed"
    /// The frame is not a well-formed publish; the broker will say so.
    case malformed
}

/// The answer to a publication: what the binding is to write into the message.
enum Injection: Equatable {
    case none
    /// Add the context, the tracestate if there is something to state, a correlation id unless the message has one, and
    /// the id of its cause if that is known.
    case add(TraceContext, traceState: String? = nil, correlation: Correlation, causation: MessageID = .none)
}

/// A publish that waits for the broker's answer.
struct OpenSend {
    var destination: Destination
    var operation: NameID
    var startedAt: Instant
    var kind: SpanKind
    var context: TraceContext
    var parent: TraceContext?
    /// How the parent was found, and the message that it belongs to, if no context told it.
    var causality = SpanCausality.none
    var causeID = MessageID.none
    var bodySize: Int64
    var conversationIsTraceID = false
    var route: RouteID
    /// Nil for most. Apart, because a send is copied on its way through the queue of those that wait, and text is counted
    /// with each copy.
    var detail: SendDetail?
}

/// What few sends have.
final class SendDetail: Sendable {
    let conversation: String?
    let traceState: String?
    /// Links to what may have been the cause.
    let candidates: [SpanLink]
    let candidatesLeftOut: Int
    /// That it was sent again, in order.
    let retries: [SpanEvent]

    private init(conversation: String?, traceState: String?, candidates: (links: [SpanLink], leftOut: Int)) {
        self.conversation = conversation
        self.traceState = traceState
        (self.candidates, candidatesLeftOut) = candidates
        retries = []
    }

    /// Nil when there is nothing. Not a failable initialiser: that makes the object before it can say so, with each
    /// message.
    static func ifAny(
        conversation: String?, traceState: String?, candidates: (links: [SpanLink], leftOut: Int) = ([], 0)
    ) -> SendDetail? {
        guard conversation != nil || traceState != nil || !candidates.links.isEmpty else { return nil }
        return SendDetail(conversation: conversation, traceState: traceState, candidates: candidates)
    }

    /// What is known of a send already, and one more retry.
    init(_ earlier: SendDetail?, retry: SpanEvent) {
        conversation = earlier?.conversation
        traceState = earlier?.traceState
        candidates = earlier?.candidates ?? []
        candidatesLeftOut = earlier?.candidatesLeftOut ?? 0
        retries = (earlier?.retries ?? []) + [retry]
    }
}

/// A request for messages that waits for the broker's answer.
struct OpenReceive {
    var operation: NameID
    var startedAt: Instant
    /// What the command names; replies that name their streams say better.
    var destination: Destination
    /// The hash is zero when the command has no group.
    var group = Destination(name: .none, hash: 0)
    var consumer: NameID = .none
    var mode: Mode
    /// The command waits for messages if there are none.
    var blocks = false
    /// Hashes of the streams from which the command reads what it had been given before.
    var rereads: [UInt64] = []

    var isInspection: Bool { if case .inspection = mode { true } else { false } }

    enum Mode {
        /// Deliveries of the group, to be settled: they open process spans.
        case leased(firstDelivery: Bool)
        /// Deliveries that nobody settles.
        case unsettled
        /// Not a delivery at all but a look at what is stored; queue time would mean nothing.
        case inspection

        var isFirstDelivery: Bool { if case .leased(true) = self { true } else { false } }
    }
}

/// A request for messages whose messages come one after the other: what its span will say of them.
struct OpenReceipt {
    let open: OpenReceive
    private(set) var count = 0
    /// Those that carried a context.
    private(set) var known = 0
    private(set) var isAnySampled = false
    private(set) var hasRedelivery = false
    /// The only message so far.
    private(set) var single: Delivered?
    private(set) var firstSampled: TraceContext?
    private(set) var links: [SpanLink] = []
    private(set) var linksLeftOut = 0
    /// When the last message came.
    var lastAt: Instant

    init(_ open: OpenReceive) {
        self.open = open
        lastAt = open.startedAt
    }

    /// - Parameter isSampled: whether the trace of the message is kept.
    mutating func note(_ message: Delivered, _ queueNanoseconds: Int64, isSampled: Bool) {
        count += 1
        single = count == 1 ? message : nil
        if message.attempt > 1 { hasRedelivery = true }
        guard let context = message.context else { return }
        known += 1
        isAnySampled = isAnySampled || isSampled
        if firstSampled == nil, context.isSampled { firstSampled = context }
        guard links.count < Lane.linksMax else {
            linksLeftOut += 1
            return
        }
        links.append(
            SpanLink(context: context, messageID: message.messageID, queueNanoseconds: queueNanoseconds))
    }
}

/// One message of a delivery.
struct Delivered {
    var messageID: MessageID
    /// When the broker took it, since 1970; 0 when that is not known.
    var storedUnixNanoseconds: UInt64 = 0
    /// The how manieth delivery it is, where the broker counts them; otherwise 0.
    var attempt: UInt32 = 0
    /// Where the broker says that it stands.
    var position: StreamPosition?
    var context: TraceContext?
    var conversation: String?
    /// Beside a sampled context only: nobody asks what an unsampled one states.
    var traceState: String?
    /// The text of `conversation` is the field's value byte for byte, and may be passed on.
    var conversationIsExact = true
    var bodySize: Int64
}

/// An acknowledgement that waits for the broker's answer.
struct OpenSettle {
    var destination: Destination
    var group: Destination
    var operation: NameID
    var startedAt: Instant
    var messages = SettledMessages()
    /// Messages of the command beyond the limit of those that are followed.
    var leftOut: Int
    /// A deletion ends deliveries in every group and is not itself a settlement.
    var deletes: Bool
    /// How the deliveries end.
    var ending = Ending(.acknowledged)
    /// Those that the broker delivers no more, as they have been delivered often enough.
    var exhausted: Set<MessageID> = []
}

/// How a delivery ends, and what is known beside.
struct Ending {
    var outcome: SpanOutcome
    /// Why the message is given up with it, if it is.
    var deadLetter = DeadLetterReason.none
    /// After how long the consumer wants the message again.
    var redeliveryDelayMilliseconds: UInt32 = 0

    init(_ outcome: SpanOutcome) { self.outcome = outcome }

    /// The message is given up.
    init(deadLetter: DeadLetterReason) {
        outcome = deadLetter == .terminated ? .terminated : .deadLettered
        self.deadLetter = deadLetter
    }

    /// Whether the broker may yet say more of the message, or repeat what we say ourselves.
    var isRemembered: Bool {
        switch outcome {
        case .rejected, .unsettled, .evicted, .terminated, .deadLettered: true
        case .unremarkable, .acknowledged, .redelivered, .spooled, .setAside, .duplicate, .deleted, .disconnected,
            .unobserved:
            false
        }
    }
}

/// How the broker answered.
enum Outcome: Equatable {
    case succeeded
    /// The interned `error.type`.
    case failed(NameID)
}

/// The messages that one acknowledgement names. Mostly it is one, which needs no memory of its own.
struct SettledMessages: Sequence {
    typealias Element = MessageID

    private(set) var first: Element?
    private var others: [Element] = []

    var count: Int { first == nil ? 0 : others.count + 1 }

    mutating func append(_ message: Element) {
        if first == nil { first = message } else { others.append(message) }
    }

    func makeIterator() -> Iterator { Iterator(first: first, others: others.makeIterator()) }

    struct Iterator: IteratorProtocol {
        fileprivate var first: Element?
        fileprivate var others: IndexingIterator<[Element]>

        mutating func next() -> Element? {
            guard let next = first else { return others.next() }
            first = nil
            return next
        }
    }
}
