import Telemetry

/// Small families, so that a whole rendering fits on a page.
enum Sample {
    static let orders = MetricFamily("shop_orders_total", .counter, "Orders taken.", labels: ["shop", "error"])
    static let visitors = MetricFamily("shop_visitors", .gauge, "People in the shop.", labels: ["shop"])
    static let sold = MetricFamily("shop_sold_bytes_total", .counter, "Bytes sold.", unit: "bytes")
    static let wait = MetricFamily(
        "shop_wait_seconds", .histogram, "Time in the queue.", unit: "seconds", labels: ["shop"],
        bounds: [1000, 2_500_000, 1_000_000_000])

    static let families = [wait, orders, visitors, sold]

    static let context = TraceContext(
        traceID: TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c),
        spanID: SpanID(0xb7ad_6b71_6920_3331), flags: .sampled)
}

extension MetricsRegistry {
    func text(_ format: ExpositionFormat = .prometheusText) -> String {
        String(decoding: render(format), as: UTF8.self)
    }

    /// The sample lines that begin with `prefix`, without metadata.
    func lines(_ prefix: String, _ format: ExpositionFormat = .prometheusText) -> [String] {
        text(format).split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) }
    }
}
