import Testing

@testable import Telemetry

@Suite("Span metrics page")
struct SpanMetricsPageTests {
    /// Two event loops have sent on one stream, one message was processed, one read failed.
    @Test func addsUpOverLoopsAndConsumerGroups() {
        let registry = MetricsRegistry()
        let labels = ["redis", "xadd", "send", "orders", "", "", "127.0.0.1", "6379"]
        for nanoseconds in [2_000_000, 30_000_000] as [UInt64] {
            registry.makeShard().histogram(MetricCatalog.messagingOperationDuration, labels)
                .record(nanoseconds: nanoseconds)
        }
        let shard = registry.makeShard()
        for group in ["billing", "audit"] {
            shard.histogram(
                MetricCatalog.messagingProcessDuration, ["redis", "process", "orders", group, "", "127.0.0.1", "6379"]
            ).record(nanoseconds: 6_000_000)
        }
        shard.histogram(
            MetricCatalog.messagingOperationDuration,
            ["redis", "xreadgroup", "receive", "orders", "billing", "NOGROUP", "127.0.0.1", "6379"]
        ).record(nanoseconds: 1_000_000)

        let lines = String(decoding: SpanMetricsPage(registry: registry, service: "shop").render(), as: UTF8.self)
            .split(separator: "\n").map(String.init)
        #expect(
            lines.filter { $0.hasPrefix("traces_span_metrics_calls_total") } == [
                #"traces_span_metrics_calls_total{service_name="shop",span_name="process orders","#
                    + #"span_kind="SPAN_KIND_CONSUMER",status_code="STATUS_CODE_UNSET"} 2"#,
                #"traces_span_metrics_calls_total{service_name="shop",span_name="xadd orders","#
                    + #"span_kind="SPAN_KIND_PRODUCER",status_code="STATUS_CODE_UNSET"} 2"#,
                #"traces_span_metrics_calls_total{service_name="shop",span_name="xreadgroup orders","#
                    + #"span_kind="SPAN_KIND_CLIENT",status_code="STATUS_CODE_ERROR"} 1"#,
            ])
        let duration = lines.filter { $0.contains("milliseconds") && $0.contains("xadd orders") }
        #expect(duration.first?.hasSuffix(#",le="5.0"} 1"#) == true)
        #expect(duration.contains { $0.hasSuffix(#",le="50.0"} 2"#) })
        #expect(duration.contains { $0.hasSuffix(#",le="+Inf"} 2"#) })
        #expect(
            duration.contains { $0.hasPrefix("traces_span_metrics_duration_milliseconds_sum") && $0.hasSuffix(" 32.0") }
        )
    }

    @Test func nothingCountedIsAPageOfHeadersAlone() {
        let page = SpanMetricsPage(registry: MetricsRegistry(), service: "shop").render()
        #expect(String(decoding: page, as: UTF8.self).split(separator: "\n").allSatisfy { $0.hasPrefix("# ") })
    }
}
