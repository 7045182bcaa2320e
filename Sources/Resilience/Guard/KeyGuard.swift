/// Everything that guards one key: the breaker, what is learned for it, the limit of calls under way, and the share of
/// calls that retries may add.
///
/// Driven every tenth of a second by what the calls did meanwhile (`beat`), whatever the number of calls; between beats
/// the path only reads what was decided. A value without clock and random source. Less than 8 KiB, more than half of
/// which the two envelope detectors take.
public struct KeyGuard: Sendable {
    /// Beats in a second.
    public static let beatsPerSecond = 10
    /// Time between two beats.
    public static let beatNanoseconds: UInt64 = 100_000_000

    /// What it was told.
    public private(set) var policy: GuardPolicy
    /// The breaker.
    public private(set) var breaker: BreakerMachine
    /// What is learned.
    public private(set) var learning: KeyLearning
    /// The scores of detector A for the last second.
    public private(set) var reading = Baseline.Reading()

    private var limit: GradientLimit?
    private var relief = LoadRelief()
    private var second = CallSecond()
    private var beats = 0
    private var keptShare = 1.0
    private var seesBreach = false
    private var trippedBy: TransitionReason?
    private var sawAnomaly = false

    /// A guard of a key that begins now, or goes on with what it had learned before.
    public init(
        policy: GuardPolicy, parent: ParentBaseline? = nil, resuming state: LearnedState? = nil,
        watchesQueue: Bool = false, now: UInt64, unixSeconds: Double
    ) {
        self.policy = policy
        learning =
            state.map {
                KeyLearning($0, policy: policy.tuner, watchesQueue: watchesQueue, now: now, unixSeconds: unixSeconds)
            }
            ?? KeyLearning(
                policy: policy.tuner, parent: parent, watchesQueue: watchesQueue, now: now, unixSeconds: unixSeconds)
        breaker = BreakerMachine(mode: policy.mode, parameters: learning.tuner.applied, bounds: policy.bounds)
        limit = policy.bulkhead.map { GradientLimit(bounds: $0) }
    }

    // MARK: What the path reads

    /// What the next calls meet, until the next beat.
    public var admission: Admission { breaker.admission }

    /// From how long on a call that succeeded counts as slow.
    public var slowCallNanoseconds: UInt64 { breaker.parameters.slowCallNanoseconds }

    /// How many calls may be under way at once; nil for any number. The operator's limit, and where slowness is being
    /// met with a smaller load, that one.
    public var bulkheadLimit: Int? {
        var most = relief.value
        if let limit, let floor = policy.bulkhead?.lowerBound {
            most = max(floor, min(most ?? .max, Int(Double(limit.value) * keptShare)))
        }
        return most
    }

    /// Slowness is being met with a smaller load.
    public var isRelieving: Bool { relief.value != nil }

    /// The share of calls that retries may add: less the nearer the failures are to their threshold, none while
    /// something is wrong.
    public var retryShare: Double {
        guard breaker.isHealthy, !breaker.isDegraded else { return 0 }
        return keptShare
            * ThresholdFormulas.retryShare(
                failureShare: learning.baseline.failureShare, failureRate: breaker.parameters.failureRate)
    }

    /// What was learned does not act: in shadow, and while a new key is on trial.
    public func isTrial(atUnixSeconds now: Double) -> Bool {
        policy.mode == .shadow || now - learning.firstSeenUnixSeconds < policy.trialSeconds
    }

    // MARK: Inputs

    /// The next beat takes what has passed in the last ten seconds.
    public var wantsFlow: Bool { (beats + 1) % (Self.beatsPerSecond * Int(FlowWatch.tickSeconds)) == 0 }

    /// Takes what the calls did since the last beat, and `flow` where it is wanted. `unixSeconds` is for records only.
    public mutating func beat(
        _ tally: CallTally, flow: FlowTally? = nil, exemplarTraceID: UInt128? = nil, now: UInt64, unixSeconds: Double,
        using random: inout some RandomNumberGenerator
    ) -> [GuardEvent] {
        guard policy.mode != .off else { return [] }
        var events: [GuardEvent] = []
        let wasDegraded = breaker.isDegraded
        limit?.add(tally)
        second.add(CallSecond(tally))
        if tally.sampleSeconds > 0, policy.mode != .fixed, breaker.isHealthy {
            learning.learnLatency(seconds: tally.sampleSeconds)
        }
        beats += 1
        if beats % Self.beatsPerSecond == 0 {
            let around = KeyLearning.Surroundings(
                now: now, unixSeconds: unixSeconds, isClosed: breaker.isHealthy && !breaker.isDegraded,
                isShadow: isTrial(atUnixSeconds: unixSeconds), flow: flow, exemplarTraceID: exemplarTraceID)
            learn(around, &events)
        }
        breaker.parameters = learning.tuner.applied
        if let change = relief.beat(tally, isClosed: breaker.state == .closed, now: now) {
            events.append(.relief(change))
        }
        let canRelieve = policy.mode == .auto && relief.mayHelp(tally, now: now)
        if let transition = breaker.beat(tally, now: now, canRelieve: canRelieve, using: &random) {
            events.append(.transition(transition))
            follow(transition, now: now, unixSeconds: unixSeconds, exemplarTraceID, &events)
        }
        if breaker.wantsRelief, let change = relief.begin(tally, ceiling: policy.bulkhead?.upperBound, now: now) {
            events.append(.relief(change))
        }
        if breaker.isDegraded != wasDegraded { events.append(.degraded(breaker.isDegraded)) }
        return events
    }

