import Synchronization

/// All metrics of the process: makes a shard for each writer and adds the shards up when a scraper asks.
public final class MetricsRegistry: Sendable {
    /// Label values from the wire are bounded by this many series for each family and shard.
    public static let defaultSeriesPerFamilyMax = 2000

    private struct State {
        var shards: [MetricsShard] = []
        var sources: [@Sendable (inout ScrapeSamples) -> Void] = []
    }

    private let families: [MetricFamily]
    private let familyNames: Set<String>
    private let seriesPerFamilyMax: Int
    private let state = Mutex(State())

    /// A registry of exactly these families, rendered in the order of their names.
    public init(
        families: [MetricFamily] = MetricCatalog.all,
        seriesPerFamilyMax: Int = MetricsRegistry.defaultSeriesPerFamilyMax
    ) {
        self.families = families.sorted { $0.name < $1.name }
        familyNames = Set(families.map(\.name))
        self.seriesPerFamilyMax = seriesPerFamilyMax
        precondition(familyNames.count == families.count, "a metric name stands twice in the list of families")
    }

    /// A shard for one more writer; it counts for as long as the registry lives.
    public func makeShard() -> MetricsShard {
        let shard = MetricsShard(familyNames: familyNames, seriesPerFamilyMax: seriesPerFamilyMax)
        state.withLock { $0.shards.append(shard) }
        return shard
    }

    /// Adds a source of values that are computed when they are asked for. It is called once for each rendering, on
    /// the thread that renders, without a lock held.
    public func onScrape(_ source: @escaping @Sendable (inout ScrapeSamples) -> Void) {
        state.withLock { $0.sources.append(source) }
    }

    /// What all shards have counted so far, over all label values of a counter.
    public func total(of family: MetricFamily) -> UInt64 {
        let shards = state.withLock { $0.shards }
        var total: UInt64 = 0
        for shard in shards {
            for series in shard.snapshot() where series.key.family == family.name {
                if case .counter(let counter) = series.instrument { total &+= counter.value }
            }
        }
        return total
    }

    /// What all shards have counted of one family, series by series.
    func samples(of family: MetricFamily) -> [Sample] {
        let shards = state.withLock { $0.shards }
        var totals = ScrapeTotals(families: [family])
        for shard in shards {
            for series in shard.snapshot() where series.key.family == family.name { totals.add(series) }
        }
        return totals.sortedSeries(of: family)
    }

    /// The current values as text. Reads while writers write, and makes none of them wait.
    public func render(_ format: ExpositionFormat) -> [UInt8] {
        let (shards, sources) = state.withLock { ($0.shards, $0.sources) }
        var totals = ScrapeTotals(families: families)
        for shard in shards {
            for series in shard.snapshot() { totals.add(series) }
        }
        var samples = ScrapeSamples(familyNames: familyNames)
        for source in sources { source(&samples) }
        totals.take(samples)

        var writer = ExpositionWriter(format: format)
        for family in families { writer.write(family, totals.sortedSeries(of: family)) }
        writer.finish()
        return writer.bytes
    }
}

/// Values computed at scrape time, filled by the sources of `MetricsRegistry.onScrape`.
public struct ScrapeSamples {
    private let familyNames: Set<String>
    private(set) var values: [MetricsShard.SeriesKey: SampleValue] = [:]

    init(familyNames: Set<String>) {
        self.familyNames = familyNames
    }

    /// Says what a counter or gauge is at this moment. Takes the place of an earlier value and of what shards counted.
    public mutating func set(_ family: MetricFamily, _ labelValues: [String] = [], value: Double) {
        set(family, labelValues, .real(value))
    }

    /// Says what a counter or gauge is at this moment. Takes the place of an earlier value and of what shards counted.
    public mutating func set(_ family: MetricFamily, _ labelValues: [String] = [], value: UInt64) {
        set(family, labelValues, .count(value))
    }

    private mutating func set(_ family: MetricFamily, _ labelValues: [String], _ value: SampleValue) {
        precondition(family.kind != .histogram, "\(family.name) is a histogram and needs a shard")
        precondition(
            family.labels.count == labelValues.count,
            "\(family.name) has \(family.labels.count) labels, got \(labelValues.count) values")
        precondition(familyNames.contains(family.name), "\(family.name) is not in the registry")
        values[MetricsShard.SeriesKey(family: family.name, labelValues: labelValues)] = value
    }
}
