import Foundation
import Testing

@testable import Resilience

/// The tuner over transcripts: formulas with their worked values, limits, guards, shadow and rollback.
@Suite struct TunerTests {
    static func baseline(
        rate: Double = 50, failureShare: Double = 0.005, medianSeconds: Double = 0.010, sigma: Double = 0.5,
        slowShare: Double = 0, calls: Double = 10_000
    ) -> Baseline {
        var baseline = Baseline()
        baseline.callsPerSecond = rate
        baseline.failureShare = failureShare
        baseline.logLatencyMean = log(medianSeconds)
        baseline.logLatencyVariance = sigma * sigma
        baseline.slowShare = slowShare
        baseline.learnedCalls = calls
        return baseline
    }

    /// A tuner and its clock.
    struct Bench {
        var tuner: Tuner
        var now: UInt64 = 0

        init(_ policy: TunerPolicy = TunerPolicy(timeoutNanoseconds: 1_000_000_000)) {
            tuner = Tuner(policy: policy, now: 0)
        }

        mutating func step(
            _ baseline: Baseline, closed: Bool = true, anomalous: Bool = false, warning: Bool = false,
            shadow: Bool = false
        ) -> [ThresholdChange] {
            now += Tuner.stepNanoseconds
            return tuner.step(
                baseline,
                context: TunerContext(
                    now: now, unixSeconds: 1_767_225_600 + Double(now) / 1e9, isClosed: closed,
                    isAnomalous: anomalous, hasWarning: warning, isShadow: shadow, exemplarTraceID: 7))
        }

        mutating func settle(_ baseline: Baseline, steps: Int = 60) { for _ in 0..<steps { _ = step(baseline) } }
    }

    @Test(
        "the worked values of the formulas",
        arguments: [
            (50.0, 0.005, 5.0, 250.0, 40.0, 0.08, 20.0), (2, 0.03, 20, 40, 20, 0.215, 13),
            (0.5, 0.02, 60, 30, 15, 0.198, 14),
        ])
    func workedValues(
        rate: Double, share: Double, window: Double, expected: Double, minimumCalls: Double, failureRate: Double,
        probes: Double
    ) throws {
        let policy = TunerPolicy(timeoutNanoseconds: 1_000_000_000)
        var evidence = ThresholdEvidence()
        evidence.callsPerSecond = rate
        evidence.failureShare = share
        func value(_ parameter: BreakerParameter, failureRate: Double = 0) throws -> Double {
            let raw = ThresholdFormulas.proposal(parameter, evidence, failureRate: failureRate)
            return try #require(raw).clamped(to: policy.range(of: parameter))
        }
        evidence.windowSeconds = try value(.window)
        #expect(evidence.windowSeconds == window)
        #expect(ThresholdFormulas.expectedCalls(evidence) == expected)
        #expect(try value(.minimumCalls) == minimumCalls)
        let rateValue = try value(.failureRate)
        #expect(abs(rateValue - failureRate) < 0.0005)
        #expect(try value(.halfOpenProbes, failureRate: rateValue) == probes)
    }

    @Test("a slow call is 58 ms where the median is 10 ms with a spread of 0.5, and follows the tail once it is known")
    func slowCall() {
        var evidence = ThresholdEvidence()
        #expect(ThresholdFormulas.proposal(.slowCall, evidence, failureRate: 0.1) == nil)
        evidence.logLatencyMean = log(0.010)
        evidence.logLatencyVariance = 0.25
        #expect(abs(ThresholdFormulas.proposal(.slowCall, evidence, failureRate: 0.1)! - 0.0583) < 0.0005)
        evidence.slowQuantile = log(20)
        #expect(abs(ThresholdFormulas.proposal(.slowCall, evidence, failureRate: 0.1)! - 0.26) < 1e-9)
    }

    @Test("from the start values the parameters come to the proposed ones, within the dead band")
    func convergence() {
        var bench = Bench()
        #expect(bench.tuner.applied[.failureRate] == 0.5)
        #expect(bench.tuner.applied[.slowCall] == 1)
        bench.settle(Self.baseline())
        let applied = bench.tuner.applied
        #expect(abs(applied.windowSeconds - 5) <= 0.25)
        #expect((38...40).contains(applied.minimumCalls))
        #expect(abs(applied.failureRate - 0.08) <= 0.05 * applied.failureRate + 1e-9)
        #expect(abs(applied[.slowCall] - 0.0583) <= 0.003)
        #expect(abs(applied.slowCallRate - 0.2) <= 0.01)
        #expect((19...20).contains(applied.halfOpenProbes))
        #expect(abs(applied.rampSeconds - 0.332) < 0.02)
        #expect(applied == bench.tuner.learned)
        #expect(bench.step(Self.baseline()).isEmpty)
    }

