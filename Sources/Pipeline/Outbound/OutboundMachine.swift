public import NIOCore

/// Work that the sidecar does on a connection of its own, beside the connections of clients: what the IO shell drives.
///
/// Every input is one call that returns one step. The machine never waits; when it has nothing to do it says when it
/// wants to be woken. Whatever it must know from elsewhere than the connection it asks for as a `Request`.
public protocol OutboundMachine: SendableMetatype {
    /// What it asks others for.
    associatedtype Request: Sendable
    /// What they answer.
    associatedtype Answer: Sendable

    /// The moment of `wakesAt` has come; also called once at the beginning.
    mutating func woken(at now: Instant) -> OutboundStep<Request>
    /// The connection that a step has asked for is there.
    mutating func connected(at now: Instant) -> OutboundStep<Request>
    /// It could not be opened, or it has ended.
    mutating func disconnected(_ outcome: ConnectionOutcome, at now: Instant) -> OutboundStep<Request>
    /// Bytes of the other side.
    mutating func received(_ bytes: ByteBuffer, at now: Instant) -> OutboundStep<Request>
    /// What a request came to.
    mutating func answered(_ answer: Answer, at now: Instant) -> OutboundStep<Request>
}

/// What one input leads to.
public struct OutboundStep<Request: Sendable> {
    /// What is to become of the connection.
    public enum Connection: Sendable {
        case asItIs
        case open
        case close
    }

    /// The connection is encrypted from here on, before anything more is written.
    public var startsTLS = false
    /// Bytes to be written.
    public var bytes: [UInt8] = []
    /// To be carried out now; its answer comes back once.
    public var request: Request?
    /// Asked for at most once until `connected` or `disconnected` is called.
    public var connection = Connection.asItIs
    /// On the monotonic clock; takes the place of what the last step said.
    public var wakesAt: UInt64
    /// For people.
    public var events: [OutboundEvent] = []

    init(wakesAt: UInt64) { self.wakesAt = wakesAt }
}

/// What happens on connections of the sidecar's own that somebody may want to read about.
public enum OutboundEvent: Sendable, Hashable {
    /// Work that does not get on; said once until it does.
    case failing(purpose: String, reason: String)
    /// It gets on again.
    case recovered(purpose: String)
    /// So many messages of a group would be dead letters that rather the consumer is broken: none is moved.
    case deadLettersHeld(stream: String, group: String)
    /// A message was moved.
    case deadLettered(stream: String, group: String, id: String, deliveries: Int)
    /// A spooled message was refused for good and is kept aside.
    case spooledRefused(stream: String, reason: String)
}
