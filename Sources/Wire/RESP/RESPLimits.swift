/// The bounds of what is accepted from a peer, all checked before any arithmetic on a number from the wire.
public struct RESPLimits: Sendable {
    /// Longest bulk payload; Redis's own `proto-max-bulk-len` is 512 MB by default and may be raised.
    public var bulkBytesMax = 4 << 30
    /// Longest line: a simple string, an error, a number or an inline command.
    public var lineBytesMax = 64 << 10
    /// Most elements of one aggregate; none are allocated, so this only has to keep arithmetic safe.
    public var elementsMax = 1 << 31
    /// Deepest nesting.
    public var depthMax = 64
    /// Bulks longer than this are announced before their payload is complete.
    public var announceAbove = 64 << 10

    /// The default limits.
    public init() {}
}

/// Why bytes could not be decoded. A closed set: the text is a metric label.
public enum RESPError: String, Error, Equatable, Sendable {
    /// A type byte that does not exist, or not where it stands.
    case unknownType = "unknown_type"
    case malformedLength = "malformed_length"
    case malformedLineEnd = "malformed_line_end"
    case malformedValue = "malformed_value"
    case bulkTooLong = "bulk_too_long"
    case lineTooLong = "line_too_long"
    case tooManyElements = "too_many_elements"
    case tooDeep = "too_deep"
    /// A request that is neither an inline command nor an array of bulk strings.
    case notACommand = "not_a_command"
}
