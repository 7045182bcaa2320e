import Testing

@testable import Resilience

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
        #expect(round.beat(tally(begun: 1, good: 1), offeredCalls: 3, now: 1) == .goesOn)
        #expect(round.allowance == 2)
        #expect(round.beat(tally(begun: 2, good: 2), offeredCalls: 3, now: 1) == .goesOn)
        #expect(round.allowance == 4)
        // Four may pass, six are needed.
        #expect(round.beat(tally(begun: 3, good: 3), offeredCalls: 3, now: 1) == .goesOn)
        #expect(round.beat(tally(begun: 3, good: 3), offeredCalls: 3, now: 1) == .succeeded)
    }

    @Test("A longer ramp grows more slowly, a shorter one never by more than twice")
    func ramp() {
        let growth = ProbeRound.growth(rampSeconds: 5, offeredCalls: 500, beatSeconds: 0.1)
        #expect(abs(growth - 1.148) < 0.001, "1000 calls after 50 beats")
        var round = ProbeRound(wanted: 4, isFixed: false, growth: growth)
        var beats = 0
        while round.beat(tally(begun: round.allowance, good: round.allowance), offeredCalls: 500, now: 1) == .goesOn {
            beats += 1
        }
        #expect((48...52).contains(beats))
        #expect(ProbeRound.growth(rampSeconds: 0.1, offeredCalls: 500, beatSeconds: 0.1) > 2)
        #expect(ProbeRound(isFixed: false, growth: 1_000).allowance == 1)
        #expect(abs(ProbeRound.rampSeconds(offeredCalls: 512, beatSeconds: 0.1) - 1) < 1e-9)
    }

    @Test("No second probe passes while the first has not ended")
    func waits() {
        var round = ProbeRound(isFixed: false)
        #expect(round.beat(tally(begun: 1), offeredCalls: 5, now: 1) == .goesOn)
        #expect(round.allowance == 0)
        #expect(round.beat(tally(good: 1), offeredCalls: 5, now: 1) == .goesOn)
        #expect(round.allowance == 2)
    }

    @Test("The first failure ends the round; after three successes one is forgiven, and four more are asked for")
    func fails() {
        var round = ProbeRound(isFixed: false)
        #expect(round.beat(tally(begun: 1, bad: 1), offeredCalls: 1, now: 1) == .failed)
        round = ProbeRound(isFixed: false)
        #expect(round.beat(tally(begun: 1, good: 1), offeredCalls: 1, now: 1) == .goesOn)
        #expect(round.beat(tally(begun: 2, good: 2), offeredCalls: 1, now: 1) == .goesOn)
        #expect(round.beat(tally(begun: 1, bad: 1), offeredCalls: 1, now: 1) == .goesOn)
        #expect(round.beat(tally(begun: 3, good: 3), offeredCalls: 1, now: 1) == .goesOn)
        #expect(round.beat(tally(begun: 1, good: 1), offeredCalls: 1, now: 1) == .succeeded)
    }

    @Test("Probes whose end nobody tells give their places back after half a minute, and it begins with one again")
    func lost() {
        var round = ProbeRound(isFixed: false)
        _ = round.beat(tally(begun: 1, good: 1), offeredCalls: 5, now: 0)
        _ = round.beat(tally(begun: 2), offeredCalls: 5, now: 1)
        #expect(round.beat(tally(), offeredCalls: 5, now: 29_000_000_000) == .goesOn)
        #expect(round.allowance == 0)
        #expect(round.beat(tally(), offeredCalls: 5, now: 30_000_000_001) == .goesOn)
        #expect(round.allowance == 1)
        #expect(round.beat(tally(begun: 1, bad: 1), offeredCalls: 5, now: 31_000_000_000) == .failed)
    }
}
