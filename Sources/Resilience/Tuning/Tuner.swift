/// What limits and surrounds a tuner.
public struct TunerPolicy: Sendable, Hashable {
    /// The operator's floors and ceilings.
    public var bounds: ParameterBounds
    /// When a call is given up.
    public var timeoutNanoseconds: UInt64
    /// What is promised of the destination.
    public var objective: ServiceObjective
    /// The parameters are for a breaker that adapts, not for one that is fixed.
    public var adapts: Bool

    /// By default only the timeout is known.
    public init(
        timeoutNanoseconds: UInt64, bounds: ParameterBounds = ParameterBounds(),
        objective: ServiceObjective = ServiceObjective(), adapts: Bool = true
    ) {
        self.adapts = adapts
        self.bounds = bounds
        self.timeoutNanoseconds = timeoutNanoseconds
        self.objective = objective
    }

    /// What a parameter may be, the operator's bounds apart.
    func range(of parameter: BreakerParameter) -> ClosedRange<Double> {
        guard parameter == .slowCall else { return parameter.range }
        let limit = Double(min(timeoutNanoseconds, objective.latencyNanoseconds ?? .max)) / 1e9
        return min(parameter.range.lowerBound, limit)...limit
    }

    /// The values before anything is learned, inside the operator's bounds.
    var start: BreakerParameters {
        var start = BreakerParameters(timeoutNanoseconds: timeoutNanoseconds, adapts: adapts)
        for parameter in BreakerParameter.allCases { start[parameter] = bounds.clamp(start[parameter], parameter) }
        return start
    }
}

/// What is going on when the tuner may step.
public struct TunerContext: Sendable, Hashable {
    /// Monotonic nanoseconds.
    public var now: UInt64
    /// The wall clock, for the records.
    public var unixSeconds: Double
    /// The breaker is closed and all calls are admitted.
    public var isClosed: Bool
    /// Detector A is frozen.
    public var isAnomalous: Bool
    /// Detector B warns.
    public var hasWarning: Bool
    /// What is learned does not act.
    public var isShadow: Bool
    /// A trace of a call of this time.
    public var exemplarTraceID: UInt128?

    /// By default all is well.
    public init(
        now: UInt64, unixSeconds: Double, isClosed: Bool = true, isAnomalous: Bool = false, hasWarning: Bool = false,
        isShadow: Bool = false, exemplarTraceID: UInt128? = nil
    ) {
        self.now = now
        self.unixSeconds = unixSeconds
        self.isClosed = isClosed
        self.isAnomalous = isAnomalous
        self.hasWarning = hasWarning
        self.isShadow = isShadow
        self.exemplarTraceID = exemplarTraceID
    }
}

/// Chooses the parameters of one breaker from what is normal for its destination, slowly and accountably.
///
/// A step asks the formulas, clamps, limits the change, leaves small differences alone, applies, and returns a record of
/// each change and of what was refused. Tightening is quicker than loosening; nothing loosens while something is wrong;
/// the operator's bounds win over all. In shadow the learned values move and the applied ones stay at the start.
public struct Tuner: Sendable {
    /// Time between two steps.
    public static let stepNanoseconds: UInt64 = 10_000_000_000
    /// Calls of the key's own before the first step.
    public static let callsMin = 50.0

    static let hourNanoseconds: UInt64 = 3_600_000_000_000
    /// How long a value that was taken back is not tightened again.
    static let holdNanoseconds: UInt64 = 600_000_000_000

    /// Bounds, timeout and objective.
    public private(set) var policy: TunerPolicy
    /// What acts.
    public internal(set) var applied: BreakerParameters
    /// What would act outside of shadow.
    public internal(set) var learned: BreakerParameters
    /// Deviations that thresholds keep from the usual; each rollback widens it.
    public internal(set) var deviations = ThresholdFormulas.deviationsDefault
    /// Grows by one with each change of the set.
    public internal(set) var version: UInt32 = 0
    /// How long outages usually last.
    public internal(set) var outageSeconds = OutageClock.usualOutageSeconds
    /// Failures against the objective.
    public internal(set) var burnRate = BurnRate()

    var hour: HourMarks
    var lastTightening: Tightening?
    var heldUntil: UInt64 = 0
    private var lastStep: UInt64?
    private var refusals = RefusalLimiter()

    /// The last step that tightened: the values before, of those that it did tighten.
    struct Tightening: Sendable {
        private var values = InlineArray<8, Double>(repeating: .nan)
        let at: UInt64

        /// The step from one set to another.
        init(before: BreakerParameters, after: BreakerParameters, at: UInt64) {
            self.at = at
            for parameter in BreakerParameter.allCases
            where before[parameter] != after[parameter]
                && (before[parameter] > after[parameter]) == parameter.loosensUpwards
            {
                values[Int(parameter.rawValue)] = before[parameter]
            }
        }

        /// Nil where the parameter was not tightened.
        subscript(parameter: BreakerParameter) -> Double? {
            let value = values[Int(parameter.rawValue)]
            return value.isNaN ? nil : value
        }
    }

    /// A tuner at the start values.
    public init(policy: TunerPolicy, now: UInt64) {
        self.policy = policy
        applied = policy.start
        learned = policy.start
        hour = HourMarks(policy.start, now: now)
    }

    /// Once a second: counts calls for the burn rate.
    public mutating func count(calls: Double, failures: Double, now: UInt64) {
        guard policy.objective.goodShare != nil else { return }
        burnRate.add(calls: calls, failures: failures, now: now)
    }

