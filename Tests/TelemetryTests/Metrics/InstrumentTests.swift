import Testing

@testable import Telemetry

@Suite("Instruments and shards")
struct InstrumentTests {
    @Test func sameLabelsAreTheSameSeries() {
        let shard = MetricsRegistry(families: Sample.families).makeShard()
        shard.counter(Sample.orders, ["mill", ""]).add(4)
        shard.counter(Sample.orders, ["port", ""]).add(1)
        #expect(shard.counter(Sample.orders, ["mill", ""]).value == 4)
        #expect(shard.counter(Sample.orders, ["port", ""]).value == 1)
        #expect(shard.snapshot().count == 2)
    }

    @Test(
        "A bound belongs to its bucket",
        arguments: [
            (0, 0), (999, 0), (1000, 0), (1001, 1), (2_500_000, 1), (2_500_001, 2), (1_000_000_000, 2),
            (1_000_000_001, 3), (.max, 3),
        ] as [(UInt64, Int)])
    func buckets(nanoseconds: UInt64, bucket: Int) {
        let histogram = MetricsRegistry(families: [Sample.wait]).makeShard().histogram(Sample.wait, ["mill"])
        histogram.record(nanoseconds: nanoseconds)
        var expected: [UInt64] = [0, 0, 0, 0]
        expected[bucket] = 1
        #expect(histogram.bucketCounts == expected)
        #expect(histogram.sumNanoseconds == nanoseconds)
    }

    @Test func seriesAreSortedByTheirLabels() {
        let registry = MetricsRegistry(families: Sample.families)
        let shard = registry.makeShard()
        for shop in ["b", "a", "c", "", "aa"] { shard.gauge(Sample.visitors, [shop]).add(1) }
        #expect(
            registry.lines("shop_") == [
                "shop_visitors 1", #"shop_visitors{shop="a"} 1"#, #"shop_visitors{shop="aa"} 1"#,
                #"shop_visitors{shop="b"} 1"#, #"shop_visitors{shop="c"} 1"#,
            ])
    }

    @Test func labelValuesBeyondTheLimitShareOneSeries() {
        let registry = MetricsRegistry(families: Sample.families, seriesPerFamilyMax: 2)
        let shard = registry.makeShard()
        for number in 1...100 { shard.counter(Sample.orders, ["shop\(number)", "refused"]).add() }
        shard.counter(Sample.orders, ["shop2", "refused"]).add()
        _ = shard.gauge(Sample.visitors, ["another family has its own limit"])
        #expect(
            registry.lines("shop_orders_total") == [
                #"shop_orders_total{shop="_other",error="_other"} 98"#,
                #"shop_orders_total{shop="shop1",error="refused"} 1"#,
                #"shop_orders_total{shop="shop2",error="refused"} 2"#,
            ])
    }

    @Test func manySeriesSpanManySlabs() {
        let registry = MetricsRegistry(families: Sample.families)
        let shard = registry.makeShard()
        let histograms = (0..<1000).map { shard.histogram(Sample.wait, ["\($0)"]) }
        for (number, histogram) in histograms.enumerated() { histogram.record(nanoseconds: UInt64(number)) }
        for (number, histogram) in histograms.enumerated() {
            #expect(histogram.sumNanoseconds == UInt64(number))
            #expect(histogram.bucketCounts == [1, 0, 0, 0])
        }
    }

    @Test func handlesOutliveTheirRegistry() {
        var registry: MetricsRegistry? = MetricsRegistry(families: Sample.families)
        let counter = registry!.makeShard().counter(Sample.sold)
        registry = nil
        counter.add(3)
        #expect(counter.value == 3)
    }

    @Test func theSourceOfAScrapeTakesThePlaceOfWhatWasCounted() {
        let registry = MetricsRegistry(families: Sample.families)
        registry.makeShard().counter(Sample.sold).add(1)
        registry.onScrape { $0.set(Sample.sold, value: 7.5) }
        #expect(registry.lines("shop_") == ["shop_sold_bytes_total 7.5"])
        registry.onScrape { $0.set(Sample.sold, value: UInt64(9)) }
        #expect(registry.lines("shop_") == ["shop_sold_bytes_total 9"])
    }
}

@Suite("Exemplars")
struct ExemplarTests {
    static func exemplars(_ registry: MetricsRegistry) -> [String] {
        registry.lines("shop_wait_seconds_bucket", .openMetrics)
            .filter { $0.contains("#") }
            .map { String($0[$0.firstRange(of: "span_id=")!.lowerBound...]) }
    }

    static func record(_ histogram: Histogram, span: UInt64, nanoseconds: UInt64, second: UInt64) {
        var context = Sample.context
        context.spanID = SpanID(span)
        histogram.record(
            nanoseconds: nanoseconds, exemplar: context, atUnixNanoseconds: second * 1_000_000_000)
    }

    @Test func theLastOfEachBucketStays() {
        let registry = MetricsRegistry(families: Sample.families)
        let histogram = registry.makeShard().histogram(Sample.wait, ["mill"])
        Self.record(histogram, span: 1, nanoseconds: 10, second: 1)
        Self.record(histogram, span: 2, nanoseconds: 20, second: 2)
        Self.record(histogram, span: 3, nanoseconds: 2_000_000_000, second: 3)
        histogram.record(nanoseconds: 30)
        #expect(
            Self.exemplars(registry) == [
                #"span_id="0000000000000002"} 0.00000002 2.000"#, #"span_id="0000000000000003"} 2 3.000"#,
            ])
        #expect(histogram.bucketCounts == [3, 0, 0, 1])
    }

    @Test func onlySampledTracesAreShown() {
        let registry = MetricsRegistry(families: Sample.families)
        let histogram = registry.makeShard().histogram(Sample.wait, ["mill"])
        var context = Sample.context
        context.flags = .random
        histogram.record(nanoseconds: 10, exemplar: context, atUnixNanoseconds: 1)
        #expect(Self.exemplars(registry) == [])
        #expect(histogram.bucketCounts == [1, 0, 0, 0])
    }

    @Test func theNewestOfAllShardsIsShown() {
        let registry = MetricsRegistry(families: Sample.families)
        let early = registry.makeShard().histogram(Sample.wait, ["mill"])
        let late = registry.makeShard().histogram(Sample.wait, ["mill"])
        Self.record(late, span: 8, nanoseconds: 10, second: 20)
        Self.record(early, span: 9, nanoseconds: 10, second: 10)
        #expect(Self.exemplars(registry) == [#"span_id="0000000000000008"} 0.00000001 20.000"#])
        _ = registry.makeShard().histogram(Sample.wait, ["mill"])
        #expect(Self.exemplars(registry) == [#"span_id="0000000000000008"} 0.00000001 20.000"#])
    }

    @Test func plainTextHasNone() {
        #expect(!ExpositionTests.registry().text(.prometheusText).contains("trace_id"))
    }
}
