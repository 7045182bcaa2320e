import GuardStore
import Telemetry

extension ThresholdStore {
    /// Adds what has become of the audit records to each scrape.
    func register(in registry: MetricsRegistry) {
        registry.onScrape { [self] samples in
            let statistics = statistics
            samples.set(MetricCatalog.guardRecords, ["written"], value: statistics.recordsWritten)
            samples.set(MetricCatalog.guardRecords, ["overflowed"], value: statistics.recordsOverflowed)
            for (reason, count) in statistics.recordsLost {
                samples.set(MetricCatalog.guardRecords, [reason.rawValue], value: count)
            }
        }
    }
}