    /// Steps if it is time to; returns what changed and, at most hourly for each parameter and reason, what was refused.
    public mutating func step(
        _ baseline: Baseline, slowQuantile: Double? = nil, context: TunerContext
    ) -> [ThresholdChange] {
        if let lastStep, context.now < lastStep &+ Self.stepNanoseconds { return [] }
        lastStep = context.now
        hour.advance(learned, now: context.now)
        guard context.isClosed, baseline.learnedCalls >= Self.callsMin else { return [] }
        let situation = Situation(
            isFrozen: context.isAnomalous || context.hasWarning, burn: burnRate.excess(objective: policy.objective))
        var evidence = evidence(baseline, slowQuantile: slowQuantile)
        let before = (applied, learned)
        var changes: [ThresholdChange] = []
        for parameter in BreakerParameter.allCases {
            // The window comes first, and what depends on it sees the window that acts from now on.
            evidence.windowSeconds = learned.windowSeconds
            guard
                let proposal = ThresholdFormulas.proposal(parameter, evidence, failureRate: learned.failureRate),
                proposal.isFinite
            else { continue }
            let decision = decide(parameter, proposal, situation, now: context.now)
            if let change = apply(decision, to: parameter, evidence, situation, context) { changes.append(change) }
        }
        finish(&changes, before: before, now: context.now)
        return changes
    }

    /// What a decision rests on.
    func evidence(_ baseline: Baseline, slowQuantile: Double?) -> ThresholdEvidence {
        var evidence = ThresholdEvidence(
            baseline, deviations: deviations, windowSeconds: learned.windowSeconds, slowQuantile: slowQuantile)
        evidence.outageSeconds = outageSeconds
        return evidence
    }

    /// The breaker has closed again, so long after it tripped: the open time follows.
    public mutating func recovered(
        tripToCloseSeconds: Double, _ baseline: Baseline, context: TunerContext
    ) -> [ThresholdChange] {
        guard tripToCloseSeconds.isFinite, tripToCloseSeconds >= 0 else { return [] }
        outageSeconds = ThresholdFormulas.outageSeconds(outageSeconds, tripToCloseSeconds: tripToCloseSeconds)
        let evidence = evidence(baseline, slowQuantile: nil)
        guard let proposal = ThresholdFormulas.proposal(.open, evidence, failureRate: learned.failureRate) else {
            return []
        }
        let situation = Situation(isFrozen: false, burn: nil)
        let decision = decide(.open, proposal, situation, now: context.now)
        let before = (applied, learned)
        var changes: [ThresholdChange] = []
        if let change = apply(decision, to: .open, evidence, situation, context) { changes.append(change) }
        finish(&changes, before: before, now: context.now)
        return changes
    }

    /// New bounds: what lies outside of them goes inside at once.
    public mutating func setPolicy(_ policy: TunerPolicy, _ baseline: Baseline, context: TunerContext)
        -> [ThresholdChange]
    {
        self.policy = policy
        return replace(
            applied: inside(applied), learned: inside(learned), actor: .operator, baseline, context)
    }

    /// Puts another set in place as it is, within the operator's bounds: an older version, or the start values.
    public mutating func restore(
        _ parameters: BreakerParameters?, _ baseline: Baseline, context: TunerContext
    ) -> [ThresholdChange] {
        let set = inside(parameters ?? policy.start)
        if parameters == nil {
            deviations = ThresholdFormulas.deviationsDefault
            outageSeconds = OutageClock.usualOutageSeconds
        }
        return replace(
            applied: context.isShadow ? policy.start : set, learned: set, actor: .operator, baseline, context)
    }
}

extension Tuner {
    /// Keeps record of a step: the version, what it tightened, and which refusals are worth telling.
    private mutating func finish(
        _ changes: inout [ThresholdChange], before: (BreakerParameters, BreakerParameters), now: UInt64
    ) {
        changes.removeAll { $0.isRefused && !refusals.admits($0.parameter, $0.limitedBy, now: now) }
        guard (applied, learned) != before else { return }
        version &+= 1
        for index in changes.indices { changes[index].version = version }
        if changes.contains(where: { $0.direction == .tighten }) {
            lastTightening = Tightening(before: before.1, after: learned, at: now)
        }
    }

    func inside(_ parameters: BreakerParameters) -> BreakerParameters {
        var inside = parameters
        for parameter in BreakerParameter.allCases {
            inside[parameter] = policy.bounds.clamp(inside[parameter], parameter)
        }
        return inside
    }

    /// Sets both sets as they are given, and records each difference of what is acting or, in shadow, learned.
    mutating func replace(
        applied newApplied: BreakerParameters, learned newLearned: BreakerParameters, actor: ThresholdActor,
        _ baseline: Baseline, _ context: TunerContext
    ) -> [ThresholdChange] {
        let (oldSet, newSet) = context.isShadow ? (learned, newLearned) : (applied, newApplied)
        if (applied, learned) != (newApplied, newLearned) { version &+= 1 }
        (applied, learned, lastTightening) = (newApplied, newLearned, nil)
        var evidence = evidence(baseline, slowQuantile: nil)
        evidence.windowSeconds = newSet.windowSeconds
        return BreakerParameter.allCases.filter { oldSet[$0] != newSet[$0] }.map {
            ThresholdChange(
                unixSeconds: context.unixSeconds, parameter: $0, old: oldSet[$0], proposed: newSet[$0],
                applied: newSet[$0], limitedBy: .none, actor: actor, evidence: evidence, isShadow: context.isShadow,
                version: version, exemplarTraceID: context.exemplarTraceID)
        }
    }
}