    @Test("the first steps tell old, proposed, applied, what limited them, and the evidence")
    func records() throws {
        var bench = Bench()
        let changes = bench.step(Self.baseline())
        let rate = try #require(changes.first { $0.parameter == .failureRate })
        #expect(rate.old == 0.5 && abs(rate.applied - 0.35) < 1e-12 && rate.limitedBy == .step)
        #expect(abs(rate.proposed - 0.068) < 0.001)
        #expect(rate.direction == .tighten && rate.actor == .auto && !rate.isShadow && rate.version == 1)
        #expect(rate.evidence.calls == 10_000 && rate.evidence.callsPerSecond == 50 && rate.evidence.deviations == 5)
        #expect(rate.evidence.windowSeconds == 15)
        #expect(rate.exemplarTraceID == 7 && rate.unixSeconds == 1_767_225_610)
        #expect(rate.detectorVersion == "a1+b1+t2")
        let window = try #require(changes.first { $0.parameter == .window })
        #expect(window.old == 20 && window.applied == 15)
        let open = try #require(changes.first { $0.parameter == .open })
        #expect(open.old == 60 && open.applied == 54 && open.direction == .loosen && open.evidence.outageSeconds == 300)
    }

    @Test("nothing happens between steps, before fifty calls, or while the breaker is not closed")
    func gates() {
        var bench = Bench()
        let start = bench.tuner.applied
        #expect(bench.step(Self.baseline(calls: 49)).isEmpty)
        #expect(bench.step(Self.baseline(), closed: false).isEmpty)
        #expect(bench.tuner.applied == start)
        #expect(!bench.step(Self.baseline()).isEmpty)
        bench.now -= 1
        #expect(bench.step(Self.baseline()).isEmpty)
    }

    @Test("during an anomaly or a warning nothing moves, and the refusals are told once an hour")
    func freeze() {
        var bench = Bench()
        bench.settle(Self.baseline(), steps: 5)
        let before = bench.tuner
        let refused = bench.step(Self.baseline(failureShare: 0.3), anomalous: true)
        #expect(!refused.isEmpty && refused.allSatisfy { $0.isRefused && $0.limitedBy == .freeze })
        #expect(refused.contains { $0.parameter == .failureRate })
        #expect(bench.step(Self.baseline(failureShare: 0.3), warning: true).isEmpty)
        #expect(bench.tuner.applied == before.applied && bench.tuner.version == before.version)
        for _ in 0..<360 { _ = bench.step(Self.baseline(failureShare: 0.3), anomalous: true) }
        #expect(bench.tuner.applied == before.applied)
    }

    @Test("loosening is limited to a tenth a step and to half within the hour")
    func hourly() {
        var bench = Bench()
        bench.settle(Self.baseline(), steps: 400)
        let tight = bench.tuner.applied[.slowCall]
        var previous = tight
        let slower = Self.baseline(medianSeconds: 0.040)
        for _ in 0..<359 {
            _ = bench.step(slower)
            let value = bench.tuner.applied[.slowCall]
            #expect(value <= previous * 1.1 + 1e-9)
            #expect(value <= tight * 1.5 + 1e-6)
            previous = value
        }
        #expect(previous > tight * 1.4)
        bench.settle(slower, steps: 720)
        #expect(bench.tuner.applied[.slowCall] > tight * 3)
    }

    @Test("the operator's floor and ceiling win over formula, clamp and step")
    func bounds() {
        var bounds = ParameterBounds()
        bounds.set(.failureRate, minimum: 0.02, maximum: 0.05)
        bounds.set(.minimumCalls, minimum: 100, maximum: nil)
        bounds.set(.slowCall, minimum: nil, maximum: 0.020)
        bounds.set(.open, minimum: 30, maximum: 30)
        var bench = Bench(TunerPolicy(timeoutNanoseconds: 1_000_000_000, bounds: bounds))
        #expect(bench.tuner.applied.failureRate == 0.05)
        #expect(bench.tuner.applied.minimumCalls == 100)
        bench.settle(Self.baseline())
        #expect(bench.tuner.applied.failureRate == 0.05)
        #expect(bench.tuner.applied.minimumCalls == 100)
        #expect(bench.tuner.applied[.slowCall] == 0.020)
        let context = TunerContext(now: bench.now, unixSeconds: 0)
        let refused = bench.tuner.recovered(tripToCloseSeconds: 1, Self.baseline(), context: context)
        #expect(refused.isEmpty, "told in the steps before, and once an hour is enough")
        #expect(bench.tuner.applied.openSeconds == 30)
        // A new ceiling applies at once and is told as the operator's.
        bounds.set(.failureRate, minimum: nil, maximum: 0.01)
        let changes = bench.tuner.setPolicy(
            TunerPolicy(timeoutNanoseconds: 1_000_000_000, bounds: bounds), Self.baseline(), context: context)
        #expect(changes.map(\.parameter) == [.failureRate])
        #expect(changes.first?.actor == .operator && changes.first?.applied == 0.01)
        #expect(bench.tuner.applied.failureRate == 0.01)
    }

