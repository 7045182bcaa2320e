/// The members of one JSON object, read strictly: every name once, nothing behind the closing bracket.
public struct JSONObject: Sendable {
    /// One member.
    public struct Member: Sendable, Hashable {
        /// Its name, escapes resolved.
        public var name: String
        /// Where its value lies.
        public var value: Range<Int>
    }

    /// In the order of the text.
    public let members: [Member]

    /// Reads the object that a text consists of.
    public init(_ bytes: Span<UInt8>, in text: Range<Int>) throws(JSONFault) {
        let whole = try JSONText.value(bytes, in: text)
        guard JSONText.kind(bytes, of: whole) == .object else {
            throw JSONFault(offset: whole.lowerBound, expected: "an object")
        }
        var members: [Member] = []
        var position = whole.lowerBound + 1
        let end = whole.upperBound - 1
        JSONText.skipBlanks(bytes, &position, end)
        while position < end {
            let start = position
            let quoted = try JSONText.skipName(bytes, &position, end)
            guard let name = JSONText.text(bytes, of: quoted) else {
                throw JSONFault(offset: start, expected: "a name of whole characters")
            }
            let value = position
            try JSONText.skipValue(bytes, &position, end, depth: 1)
            members.append(Member(name: name, value: value..<position))
            JSONText.skipBlanks(bytes, &position, end)
            position += 1
            JSONText.skipBlanks(bytes, &position, end)
        }
        // Sorting first keeps an object of many members from costing their number squared.
        let names = members.map(\.name).sorted()
        for (name, next) in zip(names, names.dropFirst()) where name == next {
            throw JSONFault(offset: whole.lowerBound, expected: "every name once")
        }
        self.members = members
    }

    /// Where the value of a member lies.
    public subscript(name: String) -> Range<Int>? { members.first { $0.name == name }?.value }
}

/// The elements of one JSON array.
public enum JSONArray {
    /// Where the elements lie of the array that a text consists of; nil when there are more than `limit`.
    public static func elements(
        _ bytes: Span<UInt8>, in text: Range<Int>, limit: Int
    ) throws(JSONFault) -> [Range<Int>]? {
        let whole = try JSONText.value(bytes, in: text)
        guard JSONText.kind(bytes, of: whole) == .array else {
            throw JSONFault(offset: whole.lowerBound, expected: "an array")
        }
        var elements: [Range<Int>] = []
        var position = whole.lowerBound + 1
        let end = whole.upperBound - 1
        JSONText.skipBlanks(bytes, &position, end)
        while position < end {
            guard elements.count < limit else { return nil }
            let start = position
            try JSONText.skipValue(bytes, &position, end, depth: 1)
            elements.append(start..<position)
            JSONText.skipBlanks(bytes, &position, end)
            position += 1
            JSONText.skipBlanks(bytes, &position, end)
        }
        return elements
    }
}
