import Pipeline
import Resilience
import Telemetry

/// One guard, and what has happened to it since the process began.
struct GuardEntry {
    let cell: GuardCell
    private(set) var keyGuard: KeyGuard
    private(set) var transitions: [Transition: UInt64] = [:]
    private(set) var changes: [Change: UInt64] = [:]
    private(set) var totals = CallTotals()
    /// Messages that wait for the consumers, as of the last ten seconds that told.
    private(set) var lag: Double?
    private var meter = FlowMeter()
    private var callsSinceFlow = 0
    private var stateBeganAt: UInt64
    private var stateReason: TransitionReason?
    private let policy: GuardPolicy

    struct Transition: Hashable {
        var from: BreakerState
        var to: BreakerState
    }

    struct Change: Hashable {
        var parameter: BreakerParameter
        var direction: ThresholdDirection
        var reason: String
    }

    /// What calls came to since the process began.
    struct CallTotals {
        var succeeded: UInt64 = 0
        var slow: UInt64 = 0
        var mistakes: UInt64 = 0
        var failures = InlineArray<4, UInt64>(repeating: 0)
        var rejected: UInt64 = 0
    }

    init(
        cell: GuardCell, policy: GuardPolicy, parent: ParentBaseline?, resuming learned: LearnedState? = nil,
        now: UInt64, unixNanoseconds: UInt64
    ) {
        self.cell = cell
        self.policy = policy
        keyGuard = KeyGuard(
            policy: policy, parent: parent, resuming: learned, watchesQueue: cell.key.operation == .receive, now: now,
            unixSeconds: Double(unixNanoseconds) / 1e9)
        stateBeganAt = unixNanoseconds
    }

    /// Takes what the calls did, and publishes what the next ones meet.
    mutating func beat(
        _ tally: CallTally, now: UInt64, unixSeconds: Double, using random: inout some RandomNumberGenerator
    ) -> [GuardEvent] {
        count(tally)
        callsSinceFlow += tally.calls
        var flow: FlowTally?
        if keyGuard.wantsFlow {
            let passed = meter.read(cell, calls: callsSinceFlow)
            callsSinceFlow = 0
            lag = passed.lag ?? (passed.messages > 0 ? nil : lag)
            flow = passed
        }
        let events = keyGuard.beat(tally, flow: flow, now: now, unixSeconds: unixSeconds, using: &random)
        publish()
        return events
    }

    mutating func setOverride(_ override: BreakerOverride?, now: UInt64) -> [GuardEvent] {
        let events = keyGuard.setOverride(override, now: now)
        publish()
        return events
    }

    private func publish() {
        cell.publish(
            keyGuard.admission, slowCallNanoseconds: keyGuard.slowCallNanoseconds, limit: keyGuard.bulkheadLimit)
        cell.publish(retryShare: keyGuard.retryShare)
        let baseline = keyGuard.learning.baseline
        if let mean = baseline.logLatencyMean {
            cell.publishUsual(logLatencyMean: mean, variance: baseline.logLatencyVariance)
        }
    }

    private mutating func count(_ tally: CallTally) {
        for failure in FailureClass.allCases {
            totals.failures[Int(failure.rawValue)] += UInt64(clamping: tally.failures[failure])
        }
        totals.slow += UInt64(clamping: tally.slow)
        totals.mistakes += UInt64(clamping: tally.clientMistakes)
        totals.rejected += UInt64(clamping: tally.rejectedByUs)
        totals.succeeded += UInt64(clamping: tally.calls - tally.failed - tally.slow - tally.clientMistakes)
    }

