/// Turns a stream of RESP bytes into tokens, resumably: every byte is consumed once, and no call looks at what an earlier
/// one consumed, however the stream was split.
///
/// The decoder owns no bytes. The caller hands it whatever has arrived, takes tokens until `needsMore`, and decides by
/// itself whether the bytes of the current frame are kept (because they may be edited) or let go. It knows nothing of
/// commands or replies beyond the two roles: requests may be inline commands.
public struct RESPDecoder: Sendable {
    /// Which direction of a connection is decoded.
    public enum Role: Sendable {
        /// What clients send: arrays of bulk strings, or inline commands.
        case requests
        /// What servers send: every RESP2 and RESP3 type.
        case replies
    }

    /// What one call of `next` came to.
    public enum Step: Equatable, Sendable {
        /// A token is complete; its bytes end at the position.
        case token(RESPToken)
        /// A bulk longer than `RESPLimits.announceAbove` has begun and its payload is not all here. Said once per
        /// bulk; its `.token`, equal to this one, follows when it is complete. Lets the caller stop keeping a frame it
        /// would not edit.
        case announced(RESPToken)
        /// All bytes were consumed; the state is kept for the next call.
        case needsMore
    }

    /// What the next byte belongs to.
    private enum Phase: UInt8 {
        case type
        case length
        case payload
        case payloadCarriageReturn
        case payloadLineFeed
        case line
    }

    /// Bytes of the current, unfinished frame that were consumed so far; 0 between frames.
    public private(set) var frameLength = 0

    private let role: Role
    private let limits: RESPLimits
    private var phase = Phase.type
    private var nesting: RESPNesting
    /// The token under way, and the line or payload it is in.
    private var token = RESPToken(
        kind: .null, depth: 0, endsFrame: false, offset: 0, valueOffset: 0, length: 0, endOffset: 0)
    private var lengthLine = RESPLengthLine()
    private var valueLine = RESPValueLine(.nothing, lengthMax: 0)
    private var payloadRemaining = 0

    /// A decoder that stands before the first byte of a connection's direction.
    ///
    /// Limits beyond what keeps arithmetic safe (`Int.max / 16` bytes or elements, 255 levels) count as that.
    public init(role: Role, limits: RESPLimits = RESPLimits()) {
        var limits = limits
        limits.bulkBytesMax = min(max(limits.bulkBytesMax, 0), Int.max / 16)
        limits.elementsMax = min(max(limits.elementsMax, 0), Int.max / 16)
        self.role = role
        self.limits = limits
        nesting = RESPNesting(depthMax: limits.depthMax)
    }

    /// Consumes bytes from `position` on, up to and including the next token.
    ///
    /// Bytes before `position` are not looked at: they may be the kept part of the frame or have nothing to do with it.
    /// Throws `RESPError` when the bytes are not RESP or pass a limit; the decoder is of no use afterwards.
    public mutating func next(in bytes: Span<UInt8>, at position: inout Int) throws(RESPError) -> Step {
        // Turns an index of these bytes into an offset in the frame.
        let base = frameLength - position
        if let whole = takeWhole(bytes, &position, base: base) { return .token(whole) }
        while position < bytes.count {
            switch phase {
            case .type:
                token.depth = UInt8(nesting.depth)
                token.offset = base + position
                token.valueOffset = token.offset + 1
                switch role {
                case .requests: try beginRequest(bytes[position])
                case .replies: try beginReply(bytes[position])
                }
                // One byte further, unless the token has no type byte.
                position += token.valueOffset - token.offset
            case .length:
                guard try lengthLine.scan(bytes, &position) else { continue }
                token.length = lengthLine.value
                if try endHeader(at: base + position) { return finish(at: base + position) }
                if token.length > limits.announceAbove, bytes.count - position < token.length {
                    frameLength = base + position
                    return .announced(token)
                }
            case .payload:
                let here = min(payloadRemaining, bytes.count - position)
                position += here
                payloadRemaining -= here
                if payloadRemaining == 0 { phase = .payloadCarriageReturn }
            case .payloadCarriageReturn:
                guard bytes[position] == UInt8(ascii: "\r") else { throw .malformedLineEnd }
                position += 1
                phase = .payloadLineFeed
            case .payloadLineFeed:
                guard bytes[position] == UInt8(ascii: "\n") else { throw .malformedLineEnd }
                position += 1
                return finish(at: base + position)
            case .line:
                guard try valueLine.scan(bytes, &position) else { continue }
                token.length = valueLine.length
                token.endsFrame = token.kind == .streamEnd ? try nesting.leaveAtMark() : nesting.countValue()
                return finish(at: base + position)
            }
        }
        frameLength = base + position
        return .needsMore
    }

