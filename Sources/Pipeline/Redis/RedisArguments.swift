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
    private(set) var bodySize: Int64 = 0
    private var conversationRange: Range<Int>?
    private var traceStateRange: Range<Int>?
    var hasTraceStateField: Bool { traceStateRange != nil }

    /// Nil when the command is not well-formed; the broker will refuse it.
    init?(_ arguments: RedisArguments, _ bytes: Span<UInt8>) {
        guard let firstField = skipOptions(arguments, bytes), firstField < arguments.count,
            (arguments.count - firstField) % 2 == 0
        else { return nil }
        var position = firstField
        while position < arguments.count {
            let name = arguments.range(position)
            let value = arguments.range(position + 1)
            bodySize &+= Int64(name.count &+ value.count)
            if ContextFields.isTraceParent(bytes, name) {
                hasContextField = true
                if context == nil { context = TraceContext(parsing: bytes.extracting(value)) }
            } else if ContextFields.isCorrelation(bytes, name), conversationRange == nil, !value.isEmpty {
                conversationRange = value
            } else if ContextFields.isTraceState(bytes, name), traceStateRange == nil {
                traceStateRange = value
            }
            position += 2
        }
    }

    /// The application's own correlation id.
    func conversation(_ bytes: Span<UInt8>) -> String? {
        conversationRange.map { ContextFields.text(bytes, $0) }
    }

    /// The tracestate that goes with the context; without a valid context it means nothing (W3C, section 3.3).
    func traceState(_ bytes: Span<UInt8>) -> String? {
        guard context != nil else { return nil }
        return traceStateRange.flatMap { $0.isEmpty ? nil : ContextFields.text(bytes, $0) }
    }

    /// Returns the number of the first field, after the id.
    private mutating func skipOptions(_ arguments: RedisArguments, _ bytes: Span<UInt8>) -> Int? {
        var position = 2
        while position < arguments.count {
            if arguments.isWord(position, "NOMKSTREAM", bytes) || arguments.isWord(position, "KEEPREF", bytes)
                || arguments.isWord(position, "DELREF", bytes) || arguments.isWord(position, "ACKED", bytes)
            {
                position += 1
            } else if arguments.isWord(position, "MAXLEN", bytes) || arguments.isWord(position, "MINID", bytes) {
                position += 1
                if arguments.isWord(position, "=", bytes) || arguments.isWord(position, "~", bytes) { position += 1 }
                position += 1
            } else if arguments.isWord(position, "LIMIT", bytes) || arguments.isWord(position, "IDMPAUTO", bytes) {
                isContentHashed = isContentHashed || arguments.isWord(position, "IDMPAUTO", bytes)
                position += 2
            } else if arguments.isWord(position, "IDMP", bytes) {
                position += 3
            } else {
                return position + 1
            }
        }
        return nil
    }
}

/// The fields that carry context in a stream entry, and their form on the wire.
enum ContextFields {
    static func isTraceParent(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        name.count == 11 && RESPText.matches(bytes, in: name, "traceparent")
    }

    static func isCorrelation(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        name.count == 13 && RESPText.matches(bytes, in: name, "correlationid")
    }

    static func isTraceState(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        name.count == 10 && RESPText.matches(bytes, in: name, "tracestate")
    }

    /// Longest text that is kept for a span, enough for the 512 characters that a tracestate may be relied on to keep
    /// (W3C, section 3.3.1.5); a longer one is cut.
    private static let textBytesMax = 512

    static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        let bounded = range.prefix(textBytesMax)
        return String(decoding: bounded.map { bytes[$0] }, as: UTF8.self)
    }

    /// Whether a tracestate is one that we write: the probability of a root, and nothing else.
    static func isProbability(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
        let longest = 6 + 14
        return (7...longest).contains(value.count)
            && RESPText.matches(bytes, in: value.lowerBound..<(value.lowerBound + 6), "ot=th:")
    }

    /// Appends the fields, in the order by which `StreamReplyReader` knows them again: the context, then, if there is
    /// something to state, the tracestate, then, if we give one, the correlation id, which is the trace id in text.
    ///
    /// A ready-made text is copied and its digits are overwritten: this runs for every message.
    static func append(_ context: TraceContext, _ traceState: String?, correlation: Bool, to bytes: inout [UInt8]) {
        let start = bytes.count
        if let traceState {
            bytes.append(contentsOf: contextAlone)
            RESPWriter.appendBulk(traceStateName, to: &bytes)
            RESPWriter.appendBulk(Array(traceState.utf8), to: &bytes)
            if correlation { bytes.append(contentsOf: correlationAlone) }
        } else {
            bytes.append(contentsOf: correlation ? contextAndCorrelation : contextAlone)
        }
        let correlationOffset = bytes.count - start - correlationAlone.count + correlationDigitsOffset
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        store(context.traceID.high, at: start + traceIDOffset, in: &raw)
        store(context.traceID.low, at: start + traceIDOffset + 16, in: &raw)
        store(context.spanID.value, at: start + spanIDOffset, in: &raw)
        raw.storeBytes(
            of: HexadecimalText.digit(context.flags.intersection(.known).rawValue), toByteOffset: start + flagsOffset,
            as: UInt8.self)
        guard correlation else { return }
        store(context.traceID.high, at: start + correlationOffset, in: &raw)
        store(context.traceID.low, at: start + correlationOffset + 16, in: &raw)
    }

    private static func store(_ value: UInt64, at offset: Int, in bytes: inout MutableRawSpan) {
        let words = HexadecimalText.words(value)
        bytes.storeBytes(of: words.high.bigEndian, toByteOffset: offset, as: UInt64.self)
        bytes.storeBytes(of: words.low.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
    }

    private static let zeros = String(repeating: "0", count: 32)
    private static let contextAlone = Array(
        "$11\r\ntraceparent\r\n$55\r\n00-\(zeros)-\(zeros.prefix(16))-00\r\n".utf8)
    private static let correlationAlone = Array("$13\r\ncorrelationid\r\n$32\r\n\(zeros)\r\n".utf8)
    private static let contextAndCorrelation = contextAlone + correlationAlone
    private static let traceStateName = Array("tracestate".utf8)
    /// Behind `$11`, the name, `$55` and the version.
    private static let traceIDOffset = 26
    private static let spanIDOffset = traceIDOffset + 33
    private static let flagsOffset = spanIDOffset + 18
    /// Behind `$13`, the name and `$32`.
    private static let correlationDigitsOffset = 25
}
