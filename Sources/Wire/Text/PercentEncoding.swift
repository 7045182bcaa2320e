/// Percent-encoding (RFC 3986, section 2.1), as paths, queries and the lists of `OTEL_*` variables have it.
public enum PercentEncoding {
    /// The bytes that a text stands for; names need not be UTF-8. Nil when a `%` is not followed by two hexadecimal digits.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(JSONText.hexadecimalDigit),
                let low = rest.popFirst().flatMap(JSONText.hexadecimalDigit)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// Everything but the unreserved characters (section 2.3) encoded: letters, digits and `-._~` stay, and what the
    /// place where it will stand allows besides.
    public static func encode(_ bytes: some Sequence<UInt8>, keeping allowed: UInt8? = nil) -> String {
        var encoded: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(byte)
            case allowed: encoded.append(byte)
            default: append(byte, to: &encoded)
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// Appends `%XX`, in capitals as section 2.1 asks.
    static func append(_ byte: UInt8, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "%"))
        for half in [byte >> 4, byte & 0xf] { text.append(half < 10 ? half + 0x30 : half + 0x37) }
    }
}
