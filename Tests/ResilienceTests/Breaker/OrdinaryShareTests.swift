import Testing

@testable import Resilience

@Suite("Evidence of a fault, over what is ordinary")
struct OrdinaryShareTests {
    private static let beat: UInt64 = 100_000_000

    /// Beats of so many calls each; returns the first beat with enough evidence.
    private static func beats(
        _ count: Int, calls: Int, failed: (Int) -> Int, slow: (Int) -> Int = { _ in 0 }, ordinaryShare: Double = 0
    ) -> Int? {
        var evidence = FaultEvidence(now: 0)
        for number in 1...count {
            var tally = CallTally()
            tally.calls = calls
            tally.failures[.unavailable] = failed(number)
            tally.slow = slow(number)
            evidence.add(tally, ordinaryShare: ordinaryShare, previousBeat: UInt64(number - 1) * beat)
            if evidence.isConclusive(now: UInt64(number) * beat) { return number }
        }
        return nil
    }

    @Test("Eight failures are enough, seven are not")
    func eight() {
        #expect(Self.beats(1, calls: 8, failed: { _ in 8 }) == 1)
        #expect(Self.beats(1, calls: 7, failed: { _ in 7 }) == nil)
    }

    @Test("Each good call takes one back, and the evidence never becomes less than none")
    func good() {
        #expect(Self.beats(2, calls: 7, failed: { $0 == 1 ? 7 : 3 }) == nil, "7 up, 1 down")
        #expect(Self.beats(101, calls: 8, failed: { $0 == 101 ? 8 : 0 }) == 101, "a good past does not weigh")
    }

    @Test("Five failures are enough when the first is eight seconds ago and nothing spoke against them")
    func lasting() {
        // One call every two seconds.
        #expect(Self.beats(200, calls: 1, failed: { _ in 1 }) == 8)
        var evidence = FaultEvidence(now: 0)
        var found: UInt64?
        for number in 1...200 where found == nil {
            let now = UInt64(number) * Self.beat
            var tally = CallTally()
            if number % 20 == 0 {
                tally.calls = 1
                tally.failures[.timeout] = 1
            }
            evidence.add(tally, previousBeat: now - Self.beat)
            if evidence.isConclusive(now: now) { found = now }
        }
        #expect(found == 10_000_000_000, "the fifth of the failures that began at 2 s")
    }

    @Test("A brown-out of 15 % never is enough, whatever the rate")
    func brownOut() {
        for calls in [20, 200, 2_000] {
            #expect(Self.beats(10_000, calls: calls, failed: { _ in calls * 15 / 100 }) == nil)
        }
    }

    @Test("Slow calls count half: two in three are the limit")
    func slow() {
        #expect(Self.beats(1_000, calls: 50, failed: { _ in 0 }, slow: { _ in 33 }) == nil)
        #expect(Self.beats(1_000, calls: 50, failed: { _ in 0 }, slow: { _ in 34 }) != nil)
        #expect(Self.beats(1_000, calls: 16, failed: { _ in 0 }, slow: { _ in 16 }) == 1)
        #expect(Self.beats(1_000, calls: 15, failed: { _ in 0 }, slow: { _ in 15 }) == 2)
    }

    @Test("A key that often fails in good times is judged by that")
    func ordinary() {
        #expect(Self.beats(1_000, calls: 10, failed: { _ in 6 }) != nil)
        #expect(Self.beats(1_000, calls: 10, failed: { _ in 6 }, ordinaryShare: 0.4) == nil)
        #expect(Self.beats(1_000, calls: 10, failed: { _ in 8 }, ordinaryShare: 0.4) != nil)
    }
}

@Suite("Open times by the clock of the outage")
struct OutageClockTests {
    @Test(
        "Square root of outage over rate, at least a second, at most what suits five minutes",
        arguments: [
            (0, 50, 1), (50, 50, 2), (200, 50, 3.4648), (3_600, 50, 3.4648), (30, 0.5, 15.4919), (300, 0.5, 34.648),
            (86_400, 0.05, 60), (100, 10_000, 1), (10, 0, 60),
        ] as [(Double, Double, Double)])
    func openSeconds(_ outage: Double, _ rate: Double, _ expected: Double) {
        let seconds = OutageClock.openSeconds(outageSeconds: outage, callsPerSecond: rate)
        #expect(abs(seconds - expected) < 0.001, "\(seconds)")
    }

    @Test("What clients ask for is counted whether it was let through or not, the plain mean first")
    func offered() {
        var rate = OfferedRate()
        rate.add(3, seconds: 0.1)
        #expect(abs(rate.callsPerSecond - 30) < 1e-9)
        rate.add(5, seconds: 0.1)
        #expect(abs(rate.callsPerSecond - 40) < 1e-9)
        for _ in 0..<3_000 { rate.add(1, seconds: 0.1) }
        #expect(abs(rate.callsPerSecond - 10) < 0.5)
        rate.add(7, seconds: 0)
        #expect(rate.callsPerSecond.isFinite)
    }
}

@Suite("Probes of a breaker that tunes itself")
struct ProbeRoundTests {
    private func tally(begun: Int = 0, good: Int = 0, bad: Int = 0) -> CallTally {
        var tally = CallTally()
        tally.probesBegun = begun
        tally.probeSuccesses = good
        tally.probeFailures = bad
        return tally
    }

    @Test("One probe, then two, four, eight; closed when twice the calls of a beat may pass")
    func doubles() {
        var round = ProbeRound(isFixed: false)
        #expect(round.allowance == 1)
        #expect(round.beat(tally(begun: 1, good: 1), offeredCalls: 3) == .goesOn)
        #expect(round.allowance == 2)
        #expect(round.beat(tally(begun: 2, good: 2), offeredCalls: 3) == .goesOn)
        #expect(round.allowance == 4)
        #expect(round.beat(tally(begun: 3, good: 3), offeredCalls: 3) == .goesOn, "four may pass, six are needed")
        #expect(round.beat(tally(begun: 3, good: 3), offeredCalls: 3) == .succeeded)
    }

    @Test("No second probe passes while the first has not ended")
    func waits() {
        var round = ProbeRound(isFixed: false)
        #expect(round.beat(tally(begun: 1), offeredCalls: 5) == .goesOn)
        #expect(round.allowance == 0)
        #expect(round.beat(tally(good: 1), offeredCalls: 5) == .goesOn)
        #expect(round.allowance == 2)
    }

    @Test("The first failure ends the round; after three successes one is forgiven, and four more are asked for")
    func fails() {
        var round = ProbeRound(isFixed: false)
        #expect(round.beat(tally(begun: 1, bad: 1), offeredCalls: 1) == .failed)
        round = ProbeRound(isFixed: false)
        #expect(round.beat(tally(begun: 1, good: 1), offeredCalls: 1) == .goesOn)
        #expect(round.beat(tally(begun: 2, good: 2), offeredCalls: 1) == .goesOn)
        #expect(round.beat(tally(begun: 1, bad: 1), offeredCalls: 1) == .goesOn)
        #expect(round.beat(tally(begun: 3, good: 3), offeredCalls: 1) == .goesOn)
        #expect(round.beat(tally(begun: 1, good: 1), offeredCalls: 1) == .succeeded)
    }
}