    @Test("the slow-call duration never exceeds timeout or objective")
    func objective() {
        let policy = TunerPolicy(
            timeoutNanoseconds: 1_000_000_000, objective: ServiceObjective(latencyNanoseconds: 30_000_000))
        var bench = Bench(policy)
        bench.settle(Self.baseline(medianSeconds: 0.5))
        #expect(bench.tuner.applied[.slowCall] == 0.030)
        let tiny = TunerPolicy(timeoutNanoseconds: 2_000_000)
        #expect(tiny.range(of: .slowCall) == 0.002...0.002)
    }

    @Test("while the error budget burns nothing loosens, and the failure threshold falls to what the budget can bear")
    func burnRate() {
        let policy = TunerPolicy(timeoutNanoseconds: 1_000_000_000, objective: ServiceObjective(goodShare: 0.99))
        var bench = Bench(policy)
        bench.settle(Self.baseline(failureShare: 0.10))
        let loose = bench.tuner.applied.failureRate
        #expect(loose > 0.2)
        for second in 0..<3_700 {
            bench.tuner.count(calls: 50, failures: 10, now: bench.now + UInt64(second) * 1_000_000_000)
        }
        bench.now += 3_700_000_000_000
        #expect(bench.tuner.burnRate.excess(objective: policy.objective) == 14.4)
        let changes = bench.step(Self.baseline(failureShare: 0.2), anomalous: true)
        #expect(changes.contains { $0.parameter == .failureRate && $0.direction == .tighten })
        #expect(changes.allSatisfy { $0.direction != .loosen })
        for _ in 0..<20 { _ = bench.step(Self.baseline(failureShare: 0.2), anomalous: true) }
        #expect(abs(bench.tuner.applied.failureRate - 0.144) < 0.01)
    }

    @Test("burn needs both windows, and without an objective there is no guard")
    func burnWindows() {
        var burn = BurnRate()
        let objective = ServiceObjective(goodShare: 0.999)
        #expect(burn.excess(objective: objective) == nil)
        for minute in UInt64(0)..<60 { burn.add(calls: 1_000, failures: 0, now: minute * 60_000_000_000) }
        // A burst of five minutes is much now, but little of the hour.
        for minute in UInt64(60)..<62 { burn.add(calls: 1_000, failures: 100, now: minute * 60_000_000_000) }
        #expect(burn.excess(objective: objective) == nil)
        for minute in UInt64(62)..<90 { burn.add(calls: 1_000, failures: 100, now: minute * 60_000_000_000) }
        #expect(burn.excess(objective: objective) == 14.4)
        #expect(burn.excess(objective: ServiceObjective()) == nil)
        // It was so and is so no more.
        for minute in UInt64(90)..<99 { burn.add(calls: 1_000, failures: 0, now: minute * 60_000_000_000) }
        #expect(burn.excess(objective: objective) == 6)
        burn.add(calls: 1, failures: 0, now: 1_000_000 * 60_000_000_000)
        #expect(burn.excess(objective: objective) == nil)
    }

    @Test("in shadow the learned values move and the applied ones do not; afterwards these walk to the learned ones")
    func shadow() {
        var bench = Bench()
        let start = bench.tuner.applied
        var changes: [ThresholdChange] = []
        for _ in 0..<60 { changes += bench.step(Self.baseline(), shadow: true) }
        #expect(changes.contains { !$0.isRefused } && changes.allSatisfy(\.isShadow))
        #expect(bench.tuner.applied == start)
        #expect(bench.tuner.learned.failureRate < 0.09)
        var previous = start.failureRate
        for _ in 0..<8 {
            _ = bench.step(Self.baseline())
            #expect(bench.tuner.applied.failureRate >= previous * 0.7 - 1e-12)
            previous = bench.tuner.applied.failureRate
        }
        bench.settle(Self.baseline(), steps: 30)
        #expect(bench.tuner.applied == bench.tuner.learned)
    }

