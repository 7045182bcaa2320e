import TestSupport
import Testing

@testable import Resilience

/// The life of a breaker, rule by rule.
@Suite struct BreakerTranscriptTests {
    @Test(
        "calls that succeed change nothing, at any rate", arguments: [0.05, 0.5, 2, 50, 10_000], BreakerMode.allCases)
    func healthy(rate: Double, mode: BreakerMode) {
        var world = BreakerWorld(mode)
        world.rate = rate
        let events = world.run(120)
        #expect(events.isEmpty)
        #expect(world.machine.admission == .all)
        #expect(world.rejected == 0)
        #expect(!world.machine.isDegraded)
    }

    @Test("a destination that is down: open within a second, probed, and closed again soon after it is back")
    func hardDown() {
        var world = BreakerWorld(.auto)
        world.run(60)
        world.failing = 1
        let down = world.run(30)
        #expect(down[0].transition.to == .open)
        #expect(down[0].seconds <= 61, "\(down[0].seconds)")
        #expect(down.dropFirst().allSatisfy { $0.transition.to != .closed })
        #expect(Array(down.transcript[1...2]) == ["open>half_open open_time_over", "half_open>open probes_failed"])
        world.failing = 0
        let back = world.run(30)
        #expect(
            Array(back.transcript.suffix(2)) == ["open>half_open open_time_over", "half_open>closed probes_succeeded"])
        #expect(world.machine.admission == .all)
    }

    @Test("fixed thresholds open where an operator put them, in the third second that they are exceeded")
    func fixedThreshold() throws {
        var world = BreakerWorld(.fixed) {
            $0.failureRate = 0.2
            $0.windowSeconds = 10
        }
        world.run(20)
        world.failing = 0.25
        let first = try #require(world.run(30).first)
        #expect(first.transition.reason == .failureRate)
        // A quarter fails: the window of ten seconds holds a fifth after eight, and two more must agree.
        #expect((29.0...31.0).contains(first.seconds), "\(first.seconds)")
        #expect(first.transition.failures * 5 >= first.transition.calls)
    }

    @Test("below an operator's threshold nothing opens")
    func belowThreshold() {
        var world = BreakerWorld(.fixed) { $0.failureRate = 0.2 }
        world.failing = 0.19
        let events = world.run(300)
        #expect(events.isEmpty)
    }

    @Test("slow calls open as failures do")
    func slowCalls() throws {
        var world = BreakerWorld(.fixed) {
            $0.slowCallRate = 0.4
            $0.windowSeconds = 5
        }
        world.run(20)
        world.slow = 0.5
        let first = try #require(world.run(20).first)
        #expect(first.transition.reason == .slowCallRate)
        #expect(first.transition.failures == 0)
        #expect(first.seconds <= 28)
    }

    @Test("fewer calls than the minimum decide nothing")
    func minimumCalls() {
        var world = BreakerWorld(.fixed) {
            $0.minimumCalls = 40
            $0.windowSeconds = 5
            $0.failureRate = 0.3
        }
        world.rate = 6
        world.failing = 0.4
        let events = world.run(120)
        #expect(events.isEmpty)
        world.rate = 10
        #expect(world.run(30).first?.transition.reason == .failureRate)
    }

    @Test("a key that is called every twenty seconds has a breaker, too", arguments: [BreakerMode.fixed, .auto])
    func rareKey(mode: BreakerMode) throws {
        var world = BreakerWorld(mode)
        world.rate = 0.05
        world.run(1_200)
        world.failing = 1
        let first = try #require(world.run(300).first)
        #expect(first.transition.to == .open)
        #expect(first.seconds <= 1_200 + 8 * 20 + 4, "\(first.seconds)")
    }

    @Test("a brown-out in which most calls succeed does not open: rejecting would cost more than it saves")
    func brownOut() {
        var world = BreakerWorld(.auto) {
            $0.failureRate = 0.08
            $0.windowSeconds = 5
        }
        world.run(60)
        world.failing = 0.15
        let events = world.run(300)
        #expect(events.isEmpty)
        #expect(world.rejected == 0)
        #expect(world.machine.isDegraded, "and yet it is known")
        world.failing = 0
        world.run(30)
        #expect(!world.machine.isDegraded)
    }

    @Test("six seconds of a deployment with one failure in twenty open nothing", arguments: [BreakerMode.fixed, .auto])
    func blip(mode: BreakerMode) {
        var world = BreakerWorld(mode)
        world.run(60)
        world.failing = 0.05
        var events = world.run(6)
        world.failing = 0
        events += world.run(60)
        #expect(events.isEmpty)
    }

    @Test("half-open asks one at first, then twice as many at most", arguments: [BreakerMode.fixed, .auto])
    func probes(mode: BreakerMode) {
        var world = BreakerWorld(mode) { $0.halfOpenProbes = 8 }
        world.failing = 1
        world.reach(.halfOpen)
        world.failing = 0
        var allowances: [Int] = []
        while case .probes(let most) = world.machine.admission, allowances.count < 100 {
            allowances.append(most)
            _ = world.step()
        }
        #expect(world.machine.state == .closed)
        #expect(allowances.first == 1)
        #expect(zip(allowances, allowances.dropFirst()).allSatisfy { $1 <= 2 * max(1, $0) })
        if mode == .fixed { #expect(allowances.allSatisfy { (0...8).contains($0) }) }
    }

    @Test("a busy key with its usual failures gets out of half-open", arguments: [BreakerMode.fixed, .auto])
    func busyHalfOpen(mode: BreakerMode) {
        var world = BreakerWorld(mode)
        world.rate = 10_000
        world.run(10)
        world.failing = 1
        world.run(5)
        world.failing = 0.02
        world.run(20)
        #expect(world.machine.admission == .all)
    }

    @Test("probes that are never heard of do not keep it half-open for ever")
    func lostProbes() {
        var world = BreakerWorld(.auto)
        world.failing = 1
        world.reach(.halfOpen)
        (world.failing, world.losesProbes) = (0, true)
        world.run(40)
        #expect(world.machine.state == .halfOpen, "without an answer nothing is known")
        world.losesProbes = false
        world.reach(.closed)
    }

    @Test("after a close calls come back along a ramp, and a destination that is not well yet ends it")
    func ramp() throws {
        var world = BreakerWorld(.fixed) { $0.rampSeconds = 10 }
        world.run(60)
        world.failing = 1
        world.run(10)
        world.failing = 0
        world.reach(.closed)
        guard case .share(let beginning) = world.machine.admission else {
            Issue.record("no ramp: \(world.machine.admission)")
            return
        }
        #expect((0.1...0.2).contains(beginning))
        #expect(!world.machine.isHealthy, "nothing is learned on the ramp")
        var later = world
        later.run(5)
        guard case .share(let middle) = later.machine.admission else {
            Issue.record("the ramp is over too soon: \(later.machine.admission)")
            return
        }
        #expect(middle > beginning)
        later.run(8)
        #expect(later.machine.admission == .all)
        #expect(later.machine.isHealthy)
        world.failing = 1
        let trip = try #require(world.run(5).first)
        #expect(trip.transition.to == .open)
    }

    @Test("the open time is jittered by a fifth at most, and differs from breaker to breaker")
    func jitter() {
        var times: Set<Double> = []
        for seed in 0..<50 as Range<UInt64> {
            var world = BreakerWorld(.fixed) { $0.openSeconds = 2 }
            world.random = SeededGenerator(seed: seed)
            world.failing = 1
            world.reach(.open)
            guard case .none(let retryAt) = world.machine.admission else { continue }
            times.insert(Double(retryAt - world.now) / 1e9)
        }
        #expect(times.count > 40)
        #expect(times.allSatisfy { (1.6...2.4).contains($0) })
    }

    @Test("the open time grows while rounds fail, and stays bounded")
    func growth() {
        var world = BreakerWorld(.fixed) { $0.openSeconds = 1 }
        world.failing = 1
        let events = world.run(300)
        let opened = events.filter { $0.transition.to == .open }.map(\.seconds)
        let probed = events.filter { $0.transition.to == .halfOpen }.map(\.seconds)
        let times = zip(opened, probed).map { $1 - $0 }
        #expect(times.count > 10)
        #expect(times[0] <= 1.3)
        #expect(times[5...].allSatisfy { (6.3...9.8).contains($0) }, "\(times)")
    }

    @Test("shadow goes through every state, lets every call pass and counts what it would have rejected")
    func shadow() {
        var (shadow, acting) = (BreakerWorld(.shadow), BreakerWorld(.auto))
        var transcripts: [[String]] = []
        for world in 0..<2 {
            func live(_ world: inout BreakerWorld) {
                world.run(30)
                world.failing = 1
                var events = world.run(20)
                world.failing = 0
                events += world.run(40)
                transcripts.append(events.transcript)
            }
            if world == 0 { live(&shadow) } else { live(&acting) }
        }
        #expect(transcripts[0].first == transcripts[1].first)
        #expect(Set(transcripts[0]) == Set(transcripts[1]))
        #expect(shadow.rejected == 0)
        let would = shadow.machine.wouldHaveRejected
        #expect(abs(would - acting.rejected) < acting.rejected / 2, "\(would) of \(acting.rejected)")
    }

    @Test("a fault in the first minute of a key is probed as soon as a later one")
    func earlyFault() {
        var world = BreakerWorld(.auto)
        world.run(5)
        world.failing = 1
        world.reach(.open, within: 1)
        world.reach(.halfOpen, within: 3)
    }

    @Test("off decides nothing")
    func off() {
        var world = BreakerWorld(.off)
        world.failing = 1
        let events = world.run(60)
        #expect(events.isEmpty)
        #expect(world.machine.admission == .all)
    }
}
