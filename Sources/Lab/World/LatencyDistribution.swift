import Glibc

/// How long a destination takes for a call: log-normal around a median, for a share of the calls with a Pareto tail.
public struct LatencyDistribution: Sendable, Hashable {
    /// Half of the calls are faster.
    public var medianSeconds: Double
    /// Deviation of the logarithm.
    public var sigma: Double
    /// The share of calls that come from the tail.
    public var tailShare: Double
    /// Least latency of a tail call, in medians.
    public var tailFactor: Double
    /// Exponent of the tail; at or below 1 there is no mean.
    public var tailExponent: Double

    /// A distribution; without a tail unless its share is given.
    public init(
        medianSeconds: Double, sigma: Double = 0.5, tailShare: Double = 0, tailFactor: Double = 5,
        tailExponent: Double = 1.5
    ) {
        self.medianSeconds = medianSeconds
        self.sigma = sigma
        self.tailShare = tailShare
        self.tailFactor = tailFactor
        self.tailExponent = tailExponent
    }

    /// One latency.
    public func draw(using random: inout LabRandom) -> Double {
        if tailShare > 0, random.uniform() < tailShare {
            return medianSeconds * tailFactor * pow(1 - random.uniform(), -1 / tailExponent)
        }
        return medianSeconds * exp(sigma * random.normal())
    }
}
