import DequeModule
import Telemetry

/// Finished spans that were not sampled, for the few seconds in which a rule may still want their trace, and the
/// traces that a rule has kept. Bounded in number and age. Not shared: `ProvisionalRing` is.
///
/// Places are taken in turn. The spans of a trace are chained from the newest to the oldest by their serial numbers; a
/// number whose place has been taken by a newer span ends the chain.
///
/// A kept span never names a parent that was not kept. Where the parent is missing, the span becomes a root and links
/// to the context that it came from. A trace has one root: a second such span begins a trace of its own, together with
/// what hangs under it.
struct ProvisionalTable {
    /// What decides over a place; apart from the span, so that a place is emptied without reading the span's memory.
    private struct Place {
        var endedAt: UInt64
        /// The serial number of the trace's span before this one, or of another trace's in the same chain; 0 = none.
        var previous: UInt64
        var isGone = false
        var hasConversation: Bool
    }

    /// A trace that a rule has kept.
    private struct KeptTrace {
        var reason: KeepReason
        var hasRoot = false
        /// The kept spans, each with the trace that it was put into.
        var traces: [SpanID: TraceID] = [:]
    }

    /// Spans of one kept trace; an application may put everything it sends into one.
    static let spansPerTraceMax = 1_024
    static let keptTracesMax = 256
    /// Work that is still under way when its trace is kept may end this much later.
    static let keptNanoseconds: UInt64 = 300_000_000_000

    let capacity: Int
    let ageNanoseconds: UInt64
    private var places: ContiguousArray<Place> = []
    /// In the same order.
    private var spans: ContiguousArray<HeldSpan> = []
    private var conversations: ContiguousArray<String?> = []
    /// The newest serial number of each chain.
    private var heads: [UInt64]
    private var oldest: UInt64 = 1
    private var next: UInt64 = 1
    private var kept: [TraceID: KeptTrace] = [:]
    private var keptOrder = Deque<(trace: TraceID, at: UInt64)>()
    /// Spans that have left without being wanted.
    private(set) var dismissed: UInt64 = 0

    init(capacity: Int, ageNanoseconds: UInt64) {
        precondition(capacity > 0, "a ring has at least one place")
        self.capacity = capacity
        self.ageNanoseconds = ageNanoseconds
        var chains = 1
        while chains < capacity { chains *= 2 }
        heads = Array(repeating: 0, count: chains)
    }

    /// Spans that wait, including places that were emptied out of turn.
    var count: Int { Int(next - oldest) }

    /// Takes the span in, or gives it back to be recorded because its trace is kept.
    mutating func hold(_ span: HeldSpan, _ conversation: String?, at now: UInt64) -> SpanRecord? {
        if !kept.isEmpty, kept[span.traceID] != nil { return keepLate(span.record, conversation) }
        insert(span, conversation, at: now)
        return nil
    }

    /// Keeps the whole trace of `span`: what waits of it is given to be recorded, parents before children.
    mutating func keep(
        _ span: SpanRecord, _ conversation: String?, _ reason: KeepReason, at now: UInt64
    ) -> [SpanRecord] {
        if kept[span.traceID] != nil { return keepLate(span, conversation).map { [$0] } ?? [] }
        if kept.count >= Self.keptTracesMax { forgetOldestKept() }
        var trace = KeptTrace(reason: reason)
        let waiting = take(span.traceID, at: now) + [(span, conversation)]
        let spans = Self.inOrder(waiting).map { Self.admit($0.span, $0.conversation, into: &trace) }
        kept[span.traceID] = trace
        keptOrder.append((span.traceID, now))
        return spans
    }

    /// Lets go of what is too old.
    mutating func expire(at now: UInt64) {
        while oldest < next, places[place(oldest)].endedAt + ageNanoseconds < now { dismissOldest() }
        while let first = keptOrder.first, first.at + Self.keptNanoseconds < now { forgetOldestKept() }
    }

    // MARK: Places

    private func place(_ serial: UInt64) -> Int { Int((serial - 1) % UInt64(capacity)) }

    private func chain(_ trace: TraceID) -> Int {
        Int(truncatingIfNeeded: ProvisionalRing.mix(trace)) & (heads.count &- 1)
    }

