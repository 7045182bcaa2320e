import TestSupport
import Testing

@testable import Resilience

/// A breaker, its destination and its clients, beat by beat. Clients obey what the breaker has published. Failures come
/// evenly spread and not by chance, so that a transcript can say when something happens.
struct BreakerWorld {
    static let beat: UInt64 = 100_000_000

    var machine: BreakerMachine
    var now: UInt64 = 1_000_000_000_000
    var random = SeededGenerator(seed: 1)

    /// Calls per second.
    var rate = 50.0
    /// Shares of the calls that fail, and that succeed late.
    var failing = 0.0
    var slow = 0.0
    /// Probes that begin and are never heard of again.
    var losesProbes = false

    private(set) var admitted = 0
    private(set) var rejected = 0
    private var owed = (calls: 0.0, failures: 0.0, slow: 0.0, passes: 0.0)
    private let start: UInt64

    init(_ mode: BreakerMode = .auto, _ change: (inout BreakerParameters) -> Void = { _ in }) {
        var parameters = BreakerParameters(timeoutNanoseconds: 1_000_000_000)
        change(&parameters)
        machine = BreakerMachine(mode: mode, parameters: parameters)
        start = now
    }

    /// Seconds since the beginning.
    var seconds: Double { Double(now - start) / 1e9 }

    /// Lives for so long; each transition with the second it came in.
    @discardableResult
    mutating func run(_ seconds: Double) -> [Event] {
        var events: [Event] = []
        for _ in 0..<Int((seconds * 10).rounded()) {
            if let transition = step() { events.append(Event(seconds: self.seconds, transition: transition)) }
        }
        return events
    }

    /// Lives until the breaker is in that state, which must come within `seconds`.
    mutating func reach(
        _ state: BreakerState, within seconds: Double = 60, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for _ in 0..<Int(seconds * 10) where machine.state != state { _ = step() }
        #expect(machine.state == state, sourceLocation: sourceLocation)
    }

    mutating func step() -> BreakerTransition? {
        let tally = arrivals()
        now += Self.beat
        return machine.beat(tally, now: now, using: &random)
    }

    /// What the calls of one beat do.
    private mutating func arrivals() -> CallTally {
        owed.calls += rate / 10
        let offered = Int(owed.calls)
        owed.calls -= Double(offered)
        var tally = CallTally()
        let probesMax: Int? = if case .probes(let most) = machine.admission { most } else { nil }
        for _ in 0..<offered {
            guard passes(tally, probesMax) else {
                tally.rejectedByUs += 1
                continue
            }
            if probesMax != nil {
                tally.probesBegun += 1
                if losesProbes { continue }
            }
            end(&tally, isProbe: probesMax != nil)
        }
        admitted += tally.calls
        rejected += tally.rejectedByUs
        return tally
    }

    private mutating func passes(_ tally: CallTally, _ probesMax: Int?) -> Bool {
        switch machine.admission {
        case .all: return true
        case .none: return false
        case .probes: return tally.probesBegun < (probesMax ?? 0)
        case .share(let share):
            owed.passes += share
            guard owed.passes >= 1 else { return false }
            owed.passes -= 1
            return true
        }
    }

    private mutating func end(_ tally: inout CallTally, isProbe: Bool) {
        tally.calls += 1
        owed.failures += failing
        owed.slow += slow
        var isBad = true
        if owed.failures >= 1 {
            owed.failures -= 1
            tally.failures[.unavailable] += 1
        } else if owed.slow >= 1 {
            owed.slow -= 1
            tally.slow += 1
        } else {
            isBad = false
        }
        guard isProbe else { return }
        if isBad { tally.probeFailures += 1 } else { tally.probeSuccesses += 1 }
    }

    /// A transition and its time.
    struct Event {
        var seconds: Double
        var transition: BreakerTransition
    }
}

extension [BreakerWorld.Event] {
    /// `closed>open failure_rate`, one for each.
    var transcript: [String] {
        map { "\($0.transition.from.text)>\($0.transition.to.text) \($0.transition.reason.rawValue)" }
    }
}
