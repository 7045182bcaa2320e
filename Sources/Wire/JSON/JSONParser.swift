/// How much of a text is taken on.
public struct JSONLimits: Sendable, Hashable {
    /// Arrays and objects inside each other.
    public var depthMax: Int
    /// Values in all, members and elements included.
    public var valuesMax: Int

    /// More than people write by hand, less than hurts.
    public init(depthMax: Int = JSONText.depthMax, valuesMax: Int = 100_000) {
        self.depthMax = depthMax
        self.valuesMax = valuesMax
    }
}

extension JSONValue {
    /// Parses a whole text, strictly; unique names as RFC 7493 wants them.
    ///
    /// The memory it takes is bounded by the text and the limits.
    public init(parsing bytes: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONFault) {
        var parser = JSONParser(end: bytes.count, limits: limits)
        JSONText.skipBlanks(bytes, &parser.position, parser.end)
        self = try parser.value(bytes, depth: 0)
        JSONText.skipBlanks(bytes, &parser.position, parser.end)
        guard parser.position == bytes.count else { throw parser.fault("the end of the text") }
    }

    /// The same of an array.
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONFault) {
        try self.init(parsing: bytes.span, limits: limits)
    }
}

/// Builds values in one pass, by descent; the depth limit bounds the stack.
private struct JSONParser {
    let end: Int
    let limits: JSONLimits
    var position = 0
    private var values = 0

    init(end: Int, limits: JSONLimits) {
        self.end = end
        self.limits = limits
    }

    func fault(_ expected: String) -> JSONFault { JSONFault(offset: position, expected: expected) }

    mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONFault) -> JSONValue {
        values += 1
        guard values <= limits.valuesMax else { throw fault("at most \(limits.valuesMax) values") }
        guard position < end else { throw fault("a value") }
        let start = position
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object(try members(bytes, depth: depth + 1))
        case UInt8(ascii: "["): return .array(try elements(bytes, depth: depth + 1))
        default: try JSONText.skipValue(bytes, &position, end, depth: depth)
        }
        let range = start..<position
        switch JSONText.kind(bytes, of: range) {
        case .null: return .null
        case .boolean: return .bool(bytes[start] == UInt8(ascii: "t"))
        case .number: return .number(JSONText.plain(bytes, range))
        case .string, .object, .array:
            guard let text = JSONText.text(bytes, of: range) else {
                throw JSONFault(offset: start, expected: "a string of whole characters")
            }
            return .string(text)
        }
    }

    private mutating func members(_ bytes: Span<UInt8>, depth: Int) throws(JSONFault) -> [JSONValue.Member] {
        guard depth <= limits.depthMax else { throw fault("at most \(limits.depthMax) levels") }
        position += 1
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        JSONText.skipBlanks(bytes, &position, end)
        if take(UInt8(ascii: "}"), bytes) { return [] }
        while true {
            let start = position
            let quoted = try JSONText.skipName(bytes, &position, end)
            guard let name = JSONText.text(bytes, of: quoted) else {
                throw JSONFault(offset: start, expected: "a name of whole characters")
            }
            guard names.insert(name).inserted else { throw JSONFault(offset: start, expected: "every name once") }
            members.append(JSONValue.Member(name, try value(bytes, depth: depth)))
            JSONText.skipBlanks(bytes, &position, end)
            if take(UInt8(ascii: "}"), bytes) { return members }
            guard take(UInt8(ascii: ","), bytes) else { throw fault("a comma or a closing bracket") }
            JSONText.skipBlanks(bytes, &position, end)
        }
    }

    private mutating func elements(_ bytes: Span<UInt8>, depth: Int) throws(JSONFault) -> [JSONValue] {
        guard depth <= limits.depthMax else { throw fault("at most \(limits.depthMax) levels") }
        position += 1
        var elements: [JSONValue] = []
        JSONText.skipBlanks(bytes, &position, end)
        if take(UInt8(ascii: "]"), bytes) { return [] }
        while true {
            elements.append(try value(bytes, depth: depth))
            JSONText.skipBlanks(bytes, &position, end)
            if take(UInt8(ascii: "]"), bytes) { return elements }
            guard take(UInt8(ascii: ","), bytes) else { throw fault("a comma or a closing bracket") }
            JSONText.skipBlanks(bytes, &position, end)
        }
    }

    private mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        guard position < end, bytes[position] == byte else { return false }
        position += 1
        return true
    }
}
