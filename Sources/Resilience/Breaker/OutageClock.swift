/// How long to stay open before the next probe.
///
/// A probe that comes too early is one more bad call; one that comes too late costs the calls of half an interval. With
/// λ calls a second and an outage that has lasted t, probing every T seconds costs 1/T bad calls a second and λ·T/2 calls
/// at the end, and the sum is least at T = sqrt(2·t/λ) for an outage that lasts about as long again. So the open time
/// grows with the square root of the outage, is short for busy keys and long for quiet ones, and needs no count of
/// rounds. It stops growing at `BreakerParameters.openSeconds`, which the tuner chooses for the outages that are usual
/// (`settledSeconds`).
enum OutageClock {
    /// Of the square root; above sqrt(2), since outages are as often shorter.
    static let growth = 2.0
    /// Outages are taken to last so long before one was seen.
    static let usualOutageSeconds = 300.0
    /// Nobody is asked more often.
    static let secondsMin = 1.0
    private static let rateMin = 0.01

    /// Seconds until the next probe, before jitter, at most `longest`.
    static func openSeconds(outageSeconds: Double, callsPerSecond: Double, longest: Double) -> Double {
        let growing = growth * (max(0, outageSeconds) / max(callsPerSecond, rateMin)).squareRoot()
        return max(secondsMin, min(growing, longest))
    }

    /// What is right for outages that last `outageSeconds`: sqrt(2 · t / λ).
    static func settledSeconds(outageSeconds: Double, callsPerSecond: Double) -> Double {
        (2 * max(0, outageSeconds) / max(callsPerSecond, rateMin)).squareRoot()
    }
}

/// Calls per second that clients make, let through or not.
struct OfferedRate: Sendable, Hashable {
    private static let halfLifeSeconds = 35.0

    private(set) var callsPerSecond = 0.0
    private var seconds = 0.0

    /// Takes the calls of some time; the plain mean first.
    mutating func add(_ calls: Int, seconds passed: Double) {
        guard passed > 0 else { return }
        seconds += passed
        let weight = max(passed / seconds, 1 - Elementary.power(0.5, passed / Self.halfLifeSeconds))
        callsPerSecond += weight * (Double(calls) / passed - callsPerSecond)
    }
}
