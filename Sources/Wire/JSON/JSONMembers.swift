/// Finds the members of one JSON object in held bytes: where each key and value lies, nothing built from them.
///
/// Made for the two texts of the NATS handshake and for JetStream's small answers, of which a few members matter and the
/// others must pass byte for byte. It checks no more than it needs to find its way (RFC 8259 for the grammar): strings
/// with their escapes, and brackets that match.
public struct JSONMembers {
    /// One member of the object.
    public struct Member: Equatable, Sendable {
        /// The key between its quotes, escapes as they are.
        public var key: Range<Int>
        /// The value, a string with its quotes.
        public var value: Range<Int>

        /// From the key's opening quote to the end of the value.
        public var whole: Range<Int> { key.lowerBound - 1..<value.upperBound }
    }

    /// Levels of nesting inside a member that are followed.
    private static let depthMax = 64

    private let end: Int
    private var position: Int
    private var isFirst = true
    /// The object's closing bracket was met, and only blanks stand behind it.
    public private(set) var isComplete = false

    /// Nil when the text does not begin with an object.
    public init?(_ bytes: Span<UInt8>, in text: Range<Int>) {
        position = text.lowerBound
        end = text.upperBound
        skipBlanks(bytes)
        guard position < end, bytes[position] == UInt8(ascii: "{") else { return nil }
        position += 1
    }

    /// Where the object's first member would stand.
    public static func firstPlace(_ bytes: Span<UInt8>, in text: Range<Int>) -> Int? {
        text.first { bytes[$0] == UInt8(ascii: "{") }.map { $0 + 1 }
    }

    /// The next member, in order; nil at the end, and where the text is not JSON: `isComplete` tells which.
    public mutating func next(_ bytes: Span<UInt8>) -> Member? {
        skipBlanks(bytes)
        guard position < end else { return nil }
        if bytes[position] == UInt8(ascii: "}") {
            position += 1
            skipBlanks(bytes)
            isComplete = position == end
            position = end
            return nil
        }
        if !isFirst {
            guard take(UInt8(ascii: ","), bytes) else { return nil }
            skipBlanks(bytes)
        }
        isFirst = false
        guard let quoted = string(bytes) else { return fail() }
        skipBlanks(bytes)
        guard take(UInt8(ascii: ":"), bytes) else { return nil }
        skipBlanks(bytes)
        guard let value = value(bytes), !value.isEmpty else { return fail() }
        return Member(key: quoted.lowerBound + 1..<quoted.upperBound - 1, value: value)
    }

    /// Whether the key of a member is this word; as in Go's decoder, which servers are written in, in any case.
    public static func isKey(_ member: Member, _ bytes: Span<UInt8>, _ word: StaticString) -> Bool {
        RESPText.matches(bytes, in: member.key, word)
    }

    /// Whether the value is the word, for `true`, `false` and `null`.
    public static func isWord(_ member: Member, _ bytes: Span<UInt8>, _ word: StaticString) -> Bool {
        ASCIIText.isSame(bytes, in: member.value, word)
    }

    /// What stands between the quotes of a string value, escapes as they are; nil for any other value.
    public static func text(_ member: Member, _ bytes: Span<UInt8>) -> Range<Int>? {
        guard member.value.count >= 2, bytes[member.value.lowerBound] == UInt8(ascii: "\"") else { return nil }
        return member.value.lowerBound + 1..<member.value.upperBound - 1
    }

    // MARK: Parts

    private mutating func fail() -> Member? {
        position = end
        return nil
    }

    private mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        guard position < end, bytes[position] == byte else {
            position = end
            return false
        }
        position += 1
        return true
    }

    private mutating func skipBlanks(_ bytes: Span<UInt8>) {
        while position < end {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    /// Takes a string with its quotes.
    private mutating func string(_ bytes: Span<UInt8>) -> Range<Int>? {
        let start = position
        guard position < end, bytes[position] == UInt8(ascii: "\"") else { return nil }
        position += 1
        while position < end {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return start..<position }
            if byte == UInt8(ascii: "\\") {
                guard position < end else { return nil }
                position += 1
            }
        }
        return nil
    }

    /// Takes a value of any type.
    private mutating func value(_ bytes: Span<UInt8>) -> Range<Int>? {
        let start = position
        guard position < end else { return nil }
        switch bytes[position] {
        case UInt8(ascii: "\""): return string(bytes)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return nested(bytes)
        default:
            while position < end {
                switch bytes[position] {
                case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x09, 0x0a, 0x0d:
                    return start..<position
                case UInt8(ascii: "\""), UInt8(ascii: ":"), UInt8(ascii: "{"), UInt8(ascii: "["): return nil
                default: position += 1
                }
            }
            return start..<position
        }
    }

    /// Takes an object or an array. A bit per level says which of the two is open.
    private mutating func nested(_ bytes: Span<UInt8>) -> Range<Int>? {
        let start = position
        var depth = 0
        var isObject: UInt64 = 0
        while position < end {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                guard string(bytes) != nil else { return nil }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth < Self.depthMax else { return nil }
                isObject = isObject << 1 | (bytes[position] == UInt8(ascii: "{") ? 1 : 0)
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard isObject & 1 == (bytes[position] == UInt8(ascii: "}") ? 1 : 0) else { return nil }
                isObject >>= 1
                depth -= 1
                if depth == 0 {
                    position += 1
                    return start..<position
                }
            default: break
            }
            position += 1
        }
        return nil
    }
}