    /// An operator's word; nil takes it back.
    public mutating func setOverride(_ override: BreakerOverride?, now: UInt64) -> [GuardEvent] {
        breaker.setOverride(override, now: now).map { [.transition($0)] } ?? []
    }

    /// Puts another parameter set in place, or with nil the start values.
    public mutating func restore(_ parameters: BreakerParameters?, now: UInt64, unixSeconds: Double) -> [GuardEvent] {
        let changes = learning.restore(parameters, now: now, unixSeconds: unixSeconds)
        breaker.parameters = learning.tuner.applied
        return changes.map { .threshold($0) }
    }

    // MARK: Once a second

    private mutating func learn(_ around: KeyLearning.Surroundings, _ events: inout [GuardEvent]) {
        defer { second = CallSecond() }
        guard policy.mode != .fixed, breaker.override == nil else { return }
        let lesson = learning.second(second, around)
        reading = lesson.reading
        if reading.isHot { sawAnomaly = true }
        if reading.hasAcceptedRegime { events.append(.regimeAccepted) }
        if let scores = lesson.scores { events.append(.scored(scores)) }
        if let foresight = lesson.breach, !seesBreach { events.append(.breachAhead(foresight)) }
        if lesson.isForecast { (keptShare, seesBreach) = (lesson.breach?.breach.keptShare ?? 1, lesson.breach != nil) }
        events += lesson.unusual.map { .unusual($0, deviations: learning.flow[score: $0]) }
        events += lesson.changes.map { .threshold($0) }
        let usual = learning.baseline.logLatencyMean.map(Elementary.exp)
        // Before it is learned, slow is what would time out, and no measure of what is bearable.
        let isSlowKnown = slowCallNanoseconds < policy.timeoutNanoseconds
        let slow = isSlowKnown ? Double(slowCallNanoseconds) / 1e9 : nil
        limit?.step(usualSeconds: isSlowKnown ? usual : nil, slowSeconds: slow)
        if let change = relief.step(usualSeconds: usual, slowSeconds: slow) { events.append(.relief(change)) }
    }

    // MARK: After a transition

    private mutating func follow(
        _ transition: BreakerTransition, now: UInt64, unixSeconds: Double, _ exemplar: UInt128?,
        _ events: inout [GuardEvent]
    ) {
        if transition.from == .closed, transition.to == .open {
            trippedBy = transition.reason
            sawAnomaly = reading.isHot
        }
        guard transition.to == .closed, transition.reason == .probesSucceeded, policy.mode != .fixed else { return }
        let context = TunerContext(
            now: now, unixSeconds: unixSeconds, isShadow: isTrial(atUnixSeconds: unixSeconds),
            exemplarTraceID: exemplar)
        var changes: [ThresholdChange] = []
        // A learned threshold opened it, nothing else was unusual, and the first probes all did well.
        let byThreshold = trippedBy == .failureRate || trippedBy == .slowCallRate
        if transition.isAtOnce, byThreshold, !sawAnomaly {
            changes += learning.rollBack(context)
        } else if let seconds = transition.tripToCloseSeconds {
            changes += learning.recovered(tripToCloseSeconds: seconds, context)
        }
        breaker.parameters = learning.tuner.applied
        events += changes.map { .threshold($0) }
    }
}

extension KeyLearning {
    mutating func rollBack(_ context: TunerContext) -> [ThresholdChange] { tuner.rollBack(baseline, context: context) }

    mutating func recovered(tripToCloseSeconds: Double, _ context: TunerContext) -> [ThresholdChange] {
        tuner.recovered(tripToCloseSeconds: tripToCloseSeconds, baseline, context: context)
    }

    mutating func restore(
        _ parameters: BreakerParameters?, now: UInt64, unixSeconds: Double
    ) -> [ThresholdChange] {
        tuner.restore(parameters, baseline, context: TunerContext(now: now, unixSeconds: unixSeconds))
    }
}
