/// Why a text is not taken as JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed set of reasons.
    public enum Code: String, Sendable {
        case unexpectedEnd = "the text ends too early"
        case unexpectedByte = "unexpected character"
        case invalidNumber = "not a number of JSON"
        case invalidEscape = "unknown escape or unpaired surrogate in a string"
        case controlCharacter = "unescaped control character in a string"
        case invalidUTF8 = "not UTF-8"
        case duplicateName = "an object has two members of one name"
        case tooDeep = "too many levels of nesting"
        case tooManyValues = "too many values"
        case trailingBytes = "something follows the value"
    }

    /// What is wrong.
    public let code: Code
    /// The byte of the text at which it was noticed, from 0.
    public let offset: Int

    /// One sentence.
    public var description: String { "\(code.rawValue) at byte \(offset)" }
}

/// How much of a text is taken on.
public struct JSONLimits: Sendable, Hashable {
    /// Arrays and objects inside each other.
    public var depthMax: Int
    /// Values in all, members and elements included.
    public var valuesMax: Int

    /// More than people write by hand, less than hurts.
    public init(depthMax: Int = 64, valuesMax: Int = 100_000) {
        self.depthMax = depthMax
        self.valuesMax = valuesMax
    }
}

extension JSONValue {
    /// Parses a whole text (RFC 8259, strictly; unique names as RFC 7493 wants them).
    ///
    /// Throws `JSONError`. The memory it takes is bounded by the text and the limits.
    public init(parsing bytes: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        var parser = JSONParser(end: bytes.count, limits: limits)
        parser.skipBlanks(bytes)
        self = try parser.value(bytes, depth: 0)
        parser.skipBlanks(bytes)
        guard parser.position == bytes.count else { throw parser.error(.trailingBytes) }
    }

    /// The same of an array.
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: bytes.span, limits: limits)
    }
}

/// One pass over a text, by descent; the depth limit bounds the stack.
private struct JSONParser {
    let end: Int
    let limits: JSONLimits
    var position = 0
    private var values = 0

    init(end: Int, limits: JSONLimits) {
        self.end = end
        self.limits = limits
    }

    func error(_ code: JSONError.Code) -> JSONError { JSONError(code: code, offset: position) }

    mutating func skipBlanks(_ bytes: Span<UInt8>) {
        while position < end {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        values += 1
        guard values <= limits.valuesMax else { throw error(.tooManyValues) }
        guard position < end else { throw error(.unexpectedEnd) }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(bytes, depth: depth + 1)
        case UInt8(ascii: "["): return try array(bytes, depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string(bytes))
        case UInt8(ascii: "t"): return try word("true", .bool(true), bytes)
        case UInt8(ascii: "f"): return try word("false", .bool(false), bytes)
        case UInt8(ascii: "n"): return try word("null", .null, bytes)
        default: return try number(bytes)
        }
    }

    private mutating func object(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depthMax else { throw error(.tooDeep) }
        position += 1
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        skipBlanks(bytes)
        if take(UInt8(ascii: "}"), bytes) { return .object([]) }
        while true {
            skipBlanks(bytes)
            guard position < end else { throw error(.unexpectedEnd) }
            guard bytes[position] == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
            let start = position
            let name = try string(bytes)
            guard names.insert(name).inserted else { throw JSONError(code: .duplicateName, offset: start) }
            skipBlanks(bytes)
            try expect(UInt8(ascii: ":"), bytes)
            skipBlanks(bytes)
            members.append(JSONValue.Member(name, try value(bytes, depth: depth)))
            skipBlanks(bytes)
            if take(UInt8(ascii: "}"), bytes) { return .object(members) }
            try expect(UInt8(ascii: ","), bytes)
        }
    }

    private mutating func array(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depthMax else { throw error(.tooDeep) }
        position += 1
        var elements: [JSONValue] = []
        skipBlanks(bytes)
        if take(UInt8(ascii: "]"), bytes) { return .array([]) }
        while true {
            skipBlanks(bytes)
            elements.append(try value(bytes, depth: depth))
            skipBlanks(bytes)
            if take(UInt8(ascii: "]"), bytes) { return .array(elements) }
            try expect(UInt8(ascii: ","), bytes)
        }
    }

    private mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        guard position < end, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ byte: UInt8, _ bytes: Span<UInt8>) throws(JSONError) {
        guard take(byte, bytes) else { throw error(position < end ? .unexpectedByte : .unexpectedEnd) }
    }

    private mutating func word(
        _ text: StaticString, _ value: JSONValue, _ bytes: Span<UInt8>
    ) throws(JSONError) -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount { try expect(text.utf8Start[index], bytes) }
        return value
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    private mutating func number(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = take(UInt8(ascii: "-"), bytes)
        let digits = position
        let count = skipDigits(bytes)
        guard count > 0 else {
            throw error(position == end ? .unexpectedEnd : isNegative ? .invalidNumber : .unexpectedByte)
        }
        guard count == 1 || bytes[digits] != UInt8(ascii: "0") else { throw error(.invalidNumber) }
        if take(UInt8(ascii: "."), bytes), skipDigits(bytes) == 0 { throw error(.invalidNumber) }
        if take(UInt8(ascii: "e"), bytes) || take(UInt8(ascii: "E"), bytes) {
            if !take(UInt8(ascii: "-"), bytes) { _ = take(UInt8(ascii: "+"), bytes) }
            guard skipDigits(bytes) > 0 else { throw error(.invalidNumber) }
        }
        var text = ""
        for index in start..<position { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
        return .number(text)
    }

    private mutating func skipDigits(_ bytes: Span<UInt8>) -> Int {
        let start = position
        while position < end, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) { position += 1 }
        return position - start
    }

    private mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        position += 1
        let start = position
        var resolved: [UInt8] = []
        while position < end {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: resolved, as: UTF8.self) else {
                    throw JSONError(code: .invalidUTF8, offset: start)
                }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                position += 1
                try escape(bytes, &resolved)
            case 0..<0x20: throw error(.controlCharacter)
            default:
                resolved.append(byte)
                position += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private mutating func escape(_ bytes: Span<UInt8>, _ resolved: inout [UInt8]) throws(JSONError) {
        guard position < end else { throw error(.unexpectedEnd) }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): resolved.append(byte)
        case UInt8(ascii: "b"): resolved.append(0x08)
        case UInt8(ascii: "f"): resolved.append(0x0c)
        case UInt8(ascii: "n"): resolved.append(0x0a)
        case UInt8(ascii: "r"): resolved.append(0x0d)
        case UInt8(ascii: "t"): resolved.append(0x09)
        case UInt8(ascii: "u"): resolved.append(contentsOf: Array(String(Character(try scalar(bytes))).utf8))
        default: throw error(.invalidEscape)
        }
    }

    /// Behind `\u`: one scalar, perhaps as a pair of surrogates.
    private mutating func scalar(_ bytes: Span<UInt8>) throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimal(bytes)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), take(UInt8(ascii: "\\"), bytes), take(UInt8(ascii: "u"), bytes) else {
            throw error(.invalidEscape)
        }
        let second = try hexadecimal(bytes)
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw error(.invalidEscape) }
        return scalar
    }

    private mutating func hexadecimal(_ bytes: Span<UInt8>) throws(JSONError) -> UInt32 {
        guard end - position >= 4 else { throw error(.unexpectedEnd) }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw error(.invalidEscape)
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
