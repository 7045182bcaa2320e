/// Detector A: what is normal for one destination, learned from its own calls, and how far a second is from that.
///
/// Failure share, overdispersion, mean and variance of log latency, slow share and call rate are exponentially weighted
/// with a half-life of about two minutes of traffic. A second is scored before it is learned, outliers are learned only
/// up to a limit, and nothing is learned while the destination misbehaves, unless it has settled on another level for
/// long. Every denominator has a floor: one failure in a tiny tick, or a perfectly even key, is no anomaly.
///
/// Drives freezing and tuning; the breaker trips on windows, not on one second. Twenty-odd numbers.
public struct Baseline: Sendable, Hashable {
    /// Scores beyond this are an anomaly.
    public static let hotScore = 4.0
    /// Calls that a new key's own evidence is weighed against, where its parent lent it a baseline.
    public static let borrowedCalls = 50.0
    /// Name of the method and its formulas, for the audit trail; it changes with them.
    public static let version = "a1"

    private static let failureShareFloor = 0.002
    private static let errorDeviationFloor = 0.7
    private static let wander = 0.02
    private static let varianceFloor = 0.02
    private static let rateWeight = 0.02
    private static let rateWeightMin = 0.002
    private static let rateCallsMin = 100.0
    private static let backfillSecondsMax: UInt64 = 60
    private static let halfLifeSeconds = 120.0
    private static let learningWeightMax = 0.2
    private static let quietSecondsToThaw: UInt32 = 5
    private static let frozenSecondsMax: UInt32 = 600
    private static let earlyCalls = 30.0

    /// The usual failure share.
    public internal(set) var failureShare = 0.01
    /// How much more the failure count varies than independent calls would, 1 to 4.
    public internal(set) var overdispersion = 1.0
    /// Mean of the natural logarithm of latency in seconds; nil before the first latency.
    public internal(set) var logLatencyMean: Double?
    /// Variance of the logarithm of single latencies.
    public internal(set) var logLatencyVariance = 0.25
    /// The usual share of slow calls.
    public internal(set) var slowShare = 0.02
    /// Calls per second, silent seconds included; nil before the first call.
    public internal(set) var callsPerSecond: Double?
    /// Calls of this key that were learned from.
    public internal(set) var learnedCalls = 0.0
    /// The weight of what did not come from this key's calls.
    public internal(set) var borrowed = 0.0
    /// Anomalous seconds of the freeze; 0 while learning.
    public private(set) var frozenSeconds: UInt32 = 0

    private var quietSeconds: UInt32 = 0
    private var lastSecond: UInt64?
    private var errorShift = RegimeShift()
    private var latencyShift = RegimeShift()
    private var hasAccepted = false

    /// What a second's calls say.
    public struct Reading: Sendable, Hashable {
        /// Standard deviations by which failures exceed the usual.
        public var errorScore = 0.0
        /// Standard deviations by which log latency exceeds the usual.
        public var latencyScore = 0.0
        /// One of the scores is beyond `hotScore`.
        public var isHot = false
        /// Nothing loosens and nothing is learned.
        public var isFrozen = false
        /// This second ended a long freeze: the other level is now taken for normal.
        public var hasAcceptedRegime = false

        /// Nothing unusual.
        public init() {}
    }

    /// A key of which nothing is known, or only what is usual for its parent.
    public init(parent: ParentBaseline? = nil) {
        guard let parent else { return }
        failureShare = parent.failureShare
        overdispersion = parent.overdispersion
        logLatencyMean = parent.logLatencyMean
        logLatencyVariance = parent.logLatencyVariance
        slowShare = parent.slowShare
        borrowed = Self.borrowedCalls
    }

    /// Takes what ended in a second and says how unusual it was. `now` is monotonic; missing seconds were silent.
    /// Learns only while the breaker is closed.
    public mutating func update(_ second: CallSecond, isClosed: Bool, now: UInt64) -> Reading {
        updateRate(second.calls, now)
        var reading = Reading()
        reading.isFrozen = frozenSeconds > 0
        guard second.calls > 0 else { return reading }
        let (residual, deviation) = errorResidual(second)
        reading.errorScore = residual / max(deviation * overdispersion.squareRoot(), Self.errorDeviationFloor)
        reading.latencyScore = latencyScore(second)
        reading.isHot = reading.errorScore > Self.hotScore || reading.latencyScore > Self.hotScore
        followRegime(reading)
        let isSettled = frozenSeconds > Self.frozenSecondsMax && hasSettled
        if !isSettled { hasAccepted = false }
        if isClosed, frozenSeconds == 0 || learnedCalls < Self.earlyCalls || isSettled {
            reading.hasAcceptedRegime = isSettled && !hasAccepted
            hasAccepted = isSettled
            learn(second, residual: residual / max(deviation, Self.errorDeviationFloor))
        }
        reading.isFrozen = frozenSeconds > 0
        return reading
    }

    private mutating func updateRate(_ calls: Double, _ now: UInt64) {
        let elapsed = lastSecond.map { now > $0 ? (now - $0 + 500_000_000) / 1_000_000_000 : 1 } ?? 1
        lastSecond = now
        guard var rate = callsPerSecond else {
            callsPerSecond = calls > 0 ? calls : nil
            return
        }
        // A rare key is averaged over longer: a hundred calls or more, or each one would move every threshold.
        let weight = (rate / Self.rateCallsMin).clamped(to: Self.rateWeightMin...Self.rateWeight)
        for _ in 1..<max(2, min(elapsed, Self.backfillSecondsMax + 1)) where elapsed > 1 {
            rate -= weight * rate
        }
        callsPerSecond = rate + weight * (calls - rate)
    }

