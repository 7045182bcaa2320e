import Synchronization
import Testing

@testable import Telemetry

@Suite("Recent traces are bounded by spans, and whole traces give way")
struct TraceStoreTests {
    let world = WatchWorld()

    private func spans(_ store: TraceStore) -> [[UInt64]] {
        store.newestFirst().reversed().map { id in
            store.spans(of: id)?.records.map(\.spanID.value) ?? []
        }
    }

    @Test func theOldestTraceGivesWayAsAWhole() {
        var store = TraceStore(capacity: 8)
        for (trace, span) in [(1, 11), (2, 21), (1, 12), (3, 31), (4, 41), (4, 42), (5, 51), (5, 52)] {
            store.keep(world.record(trace: UInt64(trace), span: UInt64(span)))
        }
        #expect(spans(store) == [[11, 12], [21], [31], [41, 42], [51, 52]])

        store.keep(world.record(trace: 6, span: 61))
        #expect(spans(store) == [[21], [31], [41, 42], [51, 52], [61]])
        store.keep(world.record(trace: 6, span: 62))
        #expect(spans(store) == [[21], [31], [41, 42], [51, 52], [61, 62]])
        store.keep(world.record(trace: 7, span: 71))
        #expect(spans(store) == [[31], [41, 42], [51, 52], [61, 62], [71]])

        // What comes late for a trace that is gone begins it anew.
        store.keep(world.record(trace: 1, span: 13))
        #expect(spans(store) == [[41, 42], [51, 52], [61, 62], [71], [13]])
        #expect(store.units == 8 && store.traceCount == 5)
        #expect(store.spans(of: TraceID(high: 0, low: 2)) == nil)
    }

    @Test func anEndlessTraceTakesAQuarterAndSaysWhatIsLeftOut() {
        var store = TraceStore(capacity: 8)
        store.keep(world.record(trace: 1, span: 11))
        for span in 21...25 { store.keep(world.record(trace: 2, span: UInt64(span))) }
        #expect(spans(store) == [[11], [21, 22]])
        #expect(store.spans(of: TraceID(high: 0, low: 2))?.leftOut == 3)
    }

    @Test func linksBeyondTheFirstCountByFours() {
        var store = TraceStore(capacity: 40)
        var large = world.record(trace: 1, span: 11)
        large.detail = SpanDetail(moreLinks: Array(repeating: WatchWorld.link(9, 9), count: 36))
        store.keep(large)
        #expect(store.units == 10)
        for trace in 2...31 { store.keep(world.record(trace: UInt64(trace), span: 1)) }
        #expect(store.units == 40 && store.traceCount == 31)
        store.keep(world.record(trace: 32, span: 1))
        #expect(store.units == 31 && store.traceCount == 31, "the large one went")
    }

    @Test func oneSpanAlwaysFits() {
        var store = TraceStore(capacity: 1)
        for trace in 1...3 { store.keep(world.record(trace: UInt64(trace), span: UInt64(trace))) }
        #expect(spans(store) == [[3]])
    }

    /// The bound and the chains hold for any order of arrivals.
    @Test func neverMoreThanTheBound() {
        var generator = SystemRandomNumberGenerator()
        var store = TraceStore(capacity: 100)
        for number in 1...5_000 {
            store.keep(world.record(trace: .random(in: 1...60, using: &generator), span: UInt64(number)))
            #expect(store.units <= 100)
        }
        let kept = spans(store)
        #expect(kept.joined().count == store.units)
        #expect(kept.allSatisfy { !$0.isEmpty && $0 == $0.sorted() })
    }

    @Test func aTeeInFrontOfTheNextSink() {
        let sink = CollectingSink()
        let recent = RecentTraces(capacity: 10, names: world.names, catalog: world.catalog, next: sink)
        var batch = [world.record(trace: 1, span: 11), world.record(trace: 2, span: 21)]
        batch[1].error = world.names.intern("NOGROUP")
        recent.offer(&batch)
        #expect(batch.isEmpty)
        #expect(sink.records.withLock { $0.map(\.spanID.value) } == [11, 21])
        #expect(recent.trace(TraceID(high: 0, low: 1))?.spans.map(\.name) == ["xadd orders"])
        #expect(recent.trace(TraceID(high: 0, low: 3)) == nil)
    }

    @Test func theListIsNewestFirstAndFiltered() {
        let recent = RecentTraces(
            capacity: 100, names: world.names, catalog: world.catalog, next: CollectingSink())
        var batch = [
            world.record(trace: 1, span: 11),
            world.record(trace: 2, span: 21, world.descriptor("xadd", .send, "payments")),
            world.record(trace: 3, span: 31, at: 500),
            // The root has ended last and so comes last.
            world.record(
                trace: 1, span: 12, parent: 11, at: 5_000, kind: .consumer,
                world.descriptor("process", .process, "orders")),
        ]
        batch[2].error = world.names.intern("WRONGTYPE")
        recent.offer(&batch)
        #expect(recent.list(limit: 10).map(\.traceID.last) == ["3", "2", "1"])
        #expect(recent.list(limit: 2).map(\.traceID.last) == ["3", "2"])
        #expect(recent.list(limit: 10, destination: Glob("ord*")).map(\.traceID.last) == ["3", "1"])
        #expect(
            recent.list(limit: 1).first
                == TraceSummary(
                    TraceView(
                        TraceID(high: 0, low: 3), of: [recordOfThree], leftOut: 0, world.names, world.catalog)))
        #expect(recent.list(limit: 10).last?.spans == 2)
        #expect(recent.list(limit: 10).last?.durationNanoseconds == 6_000)
        #expect(recent.list(limit: 10).first?.error == "WRONGTYPE")
    }

    private var recordOfThree: SpanRecord {
        var record = world.record(trace: 3, span: 31, at: 500)
        record.error = world.names.intern("WRONGTYPE")
        return record
    }
}
