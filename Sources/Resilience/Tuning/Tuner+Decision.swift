/// How far a proposal is followed.
extension Tuner {
    private static let loosenStep = 0.10
    private static let tightenStep = 0.30
    private static let windowStep = 0.25
    private static let deadBand = 0.05
    /// A refused proposal nearer than this is not worth a record.
    private static let toldDifference = 0.02
    private static let looserThanHourAgo = 1.5

    /// What forbids changes in this step.
    struct Situation: Sendable, Hashable {
        /// Something is wrong: nothing that was learned is applied.
        var isFrozen: Bool
        /// The burn rate that is exceeded.
        var burn: Double?
    }

    struct Decision: Sendable, Hashable {
        var old: Double
        var proposed: Double
        var value: Double
        var limitedBy: ThresholdLimit
    }

    /// Proposal, clamp, guards, step limit, dead band.
    func decide(
        _ parameter: BreakerParameter, _ proposed: Double, _ situation: Situation, now: UInt64
    ) -> Decision {
        let old = learned[parameter]
        var decision = Decision(old: old, proposed: proposed, value: proposed, limitedBy: .none)
        clamp(&decision, parameter)
        let isGuarded = guardBurnRate(&decision, parameter, situation)
        limitStep(&decision, parameter)
        // Before the dead band: a value outside of the operator's bounds goes inside, however small the difference.
        let bounded = policy.bounds.clamp(old, parameter)
        if bounded != old {
            decision.limitedBy = old < bounded ? .operatorMinimum : .operatorMaximum
            decision.value = policy.bounds.clamp(decision.value, parameter)
            return decision
        }
        if decision.value == old { return decision }
        if abs(decision.value - old) <= Self.deadBand * abs(old) {
            refuse(
                &decision, decision.limitedBy == .none || decision.limitedBy == .step ? .deadBand : decision.limitedBy)
        } else if situation.isFrozen, !isGuarded {
            refuse(&decision, .freeze)
        } else if situation.burn != nil, isLooser(decision.value, than: old, parameter) {
            refuse(&decision, .burnRate)
        } else if now < heldUntil, isLooser(old, than: decision.value, parameter), !isGuarded {
            refuse(&decision, .hold)
        }
        return decision
    }

    private func refuse(_ decision: inout Decision, _ limit: ThresholdLimit) {
        decision.value = decision.old
        decision.limitedBy = limit
    }

    private func clamp(_ decision: inout Decision, _ parameter: BreakerParameter) {
        let range = policy.range(of: parameter)
        if decision.value < range.lowerBound { (decision.value, decision.limitedBy) = (range.lowerBound, .minimum) }
        if decision.value > range.upperBound { (decision.value, decision.limitedBy) = (range.upperBound, .maximum) }
        let bounded = policy.bounds.clamp(decision.value, parameter)
        if bounded > decision.value { (decision.value, decision.limitedBy) = (bounded, .operatorMinimum) }
        if bounded < decision.value { (decision.value, decision.limitedBy) = (bounded, .operatorMaximum) }
        decision.value = parameter.nearest(decision.value)
    }

    /// While the error budget burns, no failure threshold stays above the share that the budget cannot bear.
    private func guardBurnRate(
        _ decision: inout Decision, _ parameter: BreakerParameter, _ situation: Situation
    ) -> Bool {
        guard parameter == .failureRate, let burn = situation.burn, let good = policy.objective.goodShare else {
            return false
        }
        let limit = policy.bounds.clamp(max(burn * (1 - good), parameter.range.lowerBound), parameter)
        guard limit < decision.value || situation.isFrozen && limit < decision.old else { return false }
        (decision.value, decision.limitedBy) = (limit, .burnRate)
        return limit < decision.old
    }

    private func limitStep(_ decision: inout Decision, _ parameter: BreakerParameter) {
        let stepped = Self.stepped(from: decision.old, to: decision.value, parameter)
        if stepped != decision.value { (decision.value, decision.limitedBy) = (stepped, .step) }
        // Against a decline so slow that each minute of it looks normal. Window and counts follow the rate of calls and
        // must keep up with it, or the breaker of a quiet night would see too few calls.
        guard let ago = hour[parameter], isLooser(decision.value, than: decision.old, parameter) else { return }
        let limit = parameter.nearest(ago * Self.looserThanHourAgo)
        guard isLooser(decision.value, than: limit, parameter) else { return }
        // Never tightens: where the old value is looser than the limit already, it stays.
        decision.value = isLooser(limit, than: decision.old, parameter) ? limit : decision.old
        decision.limitedBy = .hour
    }