    /// Failures beyond the expected, and the deviation of their number if calls were independent.
    private func errorResidual(_ second: CallSecond) -> (residual: Double, deviation: Double) {
        let share = max(failureShare, Self.failureShareFloor)
        return (
            second.failures - second.calls * share,
            (second.calls * share * max(0, 1 - share)).squareRoot()
        )
    }

    private func latencyScore(_ second: CallSecond) -> Double {
        guard let mean = logLatencyMean else { return 0 }
        let variance = logLatencyVariance / second.calls + Self.wander * logLatencyVariance + 1e-6
        return (second.logSum / second.calls - mean) / variance.squareRoot()
    }

    /// Counts the freeze and the quiet seconds, and watches whether what is measured settles on another level.
    private mutating func followRegime(_ reading: Reading) {
        errorShift.add(reading.errorScore, isLearned: hasAccepted)
        latencyShift.add(reading.latencyScore, isLearned: hasAccepted)
        if reading.isHot {
            if frozenSeconds < .max { frozenSeconds += 1 }
            quietSeconds = 0
            return
        }
        if quietSeconds < .max { quietSeconds += 1 }
        guard quietSeconds >= Self.quietSecondsToThaw else { return }
        if frozenSeconds > 0 || errorShift.isFound { errorShift = RegimeShift() }
        if frozenSeconds > 0 || latencyShift.isFound { latencyShift = RegimeShift() }
        frozenSeconds = 0
        hasAccepted = false
    }

    /// At least one of the two has left its level, and what has left holds another one.
    private var hasSettled: Bool {
        (errorShift.isFound || latencyShift.isFound)
            && (!errorShift.isFound || errorShift.isConfirmed) && (!latencyShift.isFound || latencyShift.isConfirmed)
    }

    private mutating func learn(_ second: CallSecond, residual: Double) {
        let calls = second.calls
        learnedCalls += calls
        let weight = learningWeight(calls)
        failureShare += weight * (second.failures / calls - failureShare)
        let dispersion = min(residual * residual, 9 * overdispersion)
        overdispersion = (overdispersion + weight * (dispersion - overdispersion)).clamped(to: 1...4)
        let latency = second.logSum / calls
        if let mean = logLatencyMean {
            let limit = 3 * logLatencyVariance.squareRoot()
            logLatencyMean = mean + weight * (latency - mean).clamped(to: -limit...limit)
        } else {
            logLatencyMean = latency
        }
        let distance = latency - (logLatencyMean ?? latency)
        let spread = max(second.logSquares / calls - latency * latency, 0) + distance * distance
        let learned = min(spread, 4 * logLatencyVariance + 0.05)
        logLatencyVariance = max(Self.varianceFloor, logLatencyVariance + weight * (learned - logLatencyVariance))
        slowShare += weight * (second.slow / calls - slowShare)
    }

    /// The plain mean first, then a half-life of about two minutes of traffic; no second counts more than a fifth.
    private func learningWeight(_ calls: Double) -> Double {
        let rate = max(callsPerSecond ?? 0, 0.2)
        let steady = 1 - Elementary.power(0.5, calls / (Self.halfLifeSeconds * rate))
        let known = learnedCalls + borrowed
        let early = min(1, calls / known) * (known < Self.earlyCalls ? 0.5 : 1)
        return min(Self.learningWeightMax, max(steady, early))
    }
}

/// What calls to one destination did in one second, as sums.
public struct CallSecond: Sendable, Hashable {
    /// Calls that ended.
    public var calls: Double
    /// Calls that the destination failed; not the mistakes of clients, and not what we rejected ourselves.
    public var failures: Double
    /// Calls slower than the slow-call duration.
    public var slow: Double
    /// Sum of the natural logarithms of latency in seconds, of at least a microsecond each.
    public var logSum: Double
    /// Sum of their squares.
    public var logSquares: Double

    /// The sums of a second.
    public init(
        calls: Double = 0, failures: Double = 0, slow: Double = 0, logSum: Double = 0, logSquares: Double = 0
    ) {
        self.calls = calls
        self.failures = failures
        self.slow = slow
        self.logSum = logSum
        self.logSquares = logSquares
    }
}

extension CallSecond {
    /// The sums of ten beats.
    public init(_ tally: CallTally) {
        self.init(
            calls: Double(tally.calls), failures: Double(tally.failed), slow: Double(tally.slow), logSum: tally.logSum,
            logSquares: tally.logSquares)
    }
}

/// What a new key takes over from the key above it, with the weight of `Baseline.borrowedCalls`.
public struct ParentBaseline: Sendable, Hashable {
    /// The usual failure share.
    public var failureShare: Double
    /// How much more failures vary than independent calls would.
    public var overdispersion: Double
    /// Mean of log latency.
    public var logLatencyMean: Double
    /// Variance of log latency.
    public var logLatencyVariance: Double
    /// The usual share of slow calls.
    public var slowShare: Double

    /// A baseline to lend; nil while it rests on too few calls itself.
    public init?(_ baseline: Baseline) {
        guard let mean = baseline.logLatencyMean, baseline.learnedCalls >= Baseline.borrowedCalls else { return nil }
        failureShare = baseline.failureShare
        overdispersion = baseline.overdispersion
        logLatencyMean = mean
        logLatencyVariance = baseline.logLatencyVariance
        slowShare = baseline.slowShare
    }
}
