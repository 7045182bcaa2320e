import Wire

/// An XADD as the client meant it, all but its id.
public struct SpooledEntry: Sendable, Equatable {
    /// The bytes of the command in front of the id, and those behind it.
    public var head: [UInt8]
    /// See `head`.
    public var tail: [UInt8]
    /// What the sequence of its id begins with; see `promisedID(of:base:)`.
    public var sequenceBase: UInt64

    /// All parts.
    public init(head: [UInt8], tail: [UInt8], sequenceBase: UInt64) {
        self.head = head
        self.tail = tail
        self.sequenceBase = sequenceBase
    }

    /// The id that a client is told when the store has given its message the id `stored`.
    ///
    /// It has to be one that no other producer comes to have, since it tells whether an entry is ours. Redis counts up by
    /// one from zero, or from the last entry while its clock is behind that: so ids begin at a base of their own, and lie
    /// `sequenceGap` apart.
    static func promisedID(of stored: StreamEntryID, base: UInt64) -> StreamEntryID {
        StreamEntryID(milliseconds: stored.milliseconds, sequence: base &+ stored.sequence &* sequenceGap)
    }

    /// More entries than a stream is given within a millisecond.
    static let sequenceGap: UInt64 = 1 << 20

    /// The whole command, under this id.
    func command(as id: StreamEntryID) -> [UInt8] {
        var bytes = head
        RESPWriter.appendBulk(id.bytes, to: &bytes)
        return bytes + tail
    }

    /// Names and values of the entry, in order; behind the id stands nothing else.
    var fields: [[UInt8]] {
        var fields: [[UInt8]] = []
        var bytes: [UInt8] = []
        // The tail is a row of bulks: with a header of its own it is an array.
        RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: 1 << 20, to: &bytes)
        bytes += tail
        var decoder = RESPDecoder(role: .replies)
        var position = 0
        while position < bytes.count, case .token(let token)? = try? decoder.next(in: bytes.span, at: &position) {
            if token.depth == 1 { fields.append(Array(bytes[token.valueRange])) }
        }
        return fields
    }
}
