/// What came of one command.
public enum StreamReply: Sendable, Equatable {
    /// Done, nothing to say.
    case done
    /// Nothing there: XADD with NOMKSTREAM and no stream, a range of no entries wanted.
    case none
    /// How many: lengths, acknowledged, deleted, created (0 or 1), deliveries that a deleted consumer held.
    case count(Int64)
    /// The id of the appended entry, or of the one it repeats.
    case appended(StreamID, isDuplicate: Bool)
    /// Ids alone: claims with JUSTID.
    case ids([StreamID])
    /// Entries in the order that was asked for. One without fields is pending and deleted.
    case entries([StreamEntry])
    /// The streams that had something, in the order of the command; and for each stream of the command, where a caller
    /// that waits goes on (of a group read, meaningless).
    case streams([StreamBatch], positions: [StreamID])
    /// XPENDING key group.
    case pendingSummary(PendingSummary)
    /// XPENDING with a range.
    case pending([PendingEntry])
    /// XAUTOCLAIM: where to go on (`.zero` at the end), what was claimed (entries, or ids without fields), and what was
    /// pending but is deleted.
    case autoClaimed(next: StreamID, entries: [StreamEntry], deleted: [StreamID])
    /// XDELEX and XACKDEL, for each id: 1 deleted, -1 no such entry (or not pending), 2 kept because a group still
    /// refers to it.
    case perID([Int64])
    /// XINFO STREAM.
    case streamInfo(StreamInfo)
    /// XINFO STREAM FULL.
    case fullInfo(StreamFullInfo)
    /// XINFO GROUPS, by name.
    case groups([GroupInfo])
    /// XINFO CONSUMERS, by name.
    case consumers([ConsumerInfo])
    /// TYPE: whether there is a stream.
    case type(isStream: Bool)
    /// KEYS, in no particular order.
    case names([[UInt8]])
    /// SCAN: where to go on (0 at the end), and names.
    case scanned(next: UInt64, [[UInt8]])
    /// When the key ends, in milliseconds of the Unix time.
    case expiry(KeyExpiry)
    /// The revision of a key.
    case revision(UInt64)
    /// Refused.
    case failed(StreamError)
}

/// When a key ends.
public enum KeyExpiry: Sendable, Hashable {
    /// There is no such key.
    case noKey
    /// It stays.
    case never
    /// At this moment.
    case at(unixMilliseconds: Int64)
}

/// One entry of a stream.
public struct StreamEntry: Sendable, Hashable {
    /// Its place.
    public var id: StreamID
    /// The event; nil when it was deleted and is only still pending, and where ids alone were asked for.
    public var fields: EventFields?

    /// Both parts.
    public init(id: StreamID, fields: EventFields?) {
        self.id = id
        self.fields = fields
    }
}

/// What a read found in one stream.
public struct StreamBatch: Sendable, Hashable {
    /// The stream.
    public var key: [UInt8]
    /// Its entries.
    public var entries: [StreamEntry]

    /// Both parts.
    public init(key: [UInt8], entries: [StreamEntry]) {
        self.key = key
        self.entries = entries
    }
}

/// XPENDING without a range.
public struct PendingSummary: Sendable, Equatable {
    /// How many deliveries wait for their acknowledgement.
    public var count: Int64
    /// The lowest and highest of them; nil for none.
    public var lowest: StreamID?
    /// The highest.
    public var highest: StreamID?
    /// How many each consumer holds, by name; those without any are left out.
    public var consumers: [(name: [UInt8], count: Int64)]

    /// All parts.
    public init(
        count: Int64, lowest: StreamID?, highest: StreamID?, consumers: [(name: [UInt8], count: Int64)]
    ) {
        self.count = count
        self.lowest = lowest
        self.highest = highest
        self.consumers = consumers
    }

    /// Same in every part.
    public static func == (left: PendingSummary, right: PendingSummary) -> Bool {
        left.count == right.count && left.lowest == right.lowest && left.highest == right.highest
            && left.consumers.elementsEqual(right.consumers) { $0 == $1 }
    }
}

/// One row of XPENDING with a range.
public struct PendingEntry: Sendable, Hashable {
    /// The entry.
    public var id: StreamID
    /// Who holds it.
    public var consumer: [UInt8]
    /// Since the last delivery.
    public var idleMilliseconds: Int64
    /// How often it was delivered.
    public var deliveries: Int64

    /// All parts.
    public init(id: StreamID, consumer: [UInt8], idleMilliseconds: Int64, deliveries: Int64) {
        self.id = id
        self.consumer = consumer
        self.idleMilliseconds = idleMilliseconds
        self.deliveries = deliveries
    }
}
