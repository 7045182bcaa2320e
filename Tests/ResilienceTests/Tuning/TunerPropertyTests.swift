import Foundation
import TestSupport
import Testing

@testable import Resilience

/// What holds for a tuner after any history.
@Suite struct TunerPropertyTests {
    private static func anyBaseline(_ random: inout SeededGenerator) -> Baseline {
        func power(_ range: ClosedRange<Double>) -> Double { pow(10, Double.random(in: range, using: &random)) }
        return TunerTests.baseline(
            rate: power(-3...5), failureShare: Double.random(in: 0...1, using: &random), medianSeconds: power(-6...2),
            sigma: power(-1...0.5), slowShare: Double.random(in: 0...1, using: &random), calls: power(0...7))
    }

    private static func anyPolicy(_ random: inout SeededGenerator) -> TunerPolicy {
        var bounds = ParameterBounds()
        for parameter in BreakerParameter.allCases where Double.random(in: 0..<1, using: &random) < 0.2 {
            let (low, high) = (parameter.range.lowerBound, min(parameter.range.upperBound, 100))
            let values = (0..<2).map { _ in Double.random(in: low / 2...high * 2, using: &random) }.sorted()
                .map { parameter.isWhole ? $0.rounded() : $0 }
            bounds.set(parameter, minimum: values[0], maximum: values[1])
        }
        let objective = ServiceObjective(
            goodShare: [nil, 0.9, 0.999].randomElement(using: &random)!,
            latencyNanoseconds: [nil, 100_000_000].randomElement(using: &random)!)
        return TunerPolicy(timeoutNanoseconds: 1_000_000_000, bounds: bounds, objective: objective)
    }

    @Test("clamps, step limits, bounds and a monotone freeze, over random histories", arguments: UInt64(1)...40)
    func histories(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let policy = Self.anyPolicy(&random)
        var tuner = Tuner(policy: policy, now: 0)
        var now: UInt64 = 0
        var baseline = Self.anyBaseline(&random)
        for _ in 0..<400 {
            now += UInt64.random(in: 0...20, using: &random) * 1_000_000_000
            if Double.random(in: 0..<1, using: &random) < 0.05 { baseline = Self.anyBaseline(&random) }
            tuner.count(calls: 100, failures: Double.random(in: 0...30, using: &random), now: now)
            let context = TunerContext(
                now: now, unixSeconds: Double(now) / 1e9, isClosed: Double.random(in: 0..<1, using: &random) < 0.9,
                isAnomalous: Double.random(in: 0..<1, using: &random) < 0.2,
                hasWarning: Double.random(in: 0..<1, using: &random) < 0.1,
                isShadow: seed.isMultiple(of: 4) && now < 1_000_000_000_000)
            let before = tuner
            let isBurning = tuner.burnRate.excess(objective: policy.objective) != nil
            let isRollback = Double.random(in: 0..<1, using: &random) < 0.02
            let changes =
                isRollback
                ? tuner.rollBack(baseline, context: context)
                : tuner.step(
                    baseline,
                    slowQuantile: Bool.random(using: &random) ? Double.random(in: 0...3, using: &random) : nil,
                    context: context)
            for parameter in BreakerParameter.allCases {
                check(parameter, from: before, to: tuner, isLimited: !isRollback)
                guard !isRollback else { continue }
                let isLooser = tuner.isLooser(tuner.applied[parameter], than: before.applied[parameter], parameter)
                if context.isAnomalous || context.hasWarning || !context.isClosed || isBurning {
                    #expect(
                        !isLooser
                            || policy.bounds.clamp(before.applied[parameter], parameter) != before.applied[parameter])
                }
            }
            for change in changes where !change.isRefused {
                #expect(change.old == (context.isShadow ? before.learned : before.applied)[change.parameter])
                #expect(change.applied == (context.isShadow ? tuner.learned : tuner.applied)[change.parameter])
                #expect(change.version == tuner.version && tuner.version == before.version + 1)
            }
            if tuner.applied != before.applied {
                #expect(changes.contains { !$0.isRefused }, "a change without a record")
            }
        }
    }

    private func check(_ parameter: BreakerParameter, from before: Tuner, to after: Tuner, isLimited: Bool) {
        let policy = after.policy
        for (old, new) in [
            (before.applied[parameter], after.applied[parameter]),
            (before.learned[parameter], after.learned[parameter]),
        ] {
            #expect(new.isFinite)
            #expect(
                policy.bounds.clamp(new, parameter) == new, "\(parameter.name) \(new) outside the operator's bounds")
            let range = policy.range(of: parameter)
            if policy.bounds.minimum(of: parameter) == nil, policy.bounds.maximum(of: parameter) == nil {
                // The start value of a slow call, the timeout, may lie above the objective and walks down to it.
                #expect(new >= range.lowerBound && (new <= range.upperBound || new <= old), "\(parameter.name) \(new)")
            }
            guard isLimited, new != old else { continue }
            let share = parameter == .window ? 0.25 : after.isLooser(new, than: old, parameter) ? 0.1 : 0.3
            #expect(
                abs(new - old) <= max(share * old, parameter.isWhole ? 1 : 0) + 1e-9,
                "\(parameter.name) \(old) -> \(new)")
        }
    }
}
