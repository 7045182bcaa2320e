import Pipeline
import Resilience
import Synchronization
import Telemetry

extension GuardBoard {
    /// Adds the values of all guards to each scrape.
    func register(in registry: MetricsRegistry) {
        registry.onScrape { [self] samples in
            state.withLock { state in
                for entry in state.entries { entry.add(to: &samples) }
            }
        }
    }
}

extension GuardEntry {
    fileprivate func add(to samples: inout ScrapeSamples) {
        let labels = [cell.key.listenerName, cell.key.operation.rawValue, cell.key.destination, cell.key.group]
        samples.set(MetricCatalog.breakerState, labels, value: UInt64(keyGuard.breaker.state.rawValue))
        for (transition, count) in transitions {
            samples.set(
                MetricCatalog.breakerTransitions, labels + [transition.from.text, transition.to.text], value: count)
        }
        samples.set(MetricCatalog.breakerRejected, labels, value: totals.rejected)
        samples.set(
            MetricCatalog.breakerWouldReject, labels,
            value: UInt64(clamping: keyGuard.breaker.wouldHaveRejected))
        samples.set(MetricCatalog.guardedInFlight, labels, value: UInt64(clamping: cell.inFlight))
        let outcomes = [("ok", totals.succeeded), ("slow", totals.slow), ("mistake", totals.mistakes)]
        for (outcome, count) in outcomes { samples.set(MetricCatalog.guardedCalls, labels + [outcome], value: count) }
        for failure in FailureClass.allCases {
            samples.set(
                MetricCatalog.guardedCalls, labels + ["\(failure)"],
                value: totals.failures[Int(failure.rawValue)])
        }
        if let limit = keyGuard.bulkheadLimit {
            samples.set(MetricCatalog.bulkheadLimit, labels, value: UInt64(clamping: limit))
            samples.set(MetricCatalog.bulkheadWaiting, labels, value: UInt64(clamping: cell.waitingCount))
            samples.set(MetricCatalog.bulkheadRejected, labels, value: cell.turnedAwayCount)
        }
        addThresholds(labels, to: &samples)
        samples.set(MetricCatalog.anomalyScore, labels + ["error_deviation"], value: keyGuard.reading.errorScore)
        samples.set(MetricCatalog.anomalyScore, labels + ["latency_deviation"], value: keyGuard.reading.latencyScore)
        let scores = keyGuard.learning.scores
        samples.set(MetricCatalog.anomalyScore, labels + ["failures"], value: scores.failures)
        samples.set(MetricCatalog.anomalyScore, labels + [latencySignal.name], value: scores.latency)
        let flow = keyGuard.learning.flow
        for signal in FlowSignal.allCases where flow.level(of: signal) != nil {
            samples.set(MetricCatalog.anomalyScore, labels + [signal.name + "_deviation"], value: flow[score: signal])
        }
        if let lag { samples.set(MetricCatalog.lag, labels, value: lag) }
    }

    private func addThresholds(_ labels: [String], to samples: inout ScrapeSamples) {
        for threshold in thresholds {
            let labels = labels + [threshold.parameter]
            samples.set(MetricCatalog.threshold, labels + ["applied"], value: threshold.applied)
            samples.set(MetricCatalog.threshold, labels + ["learned"], value: threshold.learned)
            if let least = threshold.minimum { samples.set(MetricCatalog.threshold, labels + ["min"], value: least) }
            if let most = threshold.maximum { samples.set(MetricCatalog.threshold, labels + ["max"], value: most) }
        }
        for (change, count) in changes {
            samples.set(
                MetricCatalog.thresholdChanges,
                labels + [change.parameter.name, change.direction.rawValue, change.reason], value: count)
        }
    }
}
