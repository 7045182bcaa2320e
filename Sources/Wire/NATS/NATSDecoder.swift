/// Turns a stream of NATS client protocol into operations, resumably: every byte is consumed once, and no call looks at
/// what an earlier one consumed, however the stream was split.
///
/// The decoder owns no bytes. It stops where a caller has something to decide: at the end of a control line, at the end
/// of a header block, and at the end of a payload. So a caller keeps a line with its headers while it may edit them,
/// and lets the body go on as it comes. It follows the server's own parser: verbs in any case, blanks and tabs between
/// arguments, LF alone as a line end.
public struct NATSDecoder: Sendable {
    /// Which direction of a connection is decoded.
    public enum Role: Sendable {
        /// What clients send: CONNECT, PUB, HPUB, SUB, UNSUB, PING, PONG.
        case client
        /// What servers send: INFO, MSG, HMSG, PING, PONG, +OK, -ERR.
        case server
    }

    /// What one call of `next` came to.
    public enum Step: Equatable, Sendable {
        /// A control line is complete. Operations without a payload end with it.
        case line(NATSOperation)
        /// The header block behind the last line is complete.
        case headers(NATSOperation)
        /// The payload behind the last line is complete, and with it the operation.
        case ended(NATSOperation)
        /// All bytes were consumed; the state is kept for the next call.
        case needsMore
    }

    /// What the next byte belongs to.
    private enum Phase: UInt8 {
        case verb
        case blanks
        case argument
        /// INFO, CONNECT, -ERR: the rest of the line is one text, blanks and all.
        case text
        /// PING, PONG, +OK: the server ignores what follows.
        case ignored
        case lineFeed
        case headers
        case body
        case payloadCarriageReturn
        case payloadLineFeed
    }

    /// Bytes of the current, unfinished operation that were consumed so far; 0 between operations.
    public private(set) var frameLength = 0

    private let role: Role
    private let limits: NATSLimits
    private var phase = Phase.verb
    /// The letters of the verb, upper case, eight at most.
    private var verb: UInt64 = 0
    private var arguments = NATSArguments()
    /// What the last step told of; its offsets hold until the next line is complete.
    public private(set) var operation = NATSOperation(.ping)
    private var remaining = 0

    /// A decoder that stands before the first byte of a connection's direction.
    ///
    /// Limits beyond what keeps arithmetic and offsets safe (a line of 1 GiB, a payload of `Int.max / 16`) count as that.
    public init(role: Role, limits: NATSLimits = NATSLimits()) {
        var limits = limits
        limits.lineBytesMax = min(max(limits.lineBytesMax, 0), 1 << 30)
        limits.payloadBytesMax = min(max(limits.payloadBytesMax, 0), Int.max / 16)
        self.role = role
        self.limits = limits
    }

    /// Consumes bytes from `position` on, up to and including the next place where there is something to decide.
    ///
    /// Bytes before `position` are not looked at. Throws `NATSError` when the bytes are not the protocol or pass a limit;
    /// the decoder is of no use afterwards.
    public mutating func next(in bytes: Span<UInt8>, at position: inout Int) throws(NATSError) -> Step {
        let base = frameLength - position
        while position < bytes.count {
            switch phase {
            case .verb, .blanks, .argument, .text, .ignored, .lineFeed:
                guard try scanLine(bytes, &position, base: base) else { continue }
                return try endLine(at: base + position)
            case .headers:
                guard skip(bytes, &position) else { continue }
                frameLength = base + position
                beginBody()
                return .headers(operation)
            case .body:
                guard skip(bytes, &position) else { continue }
                phase = .payloadCarriageReturn
            case .payloadCarriageReturn:
                guard bytes[position] == UInt8(ascii: "\r") else { throw .malformedLineEnd }
                position += 1
                phase = .payloadLineFeed
            case .payloadLineFeed:
                guard bytes[position] == UInt8(ascii: "\n") else { throw .malformedLineEnd }
                position += 1
                frameLength = 0
                phase = .verb
                return .ended(operation)
            }
        }
        frameLength = base + position
        return .needsMore
    }

    /// Consumes what is here of `remaining`. True when nothing of it is left.
    @inline(__always)
    private mutating func skip(_ bytes: Span<UInt8>, _ position: inout Int) -> Bool {
        let here = min(remaining, bytes.count - position)
        position += here
        remaining -= here
        return remaining == 0
    }

    private mutating func beginBody() {
        remaining = operation.payloadLength - operation.headerLength
        phase = remaining > 0 ? .body : .payloadCarriageReturn
    }

