import Foundation
import TestSupport
import Testing

@testable import Resilience

/// One key over minutes and hours, its restart, and its words.
@Suite struct KeyLearningTests {
    static let start = 1_767_225_600.0

    /// A key, its destination and its clock.
    struct World {
        var learning: KeyLearning
        var random: SeededGenerator
        var second = 0
        var medianSeconds = 0.010
        var failureShare = 0.005
        var calls = 20

        init(seed: UInt64) {
            random = SeededGenerator(seed: seed)
            learning = KeyLearning(
                policy: TunerPolicy(timeoutNanoseconds: 1_000_000_000), now: 0, unixSeconds: KeyLearningTests.start)
        }

        mutating func run(_ seconds: Int) -> [KeyLearning.Lesson] { (0..<seconds).map { _ in step() } }

        mutating func step() -> KeyLearning.Lesson {
            second += 1
            var sums = CallSecond(calls: Double(calls), failures: 0, slow: 0, logSum: 0, logSquares: 0)
            sums.failures = Double(random.binomial(calls, failureShare))
            for _ in 0..<calls {
                let latency = medianSeconds * exp(0.5 * random.gaussian())
                sums.logSum += log(latency)
                sums.logSquares += log(latency) * log(latency)
                sums.slow += latency > learning.tuner.applied[.slowCall] ? 1 : 0
                learning.learnLatency(seconds: latency)
            }
            return learning.second(
                sums,
                KeyLearning.Surroundings(
                    now: UInt64(second) * 1_000_000_000, unixSeconds: KeyLearningTests.start + Double(second),
                    exemplarTraceID: 0xABC))
        }
    }

    @Test("an hour of normal life: thresholds settle, nothing is hot for long, no warning, no breach")
    func normal() {
        var world = World(seed: 1)
        let lessons = world.run(3_600)
        let applied = world.learning.tuner.applied
        #expect((0.045...0.075).contains(applied[.slowCall]), "\(applied[.slowCall])")
        #expect((0.08...0.12).contains(applied.failureRate))
        #expect(lessons.allSatisfy { $0.scores?.isWarning != true })
        #expect(lessons.count { $0.breach != nil } < 60)
        #expect(lessons.flatMap(\.changes).count { !$0.isRefused } < 150)
        #expect(lessons.compactMap(\.scores).count == 60)
    }

    @Test("a latency step freezes the tuner at once and warns within minutes")
    func step() {
        var world = World(seed: 2)
        _ = world.run(4 * 3_600)
        let before = world.learning.tuner.applied
        world.medianSeconds = 0.150
        let lessons = world.run(300)
        #expect(lessons[0].reading.isHot)
        #expect(lessons.contains { $0.scores?.isWarning == true })
        #expect(world.learning.tuner.applied == before)
    }

    @Test("latency that rises towards the slow-call duration is foretold")
    func breach() {
        var world = World(seed: 3)
        _ = world.run(1_800)
        var foretold: Int?
        for second in 0..<600 {
            world.medianSeconds = 0.010 * pow(5, Double(second) / 600)
            if world.step().breach != nil, foretold == nil { foretold = second }
        }
        #expect(foretold != nil)
    }

    @Test("a lag that grows is foretold with time and confidence, before it comes to what was promised")
    func lagAhead() throws {
        var policy = TunerPolicy(timeoutNanoseconds: 1_000_000_000)
        policy.objective.lag = 2_000
        var learning = KeyLearning(policy: policy, watchesQueue: true, now: 0, unixSeconds: Self.start)
        var first: (second: Int, foresight: KeyLearning.Foresight)?
        for second in 1...900 {
            var around = KeyLearning.Surroundings(
                now: UInt64(second) * 1_000_000_000, unixSeconds: Self.start + Double(second))
            if second.isMultiple(of: 10) {
                var flow = FlowTally()
                flow.messages = 500
                // Ten more each second from the sixth minute on.
                flow.toldLag = 50 + Double(second % 7) + Double(max(0, second - 300)) * 10
                around.flow = flow
            }
            if let breach = learning.second(CallSecond(), around).breach, first == nil { first = (second, breach) }
        }
        let (second, foresight) = try #require(first)
        #expect(foresight.isOfLag)
        // 2,000 is reached in second 495.
        #expect((300..<480).contains(second), "\(second)")
        // The trend is learned slowly, so the first estimate of the time is a long one; it is never short.
        #expect((495...800).contains(Double(second) + foresight.breach.seconds), "\(second): \(foresight)")
        #expect(foresight.breach.earliestSeconds <= foresight.breach.seconds)
        #expect(foresight.breach.confidence > 0.99)
        #expect(foresight.breach.keptShare < 1)
    }

