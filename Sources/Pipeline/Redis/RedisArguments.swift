import Telemetry
import Wire

/// The arguments of one complete command, the name being number 0.
struct RedisArguments {
    /// The array header, then one token per argument.
    let tokens: [RESPToken]
    /// Where the frame starts in the buffer.
    let base: Int

    var count: Int { tokens.count - 1 }

    @inline(__always)
    func range(_ argument: Int) -> Range<Int> {
        let token = tokens[argument &+ 1]
        let start = base &+ token.valueOffset
        return start..<(start &+ max(0, token.length))
    }

    func isWord(_ argument: Int, _ word: StaticString, _ bytes: Span<UInt8>) -> Bool {
        argument < count && RESPText.matches(bytes, in: range(argument), word)
    }
}

/// An XADD, understood: where its fields begin and what they say about the trace.
///
/// `XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO pid | IDMP pid iid] [MAXLEN|MINID [=|~] n [LIMIT n]] id field
/// value [...]`, options in any order (https://redis.io/docs/latest/commands/xadd/).
struct RedisEntryCommand {
    private(set) var context: TraceContext?
    private(set) var hasContextField = false
    /// The broker hashes the fields to recognise duplicates.
    private(set) var isContentHashed = false
    /// The application says itself which message caused this one.
    private(set) var hasCausation = false
    private(set) var bodySize: Int64 = 0
    private var fields = 0..<0
    /// The broker recognises a second arrival by a key, the application's own or a hash of the fields.
    private(set) var isKeyed = false
    /// The stream must be there already.
    private(set) var needsStream = false
    private var conversationRange: Range<Int>?
    private var traceStateRange: Range<Int>?
    var hasTraceStateField: Bool { traceStateRange != nil }

    /// Nil when the command is not well-formed; the broker will refuse it.
    init?(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ correlationFields: CorrelationFields = .standard
    ) {
        guard let firstField = skipOptions(arguments, bytes), firstField < arguments.count,
            (arguments.count - firstField) % 2 == 0
        else { return nil }
        fields = firstField..<arguments.count
        var position = firstField
        while position < arguments.count {
            let name = arguments.range(position)
            let value = arguments.range(position + 1)
            bodySize &+= Int64(name.count &+ value.count)
            if ContextNames.isTraceParent(bytes, name) {
                hasContextField = true
                if context == nil { context = TraceContext(parsing: bytes.extracting(value)) }
            } else if correlationFields.contains(bytes, name) {
                if conversationRange == nil, !value.isEmpty { conversationRange = value }
            } else if ContextNames.isCausation(bytes, name) {
                hasCausation = true
            } else if ContextNames.isTraceState(bytes, name), traceStateRange == nil {
                traceStateRange = value
            }
            position += 2
        }
    }

    /// The number of the id among the arguments.
    var idArgument: Int { fields.lowerBound - 1 }

    /// What the broker replies depends on what it has.
    var dependsOnBroker: Bool { isKeyed || needsStream }

    /// Whether the broker is to choose the id, and its reply can be foreseen.
    func isSpoolable(_ arguments: RedisArguments, _ bytes: Span<UInt8>) -> Bool {
        !dependsOnBroker && arguments.isWord(idArgument, "*", bytes)
    }

    /// The application's own correlation id.
    func conversation(_ bytes: Span<UInt8>) -> String? {
        conversationRange.map { ContextNames.text(bytes, $0) }
    }

    /// The tracestate that goes with the context; without a valid context it means nothing (W3C, section 3.3).
    func traceState(_ bytes: Span<UInt8>) -> String? {
        guard context != nil else { return nil }
        return traceStateRange.flatMap { $0.isEmpty ? nil : ContextNames.text(bytes, $0) }
    }

    /// How these fields name a message that may have caused this one: the value of any of them is its id, or its
    /// correlation id. Short texts outside the correlation field may be anything and count as neither.
    func mention(of cause: Cause, _ arguments: RedisArguments, _ bytes: Span<UInt8>) -> Cause.Mention {
        var mention = Cause.Mention.nothing
        var position = fields.lowerBound
        while position < min(fields.upperBound, fields.lowerBound + 2 * Self.searchedFieldsMax) {
            let value = arguments.range(position + 1)
            position += 2
            guard value.count >= Self.mentionBytesMin || value == conversationRange else { continue }
            if case .streamEntry(let milliseconds, let sequence) = cause.messageID,
                let id = RESPText.entryID(bytes, in: value), id == (milliseconds, sequence)
            {
                return .messageID
            }
            if Self.isText(of: cause.correlation, bytes, value) { mention = .correlation }
        }
        return mention
    }

    /// Fields whose values are compared with the ids of messages that may have caused this one.
    private static let searchedFieldsMax = 64
    private static let mentionBytesMin = 8

    private static func isText(of correlation: Correlation, _ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
        switch correlation {
        case .none: return false
        case .traceID(let traceID): return traceID.isText(bytes, value)
        case .text(let text): return ContextNames.isText(text, bytes, value)
        }
    }

    /// Returns the number of the first field, after the id.
    private mutating func skipOptions(_ arguments: RedisArguments, _ bytes: Span<UInt8>) -> Int? {
        var position = 2
        while position < arguments.count {
            if arguments.isWord(position, "NOMKSTREAM", bytes) || arguments.isWord(position, "KEEPREF", bytes)
                || arguments.isWord(position, "DELREF", bytes) || arguments.isWord(position, "ACKED", bytes)
            {
                needsStream = needsStream || arguments.isWord(position, "NOMKSTREAM", bytes)
                position += 1
            } else if arguments.isWord(position, "MAXLEN", bytes) || arguments.isWord(position, "MINID", bytes) {
                position += 1
                if arguments.isWord(position, "=", bytes) || arguments.isWord(position, "~", bytes) { position += 1 }
                position += 1
            } else if arguments.isWord(position, "LIMIT", bytes) || arguments.isWord(position, "IDMPAUTO", bytes) {
                isContentHashed = isContentHashed || arguments.isWord(position, "IDMPAUTO", bytes)
                isKeyed = isKeyed || isContentHashed
                position += 2
            } else if arguments.isWord(position, "IDMP", bytes) {
                isKeyed = true
                position += 3
            } else {
                return position + 1
            }
        }
        return nil
    }
}
