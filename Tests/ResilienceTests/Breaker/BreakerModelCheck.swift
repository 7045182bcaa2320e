import Testing

@testable import Resilience

/// The breaker machine as a graph: from a closed breaker breadth first through every abstract state that can be reached,
/// with every input in every state.
///
/// A machine holds a minute of calls and the time, so its concrete states cannot be counted. Two machines are taken for
/// the same when everything agrees that a path or an operator can tell, and what they have lately been told: the phase
/// of the round, the time since the last transition and the failures in a row, each up to where it stops to matter. Of
/// each abstract state several concrete ones are followed, so that what the abstraction leaves out is explored as well.
@Suite struct BreakerModelCheck {
    /// What a machine can be told.
    enum Input: Hashable, CaseIterable {
        case nothing, good, bad, slow, mixed, many, manyBad, mistakes
        case probesBegin, probeGood, probeBad, probesAllGood, probeUnannounced
        case second, minute, standingClock, clockBack
        case forceOpen, forceClosed, disable, release
        case shrinkParameters, growParameters
    }

    /// A machine and what it was told of late.
    struct Node {
        var machine: BreakerMachine
        var now: UInt64 = 50_000_000_000
        var begun = 0
        var goodProbes = 0
        var badProbes = 0
        var sinceTransition: UInt64 = 0
        var badInRow = 0

        var key: Key {
            let wait: UInt64 =
                if case .none(let retryAt) = machine.admission, retryAt > now { (retryAt - now) / 500_000_000 + 1 } else
                { 0 }
            let share: Int = if case .share(let share) = machine.admission { Int(share * 10) } else { -1 }
            let probes: Int = if case .probes(let most) = machine.admission { min(most, 8) } else { -1 }
            return Key(
                state: machine.state, override: machine.override, isDegraded: machine.isDegraded,
                isHealthy: machine.isHealthy, wait: min(wait, 6), share: share, probes: probes,
                inFlight: min(begun - goodProbes - badProbes, 4), goodProbes: min(goodProbes, 12),
                badProbes: min(badProbes, 2), age: min(sinceTransition / 1_000_000_000, 3),
                badInRow: min(badInRow, 6), minimumCalls: machine.parameters.minimumCalls)
        }
    }

    struct Key: Hashable {
        var state: BreakerState
        var override: BreakerOverride?
        var isDegraded: Bool
        var isHealthy: Bool
        var wait: UInt64
        var share: Int
        var probes: Int
        var inFlight: Int
        var goodProbes: Int
        var badProbes: Int
        var age: UInt64
        var badInRow: Int
        var minimumCalls: Int
    }

    static func parameters(_ minimumCalls: Int) -> BreakerParameters {
        var parameters = BreakerParameters(timeoutNanoseconds: 1_000_000_000)
        parameters.windowSeconds = 2
        parameters.minimumCalls = minimumCalls
        parameters.openSeconds = 1
        parameters.halfOpenProbes = 3
        parameters.rampSeconds = 2.5
        return parameters
    }

    @Test(
        "only legal moves, closed only by probes, and good times lead back from everywhere",
        arguments: BreakerMode.allCases)
    func check(mode: BreakerMode) {
        var exploration = Exploration(mode: mode)
        exploration.run(representatives: 3, nodesMax: 60_000)
        #expect(exploration.problems.isEmpty, "\(exploration.problems.prefix(5).joined(separator: "\n"))")
        let edges: Set<String> = exploration.moves
        if mode == .off {
            #expect(edges == ["closed>open operator", "open>closed operator"])
        } else {
            let wanted: Set<String> = [
                "closed>open burst", "closed>open operator", "open>half_open open_time_over",
                "open>closed operator", "half_open>closed probes_succeeded", "half_open>open probes_failed",
                "half_open>closed operator", "half_open>open operator",
            ]
            #expect(wanted.isSubset(of: edges), "never seen: \(wanted.subtracting(edges))")
            #expect(exploration.abstractStates > 300, "\(exploration.abstractStates)")
        }
    }
}