    @Test("without a promise, too much lag is what is as far from the usual as an anomaly")
    func lagLimit() {
        var learning = KeyLearning(
            policy: TunerPolicy(timeoutNanoseconds: 1_000_000_000), watchesQueue: true, now: 0, unixSeconds: Self.start)
        #expect(learning.lagLimit == nil)
        for second in 1...300 {
            var around = KeyLearning.Surroundings(
                now: UInt64(second) * 1_000_000_000, unixSeconds: Self.start + Double(second))
            if second.isMultiple(of: 10) {
                around.flow = FlowTally()
                around.flow?.toldLag = 1_000
            }
            _ = learning.second(CallSecond(), around)
        }
        let limit = learning.lagLimit ?? 0
        #expect((1_700...1_900).contains(limit), "\(limit)")
    }

    @Test("everything of a key is less than 8 KiB, with room for its breaker")
    func size() {
        let header = 32
        // Means, spreads and visits of 72 and 168 bins.
        let detector = 72 * 4 + 36 + 168 * (4 + 2) + 84 + 5 * header
        let peaks = 96 * 2 + header
        let burnRate = 26 * 8 + 2 * header
        let arrays = 2 * detector + peaks + burnRate
        #expect(MemoryLayout<KeyLearning>.size + arrays < 6_400, "\(MemoryLayout<KeyLearning>.size) + \(arrays)")
        // What is stored has the same size after a minute and after hours.
        var world = World(seed: 4)
        _ = world.run(3_100)
        let early = world.learning.state(savedUnixSeconds: 0).bytes.count
        _ = world.run(3_600)
        #expect(world.learning.state(savedUnixSeconds: 0).bytes.count == early)
        #expect(early < 8 * 1024)
    }

    @Test("a restart keeps what was learned")
    func restart() throws {
        var world = World(seed: 5)
        _ = world.run(1_800)
        let saved = world.learning.state(savedUnixSeconds: Self.start + 1_800)
        let read = try LearnedState(bytes: saved.bytes)
        #expect(read.bytes == saved.bytes)
        let restored = KeyLearning(
            read, policy: TunerPolicy(timeoutNanoseconds: 1_000_000_000), now: 5, unixSeconds: Self.start + 1_800)
        #expect(restored.tuner.applied == world.learning.tuner.applied)
        #expect(restored.tuner.version == world.learning.tuner.version)
        #expect(restored.baseline.failureShare == world.learning.baseline.failureShare)
        #expect(restored.failureDetector == world.learning.failureDetector)
        #expect(restored.firstSeenUnixSeconds == Self.start)
        // New bounds of the operator win over what was stored.
        var bounds = ParameterBounds()
        bounds.set(.failureRate, minimum: nil, maximum: 0.03)
        let bounded = KeyLearning(
            read, policy: TunerPolicy(timeoutNanoseconds: 1_000_000_000, bounds: bounds), now: 5,
            unixSeconds: Self.start)
        #expect(bounded.tuner.applied.failureRate == 0.03)
    }

