/// One event with everything the log knows of it.
public struct StoredEvent: Sendable, Hashable {
    /// Its stream.
    public var stream: [UInt8]
    /// Its id.
    public var id: StreamID
    /// Its offset in the stream, from 1, without gaps when it was appended.
    public var offset: Int64
    /// The event.
    public var fields: EventFields
    /// When it was appended, in milliseconds of the Unix time. Never less than its predecessor's.
    public var appendedAtUnixMilliseconds: Int64
    /// Its link in the chain of hashes.
    public var hash: [UInt8]
    /// Whether a replay wrote it.
    public var isReplay: Bool
}

/// Which events of a stream are meant.
public struct EventRange: Sendable, Hashable {
    /// Where it begins.
    public enum Start: Sendable, Hashable {
        /// The oldest event there is.
        case first
        /// This offset, or the next there is.
        case offset(Int64)
        /// This id, or the next there is.
        case id(StreamID)
        /// The first event appended at this moment or later, in milliseconds of the Unix time.
        case time(unixMilliseconds: Int64)
    }

    /// The stream.
    public var stream: [UInt8]
    /// Where it begins.
    public var start: Start
    /// Events appended later are left out.
    public var untilUnixMilliseconds: Int64?
    /// Events with a higher offset are left out.
    public var lastOffset: Int64?

    /// Usually all of a stream.
    public init(
        stream: [UInt8], start: Start = .first, untilUnixMilliseconds: Int64? = nil, lastOffset: Int64? = nil
    ) {
        self.stream = stream
        self.start = start
        self.untilUnixMilliseconds = untilUnixMilliseconds
        self.lastOffset = lastOffset
    }
}
