import TestSupport
import Testing

@testable import Resilience

/// When bad calls are a fault, and when they are not.
@Suite struct FaultEvidenceTests {
    static func tally(good: Int = 0, failed: Int = 0, slow: Int = 0) -> CallTally {
        var tally = CallTally()
        tally.calls = good + failed + slow
        tally.failures[.timeout] = failed
        tally.slow = slow
        return tally
    }

    /// The beats after which the evidence is conclusive, of those that are told.
    static func conclusive(_ beats: [CallTally]) -> Int? {
        var evidence = FaultEvidence(now: 0)
        for (number, tally) in beats.enumerated() {
            let now = UInt64(number + 1) * 100_000_000
            evidence.add(tally, previousBeat: now - 100_000_000)
            if evidence.isConclusive(now: now) { return number + 1 }
        }
        return nil
    }

    @Test("three beats of nothing but failures are a fault at any rate", arguments: [3, 10, 100, 100_000])
    func allFail(calls: Int) {
        #expect(Self.conclusive(Array(repeating: Self.tally(failed: calls), count: 10)) == 3)
    }

    @Test(
        "the calls that waited for a pause end together when it is over, and that is no fault",
        arguments: [1, 10, 1_000, 1_000_000])
    func pause(calls: Int) {
        let usual = Self.tally(good: calls)
        var beats = Array(repeating: usual, count: 20)
        beats[10] = Self.tally(good: calls, slow: 5 * calls)
        beats[12] = Self.tally(good: calls, slow: 2 * calls)
        #expect(Self.conclusive(beats) == nil)
    }

    @Test("a lost connection takes all of its calls with it, and that is no fault")
    func lostConnection() {
        var beats = Array(repeating: Self.tally(good: 1), count: 200)
        for lost in [20, 100] { beats[lost] = Self.tally(failed: 500) }
        #expect(Self.conclusive(beats) == nil)
    }

    @Test("a brown-out of three in ten is never conclusive, one of seven in ten soon is")
    func share() {
        #expect(Self.conclusive(Array(repeating: Self.tally(good: 7, failed: 3), count: 10_000)) == nil)
        #expect(Self.conclusive(Array(repeating: Self.tally(good: 3, failed: 7), count: 10)) == 3)
    }

    @Test("a slow call counts half: two in three are needed")
    func slow() {
        #expect(Self.conclusive(Array(repeating: Self.tally(good: 40, slow: 60), count: 10_000)) == nil)
        #expect(Self.conclusive(Array(repeating: Self.tally(good: 30, slow: 70), count: 20)) != nil)
    }

    @Test("five failures in a row are enough once they have lasted ten seconds")
    func lasting() {
        var beats: [CallTally] = []
        for _ in 0..<5 { beats += [Self.tally(failed: 1)] + Array(repeating: CallTally(), count: 24) }
        #expect(Self.conclusive(beats) == 101)
    }

    /// A beat in which so many answers are overdue.
    static func waiting(_ overdue: Int, good: Int = 0, failed: Int = 0) -> CallTally {
        var tally = tally(good: good, failed: failed)
        tally.overdue = overdue
        return tally
    }

    @Test("answers that are overdue speak before they end: after half a second of silence, not within a pause")
    func overdue() {
        #expect(Self.conclusive(Array(repeating: Self.waiting(20), count: 20)) == 5)
        let pause = Array(repeating: Self.waiting(5_000), count: 4) + [Self.tally(good: 9, failed: 0, slow: 5_000)]
        #expect(Self.conclusive(pause + Array(repeating: Self.tally(good: 9), count: 50)) == nil)
    }

    @Test("three callers that wait for each answer are believed after a second and a half, one never")
    func fewCallers() {
        #expect(Self.conclusive(Array(repeating: Self.waiting(4), count: 50)) == 10)
        #expect(Self.conclusive(Array(repeating: Self.waiting(3), count: 50)) == 15)
        #expect(Self.conclusive(Array(repeating: Self.waiting(1), count: 500)) == nil)
    }

    @Test("one good answer a beat, and whatever is overdue is no silence")
    func answered() {
        #expect(Self.conclusive(Array(repeating: Self.waiting(1_000, good: 1), count: 500)) == nil)
    }

    @Test("a key that often fails in good times is judged by that")
    func ordinary() {
        func isConclusive(_ failed: Int, ordinaryShare: Double) -> Bool {
            var evidence = FaultEvidence(now: 0)
            for number in 1...1_000 {
                evidence.add(
                    Self.tally(good: 10 - failed, failed: failed), ordinaryShare: ordinaryShare,
                    previousBeat: UInt64(number))
            }
            return evidence.isConclusive(now: 1)
        }
        #expect(isConclusive(6, ordinaryShare: 0))
        #expect(!isConclusive(6, ordinaryShare: 0.4))
        #expect(isConclusive(8, ordinaryShare: 0.4))
    }

    @Test("the excess stays bounded, whatever comes")
    func bounded() {
        var random = SeededGenerator(seed: 5)
        var evidence = FaultEvidence(now: 0)
        for number in 1...5_000 {
            let calls = Int.random(in: 0...1_000_000, using: &random)
            let failed = Int.random(in: 0...calls, using: &random)
            evidence.add(Self.tally(good: calls - failed, failed: failed), previousBeat: UInt64(number))
            #expect((0...FaultEvidence.conclusive).contains(evidence.excess))
        }
    }
}

/// What an operator's floors and ceilings do to a breaker that learns.
@Suite struct OperatorLimitsTests {
    static func world(_ change: (inout ParameterBounds) -> Void) -> BreakerWorld {
        var bounds = ParameterBounds()
        change(&bounds)
        var parameters = BreakerParameters(timeoutNanoseconds: 1_000_000_000)
        for parameter in BreakerParameter.allCases {
            parameters[parameter] = bounds.clamp(parameters[parameter], parameter)
        }
        var world = BreakerWorld()
        world.machine = BreakerMachine(mode: .auto, parameters: parameters, bounds: bounds)
        world.run(30)
        return world
    }

    @Test("below the operator's floor of the failure rate nothing opens, above it does")
    func failureFloor() {
        var world = Self.world { $0.set(.failureRate, minimum: 0.9, maximum: nil) }
        world.failing = 0.8
        #expect(world.run(60).map(\.seconds) == [])
        world.failing = 1
        world.reach(.open, within: 30)
    }

    @Test("the operator's minimum of calls holds for sudden faults, too")
    func minimumCalls() throws {
        var world = Self.world { $0.set(.minimumCalls, minimum: 200, maximum: nil) }
        world.failing = 1
        let events = world.run(30)
        let first = try #require(events.first)
        #expect(first.seconds >= 33)
        #expect(first.transition.calls >= 200)
    }

    @Test("at the operator's ceiling of the failure rate it opens, even if most calls would succeed")
    func failureCeiling() throws {
        var world = Self.world { $0.set(.failureRate, minimum: nil, maximum: 0.1) }
        world.failing = 0.2
        let events = world.run(60)
        #expect(events.first?.transition.reason == .failureRate)
    }

    @Test("the open time stays inside the operator's bounds")
    func openTime() {
        var world = Self.world { $0.set(.open, minimum: 20, maximum: 30) }
        world.failing = 1
        world.reach(.open, within: 2)
        guard case .none(let retryAt) = world.machine.admission else { return }
        let seconds = Double(retryAt - world.now) / 1e9
        #expect((16...36).contains(seconds), "\(seconds)")
    }
}
