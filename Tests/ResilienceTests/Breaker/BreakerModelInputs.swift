@testable import Resilience

/// What the inputs of the model check do to a node.
extension BreakerModelCheck.Node {
    private static let beat: UInt64 = 100_000_000

    /// Tells the machine, and keeps the account that the check goes by.
    mutating func take(_ input: BreakerModelCheck.Input) -> BreakerTransition? {
        switch input {
        case .forceOpen: return say(.forcedOpen)
        case .forceClosed: return say(.forcedClosed)
        case .disable: return say(.disabled)
        case .release: return say(nil)
        case .shrinkParameters: machine.parameters = BreakerModelCheck.parameters(2)
        case .growParameters: machine.parameters = BreakerModelCheck.parameters(20)
        case .standingClock, .clockBack, .second, .minute, .nothing, .good, .bad, .slow, .mixed, .many, .manyBad,
            .mistakes, .probesBegin, .probeGood, .probeBad, .probesAllGood, .probeUnannounced:
            break
        }
        let tally = tally(input)
        let at =
            switch input {
            case .standingClock: now
            case .clockBack: now - 5_000_000_000
            case .second: now + 1_000_000_000
            case .minute: now + 60_000_000_000
            default: now + Self.beat
            }
        return hear(tally, at: at)
    }

    /// A beat in which clients obey and every call that ends is good; probes of before are never heard of again.
    mutating func goodBeat() -> BreakerTransition? {
        var tally = CallTally()
        switch machine.admission {
        case .all, .share: tally.calls = 2
        case .none: tally.rejectedByUs = 2
        case .probes(let most):
            tally.calls = min(2, most)
            (tally.probesBegun, tally.probeSuccesses) = (tally.calls, tally.calls)
        }
        return hear(tally, at: now + Self.beat)
    }

    private mutating func say(_ override: BreakerOverride?) -> BreakerTransition? {
        let transition = machine.setOverride(override, now: now)
        account(transition)
        return transition
    }

    private mutating func hear(_ tally: CallTally, at moment: UInt64) -> BreakerTransition? {
        var random = FixedRandom()
        sinceTransition += moment > now ? moment - now : 0
        now = max(now, moment)
        begun += tally.probesBegun
        goodProbes += tally.probeSuccesses
        badProbes += tally.probeFailures
        if machine.mode == .shadow, machine.state == .halfOpen {
            // In shadow the calls that pass stand for the probes.
            goodProbes += tally.calls - tally.bad
            badProbes += tally.bad
        }
        begun = max(begun, goodProbes + badProbes)
        if tally.calls > 0 { badInRow = tally.bad == tally.calls ? badInRow + tally.bad : 0 }
        let transition = machine.beat(tally, now: moment, using: &random)
        account(transition)
        return transition
    }

    private mutating func account(_ transition: BreakerTransition?) {
        guard transition != nil else { return }
        (begun, goodProbes, badProbes, sinceTransition, badInRow) = (0, 0, 0, 0, 0)
    }

    private func tally(_ input: BreakerModelCheck.Input) -> CallTally {
        var tally = CallTally()
        let inFlight = begun - goodProbes - badProbes
        switch input {
        case .good, .standingClock, .clockBack: tally.calls = 1
        case .bad: (tally.calls, tally.failures[.timeout]) = (1, 1)
        case .slow: (tally.calls, tally.slow) = (1, 1)
        case .mixed: (tally.calls, tally.failures[.unavailable]) = (6, 3)
        case .many: tally.calls = 50
        case .manyBad: (tally.calls, tally.failures[.connection]) = (50, 50)
        case .mistakes: (tally.calls, tally.clientMistakes, tally.rejectedByUs) = (5, 5, 3)
        case .probesBegin:
            if case .probes(let most) = machine.admission { tally.probesBegun = most }
        case .probeGood: if inFlight > 0 { (tally.calls, tally.probeSuccesses) = (1, 1) }
        case .probeBad:
            if inFlight > 0 { (tally.calls, tally.failures[.timeout], tally.probeFailures) = (1, 1, 1) }
        case .probesAllGood: (tally.calls, tally.probeSuccesses) = (inFlight, inFlight)
        case .probeUnannounced:
            (tally.calls, tally.probeSuccesses, tally.probeFailures, tally.failures[.timeout]) = (2, 1, 1, 1)
        case .nothing, .second, .minute, .forceOpen, .forceClosed, .disable, .release, .shrinkParameters,
            .growParameters:
            break
        }
        return tally
    }
}

/// The middle of every range: the jitter is no part of the graph.
private struct FixedRandom: RandomNumberGenerator {
    mutating func next() -> UInt64 { 1 << 63 }
}
