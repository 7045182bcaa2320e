import Synchronization

/// The metrics of one writer, in practice one event loop.
///
/// Only the owner may use the handles; anyone may read. Asking for a series takes a lock and may allocate, so callers
/// keep the handles. Series are never removed; past `seriesPerFamilyMax` new label values share one series whose
/// values are all `_other`, so label values from the wire cannot exhaust memory.
public final class MetricsShard: Sendable {
    struct SeriesKey: Hashable {
        let family: String
        let labelValues: [String]
    }

    enum Instrument {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }

    struct Series {
        let key: SeriesKey
        let instrument: Instrument
    }

    private struct State {
        var allocator = CellAllocator()
        var series: [Series] = []
        var positions: [SeriesKey: Int] = [:]
        var seriesPerFamily: [String: Int] = [:]
    }

    private let familyNames: Set<String>
    private let seriesPerFamilyMax: Int
    private let state = Mutex(State())

    init(familyNames: Set<String>, seriesPerFamilyMax: Int) {
        self.familyNames = familyNames
        self.seriesPerFamilyMax = seriesPerFamilyMax
    }

    /// The counter of these label values, one for each label of the family; an empty value means no such label.
    public func counter(_ family: MetricFamily, _ labelValues: [String] = []) -> Counter {
        guard case .counter(let counter) = instrument(family, labelValues, .counter) else { preconditionFailure() }
        return counter
    }

    /// The gauge of these label values, one for each label of the family; an empty value means no such label.
    public func gauge(_ family: MetricFamily, _ labelValues: [String] = []) -> Gauge {
        guard case .gauge(let gauge) = instrument(family, labelValues, .gauge) else { preconditionFailure() }
        return gauge
    }

    /// The histogram of these label values, one for each label of the family; an empty value means no such label.
    public func histogram(_ family: MetricFamily, _ labelValues: [String] = []) -> Histogram {
        guard case .histogram(let histogram) = instrument(family, labelValues, .histogram) else {
            preconditionFailure()
        }
        return histogram
    }

    /// All series so far. Holds the lock for the copy of one reference.
    func snapshot() -> [Series] {
        state.withLock { $0.series }
    }

    private func instrument(_ family: MetricFamily, _ labelValues: [String], _ kind: MetricKind) -> Instrument {
        precondition(family.kind == kind, "\(family.name) is a \(family.kind), not a \(kind)")
        precondition(
            family.labels.count == labelValues.count,
            "\(family.name) has \(family.labels.count) labels, got \(labelValues.count) values")
        precondition(familyNames.contains(family.name), "\(family.name) is not in the registry")
        return state.withLock { state in
            var key = SeriesKey(family: family.name, labelValues: labelValues)
            if let position = state.positions[key] { return state.series[position].instrument }
            if state.seriesPerFamily[family.name, default: 0] >= seriesPerFamilyMax {
                key = SeriesKey(
                    family: family.name,
                    labelValues: Array(repeating: NameTable.overflowText, count: labelValues.count))
                if let position = state.positions[key] { return state.series[position].instrument }
            }
            let instrument = Self.make(family, &state.allocator)
            state.seriesPerFamily[family.name, default: 0] += 1
            state.positions[key] = state.series.count
            state.series.append(Series(key: key, instrument: instrument))
            return instrument
        }
    }

    private static func make(_ family: MetricFamily, _ allocator: inout CellAllocator) -> Instrument {
        switch family.kind {
        case .counter:
            return .counter(Counter(cells: allocator.allocate(1)))
        case .gauge:
            return .gauge(Gauge(cells: allocator.allocate(1)))
        case .histogram:
            return .histogram(Histogram(bounds: family.bounds, allocator: &allocator))
        }
    }
}
