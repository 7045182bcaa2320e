/// Base64 with the usual alphabet and padding (RFC 4648, section 4).
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Appends the text for these bytes.
    public static func append(_ data: [UInt8], to text: inout [UInt8]) {
        var position = 0
        while position < data.count {
            let rest = data.count - position
            let first = data[position]
            let second = rest > 1 ? data[position + 1] : 0
            let third = rest > 2 ? data[position + 2] : 0
            text.append(alphabet[Int(first >> 2)])
            text.append(alphabet[Int((first & 0x03) << 4 | second >> 4)])
            text.append(rest > 1 ? alphabet[Int((second & 0x0f) << 2 | third >> 6)] : UInt8(ascii: "="))
            text.append(rest > 2 ? alphabet[Int(third & 0x3f)] : UInt8(ascii: "="))
            position += 3
        }
    }

    /// The bytes of a text; nil for what is not Base64 with its padding, and for bits that would be lost.
    public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var data: [UInt8] = []
        data.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var (digits, padding) = (0, 0)
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
            } else {
                guard padding == 0, let value = value(byte) else { return nil }
                bits = bits << 6 | UInt32(value)
                digits += 1
                if digits % 4 == 0 {
                    data.append(UInt8(truncatingIfNeeded: bits >> 16))
                    data.append(UInt8(truncatingIfNeeded: bits >> 8))
                    data.append(UInt8(truncatingIfNeeded: bits))
                    bits = 0
                }
            }
        }
        switch (digits % 4, padding) {
        case (0, 0): break
        case (2, 2) where bits & 0xf == 0: data.append(UInt8(truncatingIfNeeded: bits >> 4))
        case (3, 1) where bits & 0x3 == 0:
            data.append(UInt8(truncatingIfNeeded: bits >> 10))
            data.append(UInt8(truncatingIfNeeded: bits >> 2))
        default: return nil
        }
        return data
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
