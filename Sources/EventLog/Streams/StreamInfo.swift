/// XINFO STREAM.
public struct StreamInfo: Sendable, Hashable {
    /// Entries there are.
    public var length: Int64
    /// The highest id that was ever given out.
    public var lastID: StreamID
    /// The highest id of a deleted entry (by XDEL; trimming does not count), `.zero` for none.
    public var maxDeletedID: StreamID
    /// Entries that were ever appended.
    public var entriesAdded: Int64
    /// The id of the first entry there is, `.zero` for none.
    public var recordedFirstID: StreamID
    /// Groups.
    public var groups: Int64
    /// The oldest and the youngest entry.
    public var first: StreamEntry?
    /// The youngest.
    public var last: StreamEntry?

    /// All parts.
    public init(
        length: Int64, lastID: StreamID, maxDeletedID: StreamID, entriesAdded: Int64, recordedFirstID: StreamID,
        groups: Int64, first: StreamEntry?, last: StreamEntry?
    ) {
        self.length = length
        self.lastID = lastID
        self.maxDeletedID = maxDeletedID
        self.entriesAdded = entriesAdded
        self.recordedFirstID = recordedFirstID
        self.groups = groups
        self.first = first
        self.last = last
    }
}

/// XINFO STREAM FULL.
public struct StreamFullInfo: Sendable, Hashable {
    /// What XINFO STREAM says too.
    public var stream: StreamInfo
    /// The oldest entries, as many as were asked for.
    public var entries: [StreamEntry]
    /// Groups by name.
    public var groups: [GroupFullInfo]

    /// All parts.
    public init(stream: StreamInfo, entries: [StreamEntry], groups: [GroupFullInfo]) {
        self.stream = stream
        self.entries = entries
        self.groups = groups
    }
}

/// One group in XINFO GROUPS.
public struct GroupInfo: Sendable, Hashable {
    /// The group.
    public var name: [UInt8]
    /// Its consumers.
    public var consumers: Int64
    /// Deliveries that wait for their acknowledgement.
    public var pending: Int64
    /// The last entry that was given to one of them.
    public var lastDelivered: StreamID
    /// Entries the group has read, counted from the stream's beginning; nil when not known.
    public var entriesRead: Int64?
    /// Entries it has not read yet; nil when not known.
    public var lag: Int64?

    /// All parts.
    public init(
        name: [UInt8], consumers: Int64, pending: Int64, lastDelivered: StreamID, entriesRead: Int64?, lag: Int64?
    ) {
        self.name = name
        self.consumers = consumers
        self.pending = pending
        self.lastDelivered = lastDelivered
        self.entriesRead = entriesRead
        self.lag = lag
    }
}

/// One group in XINFO STREAM FULL.
public struct GroupFullInfo: Sendable, Hashable {
    /// What XINFO GROUPS says too.
    public var group: GroupInfo
    /// Pending deliveries by id, as many as were asked for.
    public var pending: [PendingDelivery]
    /// Consumers by name.
    public var consumers: [ConsumerFullInfo]

    /// All parts.
    public init(group: GroupInfo, pending: [PendingDelivery], consumers: [ConsumerFullInfo]) {
        self.group = group
        self.pending = pending
        self.consumers = consumers
    }
}

/// One pending delivery in XINFO STREAM FULL.
public struct PendingDelivery: Sendable, Hashable {
    /// The entry.
    public var id: StreamID
    /// Who holds it.
    public var consumer: [UInt8]
    /// The last delivery.
    public var deliveredAtUnixMilliseconds: Int64
    /// How often it was delivered.
    public var deliveries: Int64

    /// All parts.
    public init(id: StreamID, consumer: [UInt8], deliveredAtUnixMilliseconds: Int64, deliveries: Int64) {
        self.id = id
        self.consumer = consumer
        self.deliveredAtUnixMilliseconds = deliveredAtUnixMilliseconds
        self.deliveries = deliveries
    }
}

/// One consumer in XINFO CONSUMERS.
public struct ConsumerInfo: Sendable, Hashable {
    /// The consumer.
    public var name: [UInt8]
    /// Deliveries it holds.
    public var pending: Int64
    /// Since its last command.
    public var idleMilliseconds: Int64

    /// All parts.
    public init(name: [UInt8], pending: Int64, idleMilliseconds: Int64) {
        self.name = name
        self.pending = pending
        self.idleMilliseconds = idleMilliseconds
    }
}

/// One consumer in XINFO STREAM FULL.
public struct ConsumerFullInfo: Sendable, Hashable {
    /// The consumer.
    public var name: [UInt8]
    /// Its last command.
    public var seenAtUnixMilliseconds: Int64
    /// Deliveries it holds.
    public var pendingCount: Int64
    /// The first of them by id, as many as were asked for.
    public var pending: [PendingDelivery]

    /// All parts.
    public init(name: [UInt8], seenAtUnixMilliseconds: Int64, pendingCount: Int64, pending: [PendingDelivery]) {
        self.name = name
        self.seenAtUnixMilliseconds = seenAtUnixMilliseconds
        self.pendingCount = pendingCount
        self.pending = pending
    }
}
