import Foundation
import TestSupport
import Testing

@testable import Resilience

/// Detector A over transcripts of seconds.
@Suite struct BaselineTests {
    /// A destination that answers as told, and the baseline that watches it.
    struct Watched {
        var baseline: Baseline
        var random: SeededGenerator
        var now: UInt64 = 0
        var failureShare = 0.005
        var medianSeconds = 0.010
        var sigma = 0.5
        var isClosed = true

        init(seed: UInt64, baseline: Baseline = Baseline()) {
            random = SeededGenerator(seed: seed)
            self.baseline = baseline
        }

        mutating func second(_ calls: Int) -> Baseline.Reading {
            now += 1_000_000_000
            var second = CallSecond(calls: Double(calls), failures: 0, slow: 0, logSum: 0, logSquares: 0)
            second.failures = Double(random.binomial(calls, failureShare))
            for _ in 0..<calls {
                let x = log(medianSeconds) + sigma * random.gaussian()
                second.logSum += x
                second.logSquares += x * x
            }
            return baseline.update(second, isClosed: isClosed, now: now)
        }

        mutating func seconds(_ count: Int, calls: Int) -> [Baseline.Reading] { (0..<count).map { _ in second(calls) } }
    }

    @Test("rate, failure share, overdispersion and latency are learned")
    func learning() {
        var watched = Watched(seed: 1)
        let readings = watched.seconds(1_200, calls: 50)
        let baseline = watched.baseline
        #expect(abs(baseline.callsPerSecond! - 50) < 0.01)
        #expect((0.002...0.01).contains(baseline.failureShare))
        #expect(abs(baseline.logLatencyMean! - log(0.010)) < 0.05)
        #expect(abs(baseline.logLatencyVariance - 0.25) < 0.03)
        #expect(baseline.overdispersion < 1.3)
        #expect((58_000...60_000).contains(baseline.learnedCalls))
        #expect(readings.count { $0.isHot } < 6)
    }

    @Test("a second is scored before it is learned")
    func scoredFirst() {
        var watched = Watched(seed: 2)
        _ = watched.seconds(600, calls: 50)
        let learned = watched.baseline
        watched.medianSeconds = 0.150
        let reading = watched.second(50)
        #expect(reading.isHot && reading.isFrozen && reading.latencyScore > 20)
        #expect(watched.baseline.logLatencyMean == learned.logLatencyMean)
        #expect(watched.baseline.failureShare == learned.failureShare)
        #expect(watched.baseline.callsPerSecond != nil)
    }

    @Test("nothing is learned while hot, nor for five seconds after, nor while the breaker is not closed")
    func freeze() {
        var watched = Watched(seed: 3)
        _ = watched.seconds(600, calls: 50)
        watched.failureShare = 0.6
        _ = watched.seconds(30, calls: 50)
        let frozen = watched.baseline
        #expect(frozen.frozenSeconds == 30)
        #expect(frozen.failureShare < 0.02)
        watched.failureShare = 0.005
        for quiet in 1...4 {
            #expect(watched.second(50).isFrozen, "quiet second \(quiet)")
            #expect(watched.baseline.learnedCalls == frozen.learnedCalls)
        }
        #expect(!watched.second(50).isFrozen)
        #expect(watched.baseline.learnedCalls > frozen.learnedCalls)
        watched.isClosed = false
        let open = watched.baseline
        _ = watched.seconds(20, calls: 50)
        #expect(watched.baseline.learnedCalls == open.learnedCalls)
        #expect(watched.baseline.logLatencyMean == open.logLatencyMean)
    }

    @Test("one failure among few calls, and a perfectly even key, are no anomaly")
    func floors() {
        var baseline = Baseline()
        let x = log(0.001)
        for tick in UInt64(1)...600 {
            let even = CallSecond(calls: 1, failures: 0, slow: 0, logSum: x, logSquares: x * x)
            let reading = baseline.update(even, isClosed: true, now: tick * 1_000_000_000)
            #expect(!reading.isHot)
        }
        let failed = CallSecond(calls: 1, failures: 1, slow: 0, logSum: x + 0.3, logSquares: (x + 0.3) * (x + 0.3))
        let reading = baseline.update(failed, isClosed: true, now: 601_000_000_000)
        #expect(!reading.isHot, "\(reading)")
    }

    @Test("silent seconds lower the rate and nothing else; missing ones are filled in, at most sixty")
    func silence() {
        var watched = Watched(seed: 4)
        _ = watched.seconds(300, calls: 20)
        let busy = watched.baseline
        var skipped = busy
        var filled = busy
        let none = CallSecond(calls: 0, failures: 0, slow: 0, logSum: 0, logSquares: 0)
        for tick in UInt64(1)...30 { _ = filled.update(none, isClosed: true, now: (300 + tick) * 1_000_000_000) }
        _ = skipped.update(none, isClosed: true, now: 330_000_000_000)
        #expect(abs(filled.callsPerSecond! - 20 * pow(0.98, 30)) < 1e-9)
        #expect(abs(skipped.callsPerSecond! - filled.callsPerSecond!) < 1e-9)
        #expect(filled.failureShare == busy.failureShare && filled.logLatencyMean == busy.logLatencyMean)
        var long = busy
        _ = long.update(none, isClosed: true, now: 1_000_000_000_000_000)
        #expect(abs(long.callsPerSecond! - 20 * pow(0.98, 61)) < 1e-9)
    }

