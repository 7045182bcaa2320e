/// The place of an entry in its stream: milliseconds of the Unix time, and a number within the millisecond.
///
/// Written `1526919030474-55`, as in https://redis.io/docs/latest/develop/data-types/streams/ (entry ids).
public struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Milliseconds of the Unix time when the entry was appended, unless the producer chose otherwise.
    public var milliseconds: UInt64
    /// Counts the entries of one millisecond.
    public var sequence: UInt64

    /// An id from its halves.
    public init(_ milliseconds: UInt64, _ sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// The lowest id, which no entry can have.
    public static let zero = StreamID(0, 0)
    /// The highest id.
    public static let max = StreamID(.max, .max)

    /// By milliseconds, then by sequence.
    public static func < (left: StreamID, right: StreamID) -> Bool {
        left.milliseconds != right.milliseconds
            ? left.milliseconds < right.milliseconds : left.sequence < right.sequence
    }

    /// The id right after this one; nil after the highest.
    public var next: StreamID? {
        if sequence < .max { return StreamID(milliseconds, sequence + 1) }
        return milliseconds < .max ? StreamID(milliseconds + 1, 0) : nil
    }

    /// The id right before this one; nil before the lowest.
    public var previous: StreamID? {
        if sequence > 0 { return StreamID(milliseconds, sequence - 1) }
        return milliseconds > 0 ? StreamID(milliseconds - 1, .max) : nil
    }

    /// As clients write and read it.
    public var description: String { "\(milliseconds)-\(sequence)" }
}
