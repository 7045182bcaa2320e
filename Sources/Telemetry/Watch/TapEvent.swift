/// One step of one message, small and flat, on its way from an event loop to whoever watches.
///
/// Made for every message, kept in a trace or not, but only while somebody watches. Names are numbers, as in
/// `SpanRecord`; `TapText` makes words of them for the reader.
public struct TapEvent: Sendable {
    /// Where in its life the message is.
    public enum Stage: String, Sendable, CaseIterable {
        /// The broker has answered the publish.
        case published
        /// Handed to a consumer that asked.
        case delivered
        /// Its delivery has ended: acknowledged, delivered again, expired, deleted, or pushed out of the table.
        case settled
        /// Handed to a subscriber.
        case pushed
    }

    /// What has happened.
    public var stage: Stage
    /// The end of what is told, on the wall clock.
    public var unixNanoseconds: UInt64
    /// Position in the list of listeners.
    public var listener: UInt32
    /// The operation, and what it was done on.
    public var descriptor: SpanDescriptorID
    /// The trace of the message; its id exists even if the trace is not kept.
    public var traceID: TraceID
    /// Whether the trace is kept.
    public var isSampled: Bool
    /// Who sent it, or asked for it.
    public var client: NameID = .none
    /// The consumer inside its group.
    public var consumer: NameID = .none
    /// The broker's id of the message.
    public var messageID: MessageID = .none
    /// Bytes of the body; -1 when unknown.
    public var bodySize: Int64 = -1
    /// From publish to delivery; `Int64.min` when unknown, negative when two clocks disagree.
    public var queueNanoseconds: Int64 = .min
    /// Of a publish: until the answer. Of a settlement: since the delivery. -1 of what takes no time.
    public var durationNanoseconds: Int64 = -1
    /// `.none` when all went well.
    public var error: NameID = .none
    /// How a delivery ended; of other stages mostly unremarkable.
    public var outcome: SpanOutcome = .unremarkable
    /// 1 for the first delivery, 0 when unknown or meaningless.
    public var attempt: UInt32 = 0

    /// An event with nothing known but what is given.
    public init(
        _ stage: Stage, unixNanoseconds: UInt64, listener: UInt32, descriptor: SpanDescriptorID, traceID: TraceID,
        isSampled: Bool
    ) {
        self.stage = stage
        self.unixNanoseconds = unixNanoseconds
        self.listener = listener
        self.descriptor = descriptor
        self.traceID = traceID
        self.isSampled = isSampled
    }
}

/// How a step ended, in the words of filters and output.
public enum TapOutcome: String, Sendable, CaseIterable {
    /// No error; of a settlement: acknowledged.
    case ok
    /// The broker refused, or the connection was lost.
    case error
    case redelivered
    case unsettled
    case rejected
    case terminated
    case deadLettered = "dead_lettered"
    case spooled
    case setAside = "set_aside"
    case duplicate
    case deleted
    case evicted
    case disconnected
    case unobserved

    /// The most particular word for an event; an event that lost its connection is also an `error` to filters.
    public init(_ event: TapEvent) {
        switch event.outcome {
        case .unremarkable, .acknowledged: self = event.error == .none ? .ok : .error
        case .redelivered: self = .redelivered
        case .unsettled: self = .unsettled
        case .rejected: self = .rejected
        case .terminated: self = .terminated
        case .deadLettered: self = .deadLettered
        case .spooled: self = .spooled
        case .setAside: self = .setAside
        case .duplicate: self = .duplicate
        case .deleted: self = .deleted
        case .evicted: self = .evicted
        case .disconnected: self = .disconnected
        case .unobserved: self = .unobserved
        }
    }
}

/// What one watcher wants to see, and how much of it.
public struct TapFilter: Sendable {
    /// Compared with destination and template; nil admits all.
    public var destination: Glob?
    /// How the step must have ended; nil admits all.
    public var outcome: TapOutcome?
    /// Admits what waited or took at least this long.
    public var slowerThanNanoseconds: UInt64?
    /// Messages per second that are shown; the others are counted.
    public var limitPerSecond: Int

    /// The rate that a person can still follow, and a program is not hurt by.
    public static let limitPerSecondDefault = 100
    /// What a watcher may ask for.
    public static let limitPerSecondRange = 1...10_000

    /// By default everything, at the default rate.
    public init(
        destination: Glob? = nil, outcome: TapOutcome? = nil, slowerThanNanoseconds: UInt64? = nil,
        limitPerSecond: Int = TapFilter.limitPerSecondDefault
    ) {
        self.destination = destination
        self.outcome = outcome
        self.slowerThanNanoseconds = slowerThanNanoseconds
        self.limitPerSecond = limitPerSecond
    }

    /// Everything but the destination, which needs the catalog.
    func admits(_ event: TapEvent) -> Bool {
        if let outcome, outcome != TapOutcome(event), !(outcome == .error && event.error != .none) { return false }
        if let slowerThanNanoseconds {
            let longest = UInt64(max(0, event.queueNanoseconds, event.durationNanoseconds))
            return longest >= slowerThanNanoseconds
        }
        return true
    }

    func admits(_ descriptor: SpanDescriptor) -> Bool {
        guard let destination else { return true }
        return destination.matches(descriptor.destination)
            || !descriptor.template.isEmpty && destination.matches(descriptor.template)
    }
}