    private mutating func insert(_ span: HeldSpan, _ conversation: String?, at now: UInt64) {
        if count == capacity { dismissOldest() }
        let chain = chain(span.traceID)
        let entry = Place(endedAt: now, previous: heads[chain], hasConversation: conversation != nil)
        let place = place(next)
        if place < places.count {
            places[place] = entry
            spans[place] = span
            if conversation != nil { conversations[place] = conversation }
        } else {
            places.append(entry)
            spans.append(span)
            conversations.append(conversation)
        }
        heads[chain] = next
        next += 1
    }

    private mutating func dismissOldest() {
        let place = place(oldest)
        if !places[place].isGone { dismissed += 1 }
        empty(place)
        oldest += 1
    }

    private mutating func empty(_ place: Int) {
        places[place].isGone = true
        if places[place].hasConversation { conversations[place] = nil }
    }

    private mutating func take(_ trace: TraceID, at now: UInt64) -> [(span: SpanRecord, conversation: String?)] {
        var taken: [(span: SpanRecord, conversation: String?)] = []
        var serial = heads[chain(trace)]
        while serial >= oldest, taken.count < Self.spansPerTraceMax - 1 {
            let place = place(serial)
            if places[place].endedAt + ageNanoseconds < now { break }
            if spans[place].traceID == trace, !places[place].isGone {
                taken.append((spans[place].record, places[place].hasConversation ? conversations[place] : nil))
                empty(place)
            }
            serial = places[place].previous
        }
        return taken.reversed()
    }

    // MARK: Kept traces

    private mutating func keepLate(_ span: SpanRecord, _ conversation: String?) -> SpanRecord? {
        guard kept[span.traceID]!.traces.count < Self.spansPerTraceMax else {
            dismissed += 1
            return nil
        }
        return Self.admit(span, conversation, into: &kept[span.traceID]!)
    }

    private mutating func forgetOldestKept() {
        guard let first = keptOrder.popFirst() else { return }
        kept[first.trace] = nil
    }

    /// Parents before children; the order of the ends otherwise.
    private static func inOrder(
        _ spans: [(span: SpanRecord, conversation: String?)]
    ) -> [(span: SpanRecord, conversation: String?)] {
        let positions = Dictionary(
            spans.indices.map { (spans[$0].span.spanID, $0) }, uniquingKeysWith: { first, _ in first })
        var isPlaced = Array(repeating: false, count: spans.count)
        var ordered: [(span: SpanRecord, conversation: String?)] = []
        for index in spans.indices {
            var path: [Int] = []
            var step: Int? = index
            // Marked on the way up, so that a circle of parents ends.
            while let position = step, !isPlaced[position] {
                isPlaced[position] = true
                path.append(position)
                step = positions[spans[position].span.parentSpanID]
            }
            ordered += path.reversed().map { spans[$0] }
        }
        return ordered
    }

    private static func admit(_ span: SpanRecord, _ conversation: String?, into kept: inout KeptTrace) -> SpanRecord {
        var span = span
        var conversation = conversation
        let origin = span.traceID
        span.flags.insert(.sampled)
        span.reason = kept.reason
        if let trace = kept.traces[span.parentSpanID], span.parentSpanID.isValid {
            span.traceID = trace
        } else {
            if span.parentSpanID.isValid, span.link == nil {
                span.link = SpanLink(
                    context: TraceContext(traceID: origin, spanID: span.parentSpanID, flags: []))
            }
            span.parentSpanID = .none
            if kept.hasRoot { span.traceID = traceOfItsOwn(span) }
            kept.hasRoot = true
        }
        kept.traces[span.spanID] = span.traceID
        if span.traceID != origin, span.conversationIsTraceID {
            span.conversationIsTraceID = false
            conversation = origin.description
        }
        if let conversation { span.detail = SpanDetail(conversationID: conversation) }
        return span
    }

    /// From the ids alone: the span id is random, and unique within its trace.
    private static func traceOfItsOwn(_ span: SpanRecord) -> TraceID {
        let low = ProvisionalRing.mix(TraceID(high: span.traceID.low, low: span.spanID.value))
        return TraceID(high: span.traceID.high, low: low == 0 ? 1 : low)
    }
}
