/// Why a threshold is what it is, in words, made from the evidence alone: the same numbers that the formula saw.
public struct ThresholdExplanation: Sendable {
    private let parameter: BreakerParameter
    private let applied: Double
    private let learned: Double
    private let policy: TunerPolicy
    private let evidence: ThresholdEvidence
    private let lastChange: ThresholdChange?

    /// Explains the parameter of a tuner. `lastChange` is its newest record, `changedAt` the text of that record's time.
    public static func sentences(
        _ parameter: BreakerParameter, tuner: Tuner, evidence: ThresholdEvidence, lastChange: ThresholdChange? = nil,
        changedAt: String? = nil
    ) -> [String] {
        let explanation = ThresholdExplanation(
            parameter: parameter, applied: tuner.applied[parameter], learned: tuner.learned[parameter],
            policy: tuner.policy, evidence: evidence, lastChange: lastChange)
        return explanation.sentences(changedAt: changedAt)
    }

    private func sentences(changedAt: String?) -> [String] {
        var sentences = ["\(parameter.name) is \(text(applied)): \(meaning)"]
        if learned != applied {
            sentences.append("The learned value is \(text(learned)); it does not act yet, or only in part.")
        }
        if evidence.calls < Tuner.callsMin, parameter != .open, parameter != .ramp {
            sentences.append(
                "\(Self.number(evidence.calls)) calls were learned from; below \(Self.number(Tuner.callsMin)), the value stays "
                    + "where it was.")
        } else {
            sentences += derivation
        }
        sentences += limits
        if let lastChange { sentences.append(change(lastChange, changedAt)) }
        return sentences
    }

    private var meaning: String {
        switch parameter {
        case .window: "failures and slow calls of so many seconds are counted."
        case .minimumCalls: "with fewer calls in the window, nothing is decided."
        case .failureRate: "the breaker opens when at least this share of the window's calls fails."
        case .slowCall: "a call that takes longer counts as slow."
        case .slowCallRate: "the breaker opens when at least this share of the window's calls is slow."
        case .open:
            policy.adapts
                ? "so long an open breaker waits at most between two probes; at first it waits less, the longer the outage the more."
                : "so long an open breaker waits before it lets the first calls through, doubled for each failed round."
        case .halfOpenProbes: "so many calls must show that the destination is well before the breaker closes."
        case .ramp:
            policy.adapts
                ? "so long it takes from the first good probe until all calls are admitted again."
                : "so long it takes after closing until all calls are admitted again."
        }
    }

    /// The formula with its numbers.
    private var derivation: [String] {
        let rate = "\(Self.number(evidence.callsPerSecond)) calls per second"
        switch parameter {
        case .window:
            return ["At \(rate), \(text(40 / max(evidence.callsPerSecond, 1e-9))) hold 40 calls, enough to judge."]
        case .minimumCalls:
            return ["At \(rate), half of a window of \(Self.seconds(evidence.windowSeconds)) is \(proposed)."]
        case .failureRate, .slowCallRate:
            return shareDerivation
        case .slowCall:
            guard let mean = evidence.logLatencyMean else { return ["No latency has been seen yet."] }
            let tail =
                evidence.slowQuantile.map {
                    "one call in a thousand takes longer than \(Self.seconds(Elementary.exp(mean + $0)))"
                }
                ?? "three deviations of the logarithm (\(Self.number(evidence.logLatencyVariance.squareRoot()))) reach "
                + Self.seconds(Elementary.exp(mean + 3 * evidence.logLatencyVariance.squareRoot()))
            return [
                "A call usually takes \(Self.seconds(Elementary.exp(mean))), and \(tail); with 30 % on top that is \(proposed)."
            ]
        case .open:
            guard let outage = evidence.outageSeconds else { return [] }
            return [
                "Outages are taken to last \(Self.seconds(outage)), the newest with a weight of 30 %; at \(rate), asking "
                    + "every \(proposed) costs as many bad probes as good calls."
            ]
        case .halfOpenProbes:
            return ["Of so many calls one fails with 95 % probability if the destination still fails at the threshold."]
        case .ramp:
            return ["At \(rate), doubling the probes ten times a second reaches all calls after \(proposed)."]
        }
    }

