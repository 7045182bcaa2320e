import Telemetry
import Wire

/// Whose messages queue up together: one stream of one database, or one subject, behind one listener.
public struct SpoolKey: Hashable, Sendable, Comparable {
    /// The listener by its name, which survives a restart.
    public var listener: String
    /// The number of the database; 0 where there are none.
    public var database: Int
    /// The name of the stream, or the subject, whatever its bytes spell.
    public var stream: [UInt8]

    /// All parts.
    public init(listener: String, database: Int = 0, stream: [UInt8]) {
        self.listener = listener
        self.database = database
        self.stream = stream
    }

    /// By listener, database and stream.
    public static func < (left: SpoolKey, right: SpoolKey) -> Bool {
        if left.listener != right.listener { return left.listener < right.listener }
        if left.database != right.database { return left.database < right.database }
        return left.stream.lexicographicallyPrecedes(right.stream)
    }
}

/// A publish that waits on disk to be sent on.
public struct SpooledMessage: Sendable, Equatable {
    /// The message as its protocol writes it.
    public enum Content: Sendable, Equatable {
        /// XADD.
        case redis(SpooledEntry)
        /// A publish to a subject that a JetStream stream stores.
        case nats(SpooledPublish)
    }

    /// What was published.
    public var content: Content
    /// The `traceparent` that stands in the message; empty for none.
    public var traceParent: String
    /// Given by the store.
    public var id: StreamEntryID
    /// The id that the store gave it first, where it has another one since: it was set aside.
    public var formerID: StreamEntryID?
    /// What was noted on disk before the message was sent: for Redis the id that it gets instead of the promised one, for
    /// NATS the sequence behind which it will be found in its stream, if it was sent.
    public var note: StreamEntryID?

    /// A message that is not stored yet unless it has an id.
    public init(
        _ content: Content, traceParent: String, id: StreamEntryID = StreamEntryID(milliseconds: 0, sequence: 0),
        formerID: StreamEntryID? = nil, note: StreamEntryID? = nil
    ) {
        self.content = content
        self.traceParent = traceParent
        self.id = id
        self.formerID = formerID
        self.note = note
    }

    /// What the store called it when its client was answered: the answer follows from it.
    public var answeredID: StreamEntryID { formerID ?? id }

    /// How its client was told that it is called.
    public var promise: String {
        switch content {
        case .redis(let entry): "\(SpooledEntry.promisedID(of: answeredID, base: entry.sequenceBase))"
        case .nats: "\(SpooledPublish.promisedSequence(of: answeredID))"
        }
    }

    /// What counts for the bounds.
    public var byteCount: Int {
        switch content {
        case .redis(let entry): entry.head.count + entry.tail.count
        case .nats(let publish): publish.subject.count + publish.headers.count + publish.body.count
        }
    }
}
