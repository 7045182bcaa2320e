import Telemetry
import Wire

/// Whose messages queue up together: one stream of one database behind one listener.
public struct SpoolKey: Hashable, Sendable {
    /// The listener by its name, which survives a restart.
    public var listener: String
    /// The number of the database.
    public var database: Int
    /// The name of the stream, whatever its bytes spell.
    public var stream: [UInt8]

    /// All parts.
    public init(listener: String, database: Int, stream: [UInt8]) {
        self.listener = listener
        self.database = database
        self.stream = stream
    }
}

/// A publish that waits on disk to be sent on: the command as the client meant it, all but its id.
public struct SpooledMessage: Sendable, Equatable {
    /// The bytes of the command in front of the id, and those behind it.
    public var head: [UInt8]
    /// See `head`.
    public var tail: [UInt8]
    /// The `traceparent` that stands in the message; empty for none.
    public var traceParent: String
    /// What the sequence of its id begins with; see `promisedID(of:base:)`.
    public var sequenceBase: UInt64
    /// Given by the store.
    public var id: StreamEntryID
    /// What the entry is to be called instead of what the client was told, since others have published meanwhile.
    public var newID: StreamEntryID?

    /// A message that is not stored yet unless it has an id.
    public init(
        head: [UInt8], tail: [UInt8], traceParent: String, sequenceBase: UInt64,
        id: StreamEntryID = StreamEntryID(milliseconds: 0, sequence: 0), newID: StreamEntryID? = nil
    ) {
        self.head = head
        self.tail = tail
        self.traceParent = traceParent
        self.sequenceBase = sequenceBase
        self.id = id
        self.newID = newID
    }

    /// What counts for the bounds.
    public var byteCount: Int { head.count + tail.count }

    /// The id that the client was told.
    var promisedID: StreamEntryID { Self.promisedID(of: id, base: sequenceBase) }

    /// The id that a client is told when the store has given its message the id `stored`.
    ///
    /// It has to be one that no other producer comes to have, since it tells whether an entry is ours. Redis counts up by
    /// one from zero, or from the last entry while its clock is behind that: so ids begin at a base of their own, and lie
    /// `sequenceGap` apart.
    static func promisedID(of stored: StreamEntryID, base: UInt64) -> StreamEntryID {
        StreamEntryID(milliseconds: stored.milliseconds, sequence: base &+ stored.sequence &* sequenceGap)
    }

    /// More entries than a stream is given within a millisecond.
    static let sequenceGap: UInt64 = 1 << 20

    /// The id that it is sent on with.
    var entryID: StreamEntryID { newID ?? promisedID }

    /// The whole command.
    var command: [UInt8] {
        var bytes = head
        RESPWriter.appendBulk(entryID.bytes, to: &bytes)
        return bytes + tail
    }

    /// Names and values of the entry, in order; behind the id stands nothing else.
    var fields: [[UInt8]] {
        var fields: [[UInt8]] = []
        var bytes: [UInt8] = []
        // The tail is a row of bulks: with a header of its own it is an array.
        RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: 1 << 20, to: &bytes)
        bytes += tail
        var decoder = RESPDecoder(role: .replies)
        var position = 0
        while position < bytes.count, case .token(let token)? = try? decoder.next(in: bytes.span, at: &position) {
            if token.depth == 1 { fields.append(Array(bytes[token.valueRange])) }
        }
        return fields
    }
}

/// Where spooled messages are kept. Every completion is called once, on any thread, when it is on disk, and in the order
/// of the calls.
public protocol SpoolStore: Sendable {
    /// Keeps a message behind all others of its key.
    func append(
        _ message: SpooledMessage, to key: SpoolKey,
        completion: @escaping @Sendable (Result<StreamEntryID, SpoolFailure>) -> Void)
    /// The oldest messages of a key.
    func load(
        _ key: SpoolKey, most: Int, completion: @escaping @Sendable (Result<[SpooledMessage], SpoolFailure>) -> Void)
    /// Notes under which id the oldest message of a key will be sent.
    func renumber(
        _ key: SpoolKey, _ id: StreamEntryID, as newID: StreamEntryID,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
    /// Lets go of all messages of a key up to this one.
    func remove(
        _ key: SpoolKey, through id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    )
    /// Lets go of one message.
    func remove(
        _ key: SpoolKey, only id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
    /// Keeps the oldest message of a key apart, for people.
    func setAside(
        _ key: SpoolKey, _ message: SpooledMessage, reason: String,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
}

/// The disk was not able to.
public struct SpoolFailure: Error, Sendable, Equatable {
    /// For people.
    public let reason: String

    /// Why.
    public init(reason: String) { self.reason = reason }
}
