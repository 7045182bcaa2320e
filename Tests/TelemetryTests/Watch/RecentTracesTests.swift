import Synchronization
import Testing

@testable import Telemetry

@Suite("Recent traces")
struct RecentTracesTests {
    let world = WatchWorld()

    private func spans(_ history: SpanHistory) -> [UInt64] {
        var found: [UInt64] = []
        _ = history.visit(from: 0, most: .max) { _, record in found.append(record.spanID.value) }
        return found
    }

    @Test func theOldestSpanGivesWay() {
        var history = SpanHistory(capacity: 3)
        #expect(spans(history).isEmpty && history.end == 0)
        for (span, expected) in [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [2, 3, 4]), (5, [3, 4, 5])] {
            history.append(world.record(trace: 1, span: UInt64(span)))
            #expect(spans(history) == expected.map(UInt64.init))
        }
        for span in 6...10 { history.append(world.record(trace: 1, span: UInt64(span))) }
        #expect(spans(history) == [8, 9, 10])
        #expect(history.oldest == 7 && history.end == 10 && history.units == 3)
    }

    @Test func linksBeyondTheFirstCountByFours() {
        var history = SpanHistory(capacity: 40)
        var large = world.record(trace: 1, span: 100)
        large.detail = SpanDetail(moreLinks: Array(repeating: WatchWorld.link(9, 9), count: 36))
        history.append(large)
        #expect(history.units == 10)
        for span in 1...30 { history.append(world.record(trace: 1, span: UInt64(span))) }
        #expect(history.units == 40 && history.count == 31)
        history.append(world.record(trace: 1, span: 31))
        #expect(history.units == 31 && spans(history).first == 1, "the large one went")
        history.append(large)
        #expect(history.units == 40 && spans(history) == (2...31).map(UInt64.init) + [100])
        history.append(large)
        #expect(history.units == 40 && spans(history) == (12...31).map(UInt64.init) + [100, 100])
    }

    @Test func oneSpanAlwaysFits() {
        var history = SpanHistory(capacity: 1)
        var large = world.record(trace: 1, span: 1)
        large.detail = SpanDetail(moreLinks: Array(repeating: WatchWorld.link(9, 9), count: 36))
        history.append(large)
        history.append(large)
        #expect(spans(history) == [1])
    }

    /// A reader that goes through in steps misses what has left meanwhile and nothing else.
    @Test func readingInSteps() {
        var history = SpanHistory(capacity: 4)
        for span in 1...4 { history.append(world.record(trace: 1, span: UInt64(span))) }
        var seen: [UInt64] = []
        var number = history.visit(from: 0, most: 1) { _, record in seen.append(record.spanID.value) }
        for span in 5...7 { history.append(world.record(trace: 1, span: UInt64(span))) }
        number = history.visit(from: number, most: 2) { _, record in seen.append(record.spanID.value) }
        #expect(seen == [1, 4, 5])
        number = history.visit(from: number, most: 9) { _, record in seen.append(record.spanID.value) }
        #expect(seen == [1, 4, 5, 6, 7] && number == history.end)
    }

    /// Against a plain list, for any sizes.
    @Test func likeAList() {
        var generator = SystemRandomNumberGenerator()
        var history = SpanHistory(capacity: 50)
        var list: [(span: UInt64, units: Int)] = []
        for span in 1...5_000 {
            var record = world.record(trace: 1, span: UInt64(span))
            let links = Int.random(in: 0...3, using: &generator) == 0 ? Int.random(in: 0...100, using: &generator) : 0
            if links > 0 {
                record.detail = SpanDetail(moreLinks: Array(repeating: WatchWorld.link(9, 9), count: links))
            }
            history.append(record)
            list.append((UInt64(span), 1 + links / 4))
            while list.count > 50 || list.count > 1 && list.map(\.units).reduce(0, +) > 50 { list.removeFirst() }
            if span % 10 == 0 { #expect(spans(history) == list.map(\.span)) }
        }
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
                        TraceID(high: 0, low: 3), of: [recordOfThree], world.names, world.catalog)))
        #expect(recent.list(limit: 10).last?.spans == 2)
        #expect(recent.list(limit: 10).last?.durationNanoseconds == 6_000)
        #expect(recent.list(limit: 10).first?.error == "WRONGTYPE")
    }

    /// Once spans have left, a trace in the oldest eighth may have lost its beginning: it is not listed, but what is
    /// left of it can be seen.
    @Test func whatIsAboutToGoIsNotListed() {
        let recent = RecentTraces(
            capacity: 16, names: world.names, catalog: world.catalog, next: CollectingSink())
        var batch = (1...8).flatMap { trace in
            [world.record(trace: trace, span: 1), world.record(trace: trace, span: 2, parent: 1)]
        }
        recent.offer(&batch)
        #expect(recent.list(limit: 20).map(\.traceID.last) == ["8", "7", "6", "5", "4", "3", "2", "1"])
        batch = [world.record(trace: 9, span: 1)]
        recent.offer(&batch)
        #expect(recent.list(limit: 20).map(\.traceID.last) == ["9", "8", "7", "6", "5", "4", "3"])
        #expect(recent.trace(TraceID(high: 0, low: 1))?.spans.map(\.parentSpanID?.last) == ["1"])
    }

    /// More spans than one hold of the lock hands out.
    @Test func manySpansOfOneTrace() {
        let recent = RecentTraces(
            capacity: 10_000, names: world.names, catalog: world.catalog, next: CollectingSink())
        var batch = (1...1_000).map { world.record(trace: $0 % 2, span: $0) }
        recent.offer(&batch)
        #expect(recent.trace(TraceID(high: 0, low: 1))?.spans.count == 500)
        #expect(recent.list(limit: 5).map(\.spans) == [500, 500])
    }

    private var recordOfThree: SpanRecord {
        var record = world.record(trace: 3, span: 31, at: 500)
        record.error = world.names.intern("WRONGTYPE")
        return record
    }
}
