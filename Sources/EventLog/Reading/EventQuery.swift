/// Which events of one stream are wanted, by where they stand, when they were appended, and what they say.
public struct EventQuery: Sendable, Hashable {
    /// The stream.
    public var stream: [UInt8]
    /// Where it begins.
    public var start: EventRange.Start
    /// The last one, by offset.
    public var lastOffset: Int64?
    /// The last one, by id.
    public var lastID: StreamID?
    /// Appended at this moment or later, in milliseconds of the Unix time.
    public var sinceUnixMilliseconds: Int64?
    /// Appended at this moment or earlier.
    public var untilUnixMilliseconds: Int64?
    /// What they must say, all of it.
    public var keys: [EventKey: [UInt8]]
    /// The entity they must belong to. `start` by offset is then a version of the entity.
    public var entity: [UInt8]?

    /// All events of a stream.
    public init(stream: [UInt8], start: EventRange.Start = .first) {
        self.stream = stream
        self.start = start
        keys = [:]
    }

    /// Whether an event of the stream, at or behind the start, is wanted. Says nothing of the entity.
    public func matches(_ event: StoredEvent) -> Bool {
        matches(event.fields) && matches(event.id, event.offset, event.appendedAtUnixMilliseconds)
    }

    func matches(_ fields: EventFields) -> Bool {
        keys.allSatisfy { key, value in key.value(in: fields)?.elementsEqual(value) ?? false }
    }

    func matches(_ id: StreamID, _ offset: Int64, _ appended: Int64) -> Bool {
        id <= lastID ?? .max && offset <= lastOffset ?? .max && appended >= sinceUnixMilliseconds ?? .min
            && appended <= untilUnixMilliseconds ?? .max
    }

    /// The key that finds fewest: traces and conversations are short, types are not.
    var sharpestKey: (key: EventKey, value: [UInt8])? {
        for key in [EventKey.traceID, .correlationID, .type] {
            if let value = keys[key] { return (key, value) }
        }
        return nil
    }
}

/// A piece of what a query finds.
public struct EventPage: Sendable, Hashable {
    /// The events, the oldest first.
    public var events: [StoredEvent]
    /// The version of each among those of its entity, where the query names one.
    public var versions: [Int64]
    /// Where to go on, as an offset, or as a version where the query names an entity; nil when nothing is left for now.
    public var next: Int64?
}

/// How a stream stands.
public struct StreamOverview: Sendable, Hashable {
    /// The stream.
    public var name: [UInt8]
    /// When it was made, in milliseconds of the Unix time.
    public var createdAtUnixMilliseconds: Int64
    /// Events there are.
    public var length: Int64
    /// Bytes of their fields, as stored.
    public var bytes: Int64
    /// The oldest event; nil for none.
    public var firstID: StreamID?
    /// The youngest id that was given out; nil for none.
    public var lastID: StreamID?
    /// The offset of the last event that was appended; 0 for none.
    public var lastOffset: Int64
    /// Appends that were recognised as repetitions.
    public var duplicates: Int64
    /// What it does beyond Redis.
    public var settings: StreamSettings
    /// Its groups, by name.
    public var groups: [GroupOverview]
}

/// How a group stands.
public struct GroupOverview: Sendable, Hashable {
    /// What XINFO GROUPS says of it.
    public var info: GroupInfo
    /// How it redelivers.
    public var policy: LeasePolicy
}
