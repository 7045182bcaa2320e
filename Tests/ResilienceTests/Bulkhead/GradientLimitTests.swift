import Foundation
import TestSupport
import Testing

@testable import Resilience

/// How the limit of calls under way follows what the destination bears.
@Suite struct GradientLimitTests {
    static func tally(calls: Int, seconds: Double, peak: Int) -> CallTally {
        var tally = CallTally()
        tally.calls = calls
        tally.logSum = Double(calls) * log(seconds)
        tally.inFlightPeak = peak
        return tally
    }

    /// A limit after so many seconds at that latency, with all places in use.
    static func run(_ limit: inout GradientLimit, seconds: Int, latency: Double, use: Double = 1) {
        for _ in 0..<seconds {
            limit.add(tally(calls: 50, seconds: latency, peak: Int(Double(limit.value) * use)))
            limit.step()
        }
    }

    @Test("begins in the middle of its bounds, by ratio")
    func beginning() {
        #expect(GradientLimit(bounds: 4...100).value == 20)
        #expect(GradientLimit(bounds: 7...7).value == 7)
    }

    @Test("grows to the ceiling while calls take as long as usual and all places are in use")
    func grows() {
        var limit = GradientLimit(bounds: 4...100)
        Self.run(&limit, seconds: 300, latency: 0.010)
        #expect(limit.value == 100)
    }

    @Test("does not grow when the limit was not what held calls back")
    func unused() {
        var limit = GradientLimit(bounds: 4...100)
        Self.run(&limit, seconds: 300, latency: 0.010, use: 0.3)
        #expect(limit.value == 20)
    }

    @Test("shrinks while calls take much longer than usual, and comes back afterwards")
    func shrinks() {
        var limit = GradientLimit(bounds: 4...100)
        Self.run(&limit, seconds: 300, latency: 0.010)
        Self.run(&limit, seconds: 15, latency: 0.200)
        #expect(limit.value < 40, "\(limit.value)")
        Self.run(&limit, seconds: 120, latency: 0.010)
        #expect(limit.value > 80, "\(limit.value)")
    }

    @Test("never leaves its bounds, and never falls to less than half in one step", arguments: UInt64(1)...20)
    func bounds(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let low = Int.random(in: 1...20, using: &random)
        let bounds = low...Int.random(in: low...1_000, using: &random)
        var limit = GradientLimit(bounds: bounds)
        for _ in 0..<500 {
            let before = limit.value
            let seconds = pow(10, Double.random(in: -6...2, using: &random))
            let peak = Int.random(in: 0...2_000, using: &random)
            limit.add(Self.tally(calls: Int.random(in: 0...100, using: &random), seconds: seconds, peak: peak))
            limit.step()
            #expect(bounds.contains(limit.value))
            #expect(2 * limit.value >= before - 1)
        }
    }

    @Test("a second without calls changes nothing")
    func silence() {
        var limit = GradientLimit(bounds: 4...100)
        Self.run(&limit, seconds: 10, latency: 0.010)
        let before = limit
        limit.step()
        #expect(limit == before)
    }
}
