import Foundation
import Synchronization
import Testing

@testable import Telemetry

@Suite("Scraping while writing")
struct ConcurrencyTests {
    /// Three threads, each with a shard of its own, write without pause while this one renders.
    @Test func everyRenderingAgreesWithItself() async throws {
        let registry = MetricsRegistry(families: Sample.families)
        let recordsPerWriter = 40_000
        let writers = (0..<3).map { writer in
            Thread {
                let shard = registry.makeShard()
                let wait = shard.histogram(Sample.wait, ["mill"])
                let orders = shard.counter(Sample.orders, ["mill", ""])
                for record in 0..<recordsPerWriter {
                    wait.record(
                        nanoseconds: UInt64(record * (writer + 1) * 37), exemplar: Sample.context,
                        atUnixNanoseconds: UInt64(record))
                    orders.add()
                    if record % 1000 == 0 { shard.gauge(Sample.visitors, ["\(record)"]).add(1) }
                }
            }
        }
        for writer in writers { writer.start() }

        var counted: UInt64 = 0
        var renderings = 0
        repeat {
            let buckets = try Self.values(registry, "shop_wait_seconds_bucket")
            let count = try Self.values(registry, "shop_wait_seconds_count")
            #expect(buckets == buckets.sorted(), "buckets are cumulative")
            #expect((buckets.last ?? 0) <= count.first ?? 0, "a later rendering has seen at least as much")
            #expect(counted <= buckets.last ?? 0, "counters never fall")
            counted = buckets.last ?? counted
            try Self.expectTotalsAgree(registry)
            renderings += 1
        } while writers.contains { !$0.isFinished }

        let total = UInt64(3 * recordsPerWriter)
        #expect(renderings > 0)
        #expect(try Self.values(registry, "shop_wait_seconds_count") == [total])
        #expect(try Self.values(registry, "shop_orders_total") == [total])
        #expect(registry.lines("shop_visitors{").count == 40)
    }

    /// `+Inf` equals `_count` in one and the same rendering.
    private static func expectTotalsAgree(_ registry: MetricsRegistry) throws {
        let lines = registry.lines("shop_wait_seconds", .openMetrics)
        guard let infinite = lines.first(where: { $0.contains("+Inf") }) else { return }
        let count = try #require(lines.first { $0.hasPrefix("shop_wait_seconds_count") })
        let value = infinite.split(separator: " ")[1]
        #expect(count.hasSuffix(" " + value))
    }

    private static func values(_ registry: MetricsRegistry, _ prefix: String) throws -> [UInt64] {
        try registry.lines(prefix).map { try #require(UInt64($0.split(separator: " ").last ?? "")) }
    }

    /// All words of an exemplar are the same number, so a mixture of two would show.
    @Test func noExemplarIsAMixture() {
        let histogram = MetricsRegistry(families: Sample.families).makeShard().histogram(Sample.wait, ["mill"])
        let writer = Thread {
            for number in 1...200_000 as ClosedRange<UInt64> {
                let traceID = TraceID(high: number, low: number)
                histogram.exemplars.write(
                    Exemplar(
                        traceID: traceID, spanID: SpanID(number), nanoseconds: number, unixNanoseconds: number),
                    bucket: 2)
            }
        }
        writer.start()
        var last: UInt64 = 0
        while !writer.isFinished {
            guard let seen = histogram.exemplars.read(bucket: 2) else { continue }
            let number = seen.unixNanoseconds
            #expect(
                seen
                    == Exemplar(
                        traceID: TraceID(high: number, low: number), spanID: SpanID(number), nanoseconds: number,
                        unixNanoseconds: number))
            #expect(number >= last)
            last = number
        }
        #expect(histogram.exemplars.read(bucket: 2)?.unixNanoseconds == 200_000)
        #expect(histogram.exemplars.read(bucket: 1) == Exemplar.none)
    }
}
