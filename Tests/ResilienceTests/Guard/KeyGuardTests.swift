import Foundation
import TestSupport
import Testing

@testable import Resilience

/// One key's guard from the first call on: what it learns, when it acts, and what it says of it.
@Suite struct KeyGuardTests {
    static let start = 1_767_225_600.0

    /// A guard, clients that obey it, and a destination.
    struct World {
        var key: KeyGuard
        var random: SeededGenerator
        var now: UInt64 = 7_000_000_000_000
        var rate = 50
        var median = 0.010
        var failing = 0.005
        var events: [GuardEvent] = []
        var rejected = 0
        private let begun: UInt64

        init(_ mode: BreakerMode, seed: UInt64 = 1, _ change: (inout GuardPolicy) -> Void = { _ in }) {
            var policy = GuardPolicy(mode: mode)
            change(&policy)
            random = SeededGenerator(seed: seed)
            begun = now
            key = KeyGuard(policy: policy, now: now, unixSeconds: KeyGuardTests.start)
        }

        var unixSeconds: Double { KeyGuardTests.start + Double(now - begun) / 1e9 }
        /// When it went into that state, in seconds.
        func moments(of state: BreakerState) -> [Double] { entered.filter { $0.state == state }.map(\.seconds) }
        private var entered: [(state: BreakerState, seconds: Double)] = []
        var transitions: [BreakerTransition] {
            events.compactMap { if case .transition(let transition) = $0 { transition } else { nil } }
        }
        var changes: [ThresholdChange] {
            events.compactMap { if case .threshold(let change) = $0 { change } else { nil } }
        }

        mutating func run(_ seconds: Double) {
            for _ in 0..<Int(seconds * 10) {
                let tally = beat()
                now += KeyGuard.beatNanoseconds
                let before = key.breaker.state
                events += key.beat(tally, now: now, unixSeconds: unixSeconds, using: &random)
                if key.breaker.state != before { entered.append((key.breaker.state, Double(now) / 1e9)) }
            }
        }

        private mutating func beat() -> CallTally {
            var tally = CallTally()
            let offered = rate / 10 + (Int.random(in: 0..<10, using: &random) < rate % 10 ? 1 : 0)
            for _ in 0..<offered {
                var isProbe = false
                switch key.admission {
                case .all: break
                case .none: tally.rejectedByUs += 1
                case .share(let share):
                    if Double.random(in: 0..<1, using: &random) >= share { tally.rejectedByUs += 1 }
                case .probes(let most):
                    isProbe = true
                    if tally.probesBegun >= most { tally.rejectedByUs += 1 } else { tally.probesBegun += 1 }
                }
                guard tally.calls + tally.rejectedByUs < offered else { continue }
                call(&tally, isProbe: isProbe)
            }
            rejected += tally.rejectedByUs
            return tally
        }

        private mutating func call(_ tally: inout CallTally, isProbe: Bool) {
            let seconds = min(1, median * exp(0.5 * random.gaussian()))
            tally.calls += 1
            tally.logSum += log(seconds)
            tally.logSquares += log(seconds) * log(seconds)
            tally.sampleSeconds = seconds
            var isBad = true
            if Double.random(in: 0..<1, using: &random) < failing || seconds >= 1 {
                tally.failures[.timeout] += 1
            } else if seconds * 1e9 > Double(key.slowCallNanoseconds) {
                tally.slow += 1
            } else {
                isBad = false
            }
            guard isProbe else { return }
            if isBad { tally.probeFailures += 1 } else { tally.probeSuccesses += 1 }
        }
    }

    @Test("a key that learns opens on a latency step within seconds, though nobody told it what is slow")
    func latencyStep() throws {
        var world = World(.auto) { $0.trialSeconds = 60 }
        world.run(1_200)
        #expect(world.transitions.isEmpty)
        #expect((40_000_000...90_000_000).contains(world.key.slowCallNanoseconds), "\(world.key.slowCallNanoseconds)")
        world.events = []
        world.median = 0.150
        world.run(5)
        #expect(world.transitions.first?.to == .open)
        world.median = 0.010
        world.run(20)
        #expect(world.key.admission == .all)
        #expect(world.transitions.last?.reason == .probesSucceeded)
    }

    @Test("while a key is on trial the start values act, and what it learns is only recorded")
    func trial() {
        var world = World(.auto) { $0.trialSeconds = 3_600 }
        world.run(900)
        #expect(world.key.breaker.parameters == BreakerParameters(timeoutNanoseconds: 1_000_000_000, adapts: true))
        #expect(world.changes.contains { $0.parameter == .slowCall })
        #expect(world.key.learning.tuner.learned.slowCallNanoseconds < 200_000_000)
    }

    @Test("a fixed guard learns nothing and changes nothing")
    func fixed() {
        var world = World(.fixed)
        world.run(900)
        #expect(world.events.isEmpty)
        #expect(world.key.learning.baseline.learnedCalls == 0)
        world.failing = 1
        world.run(3)
        #expect(world.transitions.first?.to == .open)
    }

    @Test("shadow says that it would have opened, and rejects nothing")
    func shadow() {
        var world = World(.shadow)
        world.run(300)
        world.failing = 1
        world.run(30)
        #expect(world.transitions.first?.to == .open)
        #expect(world.rejected == 0)
        #expect(world.key.breaker.wouldHaveRejected > 500)
    }