    /// As near to the target as one step may go; whole numbers may always go one further.
    static func stepped(from old: Double, to target: Double, _ parameter: BreakerParameter) -> Double {
        let isLoosening = (target > old) == parameter.loosensUpwards
        let share = parameter == .window ? windowStep : isLoosening ? loosenStep : tightenStep
        let reach = parameter.isWhole ? max(1, (share * old).rounded(.down)) : share * abs(old)
        return target.clamped(to: parameter.nearest(old - reach)...parameter.nearest(old + reach))
    }

    func isLooser(_ value: Double, than other: Double, _ parameter: BreakerParameter) -> Bool {
        value != other && (value > other) == parameter.loosensUpwards
    }

    /// Moves the learned value and, outside of shadow, the applied one after it; nil where there is nothing to tell.
    mutating func apply(
        _ decision: Decision, to parameter: BreakerParameter, _ evidence: ThresholdEvidence, _ situation: Situation,
        _ context: TunerContext
    ) -> ThresholdChange? {
        let follows = applied[parameter] == learned[parameter]
        learned[parameter] = decision.value
        var told = Decision(
            old: decision.old, proposed: decision.proposed, value: learned[parameter], limitedBy: decision.limitedBy)
        if !context.isShadow {
            if follows {
                applied[parameter] = learned[parameter]
            } else if !situation.isFrozen,
                situation.burn == nil || isLooser(applied[parameter], than: learned[parameter], parameter)
            {
                // Out of shadow: the acting value walks to the learned one, no faster than any other change.
                told.old = applied[parameter]
                applied[parameter] = Self.stepped(from: told.old, to: learned[parameter], parameter)
                told.value = applied[parameter]
                if told.value != learned[parameter] { told.limitedBy = .step }
            }
        }
        let isWorthTelling =
            told.value != told.old || abs(told.proposed - told.old) > Self.toldDifference * abs(told.old)
        let isAtLimit = told.value == told.old && (told.limitedBy == .minimum || told.limitedBy == .maximum)
        guard isWorthTelling, !isAtLimit else { return nil }
        return ThresholdChange(
            unixSeconds: context.unixSeconds, parameter: parameter, old: told.old, proposed: told.proposed,
            applied: told.value, limitedBy: told.limitedBy, actor: .auto, evidence: evidence,
            isShadow: context.isShadow, version: version, exemplarTraceID: context.exemplarTraceID)
    }
}

/// What the thresholds of health were during the last hour, in marks of five minutes.
struct HourMarks: Sendable {
    private static let parameters: [BreakerParameter] = [.failureRate, .slowCall, .slowCallRate]
    private static let markCount = 13
    private static let markNanoseconds = Tuner.hourNanoseconds / UInt64(markCount - 1)

    /// A ring, each mark as many values as there are parameters.
    private var marks = InlineArray<39, Float>(repeating: 0)
    private var oldest = 0
    private var newest: UInt64

    init(_ parameters: BreakerParameters, now: UInt64) {
        newest = now
        for _ in 0..<Self.markCount { append(parameters) }
    }

    /// The value an hour ago, or at the start of a younger tuner; nil for what is no threshold of health.
    subscript(parameter: BreakerParameter) -> Double? {
        Self.parameters.firstIndex(of: parameter).map { Double(marks[oldest * Self.parameters.count + $0]) }
    }

    /// Takes marks for the time that has passed.
    mutating func advance(_ parameters: BreakerParameters, now: UInt64) {
        let passed = now > newest ? (now - newest) / Self.markNanoseconds : 0
        newest += passed * Self.markNanoseconds
        for _ in 0..<min(passed, UInt64(Self.markCount)) {
            append(parameters)
        }
    }

    private mutating func append(_ parameters: BreakerParameters) {
        for (place, parameter) in Self.parameters.enumerated() {
            marks[oldest * Self.parameters.count + place] = Float(parameters[parameter])
        }
        oldest = (oldest + 1) % Self.markCount
    }
}

/// Lets one refusal per parameter and reason through each hour, so that a standing refusal does not fill the records.
struct RefusalLimiter: Sendable {
    private static let quietSeconds: UInt32 = 3600

    private struct Last: Sendable, Hashable {
        var second: UInt32
        var limit: ThresholdLimit
    }

    private var last = InlineArray<8, Last?>(repeating: nil)

    mutating func admits(_ parameter: BreakerParameter, _ limit: ThresholdLimit, now: UInt64) -> Bool {
        let index = Int(parameter.rawValue)
        let second = UInt32(truncatingIfNeeded: now / 1_000_000_000)
        if let last = last[index], last.limit == limit, second &- last.second < Self.quietSeconds { return false }
        last[index] = Last(second: second, limit: limit)
        return true
    }
}
