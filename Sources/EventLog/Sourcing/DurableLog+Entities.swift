import Database

/// Event sourcing on streams.
extension DurableLog {
    /// Which entity of which stream.
    public struct EntityName: Sendable, Hashable {
        /// The stream.
        public var stream: [UInt8]
        /// The entity.
        public var entity: [UInt8]

        /// Both names.
        public init(stream: [UInt8], entity: [UInt8]) {
            self.stream = stream
            self.entity = entity
        }
    }

    /// Appends events to an entity, all or none, if it has the version that is expected.
    public func append(
        _ events: [EventFields], to entity: EntityName, expecting expected: ExpectedVersion, now: Int64,
        answer: @escaping Answer<EntityOutcome>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.append(events, to: entity.entity, of: entity.stream, expecting: expected, now: now)
        }
    }

    /// Events of an entity from a version on, the oldest first.
    public func events(
        of entity: EntityName, from version: Int64 = 1, limit: Int, answer: @escaping Answer<[EntityEvent]>
    ) {
        read(answer) { session throws(SQLiteError) in
            try session.events(of: entity.entity, in: entity.stream, from: version, limit: limit)
        }
    }

    /// The version of an entity; 0 when it has no events.
    public func version(of entity: EntityName, answer: @escaping Answer<Int64>) {
        read(answer) { session throws(SQLiteError) in try session.version(of: entity.entity, in: entity.stream) }
    }

    /// Keeps the state of an entity; false for one older than what is kept, or of a version there is not.
    public func keep(
        _ snapshot: EntitySnapshot, of entity: EntityName, now: Int64, answer: @escaping Answer<Bool>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.keep(snapshot, of: entity.entity, in: entity.stream, now: now)
        }
    }

    /// The state of an entity that was kept last: reading goes on with the version behind it.
    public func snapshot(of entity: EntityName, answer: @escaping Answer<EntitySnapshot?>) {
        read(answer) { session throws(SQLiteError) in try session.snapshot(of: entity.entity, in: entity.stream) }
    }
}