    private var shareDerivation: [String] {
        let isFailure = parameter == .failureRate
        let share = isFailure ? max(evidence.failureShare, 0.002) : max(evidence.slowShare, 0.005)
        let what = isFailure ? "of the calls fail" : "of the calls are slow"
        let margin = isFailure ? 0.05 : 0.15
        let bound = (ThresholdFormulas.proposal(parameter, evidence, failureRate: 0) ?? margin) - margin
        let calls = Self.number(ThresholdFormulas.expectedCalls(evidence))
        let noise =
            evidence.overdispersion > 1.05
            ? ", failures coming in groups (overdispersion \(Self.number(evidence.overdispersion)))" : ""
        return [
            "Usually \(Self.percent(share)) \(what), as learned from \(Self.number(evidence.calls)) calls at "
                + "\(Self.number(evidence.callsPerSecond)) per second.",
            "A window of \(Self.seconds(evidence.windowSeconds)) holds about \(calls) of them, in which "
                + "\(Self.number(evidence.deviations)) deviations of chance reach \(Self.percent(bound))\(noise); "
                + "with a margin of \(Self.percent(margin)) that is \(proposed).",
        ]
    }

    /// What the formula gives for the evidence.
    private var proposed: String {
        ThresholdFormulas.proposal(parameter, evidence, failureRate: applied).map(text) ?? "unknown"
    }

    private var limits: [String] {
        let range = policy.range(of: parameter)
        let value = ThresholdFormulas.proposal(parameter, evidence, failureRate: applied)
        var limits: [String] = []
        if let value, value < range.lowerBound {
            limits.append("The least that is chosen is \(text(range.lowerBound)).")
        }
        if let value, value > range.upperBound {
            limits.append("The most that is chosen is \(text(range.upperBound)).")
        }
        if let floor = policy.bounds.minimum(of: parameter) { limits.append("The operator's floor is \(text(floor)).") }
        if let ceiling = policy.bounds.maximum(of: parameter) {
            limits.append("The operator's ceiling is \(text(ceiling)).")
        }
        return limits
    }

    private func change(_ change: ThresholdChange, _ changedAt: String?) -> String {
        let time = changedAt.map { " at \($0)" } ?? ""
        let trace = change.exemplarTraceID.map { " A trace of that time: \(Self.hex($0))." } ?? ""
        let who = Self.actor(change.actor)
        if change.isRefused {
            return
                "Last proposal\(time), by \(who): \(text(change.proposed)), not followed: \(Self.reason(change.limitedBy))."
                + trace
        }
        let limit =
            change.limitedBy == .none
            ? "" : " (proposed \(text(change.proposed)); \(Self.reason(change.limitedBy)))"
        return "Last change\(time), by \(who): from \(text(change.old)) to \(text(change.applied))\(limit)."
            + (change.isShadow ? " In shadow: recorded, not applied." : "") + trace
    }

    private func text(_ value: Double) -> String {
        switch parameter {
        case .failureRate, .slowCallRate: Self.percent(value)
        case .window, .slowCall, .open, .ramp: Self.seconds(value)
        case .minimumCalls, .halfOpenProbes: "\(Self.number(value.rounded())) calls"
        }
    }

    private static func actor(_ actor: ThresholdActor) -> String {
        switch actor {
        case .auto: "the tuner"
        case .operator: "the operator"
        case .rollback: "the tuner, taking back what had opened the breaker for nothing"
        }
    }

    private static func reason(_ limit: ThresholdLimit) -> String {
        switch limit {
        case .none: "nothing limited it"
        case .minimum: "the least that is chosen"
        case .maximum: "the most that is chosen"
        case .operatorMinimum: "the operator's floor"
        case .operatorMaximum: "the operator's ceiling"
        case .step: "no more in one step"
        case .hour: "at most half looser than an hour ago"
        case .deadBand: "too small a difference to act on"
        case .freeze: "nothing changes while something is wrong"
        case .burnRate: "the error budget burns too fast"
        case .hold: "taken back a while ago"
        }
    }

    private static func percent(_ share: Double) -> String { "\(number(share * 100)) %" }

    private static func seconds(_ seconds: Double) -> String {
        if seconds < 0.001 { return "\(number(seconds * 1e6)) µs" }
        return seconds < 1 ? "\(number(seconds * 1e3)) ms" : "\(number(seconds)) s"
    }

    /// Three significant digits, without a fraction of zeros.
    private static func number(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        var scale = 1.0
        while abs(value) * scale < 100, scale < 1e6, value != 0 { scale *= 10 }
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }

    private static func hex(_ id: UInt128) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
