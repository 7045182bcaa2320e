/// What version an entity must have for an append to happen. The version counts its events, from 1.
public enum ExpectedVersion: Sendable, Hashable {
    /// Any.
    case any
    /// It must have no events yet.
    case none
    /// It must have some.
    case exists
    /// Exactly this.
    case exactly(Int64)

    func allows(_ version: Int64) -> Bool {
        switch self {
        case .any: true
        case .none: version == 0
        case .exists: version > 0
        case .exactly(let expected): version == expected
        }
    }
}

/// What came of an append to an entity.
public enum EntityOutcome: Sendable, Hashable {
    /// Done: the version of the last event, and the ids of all.
    case appended(version: Int64, ids: [StreamID])
    /// Nothing happened: the entity has another version than was expected.
    case conflict(expected: ExpectedVersion, actual: Int64)
    /// Nothing happened: the stream cannot take more.
    case refused(StreamError)
}

/// One event of an entity.
public struct EntityEvent: Sendable, Hashable {
    /// Its place among the entity's events, from 1.
    public var version: Int64
    /// The event.
    public var event: StoredEvent
}

/// The state of an entity after so many events, so that they need not all be read again.
public struct EntitySnapshot: Sendable, Hashable {
    /// The version that it shows.
    public var version: Int64
    /// The state, in the application's own form.
    public var state: [UInt8]

    /// Both parts.
    public init(version: Int64, state: [UInt8]) {
        self.version = version
        self.state = state
    }
}
