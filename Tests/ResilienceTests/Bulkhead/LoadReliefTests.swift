import Foundation
import Testing

@testable import Resilience

/// Whether a smaller load makes calls fast again, and what follows from that.
@Suite struct LoadReliefTests {
    /// A destination and as many calls under way as the relief permits, beat by beat.
    struct World {
        var relief = LoadRelief()
        var now: UInt64 = 1_000_000_000_000
        /// Calls under way if nothing limits them.
        var wanted = 60
        /// What a call takes with so many under way.
        var seconds: (Int) -> Double
        var changes: [LoadRelief.Change] = []

        static let slowSeconds = 0.058

        var underWay: Int { min(wanted, relief.value ?? .max) }

        var tally: CallTally {
            var tally = CallTally()
            let seconds = seconds(underWay)
            tally.calls = max(1, Int(Double(underWay) / seconds / 10))
            tally.logSum = Double(tally.calls) * log(seconds)
            tally.slow = seconds > Self.slowSeconds ? tally.calls : 0
            tally.inFlightPeak = underWay
            return tally
        }

        mutating func begin() {
            #expect(relief.mayHelp(tally, now: now))
            if let change = relief.begin(tally, ceiling: nil, now: now) { changes.append(change) }
        }

        mutating func run(_ seconds: Double) {
            for beat in 1...Int(seconds * 10) {
                let tally = tally
                now += 100_000_000
                if let change = relief.beat(tally, isClosed: true, now: now) { changes.append(change) }
                guard beat.isMultiple(of: 10) else { continue }
                if let change = relief.step(usualSeconds: 0.010, slowSeconds: Self.slowSeconds) {
                    changes.append(change)
                }
            }
        }
    }

    /// Two servers that need 10 ms each.
    static func servers(_ underWay: Int) -> Double { max(0.010, Double(underWay) * 0.005) }

    @Test("where load is the cause it goes down until calls are not slow, then stays near what the destination bears")
    func overload() {
        var world = World(seconds: Self.servers)
        world.begin()
        #expect(world.changes == [.begun(limit: 15)])
        world.run(2)
        #expect(world.changes == [.begun(limit: 15), .begun(limit: 4)])
        world.run(60)
        #expect((8...14).contains(world.relief.value ?? 0), "\(world.relief.value ?? 0)")
        world.wanted = 2
        world.run(15)
        #expect(world.changes.last == .over)
        #expect(world.relief.value == nil)
    }

    @Test("where calls are slow whatever the load it gives up, and lets the breaker decide for a minute")
    func fault() {
        var world = World { _ in 0.150 }
        world.begin()
        world.run(3)
        #expect(world.changes == [.begun(limit: 15), .begun(limit: 4), .useless])
        #expect(world.relief.value == nil)
        #expect(!world.relief.mayHelp(world.tally, now: world.now))
        #expect(world.relief.mayHelp(world.tally, now: world.now + 61_000_000_000))
    }

    @Test("few calls under way, or none that end, are no matter of load")
    func noCrowd() {
        var world = World { _ in 0.150 }
        world.wanted = 7
        #expect(!world.relief.mayHelp(world.tally, now: world.now))
        var silent = CallTally()
        silent.inFlightPeak = 1_000
        #expect(!world.relief.mayHelp(silent, now: world.now))
    }

    @Test("an opened breaker ends it")
    func opened() {
        var world = World(seconds: Self.servers)
        world.begin()
        #expect(world.relief.beat(world.tally, isClosed: false, now: world.now + 1) == .over)
        #expect(world.relief.value == nil)
    }

    @Test("no limit is ever below the floor, or above what was under way and what the operator allows")
    func bounds() {
        for wanted in [8, 9, 40, 5_000] {
            var world = World(seconds: Self.servers)
            world.wanted = wanted
            _ = world.relief.begin(world.tally, ceiling: 20, now: world.now)
            for _ in 0..<60 {
                world.run(1)
                guard let limit = world.relief.value else { continue }
                #expect((LoadRelief.floor...min(20, wanted)).contains(limit))
            }
        }
    }
}
