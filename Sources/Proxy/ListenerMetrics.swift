import Telemetry

/// The series of one listener on one event loop.
final class ListenerMetrics {
    let connections: Gauge
    let accepted: Counter
    private let proxyTimes: (client: Histogram, upstream: Histogram)
    private let bytes: (client: Counter, upstream: Counter)
    private let shard: MetricsShard
    private let listener: String

    init(_ shard: MetricsShard, listener: String) {
        self.shard = shard
        self.listener = listener
        connections = shard.gauge(MetricCatalog.connections, [listener])
        accepted = shard.counter(MetricCatalog.connectionsAccepted, [listener])
        proxyTimes = (
            shard.histogram(MetricCatalog.proxyTime, [listener, "to_upstream"]),
            shard.histogram(MetricCatalog.proxyTime, [listener, "to_client"])
        )
        bytes = (
            shard.counter(MetricCatalog.forwardedBytes, [listener, "to_upstream"]),
            shard.counter(MetricCatalog.forwardedBytes, [listener, "to_client"])
        )
        for reason in UpstreamFailure.allCases { upstreamFailed(reason, by: 0) }
    }

    enum UpstreamFailure: String, CaseIterable {
        case refused
        case timeout
        case unresolved
        case other
        case lost
        case tls
    }

    enum HandshakeOutcome: String {
        case completed
        case failed
    }

    /// One per connection, so the series need not be kept at hand.
    func handshake(_ side: Side, _ outcome: HandshakeOutcome) {
        if side == .upstream, outcome == .failed { upstreamFailed(.tls) }
        shard.counter(
            MetricCatalog.tlsHandshakes, [listener, side == .client ? "client" : "upstream", outcome.rawValue]
        )
        .add(1)
    }

    func upstreamFailed(_ reason: UpstreamFailure, by count: UInt64 = 1) {
        shard.counter(MetricCatalog.upstreamFailures, [listener, reason.rawValue]).add(count)
    }

    func proxyTime(_ side: Side) -> Histogram {
        side == .client ? proxyTimes.client : proxyTimes.upstream
    }

    func forwardedBytes(_ side: Side) -> Counter {
        side == .client ? bytes.client : bytes.upstream
    }
}
