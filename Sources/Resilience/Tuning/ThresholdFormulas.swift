/// What each parameter should be for what is known of a destination: the formulas alone, without limits.
///
/// A threshold is the usual share, plus `deviations` times the noise that so many calls have, plus a margin. All are
/// functions of the evidence, so that a record of it explains the number.
public enum ThresholdFormulas {
    /// Deviations to begin with.
    public static let deviationsDefault = 5.0
    /// Where widening ends.
    public static let deviationsMax = 8.0
    /// Seconds between two beats of a breaker.
    private static let beatSeconds = 0.1

    private static let windowCalls = 40.0
    private static let expectedCallsMin = 8.0
    private static let failureShareMin = 0.002
    private static let slowShareMin = 0.005
    private static let failureMargin = 0.05
    private static let slowMargin = 0.15
    private static let slowFactor = 1.3
    private static let slowDeviations = 3.0
    private static let retryShareMax = 0.2

    /// The value for a parameter; nil where the evidence says nothing about it.
    static func proposal(_ parameter: BreakerParameter, _ evidence: ThresholdEvidence, failureRate: Double) -> Double? {
        switch parameter {
        case .window: evidence.callsPerSecond > 0 ? windowCalls / evidence.callsPerSecond : nil
        case .minimumCalls: 0.5 * evidence.callsPerSecond * evidence.windowSeconds
        case .failureRate:
            bound(max(evidence.failureShare, failureShareMin), evidence) + failureMargin
        case .slowCall: slowCallSeconds(evidence)
        case .slowCallRate: bound(max(evidence.slowShare, slowShareMin), evidence) + slowMargin
        case .open: openSeconds(evidence)
        case .halfOpenProbes: probes(failureRate: failureRate)
        case .ramp:
            ProbeRound.rampSeconds(offeredCalls: evidence.callsPerSecond * beatSeconds, beatSeconds: beatSeconds)
        }
    }

    /// Calls that a window is expected to hold.
    static func expectedCalls(_ evidence: ThresholdEvidence) -> Double {
        max(expectedCallsMin, evidence.callsPerSecond * evidence.windowSeconds)
    }

    /// The share of failures or slow calls that a window exceeds by chance only in `deviations` deviations.
    private static func bound(_ share: Double, _ evidence: ThresholdEvidence) -> Double {
        let variance = share * max(0, 1 - share) * evidence.overdispersion / expectedCalls(evidence)
        return share + evidence.deviations * variance.squareRoot()
    }

    private static func slowCallSeconds(_ evidence: ThresholdEvidence) -> Double? {
        guard let mean = evidence.logLatencyMean else { return nil }
        let reach = evidence.slowQuantile ?? slowDeviations * evidence.logLatencyVariance.squareRoot()
        return slowFactor * Elementary.exp(mean + reach)
    }

    /// Probes of which at least one fails with 95 % probability if the destination still fails at the threshold.
    private static func probes(failureRate: Double) -> Double {
        let share = failureRate.clamped(to: 1e-6...0.6)
        return (Elementary.ln(0.05) / Elementary.ln(1 - share)).rounded(.up)
    }

    /// The longest time between two probes that pays for outages of the usual length.
    private static func openSeconds(_ evidence: ThresholdEvidence) -> Double? {
        guard let outage = evidence.outageSeconds, evidence.callsPerSecond > 0 else { return nil }
        return OutageClock.settledSeconds(outageSeconds: outage, callsPerSecond: evidence.callsPerSecond)
    }

    /// The usual length of outages after one that lasted so long from trip to close.
    static func outageSeconds(_ usual: Double, tripToCloseSeconds: Double) -> Double {
        0.7 * usual + 0.3 * tripToCloseSeconds
    }

    /// The share of requests that retries may add: a fifth for a healthy destination, nothing at the threshold.
    public static func retryShare(failureShare: Double, failureRate: Double) -> Double {
        guard failureRate > 0 else { return 0 }
        return retryShareMax * max(0, 1 - max(0, failureShare) / failureRate)
    }
}