    @Test("overdispersion is read as what it is, not as its root", arguments: [(2.0, 1.5...2.4), (3.0, 2.1...3.3)])
    func overdispersion(truth: Double, expected: ClosedRange<Double>) {
        var baseline = Baseline()
        var random = SeededGenerator(seed: 5)
        let x = log(0.01)
        // Failures come in groups: the variance of the count is the size of the group times the binomial one.
        let group = Int(truth)
        var sum = 0.0
        for tick in UInt64(1)...6_000 {
            let failures = group * random.binomial(120 / group, 0.05)
            let second = CallSecond(
                calls: 120, failures: Double(failures), slow: 0, logSum: 120 * x, logSquares: 120 * x * x)
            _ = baseline.update(second, isClosed: true, now: tick * 1_000_000_000)
            if tick > 3_000 { sum += baseline.overdispersion }
        }
        #expect(expected.contains(sum / 3_000), "\(sum / 3_000)")
    }

    @Test("a level that holds for ten minutes becomes normal, once, and is then learned")
    func acceptance() {
        var watched = Watched(seed: 6)
        _ = watched.seconds(900, calls: 50)
        watched.medianSeconds = 0.030
        let first = watched.seconds(600, calls: 50)
        #expect(first.allSatisfy { $0.isFrozen && !$0.hasAcceptedRegime })
        #expect(abs(watched.baseline.logLatencyMean! - log(0.010)) < 0.1)
        let second = watched.seconds(900, calls: 50)
        #expect(second.count { $0.hasAcceptedRegime } == 1)
        #expect(abs(watched.baseline.logLatencyMean! - log(0.030)) < 0.1)
        #expect(!second.last!.isFrozen)
    }

    @Test("a level that keeps moving is not accepted")
    func unsettled() {
        var watched = Watched(seed: 7)
        _ = watched.seconds(900, calls: 50)
        var accepted = 0
        for step in 0..<12 {
            watched.medianSeconds = step.isMultiple(of: 2) ? 0.030 : 0.120
            accepted += watched.seconds(120, calls: 50).count { $0.hasAcceptedRegime }
        }
        #expect(accepted == 0)
        #expect(abs(watched.baseline.logLatencyMean! - log(0.010)) < 0.1)
    }

    @Test("what gets worse while it is being accepted is not accepted")
    func worsening() {
        var watched = Watched(seed: 12)
        _ = watched.seconds(900, calls: 50)
        watched.medianSeconds = 0.030
        let held = watched.seconds(630, calls: 50)
        #expect(held.count { $0.hasAcceptedRegime } == 1)
        watched.medianSeconds = 0.300
        _ = watched.seconds(10, calls: 50)
        let before = watched.baseline.logLatencyMean!
        _ = watched.seconds(240, calls: 50)
        #expect(watched.baseline.logLatencyMean! == before)
    }

    @Test("a slow drift is followed without an anomaly")
    func drift() {
        var watched = Watched(seed: 8)
        var hot = watched.seconds(300, calls: 50).count { $0.isHot }
        for second in 0..<2_400 {
            watched.medianSeconds = 0.010 * pow(3, Double(second) / 2_400)
            hot += watched.second(50).isHot ? 1 : 0
        }
        #expect(hot < 12)
        #expect(watched.baseline.logLatencyMean! > log(0.026))
    }

    @Test("a new key starts from its parent's baseline, with the weight of fifty calls")
    func parent() {
        var grown = Watched(seed: 9)
        grown.failureShare = 0.04
        #expect(ParentBaseline(grown.baseline) == nil)
        _ = grown.seconds(600, calls: 50)
        let lent = ParentBaseline(grown.baseline)!
        var child = Baseline(parent: lent)
        #expect(child.learnedCalls == 0)
        let x = log(0.02)
        let second = CallSecond(calls: 5, failures: 1, slow: 0, logSum: 5 * x, logSquares: 5 * x * x)
        _ = child.update(second, isClosed: true, now: 1_000_000_000)
        #expect(abs(child.failureShare - (50 * lent.failureShare + 1) / 55) < 1e-12)
        #expect(abs(child.logLatencyMean! - (50 * lent.logLatencyMean + 5 * x) / 55) < 1e-9)
        // A child that differs is learned from its own calls, though each second looks like an anomaly.
        var different = Watched(seed: 10, baseline: Baseline(parent: lent))
        different.medianSeconds = 1
        _ = different.seconds(3, calls: 5)
        #expect(different.baseline.learnedCalls == 15)
    }

    @Test("the scores do not depend on the unit of latency")
    func unit() {
        var one = Watched(seed: 11)
        var thousand = Watched(seed: 11)
        thousand.medianSeconds *= 1_000
        for _ in 0..<500 {
            let (a, b) = (one.second(20), thousand.second(20))
            #expect(abs(a.latencyScore - b.latencyScore) < 1e-6)
            #expect(a.errorScore == b.errorScore)
        }
    }
}
