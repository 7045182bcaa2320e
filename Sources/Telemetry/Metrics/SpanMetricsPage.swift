/// The series that Jaeger's Monitor tab asks Prometheus for, made from what the registry has counted anyway.
///
/// Jaeger expects span metrics as a collector's connector writes them: names and labels of its own, and durations in
/// milliseconds (Jaeger 2 documentation, "Service Performance Monitoring"; `normalize_calls` and `normalize_duration`
/// must be on there). Such a name breaks the naming rules of Prometheus, so these series have a page of their own and
/// stay out of `/metrics`. As they come from the metrics, they cover every message, sampled or not.
public struct SpanMetricsPage: Sendable {
    private let registry: MetricsRegistry
    private let service: String

    /// - Parameter service: `service.name` of the spans.
    public init(registry: MetricsRegistry, service: String) {
        self.registry = registry
        self.service = service
    }

    /// One span name with one kind and one status.
    private struct Key: Hashable, Comparable {
        var spanName: String
        var kind: String
        var status: String

        static func < (left: Key, right: Key) -> Bool {
            (left.spanName, left.kind, left.status) < (right.spanName, right.kind, right.status)
        }
    }

    /// The page in the text format 0.0.4.
    public func render() -> [UInt8] {
        var spans: [Key: Distribution] = [:]
        for family in [MetricCatalog.messagingOperationDuration, MetricCatalog.messagingProcessDuration] {
            for sample in registry.samples(of: family) {
                guard case .distribution(let distribution) = sample.value else { continue }
                let key = key(family, sample.labelValues)
                spans[key, default: Distribution(bucketCount: distribution.buckets.count)].merge(distribution)
            }
        }
        return Array(text(spans.sorted { $0.key < $1.key }).utf8)
    }

    private func key(_ family: MetricFamily, _ values: [String]) -> Key {
        func value(_ label: String) -> String { family.labels.firstIndex(of: label).map { values[$0] } ?? "" }
        let operation = value("messaging_operation_name")
        let destination = value("messaging_destination_name")
        let kind =
            switch value("messaging_operation_type") {
            case OperationType.send.rawValue: "SPAN_KIND_PRODUCER"
            // The metric of processing has no type; it is the only one without.
            case "": "SPAN_KIND_CONSUMER"
            default: "SPAN_KIND_CLIENT"
            }
        return Key(
            spanName: destination.isEmpty ? operation : "\(operation) \(destination)", kind: kind,
            status: value("error_type").isEmpty ? "STATUS_CODE_UNSET" : "STATUS_CODE_ERROR")
    }

    private func text(_ spans: [(key: Key, value: Distribution)]) -> String {
        let calls = "traces_span_metrics_calls_total"
        let duration = "traces_span_metrics_duration_milliseconds"
        let bounds = MetricCatalog.messagingOperationDuration.bounds.map { DecimalText.number(Double($0) / 1e6) }
        var text = "# HELP \(calls) Operations, by span name.\n# TYPE \(calls) counter\n"
        for (key, distribution) in spans {
            text += "\(calls){\(labels(key))} \(distribution.buckets.reduce(0, &+))\n"
        }
        text += "# HELP \(duration) Duration of operations, by span name.\n# TYPE \(duration) histogram\n"
        for (key, distribution) in spans {
            var cumulative: UInt64 = 0
            for (bound, count) in zip(bounds + ["+Inf"], distribution.buckets) {
                cumulative &+= count
                text += "\(duration)_bucket{\(labels(key)),le=\"\(bound)\"} \(cumulative)\n"
            }
            text += "\(duration)_sum{\(labels(key))} \(DecimalText.number(Double(distribution.sumNanoseconds) / 1e6))\n"
            text += "\(duration)_count{\(labels(key))} \(cumulative)\n"
        }
        return text
    }

    private func labels(_ key: Key) -> String {
        let pairs = [
            ("service_name", service), ("span_name", key.spanName), ("span_kind", key.kind),
            ("status_code", key.status),
        ]
        return pairs.map { "\($0)=\"\(ExpositionWriter.escaped($1, quotes: true))\"" }.joined(separator: ",")
    }
}
