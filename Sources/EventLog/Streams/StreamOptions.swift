/// What one XADD asks for.
public struct StreamAppend: Sendable, Equatable {
    /// Who chooses the id.
    public enum ID: Sendable, Hashable {
        /// `*`: now, or right after the last one.
        case automatic
        /// `ms-*`: the next number of this millisecond.
        case automaticSequence(milliseconds: UInt64)
        /// As given.
        case explicit(StreamID)
    }

    /// A producer's own mark of the event, so that sending it again has no further effect (Redis 8.6).
    public struct Idempotency: Sendable, Hashable {
        /// What tells two events of one producer apart.
        public enum Mark: Sendable, Hashable {
            /// IDMP: the producer's own id of the event.
            case given([UInt8])
            /// IDMPAUTO: the fields themselves.
            case fields
        }

        /// Marks of different producers have nothing to do with each other.
        public var producer: [UInt8]
        /// The mark.
        public var mark: Mark

        /// Both parts.
        public init(producer: [UInt8], mark: Mark) {
            self.producer = producer
            self.mark = mark
        }
    }

    /// The stream; made by the first entry unless `createsStream` is false.
    public var key: [UInt8]
    /// Who chooses the id.
    public var id: ID
    /// The event.
    public var fields: EventFields
    /// False for NOMKSTREAM.
    public var createsStream: Bool
    /// What is cut off after the append.
    public var trim: StreamTrim?
    /// What becomes of references to what is cut off.
    public var references: ReferencePolicy
    /// A mark against doing it twice.
    public var idempotency: Idempotency?

    /// The usual XADD.
    public init(
        key: [UInt8], id: ID = .automatic, fields: EventFields, createsStream: Bool = true, trim: StreamTrim? = nil,
        references: ReferencePolicy = .keep, idempotency: Idempotency? = nil
    ) {
        self.key = key
        self.id = id
        self.fields = fields
        self.createsStream = createsStream
        self.trim = trim
        self.references = references
        self.idempotency = idempotency
    }
}

/// How a stream is cut down from its old end.
public struct StreamTrim: Sendable, Hashable {
    /// What is kept.
    public enum Bound: Sendable, Hashable {
        /// MAXLEN: so many of the youngest.
        case length(Int64)
        /// MINID: this one and what is younger.
        case minimumID(StreamID)
    }

    /// Entries that an approximate trim removes together: it takes whole blocks of the oldest, and leaves what is not a
    /// whole block. The size is that of Redis's default `stream-node-max-entries`.
    public static let blockEntries = 100

    /// What is kept.
    public var bound: Bound
    /// `~`: more than that may be kept.
    public var isApproximate: Bool
    /// LIMIT: the most entries that one approximate trim removes; nil for no limit. An approximate trim without LIMIT
    /// comes with 100 blocks.
    public var limit: Int?

    /// All parts.
    public init(_ bound: Bound, isApproximate: Bool = false, limit: Int? = nil) {
        self.bound = bound
        self.isApproximate = isApproximate
        self.limit = limit
    }
}

/// What one XRANGE or XREVRANGE asks for.
public struct StreamRange: Sendable, Hashable {
    /// The stream.
    public var key: [UInt8]
    /// The lowest id, included.
    public var lower: StreamID
    /// The highest id, included; below `lower` nothing matches.
    public var upper: StreamID
    /// The most entries; nil for all, 0 for none (`.none` when the stream exists, as Redis answers).
    public var count: Int?
    /// From the young end.
    public var isReversed: Bool

    /// All parts.
    public init(key: [UInt8], lower: StreamID, upper: StreamID, count: Int? = nil, isReversed: Bool = false) {
        self.key = key
        self.lower = lower
        self.upper = upper
        self.count = count
        self.isReversed = isReversed
    }
}

/// What one XREAD asks for, in one look.
public struct StreamRead: Sendable, Equatable {
    /// Where to begin in one stream.
    public enum Position: Sendable, Hashable {
        /// What is younger than this.
        case after(StreamID)
        /// `$`: what is younger than the last entry there is now, so nothing yet; a caller that waits uses the position
        /// in the reply from then on.
        case last
    }

    /// The streams in the order of the command, each with its position.
    public var streams: [(key: [UInt8], position: Position)]
    /// The most entries of each stream; nil for all.
    public var count: Int?

    /// All parts.
    public init(streams: [(key: [UInt8], position: Position)], count: Int? = nil) {
        self.streams = streams
        self.count = count
    }

    /// Same streams, same positions, same count.
    public static func == (left: StreamRead, right: StreamRead) -> Bool {
        left.count == right.count && left.streams.elementsEqual(right.streams) { $0 == $1 }
    }
}

/// What one XREADGROUP asks for, in one look.
public struct StreamGroupRead: Sendable, Equatable {
    /// What is wanted of one stream.
    public enum Position: Sendable, Hashable {
        /// `>`: what no consumer of the group was given yet.
        case undelivered
        /// An id: what this consumer was given after it and has not acknowledged. Never waits.
        case ownPendingAfter(StreamID)
    }

