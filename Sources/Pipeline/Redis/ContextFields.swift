import Telemetry
import Wire

/// The form on the wire of the fields that carry context in a stream entry.
enum ContextFields {
    /// Appends the fields, in the order by which `StreamReplyReader` knows them again: the context, then, if there is
    /// something to state, the tracestate, then, if we give one, the correlation id, then, if it is known, the id of the
    /// cause.
    ///
    /// A ready-made text is copied and its digits are overwritten: this runs for every message.
    static func append(_ injection: Injection, to bytes: inout [UInt8]) {
        guard case .add(let context, let traceState, let correlation, let causation) = injection else { return }
        let start = bytes.count
        bytes.append(contentsOf: contextText)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        store(context.traceID.high, at: start + traceIDOffset, in: &raw)
        store(context.traceID.low, at: start + traceIDOffset + 16, in: &raw)
        store(context.spanID.value, at: start + spanIDOffset, in: &raw)
        raw.storeBytes(
            of: HexadecimalText.digit(context.flags.intersection(.known).rawValue), toByteOffset: start + flagsOffset,
            as: UInt8.self)
        if let traceState { append(traceStateName, traceState, to: &bytes) }
        append(correlation, to: &bytes)
        append(causation, to: &bytes)
    }

    private static func append(_ name: [UInt8], _ text: String, to bytes: inout [UInt8]) {
        RESPWriter.appendBulk(name, to: &bytes)
        RESPWriter.appendHeader(type: UInt8(ascii: "$"), count: text.utf8.count, to: &bytes)
        bytes.append(contentsOf: text.utf8)
        bytes.append(contentsOf: lineEnd)
    }

    private static func append(_ correlation: Correlation, to bytes: inout [UInt8]) {
        switch correlation {
        case .none: break
        case .traceID(let traceID):
            let start = bytes.count
            bytes.append(contentsOf: correlationText)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            store(traceID.high, at: start + correlationOffset, in: &raw)
            store(traceID.low, at: start + correlationOffset + 16, in: &raw)
        case .text(let text): append(correlationName, text, to: &bytes)
        }
    }

    /// The id of the cause, as its own bus shows it: a message of another bus has no entry id.
    private static func append(_ causation: MessageID, to bytes: inout [UInt8]) {
        let (first, second): (UInt64, UInt64?)
        switch causation {
        case .streamEntry(let milliseconds, let sequence): (first, second) = (milliseconds, sequence)
        case .sequence(let sequence): (first, second) = (sequence, nil)
        case .none, .anonymous: return
        }
        RESPWriter.appendBulk(causationName, to: &bytes)
        let count = digitCount(first) + (second.map { 1 + digitCount($0) } ?? 0)
        RESPWriter.appendHeader(type: UInt8(ascii: "$"), count: count, to: &bytes)
        append(decimal: first, to: &bytes)
        if let second {
            bytes.append(UInt8(ascii: "-"))
            append(decimal: second, to: &bytes)
        }
        bytes.append(contentsOf: lineEnd)
    }

    private static func digitCount(_ value: UInt64) -> Int {
        var (count, rest) = (1, value / 10)
        while rest > 0 { (count, rest) = (count + 1, rest / 10) }
        return count
    }

    private static func append(decimal value: UInt64, to bytes: inout [UInt8]) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    private static func store(_ value: UInt64, at offset: Int, in bytes: inout MutableRawSpan) {
        let words = HexadecimalText.words(value)
        bytes.storeBytes(of: words.high.bigEndian, toByteOffset: offset, as: UInt64.self)
        bytes.storeBytes(of: words.low.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
    }

    private static let zeros = String(repeating: "0", count: 32)
    private static let traceStateName = Array("tracestate".utf8)
    private static let correlationName = Array("correlationid".utf8)
    private static let causationName = Array("causationid".utf8)
    private static let lineEnd = Array("\r\n".utf8)
    private static let contextText = Array(
        "$11\r\ntraceparent\r\n$55\r\n00-\(zeros)-\(zeros.prefix(16))-00\r\n".utf8)
    private static let correlationText = Array("$13\r\ncorrelationid\r\n$32\r\n\(zeros)\r\n".utf8)
    /// Behind `$11`, the name, `$55` and the version.
    private static let traceIDOffset = 26
    private static let spanIDOffset = traceIDOffset + 33
    private static let flagsOffset = spanIDOffset + 18
    private static let correlationOffset = 25
}

extension Injection {
    /// Elements that the command gets more: two for each field.
    var elementCount: Int {
        guard case .add(_, let traceState, let correlation, let causation) = self else { return 0 }
        return 2 + (traceState == nil ? 0 : 2) + (correlation == .none ? 0 : 2) + (causation.isShown ? 2 : 0)
    }
}