    @Test("what was learned fades: half the weight a day, half the way to the start values a week")
    func age() throws {
        var world = World(seed: 6)
        _ = world.run(1_800)
        let policy = TunerPolicy(timeoutNanoseconds: 1_000_000_000)
        let state = world.learning.state(savedUnixSeconds: Self.start)
        func restored(days: Double) -> KeyLearning {
            KeyLearning(state, policy: policy, now: 0, unixSeconds: Self.start + days * 86_400)
        }
        let (now, day, week) = (restored(days: 0), restored(days: 1), restored(days: 7))
        #expect(abs(day.baseline.learnedCalls / now.baseline.learnedCalls - 0.5) < 1e-9)
        #expect(now.baseline.learnedCalls < 6_000)
        let learned = state.applied.failureRate
        #expect(abs(week.tuner.applied.failureRate - (0.5 * learned).squareRoot()) < 1e-9)
        #expect(abs(restored(days: 700).tuner.applied.failureRate - 0.5) < 1e-6)
        #expect(restored(days: -5).tuner.applied == state.applied)
        #expect(restored(days: 365).baseline.learnedCalls < 1)
    }

    @Test("bytes that are no state are refused, and never trap")
    func brokenState() {
        var world = World(seed: 7)
        _ = world.run(120)
        let bytes = world.learning.state(savedUnixSeconds: Self.start).bytes
        #expect(throws: StateError.self) { try LearnedState(bytes: []) }
        #expect(throws: StateError.self) { try LearnedState(bytes: bytes + bytes) }
        var other = bytes
        other[0] ^= 1
        #expect(throws: StateError.self) { try LearnedState(bytes: other) }
        var random = SeededGenerator(seed: 8)
        for _ in 0..<2_000 {
            var broken = bytes
            for _ in 0..<3 { broken[Int.random(in: 8..<400, using: &random)] = .random(in: 0...255, using: &random) }
            guard let state = try? LearnedState(bytes: broken) else { continue }
            var restored = KeyLearning(
                state, policy: TunerPolicy(timeoutNanoseconds: 1_000_000_000), now: 0, unixSeconds: Self.start)
            let x = log(0.01)
            for second in UInt64(1)...61 {
                _ = restored.second(
                    CallSecond(calls: 5, failures: 1, slow: 1, logSum: 5 * x, logSquares: 5 * x * x),
                    KeyLearning.Surroundings(now: second * 1_000_000_000, unixSeconds: Self.start + Double(second)))
            }
            #expect(restored.tuner.applied.failureRate.isFinite)
        }
    }

    @Test("why a threshold is what it is")
    func words() {
        var bench = TunerTests.Bench()
        let baseline = TunerTests.baseline()
        bench.settle(baseline, steps: 2)
        let changes = bench.step(baseline)
        let evidence = ThresholdEvidence(baseline, deviations: 5, windowSeconds: 5, slowQuantile: nil)
        func words(_ parameter: BreakerParameter) -> String {
            ThresholdExplanation.sentences(
                parameter, tuner: bench.tuner, evidence: evidence,
                lastChange: changes.first { $0.parameter == parameter }, changedAt: "2026-01-01T00:00:30Z"
            ).joined(separator: "\n")
        }
        #expect(
            words(.failureRate) == """
                failure_rate is 17.2 %: the breaker opens when at least this share of the window's calls fails.
                Usually 0.5 % of the calls fail, as learned from 10000 calls at 50 per second.
                A window of 5 s holds about 250 of them, in which 5 deviations of chance reach 2.73 %; with a margin of \
                5 % that is 7.73 %.
                The least that is chosen is 8 %.
                Last change at 2026-01-01T00:00:30Z, by the tuner: from 24.5 % to 17.2 % (proposed 7.22 %; no more in \
                one step). A trace of that time: 00000000000000000000000000000007.
                """)
        #expect(words(.slowCall).contains("A call usually takes 10 ms, and three deviations"))
        #expect(words(.slowCall).contains("with 30 % on top that is 58.3 ms."))
        for parameter in BreakerParameter.allCases {
            #expect(words(parameter).hasPrefix("\(parameter.name) is "))
        }
        let young = ThresholdExplanation.sentences(.failureRate, tuner: bench.tuner, evidence: ThresholdEvidence())
        #expect(young[1] == "0 calls were learned from; below 50, the value stays where it was.")
    }
}
