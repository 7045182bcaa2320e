/// What of media types (RFC 6838, RFC 9110 section 8.3) events depend on.
public enum MediaType {
    /// Without parameters, in lower case.
    public static func essence(_ text: String) -> String {
        let bare = text.utf8.prefix { $0 != UInt8(ascii: ";") }
        let trimmed = bare.drop { isBlank($0) }.reversed().drop { isBlank($0) }.reversed()
        return String(decoding: trimmed.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// `application/json`, or anything with the suffix `+json` or the subtype `json`.
    public static func isJSON(_ text: String) -> Bool {
        if text == "application/json" { return true }
        let essence = essence(text)
        return essence.hasSuffix("/json") || essence.hasSuffix("+json")
    }

    /// Types whose payload is meant to be read as text.
    static func isText(_ text: String) -> Bool {
        let essence = essence(text)
        return essence.hasPrefix("text/") || essence.hasSuffix("/xml") || essence.hasSuffix("+xml")
            || essence.hasSuffix("/yaml") || essence.hasSuffix("+yaml")
            || essence == "application/x-www-form-urlencoded" || essence == "application/javascript"
    }

    /// A type, a slash and a subtype, and parameters of printable characters.
    static func isWellFormed(_ text: String) -> Bool {
        let parts = essence(text).utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(isToken) }
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
