/// One token of a RESP stream: a scalar with its value, or the header of an aggregate.
///
/// A token names bytes, it does not hold them. Offsets count from the first byte of the *frame* the token belongs to,
/// so they index directly into a buffer that keeps that frame whole, and mean nothing to one that lets it stream by.
/// Formats: https://redis.io/docs/latest/develop/reference/protocol-spec/
public struct RESPToken: Equatable, Sendable {
    /// The type of a token.
    public enum Kind: UInt8, Sendable {
        case simpleString
        case error
        case integer
        case bulkString
        case null
        case double
        case boolean
        case bigNumber
        case bulkError
        case verbatimString
        case array
        case map
        case set
        case attribute
        case push
        /// The `.` that ends an aggregate whose length was not announced.
        case streamEnd
        /// One `;` part of a bulk string whose length was not announced; a part of length 0 ends it.
        case streamPart
        /// A whole inline command: the value is the line without its line end, words not yet split.
        case inlineCommand

        /// Whether tokens of this kind announce elements. A streamed bulk string does not count as one: its parts are
        /// pieces of one value.
        public var isAggregate: Bool {
            switch self {
            case .array, .map, .set, .attribute, .push: true
            default: false
            }
        }
    }

    /// The type, from the type byte.
    public var kind: Kind
    /// How many aggregates enclose this token. A `.` stands at the depth of the elements it ends; the parts of a
    /// streamed bulk string stand one deeper than its header.
    public var depth: UInt8
    /// Whether the whole frame ends with this token.
    public var endsFrame: Bool
    /// Where the token starts: its type byte.
    public var offset: Int
    /// Where the value starts: after the type byte (an inline command has none), or after the length line of a bulk.
    public var valueOffset: Int
    /// Scalars: bytes of the value, without CRLF. Aggregates: the announced count (pairs for maps and attributes).
    /// -1: null of RESP2 (`$-1`, `*-1`). -2: streamed, the length is not announced (`$?`, `*?`).
    public var length: Int
    /// Where the next token starts.
    public var endOffset: Int

    /// The bytes of a scalar's value, as offsets in the frame; empty for aggregates and nulls.
    public var valueRange: Range<Int> {
        let count = kind.isAggregate ? 0 : max(length, 0)
        return valueOffset..<valueOffset + count
    }

    /// A token as the decoder makes it; public for readers' tests.
    public init(
        kind: Kind, depth: UInt8, endsFrame: Bool, offset: Int, valueOffset: Int, length: Int, endOffset: Int
    ) {
        self.kind = kind
        self.depth = depth
        self.endsFrame = endsFrame
        self.offset = offset
        self.valueOffset = valueOffset
        self.length = length
        self.endOffset = endOffset
    }
}
