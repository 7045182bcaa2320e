import Testing

@testable import Telemetry

@Suite("Exposition")
struct ExpositionTests {
    /// The same state for both formats: two shards, an exemplar, a computed value.
    static func registry() -> MetricsRegistry {
        let registry = MetricsRegistry(families: Sample.families)
        let first = registry.makeShard()
        let second = registry.makeShard()
        first.counter(Sample.orders, ["mill", ""]).add(2)
        second.counter(Sample.orders, ["mill", ""]).add(3)
        second.counter(Sample.orders, ["mill", "refused"]).add()
        first.gauge(Sample.visitors, ["mill"]).add(5)
        second.gauge(Sample.visitors, ["mill"]).add(-7)
        let wait = first.histogram(Sample.wait, ["mill"])
        wait.record(nanoseconds: 1000)
        wait.record(nanoseconds: 2_000_001, exemplar: Sample.context, atUnixNanoseconds: 1_700_000_000_012_999_999)
        second.histogram(Sample.wait, ["mill"]).record(nanoseconds: 5_000_000_000)
        registry.onScrape { $0.set(Sample.sold, value: UInt64(1 << 60)) }
        return registry
    }

    @Test func prometheusText() {
        #expect(
            Self.registry().text(.prometheusText) == """
                # HELP shop_orders_total Orders taken.
                # TYPE shop_orders_total counter
                shop_orders_total{shop="mill"} 5
                shop_orders_total{shop="mill",error="refused"} 1
                # HELP shop_sold_bytes_total Bytes sold.
                # TYPE shop_sold_bytes_total counter
                shop_sold_bytes_total 1152921504606846976
                # HELP shop_visitors People in the shop.
                # TYPE shop_visitors gauge
                shop_visitors{shop="mill"} -2
                # HELP shop_wait_seconds Time in the queue.
                # TYPE shop_wait_seconds histogram
                shop_wait_seconds_bucket{shop="mill",le="1e-06"} 1
                shop_wait_seconds_bucket{shop="mill",le="0.0025"} 2
                shop_wait_seconds_bucket{shop="mill",le="1.0"} 2
                shop_wait_seconds_bucket{shop="mill",le="+Inf"} 3
                shop_wait_seconds_sum{shop="mill"} 5.002001001
                shop_wait_seconds_count{shop="mill"} 3

                """)
    }

    @Test func openMetrics() {
        #expect(
            Self.registry().text(.openMetrics) == """
                # TYPE shop_orders counter
                # HELP shop_orders Orders taken.
                shop_orders_total{shop="mill"} 5
                shop_orders_total{shop="mill",error="refused"} 1
                # TYPE shop_sold_bytes counter
                # UNIT shop_sold_bytes bytes
                # HELP shop_sold_bytes Bytes sold.
                shop_sold_bytes_total 1152921504606846976
                # TYPE shop_visitors gauge
                # HELP shop_visitors People in the shop.
                shop_visitors{shop="mill"} -2
                # TYPE shop_wait_seconds histogram
                # UNIT shop_wait_seconds seconds
                # HELP shop_wait_seconds Time in the queue.
                shop_wait_seconds_bucket{shop="mill",le="1e-06"} 1
                shop_wait_seconds_bucket{shop="mill",le="0.0025"} 2 \
                # {trace_id="0af7651916cd43dd8448eb211c80319c",span_id="b7ad6b7169203331"} 0.002000001 1700000000.012
                shop_wait_seconds_bucket{shop="mill",le="1.0"} 2
                shop_wait_seconds_bucket{shop="mill",le="+Inf"} 3
                shop_wait_seconds_sum{shop="mill"} 5.002001001
                shop_wait_seconds_count{shop="mill"} 3
                # EOF

                """)
    }

    @Test func nothingYet() {
        let registry = MetricsRegistry(families: Sample.families)
        #expect(registry.text(.prometheusText) == "")
        #expect(registry.text(.openMetrics) == "# EOF\n")
        _ = registry.makeShard().counter(Sample.sold)
        #expect(registry.lines("shop_") == ["shop_sold_bytes_total 0"])
    }

    @Test func escaping() {
        let odd = MetricFamily("shop_odd_total", .counter, "A \"b\" \\ c\nd", labels: ["name"])
        let registry = MetricsRegistry(families: [odd])
        registry.makeShard().counter(odd, ["q\" b\\ n\n r\r\n é\u{301} \u{1F600}"]).add()
        let sample = #"shop_odd_total{name="q\" b\\ n\n r"# + "\r" + #"\n é"# + "\u{301} \u{1F600}\"} 1\n"
        #expect(
            registry.text(.prometheusText)
                == #"# HELP shop_odd_total A "b" \\ c\nd"# + "\n# TYPE shop_odd_total counter\n" + sample)
        #expect(
            registry.text(.openMetrics)
                == "# TYPE shop_odd counter\n" + #"# HELP shop_odd A \"b\" \\ c\nd"# + "\n" + sample + "# EOF\n")
    }

    @Test(
        "Sums are exact",
        arguments: [
            (0, "0"), (1, "0.000000001"), (100_000_000, "0.1"), (999_999_999, "0.999999999"), (1_000_000_000, "1"),
            (3_000_000_010, "3.00000001"), (UInt64.max, "18446744073.709551615"),
        ] as [(UInt64, String)])
    func seconds(nanoseconds: UInt64, text: String) {
        #expect(DecimalText.seconds(nanoseconds: nanoseconds) == text)
    }

    @Test(
        "Bounds are canonical numbers",
        arguments: [
            (1000, "1e-06"), (2500, "2.5e-06"), (100_000, "0.0001"), (250_000, "0.00025"), (5_000_000, "0.005"),
            (75_000_000, "0.075"), (2_500_000_000, "2.5"), (3_600_000_000_000, "3600.0"),
        ] as [(UInt64, String)])
    func bounds(nanoseconds: UInt64, text: String) {
        #expect(DecimalText.bound(nanoseconds: nanoseconds) == text)
    }

    @Test func realNumbers() {
        #expect(DecimalText.number(0.1) == "0.1")
        #expect(DecimalText.number(1.7e9) == "1700000000.0")
        #expect(DecimalText.number(.infinity) == "+Inf")
        #expect(DecimalText.number(-.infinity) == "-Inf")
        #expect(DecimalText.number(.nan) == "NaN")
    }
}
