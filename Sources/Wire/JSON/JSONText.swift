/// Why a text is not JSON.
public struct JSONFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where, in bytes from the beginning of the text.
    public var offset: Int
    /// What should have stood there.
    public var expected: String

    /// Both parts.
    public var description: String { "expected \(expected) at byte \(offset)" }
}

/// Walks over JSON texts as they lie in memory, strictly (RFC 8259), without building anything from them: a value is the
/// range of its bytes.
///
/// The bytes must be UTF-8; `isUTF8` tells. Nesting deeper than `depthMax` is a fault.
public enum JSONText {
    /// What a value is.
    public enum Kind: Sendable, Hashable {
        case object
        case array
        case string
        case number
        case boolean
        case null
    }

    /// Levels of nesting that are followed.
    public static let depthMax = 64

    /// Whether the bytes are well-formed UTF-8.
    public static func isUTF8(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil
    }

    /// Whether the bytes are one JSON value, blanks around it allowed.
    public static func isValue(_ bytes: [UInt8]) -> Bool {
        (try? value(bytes.span, in: 0..<bytes.count)) != nil && isUTF8(bytes)
    }

    /// The range of the one value that a text consists of, blanks around it left out.
    public static func value(_ bytes: Span<UInt8>, in text: Range<Int>) throws(JSONFault) -> Range<Int> {
        var position = text.lowerBound
        skipBlanks(bytes, &position, text.upperBound)
        let start = position
        try skipValue(bytes, &position, text.upperBound, depth: 0)
        let end = position
        skipBlanks(bytes, &position, text.upperBound)
        guard position == text.upperBound else { throw JSONFault(offset: position, expected: "the end of the text") }
        return start..<end
    }

    /// What a value is, told by its first byte. The value is one that was walked over.
    public static func kind(_ bytes: Span<UInt8>, of value: Range<Int>) -> Kind {
        switch bytes[value.lowerBound] {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .boolean
        case UInt8(ascii: "n"): .null
        default: .number
        }
    }

    // MARK: Walking

    static func skipBlanks(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) {
        while position < end {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    /// Moves `position` behind the value that begins there.
    static func skipValue(
        _ bytes: Span<UInt8>, _ position: inout Int, _ end: Int, depth: Int
    ) throws(JSONFault) {
        guard position < end else { throw JSONFault(offset: position, expected: "a value") }
        switch bytes[position] {
        case UInt8(ascii: "{"):
            try skipMembers(bytes, &position, end, depth: depth, closing: UInt8(ascii: "}"))
        case UInt8(ascii: "["):
            try skipMembers(bytes, &position, end, depth: depth, closing: UInt8(ascii: "]"))
        case UInt8(ascii: "\""): try skipString(bytes, &position, end)
        case UInt8(ascii: "t"): try skip("true", bytes, &position, end)
        case UInt8(ascii: "f"): try skip("false", bytes, &position, end)
        case UInt8(ascii: "n"): try skip("null", bytes, &position, end)
        default: try skipNumber(bytes, &position, end)
        }
    }

    private static func skipMembers(
        _ bytes: Span<UInt8>, _ position: inout Int, _ end: Int, depth: Int, closing: UInt8
    ) throws(JSONFault) {
        guard depth < depthMax else { throw JSONFault(offset: position, expected: "at most \(depthMax) levels") }
        position += 1
        skipBlanks(bytes, &position, end)
        if position < end, bytes[position] == closing {
            position += 1
            return
        }
        while true {
            if closing == UInt8(ascii: "}") { try skipName(bytes, &position, end) }
            try skipValue(bytes, &position, end, depth: depth + 1)
            skipBlanks(bytes, &position, end)
            guard position < end else { throw JSONFault(offset: position, expected: "a closing bracket") }
            let byte = bytes[position]
            guard byte == closing || byte == UInt8(ascii: ",") else {
                throw JSONFault(offset: position, expected: "a comma or a closing bracket")
            }
            position += 1
            if byte == closing { return }
            skipBlanks(bytes, &position, end)
        }
    }

    /// The name of a member and the colon behind it. Returns the name with its quotes.
    @discardableResult
    static func skipName(
        _ bytes: Span<UInt8>, _ position: inout Int, _ end: Int
    ) throws(JSONFault) -> Range<Int> {
        let start = position
        try skipString(bytes, &position, end)
        let name = start..<position
        skipBlanks(bytes, &position, end)
        guard position < end, bytes[position] == UInt8(ascii: ":") else {
            throw JSONFault(offset: position, expected: "a colon")
        }
        position += 1
        skipBlanks(bytes, &position, end)
        return name
    }

    private static func skipString(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) throws(JSONFault) {
        guard position < end, bytes[position] == UInt8(ascii: "\"") else {
            throw JSONFault(offset: position, expected: "a string")
        }
        position += 1
        while position < end {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return
            }
            guard byte >= 0x20 else { throw JSONFault(offset: position, expected: "an escaped control character") }
            position += 1
            if byte == UInt8(ascii: "\\") { try skipEscape(bytes, &position, end) }
        }
        throw JSONFault(offset: position, expected: "the end of a string")
    }

    private static func skipEscape(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) throws(JSONFault) {
        guard position < end else { throw JSONFault(offset: position, expected: "an escape") }
        switch bytes[position] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            guard end - position > 4, hexadecimal(bytes, position + 1) != nil else {
                throw JSONFault(offset: position, expected: "four hexadecimal digits")
            }
            position += 5
        default:
            throw JSONFault(offset: position, expected: "an escape")
        }
    }

    /// Four hexadecimal digits; the caller knows that four bytes are there.
    static func hexadecimal(_ bytes: Span<UInt8>, _ position: Int) -> UInt32? {
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = hexadecimalDigit(bytes[position + offset]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func skip(
        _ word: StaticString, _ bytes: Span<UInt8>, _ position: inout Int, _ end: Int
    ) throws(JSONFault) {
        guard end - position >= word.utf8CodeUnitCount else { throw JSONFault(offset: position, expected: "a value") }
        for offset in 0..<word.utf8CodeUnitCount where bytes[position + offset] != word.utf8Start[offset] {
            throw JSONFault(offset: position, expected: "a value")
        }
        position += word.utf8CodeUnitCount
    }

    private static func skipNumber(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) throws(JSONFault) {
        let start = position
        if position < end, bytes[position] == UInt8(ascii: "-") { position += 1 }
        if position < end, bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            try skipDigits(bytes, &position, end, orFaultAt: start)
        }
        if position < end, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try skipDigits(bytes, &position, end, orFaultAt: start)
        }
        if position < end, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < end, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try skipDigits(bytes, &position, end, orFaultAt: start)
        }
    }

    private static func skipDigits(
        _ bytes: Span<UInt8>, _ position: inout Int, _ end: Int, orFaultAt start: Int
    ) throws(JSONFault) {
        let first = position
        while position < end, bytes[position] >= UInt8(ascii: "0"), bytes[position] <= UInt8(ascii: "9") {
            position += 1
        }
        guard position > first else { throw JSONFault(offset: start, expected: "a value") }
    }
}
