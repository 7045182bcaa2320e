/// An event while its attributes come in from outside, in any order: each is checked, and at the end whether all that is
/// required is there.
///
/// Types and constraints: CloudEvents 1.0.2, "Type System" and "Context Attributes".
struct CloudEventDraft {
    private var event = CloudEvent(id: "", source: "", type: "")
    private var hasVersion = false
    private var count = 0
    private let limits: CloudEventLimits

    init(_ limits: CloudEventLimits) {
        self.limits = limits
    }

    /// The attributes of the specification, which an extension cannot be called.
    static let standardNames: Set<String> = [
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema",
    ]

    mutating func set(_ name: String, _ value: CloudEvent.Value) throws(CloudEventError) {
        count += 1
        guard count <= limits.attributesMax else {
            throw CloudEventError(.tooManyAttributes(limit: limits.attributesMax))
        }
        guard Self.standardNames.contains(name) else { return try setExtension(name, value) }
        guard case .text(let text) = value else {
            throw CloudEventError(.badValue(expected: "a string"), attribute: name)
        }
        guard !text.isEmpty else { throw CloudEventError(.missing, attribute: name) }
        guard event[attribute: name, isSet: hasVersion] == false else {
            throw CloudEventError(.duplicate, attribute: name)
        }
        try check(text, name)
        switch name {
        case "specversion":
            guard text == "1.0" else { throw CloudEventError(.unsupportedVersion) }
            hasVersion = true
        case "id": event.id = text
        case "source":
            guard Self.isReference(text) else { throw Self.notReference(name) }
            event.source = text
        case "type": event.type = text
        case "subject": event.subject = text
        case "time":
            guard Self.isTime(text) else {
                throw CloudEventError(.badValue(expected: "a time as in RFC 3339"), attribute: name)
            }
            event.time = text
        case "dataschema":
            guard Self.isReference(text) else { throw Self.notReference(name) }
            event.dataSchema = text
        default:
            guard MediaType.isWellFormed(text) else {
                throw CloudEventError(.badValue(expected: "a media type"), attribute: name)
            }
            event.dataContentType = text
        }
    }

    mutating func setData(_ data: [UInt8]) { event.data = data }

    /// The media type that was set so far.
    var dataContentType: String? { event.dataContentType }

    func finished() throws(CloudEventError) -> CloudEvent {
        guard hasVersion else { throw CloudEventError(.unsupportedVersion) }
        guard !event.id.isEmpty else { throw CloudEventError(.missing, attribute: "id") }
        guard !event.source.isEmpty else { throw CloudEventError(.missing, attribute: "source") }
        guard !event.type.isEmpty else { throw CloudEventError(.missing, attribute: "type") }
        return event
    }

    private mutating func setExtension(_ name: String, _ value: CloudEvent.Value) throws(CloudEventError) {
        guard Self.isName(name), name != "data" else { throw CloudEventError(.badName) }
        guard event[attribute: name] == nil else { throw CloudEventError(.duplicate) }
        if case .text(let text) = value { try check(text, nil) }
        event.setExtension(name, value)
    }

    private func check(_ text: String, _ attribute: String?) throws(CloudEventError) {
        guard text.utf8.count <= limits.attributeBytesMax else {
            throw CloudEventError(.attributeTooLong(limitBytes: limits.attributeBytesMax), attribute: attribute)
        }
        guard Self.isText(text) else {
            throw CloudEventError(.badValue(expected: "text without control characters"), attribute: attribute)
        }
    }

    private static func notReference(_ name: String) -> CloudEventError {
        CloudEventError(.badValue(expected: "a URI"), attribute: name)
    }

    /// RFC 3339: a date, a time of day and a zone, all of them.
    static func isTime(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[10] | 0x20 == UInt8(ascii: "t") else { return false }
        let sign = bytes[bytes.count - 6]
        let hasOffset =
            (sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-")) && bytes[bytes.count - 3] == UInt8(ascii: ":")
        guard hasOffset || bytes[bytes.count - 1] | 0x20 == UInt8(ascii: "z") else { return false }
        return ISO8601.unixSeconds(bytes[...]) != nil
    }

    static func isName(_ name: String) -> Bool {
        (1...CloudEventLimits.nameBytesMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) }
    }

    /// No control characters and no code points that are no characters. Surrogates cannot be in a `String`.
    static func isText(_ text: String) -> Bool {
        var isPlain = true
        for byte in text.utf8 where byte < 0x20 || byte >= 0x7f { isPlain = false }
        if isPlain { return true }
        return text.unicodeScalars.allSatisfy { scalar in
            let value = scalar.value
            return value >= 0x20 && !(0x7f...0x9f).contains(value) && !(0xfdd0...0xfdef).contains(value)
                && value & 0xfffe != 0xfffe
        }
    }

    /// The characters of a URI reference (RFC 3986), those of other scripts let through as applications do use them.
    static func isReference(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        for (place, byte) in bytes.enumerated() {
            switch byte {
            case ...0x20, 0x7f: return false
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "}"),
                UInt8(ascii: "|"), UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"):
                return false
            case UInt8(ascii: "%"):
                guard place + 2 < bytes.count, JSONText.hexadecimalDigit(bytes[place + 1]) != nil,
                    JSONText.hexadecimalDigit(bytes[place + 2]) != nil
                else { return false }
            default: continue
            }
        }
        return true
    }
}

extension CloudEvent {
    /// Whether an attribute of the specification was given already.
    fileprivate subscript(attribute name: String, isSet hasVersion: Bool) -> Bool {
        switch name {
        case "specversion": hasVersion
        default: self[attribute: name]?.isEmpty == false
        }
    }
}