    @Test("while the breaker is not closed nothing is learned and nothing loosens")
    func freeze() {
        var world = World(.auto) { $0.trialSeconds = 0 }
        world.run(600)
        let (baseline, applied) = (world.key.learning.baseline, world.key.breaker.parameters)
        world.events = []
        world.failing = 1
        world.run(60)
        #expect(world.key.learning.baseline.failureShare <= baseline.failureShare * 1.05)
        let loosened = world.changes.filter {
            !$0.isRefused && $0.parameter.loosensUpwards && $0.applied > $0.old
        }
        #expect(loosened.isEmpty, "\(loosened)")
        #expect(world.key.breaker.parameters.slowCallNanoseconds <= applied.slowCallNanoseconds)
    }

    @Test("retries shrink with trouble: a fifth of the calls when all is well, none while it is degraded or open")
    func retries() {
        var world = World(.auto) { $0.trialSeconds = 0 }
        world.run(600)
        #expect((0.1...0.2).contains(world.key.retryShare), "\(world.key.retryShare)")
        world.failing = 0.15
        world.run(60)
        #expect(world.transitions.isEmpty)
        #expect(world.key.breaker.isDegraded)
        #expect(world.key.retryShare == 0)
        world.failing = 1
        world.run(3)
        #expect(world.key.breaker.state != .closed)
        #expect(world.key.retryShare == 0)
    }

    @Test("the bulkhead stays inside the operator's bounds and takes its bounds from nobody else")
    func bulkhead() {
        #expect(World(.auto).key.bulkheadLimit == nil)
        var world = World(.auto) { $0.bulkhead = 8...64 }
        for median in [0.010, 0.400, 0.001, 0.900] {
            world.median = median
            for _ in 0..<60 {
                world.run(1)
                #expect((8...64).contains(world.key.bulkheadLimit ?? 0))
            }
        }
    }

    @Test("a hang is noticed from the calls under way, before the first of them times out")
    func hang() throws {
        var world = World(.auto) { $0.trialSeconds = 0 }
        world.run(1_200)
        world.events = []
        var silence = CallTally()
        for beat in 1...7 {
            silence.overdue = 5 * beat
            silence.inFlightPeak = 5 * beat
            world.now += KeyGuard.beatNanoseconds
            world.events += world.key.beat(
                silence, now: world.now, unixSeconds: world.unixSeconds, using: &world.random)
        }
        let transition = try #require(world.transitions.first)
        #expect(transition.to == .open)
        #expect(transition.slow >= 8 && transition.failures == 0)
    }

    @Test("the open time, probes and ramp that are shown are those that act")
    func shownActs() throws {
        var world = World(.auto) { $0.trialSeconds = 0 }
        world.run(1_200)
        let shown = world.key.breaker.parameters
        world.events = []
        world.failing = 1
        world.run(600)
        // Once the outage is long, every wait is the one that is shown, give or take its jitter.
        let waits = zip(world.moments(of: .open), world.moments(of: .halfOpen)).map { $1 - $0 }.suffix(20)
        #expect(
            waits.allSatisfy { (0.79 * shown.openSeconds...1.21 * shown.openSeconds + 0.1).contains($0) }, "\(waits)")
        world.failing = 0
        world.run(20)
        let close = try #require(world.transitions.last)
        #expect(close.to == .closed)
        #expect(close.calls >= shown.halfOpenProbes)
    }

    @Test("what was learned survives a restart, and acts from the first call on")
    func restart() throws {
        var world = World(.auto) { $0.trialSeconds = 60 }
        world.run(1_200)
        let saved = world.key.learning.state(savedUnixSeconds: world.unixSeconds)
        let restored = try LearnedState(bytes: saved.bytes)
        let later = KeyGuard(
            policy: world.key.policy, resuming: restored, now: 5, unixSeconds: world.unixSeconds + 60)
        let (before, after) = (world.key.slowCallNanoseconds, later.slowCallNanoseconds)
        #expect(abs(Double(before) / Double(after) - 1) < 0.01, "\(before) and \(after)")
        #expect(!later.isTrial(atUnixSeconds: world.unixSeconds + 60))
    }

    @Test("an operator's word is an event, and nothing is learned while it stands")
    func override() {
        var world = World(.auto)
        world.run(60)
        let calls = world.key.learning.baseline.learnedCalls
        let said = world.key.setOverride(.forcedOpen, now: world.now)
        #expect(said.count == 1)
        world.run(60)
        #expect(world.key.learning.baseline.learnedCalls == calls)
        #expect(world.key.admission != .all)
        _ = world.key.setOverride(nil, now: world.now)
        world.run(1)
        #expect(world.key.admission == .all)
    }

    @Test("equal histories give equal guards", arguments: [BreakerMode.auto, .shadow])
    func deterministic(mode: BreakerMode) {
        func life() -> [String] {
            var world = World(mode, seed: 9) { $0.trialSeconds = 30 }
            for (seconds, failing) in [(120.0, 0.01), (10, 0.9), (60, 0.0)] {
                world.failing = failing
                world.run(seconds)
            }
            return world.events.map { "\($0)" }
        }
        #expect(life() == life())
    }

    @Test("a guard stays below eight kibibytes, whatever it has lived through, all that can be set being set")
    func size() {
        var world = World(.auto) {
            $0.bulkhead = 1...100
            $0.objective = ServiceObjective(goodShare: 0.99, latencyNanoseconds: 100_000_000)
        }
        func size() -> Int { MemoryLayout<KeyGuard>.size + HeapBlocks.bytes(of: world.key) }
        // Up to the fiftieth minute detectors keep samples to find their unit.
        world.run(45 * 60)
        #expect(size() < 8_192, "\(HeapBlocks.account(of: world.key))")
        world.failing = 1
        world.run(600)
        #expect(size() < 8_192, "\(HeapBlocks.account(of: world.key))")
    }
}