    /// The common case in one go: an array header or a bulk string of at most three digits, here from type byte to line
    /// end. What this does not take, for whatever reason, it leaves to the general way as if it had not looked, which
    /// costs at most six looks.
    @inline(__always)
    private mutating func takeWhole(_ bytes: Span<UInt8>, _ position: inout Int, base: Int) -> RESPToken? {
        guard phase == .type, let header = RESPShortHeader(bytes, at: position) else { return nil }
        var token = RESPToken(
            kind: .array, depth: UInt8(truncatingIfNeeded: nesting.depth), endsFrame: false, offset: base + position,
            valueOffset: base + position + 1, length: header.length, endOffset: base + header.end)
        var end = header.end
        if header.type == UInt8(ascii: "$"), role == .replies ? !nesting.expectsPart : nesting.depth > 0 {
            end += header.length + 2
            guard header.length <= limits.bulkBytesMax, end <= bytes.count,
                bytes[end - 2] == UInt8(ascii: "\r"), bytes[end - 1] == UInt8(ascii: "\n")
            else { return nil }
            token.kind = .bulkString
            token.valueOffset = base + header.end
            token.endOffset = base + end
            token.endsFrame = nesting.countValue()
        } else if header.type == UInt8(ascii: "*"), role == .replies ? !nesting.expectsPart : nesting.depth == 0 {
            guard header.length <= limits.elementsMax,
                let endsFrame = try? nesting.enter(.array, length: header.length)
            else { return nil }
            token.endsFrame = endsFrame
        } else {
            return nil
        }
        position = end
        frameLength = token.endsFrame ? 0 : token.endOffset
        return token
    }

    /// Hands out the token under way, which ends here.
    private mutating func finish(at offset: Int) -> Step {
        token.endOffset = offset
        frameLength = token.endsFrame ? 0 : offset
        phase = .type
        return .token(token)
    }
}

// How tokens begin, and what their headers mean.
extension RESPDecoder {
    private mutating func beginRequest(_ type: UInt8) throws(RESPError) {
        if nesting.depth > 0 {
            guard type == UInt8(ascii: "$") else { throw .notACommand }
            beginLength(.bulkString)
        } else if type == UInt8(ascii: "*") {
            beginLength(.array, allowsNull: true)
        } else {
            // An inline command has no type byte: this one is its first.
            beginLine(.inlineCommand, .inline)
            token.valueOffset = token.offset
        }
    }

    private mutating func beginReply(_ type: UInt8) throws(RESPError) {
        guard nesting.expectsPart == (type == UInt8(ascii: ";")) else { throw .unknownType }
        switch type {
        case UInt8(ascii: "+"): beginLine(.simpleString, .text)
        case UInt8(ascii: "-"): beginLine(.error, .text)
        case UInt8(ascii: ":"): beginLine(.integer, .integer)
        case UInt8(ascii: "_"): beginLine(.null, .nothing)
        case UInt8(ascii: ","): beginLine(.double, .double)
        case UInt8(ascii: "#"): beginLine(.boolean, .boolean)
        case UInt8(ascii: "("): beginLine(.bigNumber, .integer)
        case UInt8(ascii: "."): beginLine(.streamEnd, .nothing)
        case UInt8(ascii: "$"): beginLength(.bulkString, allowsNull: true, allowsStreamed: true)
        case UInt8(ascii: "!"): beginLength(.bulkError)
        case UInt8(ascii: "="): beginLength(.verbatimString)
        case UInt8(ascii: ";"): beginLength(.streamPart)
        case UInt8(ascii: "*"): beginLength(.array, allowsNull: true, allowsStreamed: true)
        case UInt8(ascii: "%"): beginLength(.map, allowsStreamed: true)
        case UInt8(ascii: "~"): beginLength(.set, allowsStreamed: true)
        case UInt8(ascii: "|"): beginLength(.attribute)
        // Pushes come between replies. Inside one, as Redis 7.0 puts them into EXEC replies, nothing tells whether they
        // count as its elements: SUBSCRIBE of two channels is one command and two pushes.
        case UInt8(ascii: ">") where nesting.depth == 0: beginLength(.push, allowsStreamed: true)
        default: throw .unknownType
        }
    }

    private mutating func beginLine(_ kind: RESPToken.Kind, _ content: RESPValueLine.Content) {
        token.kind = kind
        valueLine = RESPValueLine(content, lengthMax: limits.lineBytesMax)
        phase = .line
    }

    private mutating func beginLength(
        _ kind: RESPToken.Kind, allowsNull: Bool = false, allowsStreamed: Bool = false
    ) {
        token.kind = kind
        let isAggregate = kind.isAggregate
        lengthLine = RESPLengthLine(
            limit: isAggregate ? limits.elementsMax : limits.bulkBytesMax,
            aboveLimit: isAggregate ? .tooManyElements : .bulkTooLong,
            allowsNull: allowsNull, allowsStreamed: allowsStreamed)
        phase = .length
    }

    /// Acts on a length line. Returns whether the token ends with it; otherwise its payload comes next.
    private mutating func endHeader(at offset: Int) throws(RESPError) -> Bool {
        if token.kind.isAggregate {
            token.endsFrame = try nesting.enter(token.kind, length: token.length)
            return true
        }
        token.valueOffset = offset
        switch (token.kind, token.length) {
        case (_, RESPLengthLine.streamed):
            token.endsFrame = try nesting.enter(token.kind, length: token.length)
            return true
        case (_, RESPLengthLine.null):
            token.endsFrame = nesting.countValue()
            return true
        case (.streamPart, 0):
            token.endsFrame = nesting.leaveAtEmptyPart()
            return true
        case (.streamPart, _):
            token.endsFrame = false
        case (.verbatimString, 0...3):
            // No room for its format, three letters and a colon.
            throw .malformedLength
        default:
            // Counted before its payload is here: an announced token already says whether it ends the frame.
            token.endsFrame = nesting.countValue()
        }
        token.endOffset = offset + token.length + 2
        payloadRemaining = token.length
        phase = .payload
        return false
    }
}
