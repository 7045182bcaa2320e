import Database

/// Events that are appended together, perhaps together with the acknowledgement of those that they were made from: all of
/// it happens, or nothing.
public struct Publication: Sendable {
    /// One event and where it goes.
    public struct Event: Sendable {
        /// The stream; made by its first event.
        public var stream: [UInt8]
        /// The event.
        public var fields: EventFields

        /// Both parts.
        public init(stream: [UInt8], fields: EventFields) {
            self.stream = stream
            self.fields = fields
        }
    }

    /// What version must be there for anything to happen.
    public struct Condition: Sendable {
        /// The stream of the entity.
        public var stream: [UInt8]
        /// The entity that all events belong to; nil for the stream itself, whose version is its last offset.
        public var entity: [UInt8]?
        /// Its version.
        public var expected: ExpectedVersion

        /// All parts.
        public init(stream: [UInt8], entity: [UInt8]?, expected: ExpectedVersion) {
            self.stream = stream
            self.entity = entity
            self.expected = expected
        }
    }

    /// Events that are acknowledged in the same step.
    public struct Settlement: Sendable {
        /// The group that holds them.
        public var group: DurableLog.GroupName
        /// Which.
        public var ids: [StreamID]
        /// Who must hold them; nil for anybody in the group.
        public var consumer: [UInt8]?

        /// All parts.
        public init(group: DurableLog.GroupName, ids: [StreamID], consumer: [UInt8]?) {
            self.group = group
            self.ids = ids
            self.consumer = consumer
        }
    }

    /// In order.
    public var events: [Event]
    /// Whether an event whose `ce_source` and `ce_id` were seen lately is left out, as the same event.
    public var deduplicates: Bool
    /// Without one, any version will do. Events of other streams belong to no entity.
    public var condition: Condition?
    /// What is acknowledged with it.
    public var settlement: Settlement?

    /// Events without conditions.
    public init(
        _ events: [Event], deduplicates: Bool, condition: Condition? = nil, settlement: Settlement? = nil
    ) {
        self.events = events
        self.deduplicates = deduplicates
        self.condition = condition
        self.settlement = settlement
    }
}

/// Where an event went, or where the same event had gone before.
public struct AppendedEvent: Sendable, Hashable {
    /// Its id.
    public var id: StreamID
    /// Its offset in the stream, from 1; 0 where the original has left the stream meanwhile.
    public var offset: Int64
    /// It was there already.
    public var isDuplicate: Bool
}

/// What came of a publication.
public enum PublicationOutcome: Sendable, Hashable {
    /// Done: where each event went; the version that is reached, where there was a condition.
    case published([AppendedEvent], version: Int64?)
    /// Nothing happened: the version is another one.
    case conflict(expected: ExpectedVersion, actual: Int64)
    /// Nothing happened: these are not in the hands of the one who settles them.
    case notHeld([StreamID])
    /// Nothing happened: there is no such group.
    case noGroup
    /// Nothing happened: a stream cannot take more.
    case refused(StreamError)
}

/// Publishing for faces other than Redis.
extension DurableLog {
    /// Publishes, and answers on the writer's thread after it is on disk. `now` is the Unix time in milliseconds.
    public func publish(_ publication: Publication, now: Int64, answer: @escaping Answer<PublicationOutcome>) {
        write(answer) { session throws(SQLiteError) in try session.publish(publication, now: now) }
    }
}
