import Export
import Pipeline
import Synchronization
import Telemetry

/// What concerns the process and no single event loop: exports, spans, lost log lines, the version.
///
/// The instruments of a shard have one writer; here several threads write, so a lock stands before them. None of them
/// is on the way of a message.
final class ProcessAccounts: Sendable {
    private struct Instruments {
        let shard: MetricsShard
        let exportBytes: Counter
        let logLinesLost: Counter
    }

    private let instruments: Mutex<Instruments>

    init(shard: MetricsShard) {
        instruments = Mutex(
            Instruments(
                shard: shard, exportBytes: shard.counter(MetricCatalog.exportBytes, []),
                logLinesLost: shard.counter(MetricCatalog.logLinesSuppressed, [])))
    }

    func logLineLost() {
        instruments.withLock { $0.logLinesLost.add(1) }
    }

    func exported(_ observation: ExportObservation) {
        instruments.withLock {
            $0.shard.histogram(MetricCatalog.exportTime, [observation.outcome.label])
                .record(nanoseconds: observation.durationNanoseconds)
            $0.exportBytes.add(UInt64(observation.bytes))
        }
    }

    /// Adds the values that are computed when somebody asks.
    ///
    /// Spans started are not counted apart: they are those sampled, from one snapshot of the ledger, and those not
    /// sampled; a span that waits for its trace to be wanted is neither yet. So the accounts agree in every scrape, however much happens meanwhile.
    func register(in registry: MetricsRegistry, queue: SpanQueue, shared: Lane.SharedState) {
        registry.onScrape { [weak registry] samples in
            let ledger = queue.snapshot()
            let never = registry?.total(of: MetricCatalog.spansNotSampled) ?? 0
            let notSampled = never + (shared.provisional?.dismissed ?? 0)
            samples.set(MetricCatalog.spansStarted, value: ledger.sampled + notSampled)
            samples.set(MetricCatalog.spansNotSampled, value: notSampled)
            samples.set(MetricCatalog.spansSampled, value: ledger.sampled)
            samples.set(MetricCatalog.spansExported, value: ledger.exported)
            samples.set(MetricCatalog.spansQueued, value: ledger.queued)
            samples.set(MetricCatalog.spansInFlight, value: ledger.inFlight)
            for (destination, ratio) in shared.sampling.effectiveRatios {
                samples.set(
                    MetricCatalog.samplingRatio, [shared.destinations.text(of: destination)], value: ratio)
            }
            for reason in DropReason.allCases {
                samples.set(MetricCatalog.spansDropped, [reason.rawValue], value: ledger.dropped(reason))
            }
            samples.set(MetricCatalog.deliveriesOpen, value: UInt64(shared.deliveries.count))
            samples.set(MetricCatalog.buildInfo, [TachographVersion.text], value: 1 as UInt64)
        }
    }
}
