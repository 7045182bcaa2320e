/// A JSON text as a value (RFC 8259): for what is asked of us in JSON. `JSONText` is for texts that are passed on, and
/// `JSONMembers` for those of which a few members matter.
public indirect enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// As it was written, so that nothing is rounded on the way.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// In the order of the text. Names are unique.
    case object([Member])

    /// One member of an object.
    public struct Member: Hashable, Sendable {
        /// Its name, escapes resolved.
        public var name: String
        /// Its value.
        public var value: JSONValue

        /// Both parts.
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// A whole number.
    public static func integer(_ number: Int64) -> JSONValue { .number(String(number)) }

    /// The member of an object; nil where there is none, and for what is no object.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// A string's text.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// A number without fraction or exponent that fits.
    public var integer: Int64? {
        if case .number(let text) = self { Int64(text) } else { nil }
    }

    /// A finite number, rounded to the nearest.
    public var double: Double? {
        guard case .number(let text) = self, let number = Double(text), number.isFinite else { return nil }
        return number
    }

    /// A truth value.
    public var truth: Bool? {
        if case .bool(let truth) = self { truth } else { nil }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A number.
    public init(integerLiteral value: Int64) { self = .number(String(value)) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension JSONValue {
    /// The shortest text of it, in UTF-8.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Writes the shortest text of it behind what is there.
    public func append(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let truth): bytes.append(contentsOf: (truth ? "true" : "false").utf8)
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .string(let text): JSONText.append(text, to: &bytes)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                value.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONText.append(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }
}