    @Test("a probable false open takes the last tightening back, widens the deviations, and holds for ten minutes")
    func rollback() throws {
        var bench = Bench()
        bench.settle(Self.baseline(rate: 2, failureShare: 0.03), steps: 2)
        let before = bench.tuner.applied
        bench.settle(Self.baseline(rate: 2, failureShare: 0.03), steps: 1)
        let tightened = bench.tuner.applied
        #expect(tightened.failureRate < before.failureRate)
        let context = TunerContext(now: bench.now + 1_000_000_000, unixSeconds: 1)
        let changes = bench.tuner.rollBack(Self.baseline(rate: 2), context: context)
        let change = try #require(changes.first { $0.parameter == .failureRate })
        #expect(change.actor == .rollback && change.direction == .loosen && change.applied == before.failureRate)
        #expect(bench.tuner.applied.failureRate == before.failureRate)
        #expect(abs(bench.tuner.deviations - 5.5) < 1e-12)
        for _ in 0..<59 { _ = bench.step(Self.baseline(rate: 2, failureShare: 0.03)) }
        #expect(bench.tuner.applied.failureRate == before.failureRate)
        bench.settle(Self.baseline(rate: 2, failureShare: 0.03))
        #expect(bench.tuner.applied.failureRate < before.failureRate)
        for _ in 0..<20 { _ = bench.tuner.rollBack(Self.baseline(), context: context) }
        #expect(bench.tuner.deviations == 8)
    }

    @Test("the longest open time follows the length of outages and the rate of calls, in steps, within its bounds")
    func openTime() {
        var bench = Bench()
        #expect(bench.tuner.applied.openSeconds == 60)
        bench.settle(Self.baseline())
        // sqrt(2 · 300 s / 50 per second)
        #expect(abs(bench.tuner.applied.openSeconds - 3.46) < 0.2)
        let context = TunerContext(now: 1, unixSeconds: 1)
        var changes = bench.tuner.recovered(tripToCloseSeconds: 3_000, Self.baseline(), context: context)
        #expect(bench.tuner.outageSeconds == 0.7 * 300 + 0.3 * 3_000)
        #expect(abs(changes[0].proposed - (2 * 1_110.0 / 50).squareRoot()) < 1e-9)
        #expect(changes[0].limitedBy == .step && changes[0].evidence.outageSeconds == 1_110)
        for _ in 0..<40 { changes += bench.tuner.recovered(tripToCloseSeconds: 1e6, Self.baseline(), context: context) }
        #expect(bench.tuner.applied.openSeconds == 60)
        for _ in 0..<90 { changes += bench.tuner.recovered(tripToCloseSeconds: 0.1, Self.baseline(), context: context) }
        #expect(abs(bench.tuner.applied.openSeconds - 1) < 0.06)
        #expect(changes.allSatisfy { abs($0.applied - $0.old) <= 0.3 * $0.old + 1e-9 })
        _ = bench.tuner.recovered(tripToCloseSeconds: .nan, Self.baseline(), context: context)
        #expect(bench.tuner.applied.openSeconds.isFinite)
    }

    @Test("restoring an older set and the kill switch are changes of the operator")
    func restore() {
        var bench = Bench()
        bench.settle(Self.baseline(), steps: 3)
        let older = bench.tuner.applied
        bench.settle(Self.baseline(), steps: 10)
        let context = TunerContext(now: bench.now, unixSeconds: 1)
        let version = bench.tuner.version
        var changes = bench.tuner.restore(older, Self.baseline(), context: context)
        #expect(bench.tuner.applied == older && bench.tuner.version == version + 1)
        #expect(!changes.isEmpty && changes.allSatisfy { $0.actor == .operator && $0.version == version + 1 })
        changes = bench.tuner.restore(nil, Self.baseline(), context: context)
        #expect(bench.tuner.applied == BreakerParameters(timeoutNanoseconds: 1_000_000_000, adapts: true))
    }

    @Test("the retry share shrinks from a fifth to nothing at the threshold")
    func retryShare() {
        #expect(ThresholdFormulas.retryShare(failureShare: 0, failureRate: 0.1) == 0.2)
        #expect(abs(ThresholdFormulas.retryShare(failureShare: 0.05, failureRate: 0.1) - 0.1) < 1e-12)
        #expect(ThresholdFormulas.retryShare(failureShare: 0.3, failureRate: 0.1) == 0)
        #expect(ThresholdFormulas.retryShare(failureShare: 0.3, failureRate: 0) == 0)
    }
}
