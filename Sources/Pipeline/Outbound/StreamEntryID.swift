import Wire

/// The id of a stream entry.
public struct StreamEntryID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The first half.
    public var milliseconds: UInt64
    /// The second.
    public var sequence: UInt64

    /// Both halves.
    public init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// As Redis writes it.
    public init?(_ text: [UInt8]) {
        guard let (milliseconds, sequence) = RESPText.entryID(text.span, in: 0..<text.count) else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    /// As Redis writes it.
    public var description: String { "\(milliseconds)-\(sequence)" }

    var bytes: [UInt8] { Array(description.utf8) }

    /// The next id; nil behind the highest.
    public var next: StreamEntryID? {
        if sequence < .max { return StreamEntryID(milliseconds: milliseconds, sequence: sequence + 1) }
        return milliseconds < .max ? StreamEntryID(milliseconds: milliseconds + 1, sequence: 0) : nil
    }

    /// By the first half, then by the second.
    public static func < (left: StreamEntryID, right: StreamEntryID) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }
}
