/// One metric as its readers know it: name, kind, meaning and labels.
///
/// Names and units follow the Prometheus naming rules; the rules themselves are checked on the catalog by the tests.
public struct MetricFamily: Sendable, Hashable {
    /// The full name of a sample without histogram suffixes, so a counter's ends in `_total`.
    public let name: String
    /// How the value behaves, which decides the form of the samples.
    public let kind: MetricKind
    /// One sentence for readers of a dashboard.
    public let help: String
    /// The base unit, which is also the last word of the name before `_total`; empty for plain counts.
    public let unit: String
    /// Label names, in the order in which label values are given. `job` and `instance` belong to the scraper.
    public let labels: [String]
    /// Upper bounds of a histogram's buckets in nanoseconds, ascending and inclusive, without the infinite one.
    public let bounds: [UInt64]

    /// Describes a metric; a name that breaks the exposition formats is a mistake in the program and stops it.
    public init(
        _ name: String, _ kind: MetricKind, _ help: String, unit: String = "", labels: [String] = [],
        bounds: [UInt64] = []
    ) {
        precondition((kind == .counter) == name.hasSuffix("_total"), "\(name): counters, and only they, end in _total")
        precondition((kind == .histogram) == !bounds.isEmpty, "\(name): histograms, and only they, have bounds")
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "\(name): bounds must ascend")
        self.name = name
        self.kind = kind
        self.help = help
        self.unit = unit
        self.labels = labels
        self.bounds = bounds
        precondition(unit.isEmpty || openMetricsName.hasSuffix("_" + unit), "\(name): must end in its unit")
    }

    /// The family's name in OpenMetrics 1.0, where `_total` belongs to the sample alone.
    public var openMetricsName: String {
        kind == .counter ? String(name.dropLast("_total".count)) : name
    }
}

/// What a metric does over time.
public enum MetricKind: String, Sendable, Hashable {
    /// Only rises, from zero at process start.
    case counter
    /// Rises and falls.
    case gauge
    /// Counts durations by size.
    case histogram
}
