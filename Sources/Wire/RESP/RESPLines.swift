/// Reads the number between a type byte and its CRLF, digit by digit as it arrives.
struct RESPLengthLine: Sendable {
    /// The value of `-1`: a null of RESP2.
    static let null = -1
    /// The value of `?`: elements or parts follow until an end mark.
    static let streamed = -2

    private enum Phase: UInt8 {
        case first
        case digits
        /// After `-`: only `1` makes a number that means something.
        case afterMinus
        case carriageReturn
        case lineFeed
    }

    private(set) var value = 0
    private var phase = Phase.first
    private var limit = 0
    private var aboveLimit = RESPError.bulkTooLong
    private var allowsNull = false
    private var allowsStreamed = false

    init() {}

    /// `limit` is at most `Int.max / 16`, so that a value within it can take one more digit, or be doubled.
    init(limit: Int, aboveLimit: RESPError, allowsNull: Bool = false, allowsStreamed: Bool = false) {
        self.limit = limit
        self.aboveLimit = aboveLimit
        self.allowsNull = allowsNull
        self.allowsStreamed = allowsStreamed
    }

    /// Consumes bytes up to and including the line end. Returns false when they ran out before it.
    mutating func scan(_ bytes: Span<UInt8>, _ position: inout Int) throws(RESPError) -> Bool {
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch phase {
            case .first:
                try scanFirst(byte)
            case .digits:
                let digit = byte &- UInt8(ascii: "0")
                if digit <= 9 {
                    value = value * 10 + Int(digit)
                    if value > limit { throw aboveLimit }
                } else {
                    try expectCarriageReturn(byte)
                }
            case .afterMinus:
                guard byte == UInt8(ascii: "1") else { throw .malformedLength }
                value = RESPLengthLine.null
                phase = .carriageReturn
            case .carriageReturn:
                try expectCarriageReturn(byte)
            case .lineFeed:
                guard byte == UInt8(ascii: "\n") else { throw .malformedLineEnd }
                return true
            }
        }
        return false
    }

    private mutating func scanFirst(_ byte: UInt8) throws(RESPError) {
        switch byte {
        case UInt8(ascii: "1")...UInt8(ascii: "9"):
            value = Int(byte - UInt8(ascii: "0"))
            if value > limit { throw aboveLimit }
            phase = .digits
        case UInt8(ascii: "0"):
            // Nothing follows a leading zero: one number has one spelling, here as in Redis.
            phase = .carriageReturn
        case UInt8(ascii: "-") where allowsNull:
            phase = .afterMinus
        case UInt8(ascii: "?") where allowsStreamed:
            value = RESPLengthLine.streamed
            phase = .carriageReturn
        default:
            throw .malformedLength
        }
    }

    private mutating func expectCarriageReturn(_ byte: UInt8) throws(RESPError) {
        guard byte == UInt8(ascii: "\r") else {
            throw byte == UInt8(ascii: "\n") ? .malformedLineEnd : .malformedLength
        }
        phase = .lineFeed
    }
}

/// A type byte `$` or `*`, a length of at most three digits and CRLF, seen at once.
struct RESPShortHeader {
    let type: UInt8
    let length: Int
    /// Index after the CRLF.
    let end: Int

    /// Nil unless all of it is here, and is just that.
    @inline(__always)
    init?(_ bytes: Span<UInt8>, at position: Int) {
        guard position >= 0, bytes.count - position >= 6 else { return nil }
        // The guard has shown that six bytes are here: type, at most three digits, CR, LF.
        type = bytes[unchecked: position]
        guard type == UInt8(ascii: "$") || type == UInt8(ascii: "*") else { return nil }
        var value = Int(bytes[unchecked: position + 1] &- UInt8(ascii: "0"))
        guard value <= 9 else { return nil }
        var index = position + 2
        // No digit follows a leading zero.
        while value > 0, index < position + 4 {
            let digit = Int(bytes[unchecked: index] &- UInt8(ascii: "0"))
            guard digit <= 9 else { break }
            value = value * 10 + digit
            index += 1
        }
        guard bytes[unchecked: index] == UInt8(ascii: "\r"), bytes[unchecked: index + 1] == UInt8(ascii: "\n") else {
            return nil
        }
        length = value
        end = index + 2
    }
}

/// Reads the value of a scalar that ends with its line, or an inline command, keeping counts and no bytes.
struct RESPValueLine: Sendable {
    /// What the value may consist of. Numbers are checked for their characters, not for their range.
    enum Content: UInt8 {
        case text
        case integer
        case double
        case boolean
        case nothing
        /// Any bytes up to LF, a CR before which belongs to the line end.
        case inline
    }

    /// Bytes of the value so far.
    private(set) var length = 0
    private let content: Content
    private let lengthMax: Int
    private var sawCarriageReturn = false
    private var sawDigit = false

    init(_ content: Content, lengthMax: Int) {
        self.content = content
        self.lengthMax = lengthMax
    }

    /// Consumes bytes up to and including the line end. Returns false when they ran out before it.
    mutating func scan(_ bytes: Span<UInt8>, _ position: inout Int) throws(RESPError) -> Bool {
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\n") {
                guard sawCarriageReturn || content == .inline else { throw .malformedLineEnd }
                try checkWhole()
                return true
            }
            if sawCarriageReturn {
                guard content == .inline else { throw .malformedLineEnd }
                // It was not part of the line end after all.
                sawCarriageReturn = false
                try count()
            }
            if byte == UInt8(ascii: "\r") {
                sawCarriageReturn = true
            } else {
                try check(byte)
                try count()
            }
        }
        return false
    }

    private mutating func count() throws(RESPError) {
        guard length < lengthMax else { throw .lineTooLong }
        length += 1
    }

    private mutating func check(_ byte: UInt8) throws(RESPError) {
        switch content {
        case .text, .inline:
            return
        case .integer:
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): sawDigit = true
            case UInt8(ascii: "-") where length == 0, UInt8(ascii: "+") where length == 0: break
            default: throw .malformedValue
            }
        case .double:
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): sawDigit = true
            case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): break
            // `inf` and `nan`: any letter of theirs stands for the digit that a number must have.
            case UInt8(ascii: "i"), UInt8(ascii: "n"), UInt8(ascii: "f"), UInt8(ascii: "a"): sawDigit = true
            default: throw .malformedValue
            }
        case .boolean:
            guard length == 0, byte == UInt8(ascii: "t") || byte == UInt8(ascii: "f") else { throw .malformedValue }
        case .nothing:
            throw .malformedValue
        }
    }

    private func checkWhole() throws(RESPError) {
        switch content {
        case .text, .inline, .nothing: return
        case .integer, .double: if !sawDigit { throw .malformedValue }
        case .boolean: if length != 1 { throw .malformedValue }
        }
    }
}
