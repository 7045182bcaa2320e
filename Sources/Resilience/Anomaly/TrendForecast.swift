/// Level and trend of a signal (Holt's linear method), and when it will reach a limit if it goes on so.
///
/// For the logarithm of the 95 % latency and for queue depth, one value every ten seconds. A forecast may shrink
/// retries and bulkheads and may warn. It never opens a breaker: what has not happened yet is no failure.
public struct TrendForecast: Sendable, Hashable {
    /// Seconds between two values.
    public static let tickSeconds = 10.0
    /// A breach further away than this is not warned of.
    public static let warningSeconds = 300.0

    private static let levelGain = 0.2
    private static let trendGain = 0.2 * 0.05
    /// Standard error of the trend in units of the one-step errors, for moderately autocorrelated noise.
    private static let trendError = 0.025
    private static let risingScore = 3.0
    private static let risingTicks = 3
    private static let ticksMin: UInt64 = 12

    /// The smoothed value.
    public private(set) var level = 0.0
    /// Its change per tick.
    public private(set) var trend = 0.0
    private var squaredErrors = MovingAverage(halfLife: 14)
    private var risingCount = 0
    private var ticks: UInt64 = 0

    /// When a limit is reached.
    public struct Breach: Sendable, Hashable {
        /// Until the limit, at the present trend.
        public var seconds: Double
        /// Until the limit, at a trend two standard errors steeper.
        public var earliestSeconds: Double
        /// The trend in its standard errors; 3 is rising, and rising further raises it.
        public var score: Double
        /// How sure it is that the signal rises at all, 0.5 to 1.
        public var confidence: Double
        /// Soon enough to warn and to act.
        public var isNear: Bool
        /// What retry budget and bulkhead may keep of their size: 1, or down to a quarter when the limit is near.
        public var keptShare: Double
    }

    /// A forecast that has seen nothing.
    public init() {}

    /// Takes the next value; one that is not finite is not taken.
    public mutating func add(_ value: Double) {
        guard value.isFinite else { return }
        guard ticks > 0 else {
            level = value
            ticks = 1
            return
        }
        let error = value - (level + trend)
        level += trend + Self.levelGain * error
        trend += Self.trendGain * error
        squaredErrors.add(error * error)
        ticks &+= 1
        risingCount = score >= Self.risingScore ? min(risingCount + 1, Self.risingTicks) : 0
    }

    /// The trend in units of its standard error.
    public var score: Double {
        let error = trendStandardError
        return error > 0 ? trend / error : 0
    }

    /// The signal rises, and not by chance.
    public var isRising: Bool { ticks >= Self.ticksMin && risingCount >= Self.risingTicks }

    /// When the level reaches the limit; nil unless it rises. 0 seconds where it is there already.
    public func breach(of limit: Double) -> Breach? {
        guard isRising, limit.isFinite else { return nil }
        let distance = max(0, limit - level)
        let seconds = distance / trend * Self.tickSeconds
        let earliest = distance / (trend + 2 * trendStandardError) * Self.tickSeconds
        return Breach(
            seconds: seconds, earliestSeconds: earliest, score: score,
            confidence: 1 / (1 + Elementary.exp(-1.702 * score)),
            isNear: seconds < Self.warningSeconds,
            keptShare: seconds < Self.warningSeconds ? max(0.25, seconds / Self.warningSeconds) : 1
        )
    }

    /// Seconds until a queue is full at these rates per second; nil unless more comes than goes.
    public static func secondsUntilFull(
        depth: Double, capacity: Double, arrivalsPerSecond: Double, servedPerSecond: Double
    ) -> Double? {
        guard arrivalsPerSecond > servedPerSecond else { return nil }
        return max(0, capacity - depth) / (arrivalsPerSecond - servedPerSecond)
    }

    private var trendStandardError: Double { Self.trendError * squaredErrors.mean.squareRoot() }
}
