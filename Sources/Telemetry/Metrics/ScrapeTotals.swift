/// The value of one series in one rendering.
enum SampleValue {
    case count(UInt64)
    case level(Int64)
    case real(Double)
    case distribution(Distribution)
}

/// A histogram's state, added up over the shards.
struct Distribution {
    /// Counts of the buckets, each alone, the infinite one last.
    var buckets: [UInt64]
    var sumNanoseconds: UInt64
    /// The newest exemplar of each bucket.
    var exemplars: [Exemplar]

    init(bucketCount: Int) {
        buckets = Array(repeating: 0, count: bucketCount)
        sumNanoseconds = 0
        exemplars = Array(repeating: .none, count: bucketCount)
    }

    /// Adds the counts of another distribution with the same buckets; exemplars stay as they are.
    mutating func merge(_ other: Distribution) {
        for (bucket, count) in other.buckets.enumerated() { buckets[bucket] &+= count }
        sumNanoseconds &+= other.sumNanoseconds
    }

    mutating func add(_ histogram: Histogram) {
        for (bucket, count) in histogram.bucketCounts.enumerated() { buckets[bucket] &+= count }
        sumNanoseconds &+= histogram.sumNanoseconds
        for bucket in exemplars.indices {
            guard let exemplar = histogram.exemplars.read(bucket: bucket) else { continue }
            if exemplar.unixNanoseconds >= exemplars[bucket].unixNanoseconds { exemplars[bucket] = exemplar }
        }
    }
}

/// One series with its value, ready to be written.
struct Sample {
    let labelValues: [String]
    let value: SampleValue
}

/// Adds up what the shards have counted, series by series, for one rendering.
struct ScrapeTotals {
    private var values: [String: [[String]: SampleValue]]

    init(families: [MetricFamily]) {
        values = Dictionary(uniqueKeysWithValues: families.map { ($0.name, [:]) })
    }

    mutating func add(_ series: MetricsShard.Series) {
        let key = series.key
        switch series.instrument {
        case .counter(let counter):
            guard case .count(let sum) = values[key.family]?[key.labelValues] ?? .count(0) else { return }
            values[key.family]?[key.labelValues] = .count(sum &+ counter.value)
        case .gauge(let gauge):
            guard case .level(let sum) = values[key.family]?[key.labelValues] ?? .level(0) else { return }
            values[key.family]?[key.labelValues] = .level(sum &+ gauge.value)
        case .histogram(let histogram):
            let empty = Distribution(bucketCount: histogram.boundCount + 1)
            guard
                case .distribution(var sum) = values[key.family]?[key.labelValues] ?? .distribution(empty)
            else { return }
            sum.add(histogram)
            values[key.family]?[key.labelValues] = .distribution(sum)
        }
    }

    mutating func take(_ samples: ScrapeSamples) {
        for (key, value) in samples.values { values[key.family]?[key.labelValues] = value }
    }

    /// The family's series in the order of their label values.
    func sortedSeries(of family: MetricFamily) -> [Sample] {
        (values[family.name] ?? [:])
            .map { Sample(labelValues: $0.key, value: $0.value) }
            .sorted { $0.labelValues.lexicographicallyPrecedes($1.labelValues) }
    }
}
