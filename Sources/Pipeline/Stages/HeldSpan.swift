import Telemetry

/// The unsampled spans of one lane since its last flush, with the few conversation ids that they need.
struct UnsampledBatch {
    private(set) var spans: ContiguousArray<HeldSpan> = []
    private(set) var conversations: [(position: Int, text: String)] = []
    /// When the last of them ended, on the monotonic clock.
    private(set) var endedAt: UInt64 = 0

    private static let countMax = 64

    var isEmpty: Bool { spans.isEmpty }
    var isFull: Bool { spans.count >= Self.countMax }

    @inline(__always)
    mutating func append(_ span: borrowing SpanRecord, conversation: String?, at now: Instant) {
        if let conversation { conversations.append((spans.count, conversation)) }
        spans.append(HeldSpan(span))
        endedAt = now.monotonicNanoseconds
    }

    func conversation(of position: Int) -> String? {
        conversations.isEmpty ? nil : conversations.first { $0.position == position }?.text
    }

    mutating func removeAll() {
        spans.removeAll(keepingCapacity: true)
        conversations.removeAll(keepingCapacity: true)
    }
}

/// A span record without what only kept spans have. It counts no reference, so that taking it into the ring and letting it
/// go again, which is what becomes of most spans, is a copy of flat bytes.
struct HeldSpan {
    private var descriptor: SpanDescriptorID
    private var kind: SpanKind
    private var flags: TraceFlags
    private var outcome: SpanOutcome
    private var causality: SpanCausality
    private var deadLetter: DeadLetterReason
    private var fallback: SpanFallback
    private var redeliveryDelayMilliseconds: UInt32
    private var conversationIsTraceID: Bool
    let traceID: TraceID
    private var spanID: SpanID
    private var parentSpanID: SpanID
    private var startUnixNanoseconds: UInt64
    private var endUnixNanoseconds: UInt64
    private var error: NameID
    private var consumer: NameID
    private var client: NameID
    private var attempt: UInt32
    private var batchCount: UInt32
    private var bodySize: Int64
    private var queueNanoseconds: Int64
    private var messageID: MessageID
    private var link: SpanLink?

    /// `span` is not sampled and so has neither a reason nor details.
    @inline(__always)
    init(_ span: borrowing SpanRecord) {
        descriptor = span.descriptor
        kind = span.kind
        flags = span.flags
        outcome = span.outcome
        causality = span.causality
        deadLetter = span.deadLetter
        fallback = span.fallback
        redeliveryDelayMilliseconds = span.redeliveryDelayMilliseconds
        conversationIsTraceID = span.conversationIsTraceID
        traceID = span.traceID
        spanID = span.spanID
        parentSpanID = span.parentSpanID
        startUnixNanoseconds = span.startUnixNanoseconds
        endUnixNanoseconds = span.endUnixNanoseconds
        error = span.error
        consumer = span.consumer
        client = span.client
        attempt = span.attempt
        batchCount = span.batchCount
        bodySize = span.bodySize
        queueNanoseconds = span.queueNanoseconds
        messageID = span.messageID
        link = span.link
    }

    /// What was taken in.
    var record: SpanRecord {
        var span = SpanRecord(
            descriptor: descriptor, kind: kind, traceID: traceID, spanID: spanID, flags: flags,
            startUnixNanoseconds: startUnixNanoseconds, endUnixNanoseconds: endUnixNanoseconds)
        span.outcome = outcome
        span.causality = causality
        span.deadLetter = deadLetter
        span.fallback = fallback
        span.redeliveryDelayMilliseconds = redeliveryDelayMilliseconds
        span.conversationIsTraceID = conversationIsTraceID
        span.parentSpanID = parentSpanID
        span.error = error
        span.consumer = consumer
        span.client = client
        span.attempt = attempt
        span.batchCount = batchCount
        span.bodySize = bodySize
        span.queueNanoseconds = queueNanoseconds
        span.messageID = messageID
        span.link = link
        return span
    }
}
