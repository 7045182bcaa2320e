/// Strings, numbers and words of JSON texts, and writing them.
extension JSONText {
    /// What a string value says, escapes resolved. Nil for another kind of value, and for half of a surrogate pair,
    /// which no text can hold.
    public static func text(_ bytes: Span<UInt8>, of value: Range<Int>) -> String? {
        guard value.count >= 2, bytes[value.lowerBound] == UInt8(ascii: "\"") else { return nil }
        var unescaped: [UInt8] = []
        unescaped.reserveCapacity(value.count - 2)
        var position = value.lowerBound + 1
        let end = value.upperBound - 1
        while position < end {
            let byte = bytes[position]
            position += 1
            guard byte == UInt8(ascii: "\\") else {
                unescaped.append(byte)
                continue
            }
            let escape = bytes[position]
            position += 1
            if escape == UInt8(ascii: "u") {
                guard let scalar = scalar(bytes, &position, end) else { return nil }
                unescaped.append(contentsOf: UTF8.encode(scalar)!)
            } else {
                unescaped.append(character(ofEscape: escape))
            }
        }
        return String(validating: unescaped, as: UTF8.self)
    }

    private static func character(ofEscape escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        default: escape
        }
    }

    /// The character of `\uXXXX`, or of two of them that are a surrogate pair.
    private static func scalar(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) -> Unicode.Scalar? {
        guard end - position >= 4, let first = hexadecimal(bytes, position) else { return nil }
        position += 4
        guard (0xd800..<0xdc00).contains(first) else { return Unicode.Scalar(first) }
        guard end - position >= 6, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u"),
            let second = hexadecimal(bytes, position + 2), (0xdc00..<0xe000).contains(second)
        else { return nil }
        position += 6
        return Unicode.Scalar(0x1_0000 + (first - 0xd800) << 10 + (second - 0xdc00))
    }

    /// A whole number without fraction and exponent; nil for any other value.
    public static func integer(_ bytes: Span<UInt8>, of value: Range<Int>) -> Int64? {
        guard kind(bytes, of: value) == .number else { return nil }
        return Int64(plain(bytes, value))
    }

    /// A number, exactly as far as 64 bits of floating point are; nil for any other value.
    public static func number(_ bytes: Span<UInt8>, of value: Range<Int>) -> Double? {
        guard kind(bytes, of: value) == .number else { return nil }
        return Double(plain(bytes, value))
    }

    /// True or false; nil for any other value.
    public static func boolean(_ bytes: Span<UInt8>, of value: Range<Int>) -> Bool? {
        guard kind(bytes, of: value) == .boolean else { return nil }
        return bytes[value.lowerBound] == UInt8(ascii: "t")
    }

    /// Bytes that are ASCII, as text.
    static func plain(_ bytes: Span<UInt8>, _ value: Range<Int>) -> String {
        String(unsafeUninitializedCapacity: value.count) { buffer in
            for (place, index) in value.enumerated() { buffer[place] = bytes[index] }
            return value.count
        }
    }

    // MARK: Writing

    /// Appends a string value with its quotes.
    public static func append(_ text: some Sequence<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0a: bytes.append(contentsOf: "\\n".utf8)
            case 0x0d: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7f:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 0xf)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends a string value with its quotes.
    public static func append(_ text: String, to bytes: inout [UInt8]) { append(text.utf8, to: &bytes) }

    private static let digits = Array("0123456789abcdef".utf8)
}
