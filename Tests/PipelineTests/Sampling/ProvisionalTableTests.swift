import Telemetry
import Testing

@testable import Pipeline

@Suite("Unsampled spans in waiting")
struct ProvisionalTableTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("a trigger brings out what waits of its trace, parents first, and nothing else")
    func promotes() {
        var table = ProvisionalTable(capacity: 64, ageNanoseconds: 10 * Self.second)
        let producer = span(1, 10)
        #expect(table.hold(span(1, 12, under: 11), nil, at: 1) == nil)
        #expect(table.hold(producer, "order-17", at: 2) == nil)
        #expect(table.hold(span(2, 20), nil, at: 3) == nil)
        let kept = table.keep(span(1, 11, under: 10), nil, .error, at: 4)
        #expect(kept.map(\.spanID.value) == [10, 11, 12])
        #expect(kept.map(\.parentSpanID.value) == [0, 10, 11])
        #expect(kept.allSatisfy { $0.flags.contains(.sampled) && $0.reason == .error })
        #expect(kept[0].detail?.conversationID == "order-17")
        // What ends later joins them, with the reason that was first.
        let late = table.hold(span(1, 13, under: 12), nil, at: 5)
        #expect(late?.parentSpanID.value == 12 && late?.reason == .error)
        #expect(table.keep(span(1, 14, under: 10), nil, .slow, at: 6).map(\.reason) == [.error])
        #expect(table.dismissed == 0)
    }

    @Test("a missing parent makes a root with a link; a second one begins a trace of its own")
    func rerooted() {
        var table = ProvisionalTable(capacity: 64, ageNanoseconds: 10 * Self.second)
        var first = span(1, 11, under: 10)
        first.conversationIsTraceID = true
        var kept = table.keep(first, nil, .redelivery, at: 1)
        #expect(kept[0].traceID == trace(1) && kept[0].parentSpanID == .none)
        #expect(kept[0].link?.context.spanID.value == 10 && kept[0].conversationIsTraceID)
        var second = span(1, 12, under: 10)
        second.conversationIsTraceID = true
        kept = table.keep(second, nil, .redelivery, at: 2)
        #expect(kept[0].traceID != trace(1) && kept[0].parentSpanID == .none)
        #expect(kept[0].link?.context.traceID == trace(1))
        #expect(kept[0].detail?.conversationID == trace(1).description, "the message can still be searched for")
        let child = table.hold(span(1, 13, under: 12), nil, at: 3)
        #expect(child?.traceID == kept[0].traceID && child?.parentSpanID.value == 12)
    }

    @Test("the ring holds as many as it may, and the oldest gives way")
    func bounded() {
        var table = ProvisionalTable(capacity: 8, ageNanoseconds: 10 * Self.second)
        for number in 1...20 as ClosedRange<UInt64> {
            #expect(table.hold(span(number, number), nil, at: number) == nil)
            #expect(table.count == min(8, Int(number)))
        }
        #expect(table.dismissed == 12)
        #expect(table.keep(span(12, 120, under: 12), nil, .error, at: 21).count == 1, "it had to leave")
        #expect(table.keep(span(13, 130, under: 13), nil, .error, at: 21).count == 2)
    }

    @Test("what is older than the limit is neither kept nor held")
    func ages() {
        var table = ProvisionalTable(capacity: 8, ageNanoseconds: 10 * Self.second)
        _ = table.hold(span(1, 10), nil, at: 1 * Self.second)
        _ = table.hold(span(1, 11, under: 10), nil, at: 5 * Self.second)
        let kept = table.keep(span(1, 12, under: 11), nil, .error, at: 12 * Self.second)
        #expect(kept.map(\.spanID.value) == [11, 12])
        #expect(kept[0].parentSpanID == .none)
        table.expire(at: 12 * Self.second)
        #expect(table.count == 0 || table.dismissed == 1)
        table.expire(at: 30 * Self.second)
        #expect(table.count == 0)
        #expect(table.dismissed == 1)
    }

    @Test("a kept trace is forgotten after its time")
    func forgets() {
        var table = ProvisionalTable(capacity: 8, ageNanoseconds: 10 * Self.second)
        _ = table.keep(span(1, 10), nil, .error, at: 1)
        table.expire(at: ProvisionalTable.keptNanoseconds)
        #expect(table.hold(span(1, 11, under: 10), nil, at: 2) != nil)
        table.expire(at: ProvisionalTable.keptNanoseconds + 2)
        #expect(table.hold(span(1, 12, under: 10), nil, at: 3) == nil)
    }

    @Test("one trace for everything does not grow without bound")
    func endless() {
        var table = ProvisionalTable(capacity: 64, ageNanoseconds: 10 * Self.second)
        var recorded = table.keep(span(1, 1), nil, .error, at: 1).count
        for number in 2...5_000 as ClosedRange<UInt64> where table.hold(span(1, number), nil, at: number) != nil {
            recorded += 1
        }
        #expect(recorded == ProvisionalTable.spansPerTraceMax)
        #expect(Int(table.dismissed) == 5_000 - recorded)
    }

    @Test("over random traces: no orphan, one root per trace, every span accounted for", arguments: 1...40)
    func property(seed: UInt64) {
        var random = IdentifierSource(seed: (seed, 2, 3, 4))
        var table = ProvisionalTable(capacity: 96, ageNanoseconds: 300)
        var recorded: [SpanRecord] = []
        var open: [SpanRecord] = []
        var spans: [UInt64: [UInt64]] = [:]
        var ended = 0
        for now in 1...3_000 as ClosedRange<UInt64> {
            let number = random.next() % 24 + 1 + now / 300 * 24
            let parents = spans[number] ?? []
            // Some parents were never seen here; a parent may end after its child.
            let isForeign = parents.isEmpty || random.next() % 8 == 0
            let parent = isForeign ? random.next() % 3 : parents.randomElement(using: &random)!
            open.append(span(number, now + 1_000_000, under: parent))
            spans[number, default: []].append(now + 1_000_000)
            while open.count > Int(random.next() % 30) {
                let span = open.remove(at: Int(random.next() % UInt64(open.count)))
                ended += 1
                if random.next() % 16 == 0 {
                    recorded += table.keep(span, nil, .slow, at: now)
                } else if let kept = table.hold(span, nil, at: now) {
                    recorded.append(kept)
                }
            }
            if now % 100 == 0 { table.expire(at: now) }
        }
        let ids = Dictionary(grouping: recorded, by: \.spanID)
        #expect(ids.count == recorded.count, "a span was recorded twice")
        for span in recorded where span.parentSpanID.isValid {
            #expect(ids[span.parentSpanID]?.first?.traceID == span.traceID, "an orphan")
        }
        for (trace, members) in Dictionary(grouping: recorded, by: \.traceID) {
            #expect(members.filter { !$0.parentSpanID.isValid }.count == 1, "roots of \(trace)")
        }
        table.expire(at: 1_000_000)
        #expect(recorded.count + Int(table.dismissed) == ended)
        #expect(recorded.count > 200)
    }

    // MARK: Parts

    private func trace(_ number: UInt64) -> TraceID { TraceID(high: 7, low: number) }

    private func span(_ trace: UInt64, _ id: UInt64, under parent: UInt64 = 0) -> SpanRecord {
        var span = SpanRecord(
            descriptor: SpanDescriptorID(index: 0), kind: .client, traceID: self.trace(trace), spanID: SpanID(id),
            flags: .random, startUnixNanoseconds: 1, endUnixNanoseconds: 2)
        span.parentSpanID = SpanID(parent)
        return span
    }
}

extension ProvisionalTable {
    fileprivate mutating func hold(_ span: SpanRecord, _ conversation: String?, at now: UInt64) -> SpanRecord? {
        hold(HeldSpan(span), conversation, at: now)
    }
}