    /// The group, which every stream must have.
    public var group: [UInt8]
    /// Who reads; made on the first sight.
    public var consumer: [UInt8]
    /// The streams in the order of the command, each with its position.
    public var streams: [(key: [UInt8], position: Position)]
    /// The most entries of each stream; nil for all.
    public var count: Int?
    /// NOACK: what is given counts as acknowledged.
    public var acknowledges: Bool

    /// All parts.
    public init(
        group: [UInt8], consumer: [UInt8], streams: [(key: [UInt8], position: Position)], count: Int? = nil,
        acknowledges: Bool = false
    ) {
        self.group = group
        self.consumer = consumer
        self.streams = streams
        self.count = count
        self.acknowledges = acknowledges
    }

    /// Same in every part.
    public static func == (left: StreamGroupRead, right: StreamGroupRead) -> Bool {
        left.group == right.group && left.consumer == right.consumer && left.count == right.count
            && left.acknowledges == right.acknowledges && left.streams.elementsEqual(right.streams) { $0 == $1 }
    }
}

/// Where a group begins.
public enum GroupStart: Sendable, Hashable {
    /// `$`: behind the last entry there is now.
    case last
    /// Behind this id.
    case after(StreamID)
}

/// What one XGROUP CREATE asks for.
public struct StreamGroupCreation: Sendable, Hashable {
    /// The stream.
    public var key: [UInt8]
    /// The new group.
    public var group: [UInt8]
    /// Where it begins.
    public var start: GroupStart
    /// MKSTREAM: an empty stream is made if there is none.
    public var createsStream: Bool
    /// ENTRIESREAD: how many entries the group counts as read; nil when not known.
    public var entriesRead: Int64?

    /// All parts.
    public init(
        key: [UInt8], group: [UInt8], start: GroupStart, createsStream: Bool = false, entriesRead: Int64? = nil
    ) {
        self.key = key
        self.group = group
        self.start = start
        self.createsStream = createsStream
        self.entriesRead = entriesRead
    }
}

/// What one XPENDING with a range asks for.
public struct StreamPendingRange: Sendable, Hashable {
    /// The stream.
    public var key: [UInt8]
    /// The group.
    public var group: [UInt8]
    /// The lowest id, included.
    public var lower: StreamID
    /// The highest id, included.
    public var upper: StreamID
    /// The most rows.
    public var count: Int
    /// Only what this consumer holds.
    public var consumer: [UInt8]?
    /// Only what was delivered at least so long ago.
    public var minimumIdleMilliseconds: Int64

    /// All parts.
    public init(
        key: [UInt8], group: [UInt8], lower: StreamID, upper: StreamID, count: Int, consumer: [UInt8]? = nil,
        minimumIdleMilliseconds: Int64 = 0
    ) {
        self.key = key
        self.group = group
        self.lower = lower
        self.upper = upper
        self.count = count
        self.consumer = consumer
        self.minimumIdleMilliseconds = minimumIdleMilliseconds
    }
}

/// What one XCLAIM asks for.
public struct StreamClaim: Sendable, Hashable {
    /// The stream.
    public var key: [UInt8]
    /// The group.
    public var group: [UInt8]
    /// The new owner; made on the first sight.
    public var consumer: [UInt8]
    /// Only what was delivered at least so long ago.
    public var minimumIdleMilliseconds: Int64
    /// Which entries.
    public var ids: [StreamID]
    /// The time of delivery that is noted, from IDLE or TIME; nil for now. One in the future counts as now.
    public var deliveredAtUnixMilliseconds: Int64?
    /// RETRYCOUNT: the number of deliveries that is noted; nil counts one up, unless `idsOnly`.
    public var deliveries: Int64?
    /// FORCE: also what nobody holds, if the entry exists.
    public var createsPending: Bool
    /// JUSTID: ids instead of entries, and no delivery is counted.
    public var idsOnly: Bool
    /// LASTID: the group's position moves up to this.
    public var lastID: StreamID?

    /// The plain form.
    public init(key: [UInt8], group: [UInt8], consumer: [UInt8], minimumIdleMilliseconds: Int64, ids: [StreamID]) {
        self.key = key
        self.group = group
        self.consumer = consumer
        self.minimumIdleMilliseconds = minimumIdleMilliseconds
        self.ids = ids
        createsPending = false
        idsOnly = false
    }
}

/// What one XAUTOCLAIM asks for.
public struct StreamAutoClaim: Sendable, Hashable {
    /// The stream.
    public var key: [UInt8]
    /// The group.
    public var group: [UInt8]
    /// The new owner; made on the first sight.
    public var consumer: [UInt8]
    /// Only what was delivered at least so long ago.
    public var minimumIdleMilliseconds: Int64
    /// The lowest id, included.
    public var start: StreamID
    /// The most entries claimed; ten times as many are looked at.
    public var count: Int
    /// JUSTID: ids instead of entries, and no delivery is counted.
    public var idsOnly: Bool

    /// All parts.
    public init(
        key: [UInt8], group: [UInt8], consumer: [UInt8], minimumIdleMilliseconds: Int64, start: StreamID,
        count: Int = 100, idsOnly: Bool = false
    ) {
        self.key = key
        self.group = group
        self.consumer = consumer
        self.minimumIdleMilliseconds = minimumIdleMilliseconds
        self.start = start
        self.count = count
        self.idsOnly = idsOnly
    }
}