    /// Consumes bytes up to and including the end of the control line. False when they ran out before it.
    @inline(__always)
    private mutating func scanLine(_ bytes: Span<UInt8>, _ position: inout Int, base: Int) throws(NATSError) -> Bool {
        // The line that is too long is noticed when it is, not when all of it has come.
        let limit = limits.lineBytesMax - base
        let end = min(bytes.count, max(limit, position))
        if phase == .verb, verb == 0, position &+ 4 <= end { takeVerb(bytes, &position) }
        while position < end {
            if phase == .argument {
                scanArgument(bytes, &position, end)
                guard position < end else { break }
            }
            let byte = bytes[position]
            position &+= 1
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"):
                switch phase {
                case .verb: try endVerb()
                case .argument:
                    arguments.end(at: base &+ position &- 1)
                    phase = .blanks
                case .lineFeed: throw .malformedLineEnd
                default: break
                }
            case UInt8(ascii: "\r"):
                switch phase {
                case .lineFeed: throw .malformedLineEnd
                case .verb: try endVerb()
                case .argument: arguments.end(at: base &+ position &- 1)
                default: break
                }
                phase = .lineFeed
            case UInt8(ascii: "\n"):
                switch phase {
                case .verb: try endVerb()
                case .argument: arguments.end(at: base &+ position &- 1)
                default: break
                }
                return true
            default:
                switch phase {
                case .argument: arguments.extend(byte)
                case .verb: try extendVerb(byte)
                case .blanks:
                    try arguments.begin(byte, at: base &+ position &- 1)
                    phase = .argument
                case .text: arguments.noteText(from: base &+ position &- 1, to: base &+ position)
                case .lineFeed: throw .malformedLineEnd
                default: break
                }
            }
        }
        guard end == bytes.count else { throw .lineTooLong }
        return false
    }

    /// Consumes the verbs of messages at once. All others, and what only begins as one of these, are read by the letter.
    @inline(__always)
    private mutating func takeVerb(_ bytes: Span<UInt8>, _ position: inout Int) {
        // Only a letter becomes a capital letter when the bit that tells them apart is cleared.
        let letters =
            bytes.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt32.self).bigEndian & 0xdfdf_dfdf
        switch letters {
        case 0x4850_5542, 0x484d_5347:  // HPUB, HMSG
            verb = UInt64(letters)
            position &+= 4
        default:
            let three = letters >> 8
            guard three == 0x50_5542 || three == 0x4d_5347 else { return }  // PUB, MSG
            verb = UInt64(three)
            position &+= 3
        }
    }

    /// Consumes what is here of an argument, up to the blank or control character behind it.
    @inline(__always)
    private mutating func scanArgument(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) {
        while position < end, bytes[position] > 0x20 {
            guard arguments.isNumber else {
                position = ASCIIText.placeOfBlank(bytes, in: position..<end)
                return
            }
            arguments.extend(bytes[position])
            position &+= 1
        }
    }

    /// Bytes that begin no verb are noticed at once: a client that begins to encrypt waits for an answer.
    @inline(__always)
    private mutating func extendVerb(_ byte: UInt8) throws(NATSError) {
        let upper = byte >= 0x61 && byte <= 0x7a ? byte &- 0x20 : byte
        let isLetter = upper >= 0x41 && upper <= 0x5a
        guard verb >> 56 == 0, isLetter || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") else {
            throw .unknownVerb
        }
        verb = verb << 8 | UInt64(upper)
    }

    /// The verb is complete: what may follow it is known.
    private mutating func endVerb() throws(NATSError) {
        guard let kind = role == .client ? Self.clientKind(verb) : Self.serverKind(verb) else { throw .unknownVerb }
        operation = NATSOperation(kind)
        arguments = NATSArguments()
        switch kind {
        case .pub, .hpub, .sub, .unsub, .msg, .hmsg: phase = .blanks
        case .info, .connect, .error: phase = .text
        case .ping, .pong, .ok: phase = .ignored
        }
        verb = 0
    }

    /// Acts on a complete control line.
    private mutating func endLine(at offset: Int) throws(NATSError) -> Step {
        operation.lineEnd = offset
        try arguments.fill(&operation, payloadBytesMax: limits.payloadBytesMax)
        guard operation.kind.hasPayload else {
            frameLength = 0
            phase = .verb
            return .line(operation)
        }
        frameLength = offset
        if operation.headerLength > 0 {
            remaining = operation.headerLength
            phase = .headers
        } else {
            beginBody()
        }
        return .line(operation)
    }

    private static func clientKind(_ verb: UInt64) -> NATSOperation.Kind? {
        switch verb {
        case word("PUB"): .pub
        case word("HPUB"): .hpub
        case word("SUB"): .sub
        case word("UNSUB"): .unsub
        case word("CONNECT"): .connect
        case word("PING"): .ping
        case word("PONG"): .pong
        default: nil
        }
    }

    private static func serverKind(_ verb: UInt64) -> NATSOperation.Kind? {
        switch verb {
        case word("MSG"): .msg
        case word("HMSG"): .hmsg
        case word("+OK"): .ok
        case word("PING"): .ping
        case word("PONG"): .pong
        case word("INFO"): .info
        case word("-ERR"): .error
        default: nil
        }
    }

    @inline(__always)
    private static func word(_ text: StaticString) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<text.utf8CodeUnitCount { word = word << 8 | UInt64(text.utf8Start[index]) }
        return word
    }
}
