/// One operation of the NATS client protocol: its control line taken apart, and where its headers and payload lie.
///
/// An operation names bytes, it does not hold them. Offsets count from the first byte of the *frame*, which is the
/// control line with the payload that it announces, so they index directly into a buffer that keeps the frame from its
/// start. Formats: https://docs.nats.io/reference/reference-protocols/nats-protocol
public struct NATSOperation: Equatable, Sendable {
    /// The verb of a control line.
    public enum Kind: UInt8, Sendable, CaseIterable {
        case info
        case connect
        case pub
        case hpub
        case sub
        case unsub
        case msg
        case hmsg
        case ping
        case pong
        case ok
        case error

        /// Whether a payload and its line end follow the control line.
        public var hasPayload: Bool {
            switch self {
            case .pub, .hpub, .msg, .hmsg: true
            case .info, .connect, .sub, .unsub, .ping, .pong, .ok, .error: false
            }
        }

        /// Whether the payload begins with a header block.
        public var hasHeaders: Bool { self == .hpub || self == .hmsg }
    }

    /// A piece of the control line. Lines are short, so two words of 32 bits do.
    struct Piece: Equatable, Sendable {
        var start: UInt32 = 0
        var end: UInt32 = 0

        @inline(__always)
        var range: Range<Int> { Int(start)..<Int(end) }
    }

    /// The verb.
    public internal(set) var kind: Kind
    var subjectPiece = Piece()
    var replyPiece = Piece()
    var queuePiece = Piece()
    var sidPiece = Piece()
    var sizesPiece = Piece()
    var textPiece = Piece()
    /// Where the control line ends, its CRLF included.
    public internal(set) var lineEnd = 0
    /// Bytes of the header block with the empty line that ends it; part of the payload, 0 without one.
    public internal(set) var headerLength = 0
    /// Bytes of header block and body together, without the CRLF behind them.
    public internal(set) var payloadLength = 0
    /// The most messages of an UNSUB; 0 when it names none.
    public internal(set) var messagesMax = 0

    init(_ kind: Kind) { self.kind = kind }

    /// The subject of PUB, HPUB, SUB, MSG and HMSG.
    public var subject: Range<Int> { subjectPiece.range }
    /// The reply subject; empty when there is none.
    public var reply: Range<Int> { replyPiece.range }
    /// The queue group of a SUB; empty when there is none.
    public var queue: Range<Int> { queuePiece.range }
    /// The subscription's id, which is the client's own.
    public var sid: Range<Int> { sidPiece.range }
    /// The one or two sizes at the end of a control line, and the blanks between them.
    public var sizes: Range<Int> { sizesPiece.range }
    /// What stands behind INFO, CONNECT and -ERR, without the blanks around it.
    public var text: Range<Int> { textPiece.range }
    /// The control line, its CRLF included.
    public var line: Range<Int> { 0..<lineEnd }
    /// Whether nothing follows the control line.
    public var endsWithLine: Bool { !kind.hasPayload }
    /// Header block, with its status line.
    public var headers: Range<Int> { lineEnd..<lineEnd + headerLength }
    /// The payload behind the headers.
    public var body: Range<Int> { lineEnd + headerLength..<lineEnd + payloadLength }
    /// Where the next operation starts.
    public var endOffset: Int { kind.hasPayload ? lineEnd + payloadLength + 2 : lineEnd }
}

/// The bounds of what is accepted from a peer, all checked before any arithmetic on a number from the wire.
public struct NATSLimits: Sendable {
    /// Longest control line. A server's `max_control_line` is 4 KiB by default; INFO may name many servers, and CONNECT
    /// may carry a token of some kilobytes.
    public var lineBytesMax = 1 << 20
    /// Longest payload, header block included. A server's `max_payload` is 1 MiB by default and 64 MiB at most.
    public var payloadBytesMax = 1 << 30

    /// The default limits.
    public init() {}
}

/// Why bytes could not be decoded. A closed set: the text is a metric label.
public enum NATSError: String, Error, Equatable, Sendable {
    /// A verb that does not exist, or that this side does not send.
    case unknownVerb = "unknown_verb"
    case malformedLine = "malformed_line"
    case malformedLineEnd = "malformed_line_end"
    /// A size that is no number, or a header block longer than the payload that it is part of.
    case malformedSize = "malformed_size"
    case lineTooLong = "line_too_long"
    case payloadTooLong = "payload_too_long"
}
