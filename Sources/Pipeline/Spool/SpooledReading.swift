import Wire

/// What a spooled message says, for people.
public enum SpooledReading: Sendable, Equatable {
    /// A name and a value.
    public struct Field: Sendable, Equatable {
        /// Whatever its bytes spell.
        public var name: [UInt8]
        /// See `name`.
        public var value: [UInt8]

        /// Both parts.
        public init(_ name: [UInt8], _ value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// A command of Redis: the words in front of the id, and the names and values behind it.
    case entry(words: [[UInt8]], fields: [Field])
    /// A publish of NATS.
    case publish(subject: [UInt8], headers: [Field], body: [UInt8])
    /// Anything else, as it is, in its two parts.
    case bytes(head: [UInt8], tail: [UInt8])

    /// Reads a message. Nothing is assumed of its bytes.
    public init(_ message: SpooledMessage) {
        switch message.content {
        case .redis(let entry):
            guard entry.head.first == UInt8(ascii: "*"), let (words, values) = Self.words(of: entry),
                values.count % 2 == 0
            else {
                self = .bytes(head: entry.head, tail: entry.tail)
                return
            }
            let fields = stride(from: 0, to: values.count, by: 2).map { Field(values[$0], values[$0 + 1]) }
            self = .entry(words: words, fields: fields)
        case .nats(let publish):
            guard let headers = Self.headers(publish.headers) else {
                self = .bytes(head: publish.headers, tail: publish.body)
                return
            }
            self = .publish(subject: publish.subject, headers: headers, body: publish.body)
        }
    }

    /// The words in front of the id and behind it; nil when they are not those of one whole command.
    private static func words(of entry: SpooledEntry) -> (head: [[UInt8]], tail: [[UInt8]])? {
        let bytes = entry.command(as: StreamEntryID(milliseconds: 0, sequence: 0))
        var decoder = RESPDecoder(role: .requests)
        var position = 0
        var (head, tail): ([[UInt8]], [[UInt8]]) = ([], [])
        while position < bytes.count, case .token(let token)? = try? decoder.next(in: bytes.span, at: &position) {
            guard token.endsFrame == (position == bytes.count) else { return nil }
            guard token.depth == 1 else { continue }
            let word = Array(bytes[token.valueRange])
            if token.endOffset <= entry.head.count { head.append(word) } else { tail.append(word) }
        }
        guard position == bytes.count, !head.isEmpty, !tail.isEmpty else { return nil }
        // The first behind the head is the id.
        return (head, Array(tail.dropFirst()))
    }

    private static func headers(_ block: [UInt8]) -> [Field]? {
        guard var lines = NATSHeaders(block.span, in: 0..<block.count) else { return nil }
        var fields: [Field] = []
        while let line = lines.nextLine(block.span) {
            fields.append(Field(Array(block[line.name]), Array(block[line.value])))
        }
        return fields
    }
}
