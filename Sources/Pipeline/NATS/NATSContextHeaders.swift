import Telemetry
import Wire

/// What the headers of one message say about its trace, and how ours look on the wire.
///
/// Names are written in lower case and read in any. Servers 2.11 and 2.12 overwrite the first letter of a `traceparent`
/// with which they were asked to trace and did not; `Xraceparent` is read as the same header, and nothing is mended.
struct NATSContextHeaders {
    private(set) var context: TraceContext?
    /// A header of that name is there but holds no valid context.
    private(set) var hasContextHeader = false
    private(set) var hasCausation = false
    private(set) var hasTraceState = false
    /// Somebody has asked servers already to tell the way of the message.
    private(set) var hasTraceDestination = false
    /// Bytes of names and values, without what injection has added.
    private(set) var size = 0
    /// The lines that injection has added, end to end; empty when there are none.
    private(set) var added = 0..<0
    /// Whether there is a header that we did not add, or a status.
    private(set) var hasOthers = false
    /// The three digits behind `NATS/1.0`, or 0.
    private(set) var status = 0
    private var traceState: Range<Int>?
    private var conversationRange: Range<Int>?

    /// Nothing: a message without headers.
    init() {}

    /// Nil when the block is none.
    init?(_ bytes: Span<UInt8>, _ block: Range<Int>, _ correlationFields: CorrelationFields) {
        guard var headers = NATSHeaders(bytes, in: block) else { return nil }
        status = headers.status
        hasOthers = status != 0
        var addition = Addition()
        while let line = headers.nextLine(bytes) {
            size &+= line.name.count &+ line.value.count
            if context == nil, Self.isTraceParent(bytes, line.name) {
                hasContextHeader = true
                context = TraceContext(parsing: bytes.extracting(line.value))
                if let context, InjectionMark.isPresent(in: context) {
                    addition = Addition(line.whole, size: line.name.count &+ line.value.count)
                    continue
                }
            } else if addition.extend(line, bytes, traceID: context?.traceID) {
                if addition.isInherited { conversationRange = line.value }
                continue
            } else if correlationFields.contains(bytes, line.name) {
                if conversationRange == nil, !line.value.isEmpty { conversationRange = line.value }
            } else if ContextNames.isCausation(bytes, line.name) {
                hasCausation = true
            } else if RESPText.matches(bytes, in: line.name, "Nats-Trace-Dest") {
                hasTraceDestination = true
            } else if ContextNames.isTraceState(bytes, line.name), !hasTraceState {
                hasTraceState = true
                if !line.value.isEmpty { traceState = line.value }
            }
            hasOthers = true
        }
        added = addition.lines
        size &-= addition.size
        if traceState == nil { traceState = addition.traceState }
    }

    /// The application's own correlation id, or one that was inherited from the message's cause.
    func conversation(_ bytes: Span<UInt8>) -> String? {
        conversationRange.map { ContextNames.text(bytes, $0) }
    }

    /// Whether these headers name a message that may have caused this one.
    func mention(of cause: Cause, _ bytes: Span<UInt8>) -> Cause.Mention {
        guard let conversationRange else { return .nothing }
        switch cause.correlation {
        case .none: return .nothing
        case .traceID(let traceID): return traceID.isText(bytes, conversationRange) ? .correlation : .nothing
        case .text(let text): return ContextNames.isText(text, bytes, conversationRange) ? .correlation : .nothing
        }
    }

    /// Whether `conversation` is the value byte for byte.
    func isExact(_ conversation: String, _ bytes: Span<UInt8>) -> Bool {
        conversationRange.map { ContextNames.isText(conversation, bytes, $0) } ?? true
    }

    /// The tracestate that goes with the context; without a valid context it means nothing (W3C, section 3.3).
    func traceState(_ bytes: Span<UInt8>) -> String? {
        guard context != nil else { return nil }
        return traceState.map { ContextNames.text(bytes, $0) }
    }

    private static func isTraceParent(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        ContextNames.isTraceParent(bytes, name) || ASCIIText.isSame(bytes, in: name, "Xraceparent")
    }

    /// The run of lines that injection writes: our mark in the context, and behind it at most a tracestate, a
    /// correlation id, the id of a cause, and where servers are to tell the way of the message, in this order.
    private struct Addition {
        var lines = 0..<0
        var size = 0
        var traceState: Range<Int>?
        var isInherited = false
        /// How far the order has come; beyond the last no line is ours.
        private var step = 4

        init() {}

        init(_ lines: Range<Int>, size: Int) {
            self.lines = lines
            self.size = size
            step = 0
        }

