import Testing

@testable import Resilience

@Suite("Open times by the clock of the outage")
struct OutageClockTests {
    @Test(
        "Square root of outage over rate, at least a second, at most the longest",
        arguments: [
            (0, 50, 1), (50, 50, 2), (200, 50, 3.5), (3_600, 50, 3.5), (30, 0.5, 3.5), (100, 10_000, 1), (10, 0, 3.5),
        ] as [(Double, Double, Double)])
    func openSeconds(_ outage: Double, _ rate: Double, _ expected: Double) {
        let seconds = OutageClock.openSeconds(outageSeconds: outage, callsPerSecond: rate, longest: 3.5)
        #expect(abs(seconds - expected) < 0.001, "\(seconds)")
    }

    @Test(
        "The longest is what outages of the usual length call for",
        arguments: [(300, 50, 3.4641), (300, 0.5, 34.641), (30, 50, 1.0954), (0, 50, 0)] as [(Double, Double, Double)])
    func settled(_ outage: Double, _ rate: Double, _ expected: Double) {
        let seconds = OutageClock.settledSeconds(outageSeconds: outage, callsPerSecond: rate)
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
