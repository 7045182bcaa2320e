import Wire

/// A reply in RESP2, as a tree.
public enum BusReply: Sendable, Hashable {
    /// A string of either kind.
    case bytes([UInt8])
    /// A number.
    case integer(Int)
    /// Nothing there.
    case none
    /// Several.
    case list([BusReply])
    /// Refused, with the server's words.
    case error(String)

    /// A string as text; nil for anything else.
    public var text: String? {
        if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    /// A number as such.
    public var number: Int? {
        if case .integer(let number) = self { number } else { nil }
    }

    /// The elements; none for anything but a list.
    public var elements: [BusReply] {
        if case .list(let elements) = self { elements } else { [] }
    }

    /// Names and values in turn, as RESP2 says maps.
    public var pairs: [(name: String, value: BusReply)] {
        let elements = elements
        return stride(from: 0, to: elements.count - 1, by: 2).compactMap { index in
            elements[index].text.map { ($0, elements[index + 1]) }
        }
    }

    /// The value with this name.
    public subscript(_ name: String) -> BusReply? { pairs.first { $0.name == name }?.value }
}

/// Turns bytes into replies, as they come.
struct BusReplyReader {
    private var decoder = RESPDecoder(role: .replies)
    private var bytes: [UInt8] = []
    private var scanned = 0
    private var tokens: [RESPToken] = []

    mutating func append(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

    /// The next whole reply; nil when it is not all here.
    mutating func next() throws(RESPError) -> BusReply? {
        // A second reference, not a copy: the decoder changes while it looks at the bytes.
        let held = bytes
        while scanned < held.count {
            guard case .token(let token) = try decoder.next(in: held.span, at: &scanned) else { continue }
            tokens.append(token)
            guard token.endsFrame else { continue }
            var rest = tokens[...]
            let reply = Self.take(&rest, held)
            tokens = []
            bytes = Array(held[scanned...])
            scanned = 0
            return reply
        }
        return nil
    }

    private static func take(_ tokens: inout ArraySlice<RESPToken>, _ bytes: [UInt8]) -> BusReply {
        guard let token = tokens.popFirst(), token.length >= 0 else { return .none }
        let value = bytes[token.valueRange]
        switch token.kind {
        case .integer: return .integer(Int(String(decoding: value, as: UTF8.self)) ?? 0)
        case .error: return .error(String(decoding: value, as: UTF8.self))
        case .array, .set, .push: return .list((0..<token.length).map { _ in take(&tokens, bytes) })
        case .map, .attribute: return .list((0..<2 * token.length).map { _ in take(&tokens, bytes) })
        case .null: return .none
        case .simpleString, .bulkString, .double, .boolean, .bigNumber, .bulkError, .verbatimString, .streamEnd,
            .streamPart, .inlineCommand:
            return .bytes(Array(value))
        }
    }
}
