import Foundation
import TestSupport
import Testing

@testable import Resilience

/// What is unusual about a flow of messages.
@Suite struct FlowWatchTests {
    /// Ten seconds of a flow with its chance.
    static func tally(
        rate: Double = 50, queueSeconds: Double = 0.02, redelivered: Double = 0.01, bytes: Double = 512,
        _ random: inout SeededGenerator
    ) -> FlowTally {
        var tally = FlowTally()
        tally.messages = (rate * 10 + (rate * 10).squareRoot() * random.gaussian()).rounded()
        tally.redeliveries = Double(random.binomial(Int(tally.messages), redelivered))
        (tally.queueTimes, tally.processTimes, tally.sizes) = (tally.messages, tally.messages, tally.messages)
        func logSum(_ mean: Double) -> Double {
            tally.messages * (log(mean) + 0.5 * random.gaussian() / tally.messages.squareRoot())
        }
        tally.queueLogSum = logSum(queueSeconds)
        tally.processLogSum = logSum(0.1)
        tally.sizeLogSum = logSum(bytes)
        return tally
    }

    @Test("a day of steady flow warns of nothing")
    func steady() {
        var random = SeededGenerator(seed: 1)
        var watch = FlowWatch()
        var warnings: [FlowSignal] = []
        for _ in 0..<8_640 { warnings += watch.tick(Self.tally(&random)) }
        #expect(warnings.isEmpty, "\(warnings)")
    }

    @Test(
        "each signal is told once, after half a minute, and in its own direction",
        arguments: [
            (FlowSignal.throughput, 5.0, 0.02, 0.01, 512.0, -1.0), (.queueTime, 50, 0.2, 0.01, 512, 1),
            (.redeliveries, 50, 0.02, 0.4, 512, 1), (.messageSize, 50, 0.02, 0.01, 8_192, 1),
        ])
    func unusual(
        signal: FlowSignal, rate: Double, queue: Double, redelivered: Double, bytes: Double, direction: Double
    ) {
        var random = SeededGenerator(seed: 2)
        var watch = FlowWatch()
        for _ in 0..<100 { _ = watch.tick(Self.tally(&random)) }
        var told: [(tick: Int, signal: FlowSignal)] = []
        for tick in 1...50 {
            let tally = Self.tally(
                rate: rate, queueSeconds: queue, redelivered: redelivered, bytes: bytes, &random)
            told += watch.tick(tally).map { (tick, $0) }
            if tick == 3 { #expect(watch[score: signal] * direction > 4, "\(watch[score: signal])") }
        }
        #expect(told.filter { $0.signal == signal }.map(\.tick) == [3])
    }

    @Test("what stays unusual for ten minutes becomes usual")
    func accepted() {
        var random = SeededGenerator(seed: 3)
        var watch = FlowWatch()
        for _ in 0..<100 { _ = watch.tick(Self.tally(&random)) }
        for _ in 0..<300 { _ = watch.tick(Self.tally(bytes: 8_192, &random)) }
        #expect(abs(watch[score: .messageSize]) < 4)
    }

    @Test("lag is what the broker tells, or the rate times the time in the queue")
    func lag() {
        var tally = FlowTally()
        #expect(tally.lag == nil)
        (tally.messages, tally.queueTimes, tally.queueLogSum) = (500, 500, 500 * log(3))
        #expect(abs(tally.lag! - 150) < 1e-9)
        tally.toldLag = 7
        #expect(tally.lag == 7)
    }

    @Test("nothing is said before two minutes, and nothing of what is not there")
    func warmUp() {
        var random = SeededGenerator(seed: 4)
        var watch = FlowWatch()
        for _ in 0..<11 { _ = watch.tick(Self.tally(&random)) }
        #expect(watch.level(of: .throughput) == nil)
        _ = watch.tick(Self.tally(&random))
        #expect(watch.level(of: .throughput) != nil)
        for _ in 0..<20 { _ = watch.tick(FlowTally()) }
        #expect(watch[score: .queueTime] == 0)
    }
}
