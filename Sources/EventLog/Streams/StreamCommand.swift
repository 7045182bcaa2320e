/// One operation on the streams, in words of no particular protocol: what every face asks of the store, and what the
/// in-memory reference and the durable store are compared by.
///
/// The meaning is that of the Redis command named beside each case (7.0, later options where named). Whatever depends on
/// text alone was decided before: bounds are inclusive ids, counts are numbers.
public enum StreamCommand: Sendable, Equatable {
    /// XADD.
    case append(StreamAppend)
    /// XLEN.
    case length(key: [UInt8])
    /// XRANGE and XREVRANGE.
    case range(StreamRange)
    /// XREAD, without the waiting: that is the caller's.
    case read(StreamRead)
    /// XREADGROUP, without the waiting.
    case readGroup(StreamGroupRead)
    /// XGROUP CREATE.
    case createGroup(StreamGroupCreation)
    /// XGROUP SETID.
    case setGroup(key: [UInt8], group: [UInt8], start: GroupStart, entriesRead: Int64?)
    /// XGROUP DESTROY.
    case destroyGroup(key: [UInt8], group: [UInt8])
    /// XGROUP CREATECONSUMER.
    case createConsumer(key: [UInt8], group: [UInt8], consumer: [UInt8])
    /// XGROUP DELCONSUMER.
    case deleteConsumer(key: [UInt8], group: [UInt8], consumer: [UInt8])
    /// XACK.
    case acknowledge(key: [UInt8], group: [UInt8], ids: [StreamID])
    /// XACKDEL of Redis 8.2.
    case acknowledgeAndDelete(key: [UInt8], group: [UInt8], ids: [StreamID], references: ReferencePolicy)
    /// XPENDING key group.
    case pendingSummary(key: [UInt8], group: [UInt8])
    /// XPENDING with a range.
    case pending(StreamPendingRange)
    /// XCLAIM.
    case claim(StreamClaim)
    /// XAUTOCLAIM.
    case autoClaim(StreamAutoClaim)
    /// XDEL.
    case delete(key: [UInt8], ids: [StreamID])
    /// XDELEX of Redis 8.2.
    case deleteWithReferences(key: [UInt8], ids: [StreamID], references: ReferencePolicy)
    /// XTRIM.
    case trim(key: [UInt8], StreamTrim, references: ReferencePolicy)
    /// XSETID.
    case setID(key: [UInt8], id: StreamID, entriesAdded: Int64?, maxDeletedID: StreamID?)
    /// XCFGSET of Redis 8.6: how long and how many idempotency ids are remembered. Nil leaves a value as it is.
    case configureIdempotency(key: [UInt8], durationSeconds: Int?, sizeMax: Int?)
    /// XINFO STREAM.
    case streamInfo(key: [UInt8])
    /// XINFO STREAM FULL. Nil: no limit (COUNT 0).
    case fullInfo(key: [UInt8], count: Int?)
    /// XINFO GROUPS.
    case groupsInfo(key: [UInt8])
    /// XINFO CONSUMERS.
    case consumersInfo(key: [UInt8], group: [UInt8])
    /// Everything that is not about the inside of a stream.
    case keys(KeyCommand)
}

/// Operations on keys as such. Every key is a stream.
public enum KeyCommand: Sendable, Equatable {
    /// TYPE: `.type`.
    case type(key: [UInt8])
    /// EXISTS and TOUCH: how many of them, repetitions counted.
    case exists(keys: [[UInt8]])
    /// DEL and UNLINK: how many there were.
    case delete(keys: [[UInt8]])
    /// KEYS and the first step of SCAN: names that match a glob; nil matches all.
    case list(pattern: [UInt8]?)
    /// SCAN. `cursor` is 0 or what the store gave last.
    case scan(cursor: UInt64, count: Int, pattern: [UInt8]?)
    /// DBSIZE.
    case count
    /// FLUSHDB and FLUSHALL.
    case deleteAll
    /// EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT: a moment in the past deletes at once.
    case expire(key: [UInt8], atUnixMilliseconds: Int64, condition: ExpiryCondition)
    /// PERSIST.
    case persist(key: [UInt8])
    /// When it ends: `.moment`; for TTL, PTTL, EXPIRETIME and PEXPIRETIME.
    case expiry(key: [UInt8])
    /// The revision that a later unit can be conditional on (WATCH): `.revision`. 0 for a key that is not there.
    case revision(key: [UInt8])
}

/// EXPIRE's options, as a set of conditions that must all hold.
public struct ExpiryCondition: OptionSet, Sendable, Hashable {
    /// The bits.
    public let rawValue: UInt8
    /// From bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// NX: only where none is set.
    public static let whenUnset = ExpiryCondition(rawValue: 1)
    /// XX: only where one is set.
    public static let whenSet = ExpiryCondition(rawValue: 2)
    /// GT: only if it then lasts longer; no expiry counts as for ever.
    public static let whenLater = ExpiryCondition(rawValue: 4)
    /// LT: only if it then lasts shorter.
    public static let whenEarlier = ExpiryCondition(rawValue: 8)
}

/// What becomes of references in groups' pending lists when an entry goes.
public enum ReferencePolicy: Sendable, Hashable {
    /// KEEPREF: they stay, and reading them finds no entry.
    case keep
    /// DELREF: they go too.
    case delete
    /// ACKED: only what every group has read and acknowledged goes.
    case acknowledged
}