    /// Notes an event; the record is what people may want to read of it.
    mutating func take(_ event: GuardEvent, unixNanoseconds: UInt64) -> GuardRecord? {
        switch event {
        case .transition(let transition):
            transitions[Transition(from: transition.from, to: transition.to), default: 0] += 1
            stateBeganAt = unixNanoseconds
            stateReason = transition.reason
            let acts = policy.mode != .shadow
            return GuardRecord(
                unixNanoseconds: unixNanoseconds, key: cell.key, what: .state(transition, isShadow: !acts))
        case .threshold(let change):
            if !change.isRefused {
                let reason = change.limitedBy == .none ? change.actor.rawValue : change.limitedBy.rawValue
                changes[Change(parameter: change.parameter, direction: change.direction, reason: reason), default: 0] +=
                    1
            }
            return GuardRecord(
                unixNanoseconds: unixNanoseconds, key: cell.key, what: .threshold(change),
                parameters: keyGuard.learning.tuner.applied)
        case .scored(let scores):
            guard scores.isWarning else { return nil }
            return warning(
                "unusual for this key: failures \(GuardRecord.text(scores.failures)), "
                    + "\(latencySignal.words) \(GuardRecord.text(scores.latency))", unixNanoseconds)
        case .unusual(let signal, let deviations):
            return warning(
                "unusual for half a minute: \(signal.name), \(GuardRecord.text(deviations)) deviations", unixNanoseconds
            )
        case .degraded(let isDegraded):
            return GuardRecord(
                unixNanoseconds: unixNanoseconds, key: cell.key,
                what: .warning(
                    isDegraded
                        ? "a learned threshold is exceeded, but not far enough to open"
                        : "the learned threshold is no longer exceeded"))
        case .breachAhead(let foresight):
            return warning(Self.words(foresight), unixNanoseconds)
        case .relief(let change):
            let text =
                switch change {
                case .begun(let limit): "slow while many calls are under way: at most \(limit) at once from now on"
                case .useless: "calls are slow whatever their number; it is not limited any more"
                case .over: "any number of calls may be under way again"
                }
            return GuardRecord(unixNanoseconds: unixNanoseconds, key: cell.key, what: .warning(text))
        case .regimeAccepted:
            return GuardRecord(
                unixNanoseconds: unixNanoseconds, key: cell.key,
                what: .warning("what was an anomaly for long is taken for normal from now on"))
        }
    }

    private func warning(_ text: String, _ unixNanoseconds: UInt64) -> GuardRecord {
        GuardRecord(unixNanoseconds: unixNanoseconds, key: cell.key, what: .warning(text))
    }

    private static func words(_ foresight: KeyLearning.Foresight) -> String {
        let breach = foresight.breach
        let what = foresight.isOfLag ? "lag" : "latency"
        let sure = "\(Int((breach.confidence * 100).rounded(.down))) % sure that it rises"
        guard breach.seconds > 0 else { return "\(what) is at its limit and still rising, \(sure)" }
        return
            "\(what) reaches its limit in \(Int(breach.seconds)) s at this pace, in \(Int(breach.earliestSeconds)) s "
            + "at the earliest, \(sure)"
    }

    /// What detector B's second score is of.
    var latencySignal: (name: String, words: String) {
        cell.key.operation == .receive ? ("queue_time", "time in the queue") : ("latency", "latency")
    }

    // MARK: Views

    /// The word for how much the breaker may do at the moment.
    private func mode(unixSeconds: Double) -> String {
        policy.mode == .auto && keyGuard.isTrial(atUnixSeconds: unixSeconds) ? "trial" : policy.mode.rawValue
    }

    func view(unixNanoseconds: UInt64) -> BreakerView {
        let baseline = keyGuard.learning.baseline
        let override: String? =
            switch keyGuard.breaker.override {
            case .forcedOpen: "open"
            case .forcedClosed: "closed"
            case .disabled: "disabled"
            case nil: nil
            }
        return BreakerView(
            listener: cell.key.listenerName, key: cell.key.name, operation: cell.key.operation.rawValue,
            destination: cell.key.destination, group: cell.key.group, state: keyGuard.breaker.state.text,
            mode: mode(unixSeconds: Double(unixNanoseconds) / 1e9), override: override,
            since: UTCTime.text(unixNanoseconds: stateBeganAt, .milliseconds), reason: stateReason?.rawValue,
            callsPerSecond: baseline.callsPerSecond ?? 0, failureShare: baseline.failureShare,
            inFlight: cell.inFlight, rejected: totals.rejected,
            wouldReject: UInt64(clamping: keyGuard.breaker.wouldHaveRejected),
            opened: transitions.reduce(0) { $0 + ($1.key.to == .open ? $1.value : 0) })
    }

    var thresholds: [ThresholdView] {
        let tuner = keyGuard.learning.tuner
        return BreakerParameter.allCases.map { parameter in
            ThresholdView(
                listener: cell.key.listenerName, key: cell.key.name, parameter: parameter.name,
                applied: tuner.applied[parameter], learned: tuner.learned[parameter],
                minimum: policy.bounds.minimum(of: parameter), maximum: policy.bounds.maximum(of: parameter))
        }
    }
}