        /// Whether the line behind the last one of ours is ours too.
        mutating func extend(_ line: NATSHeaders.Line, _ bytes: Span<UInt8>, traceID: TraceID?) -> Bool {
            guard step < 4, line.whole.lowerBound == lines.upperBound else { return false }
            isInherited = false
            if step < 1, ContextNames.isTraceState(bytes, line.name), ContextNames.isProbability(bytes, line.value) {
                step = 1
                traceState = line.value
            } else if step < 2, ContextNames.isCorrelation(bytes, line.name) {
                step = 2
                isInherited = !(traceID?.isText(bytes, line.value) ?? false)
            } else if step < 3, ContextNames.isCausation(bytes, line.name) {
                step = 3
            } else if NATSPathInbox.isOurs(line, bytes) {
                step = 4
            } else {
                step = 4
                return false
            }
            lines = lines.lowerBound..<line.whole.upperBound
            size &+= line.name.count &+ line.value.count
            return true
        }
    }
}

// MARK: Writing

extension NATSContextHeaders {
    /// Appends the lines of an injection: the context, then, if there is something to state, the tracestate, then, if
    /// we give one, the correlation id, then, if it is known, the id of the cause.
    ///
    /// A ready-made text is copied and its digits are overwritten: this runs for every message.
    ///
    /// - Parameter most: room in bytes, enough for the context; what else does not fit is left out.
    static func append(_ injection: Injection, to bytes: inout [UInt8], most: Int = .max) {
        guard case .add(let context, let traceState, let correlation, let causation) = injection else { return }
        let start = bytes.count
        bytes.append(contentsOf: contextText.bytes)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        store(context.traceID.high, at: start + traceIDOffset, in: &raw)
        store(context.traceID.low, at: start + traceIDOffset + 16, in: &raw)
        store(context.spanID.value, at: start + traceIDOffset + 33, in: &raw)
        raw.storeBytes(
            of: HexadecimalText.digit(context.flags.intersection(.known).rawValue),
            toByteOffset: start + traceIDOffset + 51, as: UInt8.self)
        // Room that is as good as endless must not overflow what is counted from it.
        let end = start + min(most, 1 << 20)
        if let traceState { append(traceStateName, traceState, to: &bytes, end: end) }
        switch correlation {
        case .none: break
        case .traceID(let traceID):
            let start = bytes.count
            guard start + correlationText.count <= end else { break }
            bytes.append(contentsOf: correlationText.bytes)
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            store(traceID.high, at: start + correlationName.count, in: &raw)
            store(traceID.low, at: start + correlationName.count + 16, in: &raw)
        case .text(let text):
            append(correlationName, text, to: &bytes, end: end)
        }
        if causation.isShown { append(causationName, causation.description, to: &bytes, end: end) }
    }

    private static func append(_ name: [UInt8], _ text: String, to bytes: inout [UInt8], end: Int) {
        // What came over another bus may hold anything: a line break would make a header of what follows it.
        guard isOneLine(text), bytes.count + name.count + text.utf8.count + 2 <= end else { return }
        bytes.append(contentsOf: name)
        bytes.append(contentsOf: text.utf8)
        NATSWriter.appendLineEnd(to: &bytes)
    }

    private static func isOneLine(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }

    private static func store(_ value: UInt64, at offset: Int, in bytes: inout MutableRawSpan) {
        let words = HexadecimalText.words(value)
        bytes.storeBytes(of: words.high.bigEndian, toByteOffset: offset, as: UInt64.self)
        bytes.storeBytes(of: words.low.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
    }

    private static let zeros = String(repeating: "0", count: 32)
    private static let contextText = FixedText("traceparent: 00-\(zeros)-\(zeros.prefix(16))-00\r\n")
    private static let traceStateName = Array("tracestate: ".utf8)
    private static let correlationName = Array("correlationid: ".utf8)
    private static let correlationText = FixedText("correlationid: \(zeros)\r\n")
    private static let causationName = Array("causationid: ".utf8)
    /// Bytes of the line that every injection has.
    static let contextBytes = contextText.count
    /// Behind the name and the version.
    private static let traceIDOffset = 16
    /// The first line of a block, and the empty one that ends it.
    static let blockStart = FixedText("NATS/1.0\r\n")
}

/// A text that is written into many messages. Its bytes live as long as the process, so nothing counts who uses them.
struct FixedText: Sendable {
    /// Never written to again, and never freed.
    nonisolated(unsafe) let bytes: UnsafeBufferPointer<UInt8>

    init(_ text: String) {
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
        _ = copy.initialize(from: text.utf8)
        bytes = UnsafeBufferPointer(copy)
    }

    var count: Int { bytes.count }
}
