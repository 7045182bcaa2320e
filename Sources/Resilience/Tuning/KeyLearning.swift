/// All that is learned for one key: baseline, tail of latency, warnings, forecasts, and the tuner that chooses from it.
///
/// Fed once a second with what calls did; steps, scores and forecasts follow at their own pace. A value without clock:
/// whoever drives it tells the time. Less than 11 KiB with all that hangs on it, of fixed size.
public struct KeyLearning: Sendable {
    /// Seconds between two samples of detector B.
    static let scoreSeconds = 60
    /// How long a warning of detector B keeps the tuner from moving.
    static let warningNanoseconds: UInt64 = 600_000_000_000
    /// A change of a fifth of these after perfect flatness is worth a warning: failure share, log latency.
    private static let failureResolution = 0.25
    private static let latencyResolution = 1.0
    /// Fewer messages that wait are never too many, unless that was promised.
    private static let lagLimitMin = 100.0
    /// Calls at the usual failure share that are added to a minute, so that one failure of one call is no record.
    private static let shareWeight = 10.0

    /// What is normal.
    public internal(set) var baseline: Baseline
    /// What was chosen from it.
    public internal(set) var tuner: Tuner
    /// Detector B over the failure share of each minute.
    public internal(set) var failureDetector = EnvelopeDetector(resolution: failureResolution)
    /// Detector B over the logarithm of the 95 % latency of each minute.
    public internal(set) var latencyDetector = EnvelopeDetector(resolution: latencyResolution)
    /// Trend of the logarithm of the 95 % latency.
    public private(set) var latencyForecast = TrendForecast()
    /// Trend of the lag of the queue.
    public private(set) var lagForecast = TrendForecast()
    /// Throughput, times in queue and process, lag, redeliveries and size.
    public private(set) var flow = FlowWatch()
    /// Detector B of latency watches the time in the queue: for keys whose calls take as long as nothing comes.
    let watchesQueue: Bool
    /// The last scores of detector B.
    public private(set) var scores = AnomalyScores()
    /// When the key was first seen, by the wall clock: a new key is in shadow for a while.
    public internal(set) var firstSeenUnixSeconds: Double

    var peaks = PeaksOverThreshold()
    private var minute = CallSecond()
    private var minuteQueue: (times: Float, logSum: Float) = (0, 0)
    private var tenSeconds = CallSecond()
    private var seconds = 0
    private var callsSinceStep = 0.0
    private var steppedAt: UInt64?
    private var warnedUntil: UInt64 = 0
    var slowQuantile: Double?

    /// What detector B says of the minute that has just passed, 0 to 1.
    public struct AnomalyScores: Sendable, Hashable {
        /// Of the failure share.
        public var failures = 0.0
        /// Of the 95 % latency, or of the time in the queue.
        public var latency = 0.0

        /// Nothing unusual.
        public init() {}

        /// One of them is a warning.
        public var isWarning: Bool { max(failures, latency) >= EnvelopeDetector.warning }
    }

    /// What a second brought.
    public struct Lesson: Sendable {
        /// Detector A.
        public var reading: Baseline.Reading
        /// Changed and refused thresholds.
        public var changes: [ThresholdChange]
        /// New scores of detector B, once a minute.
        public var scores: AnomalyScores?
        /// A limit that latency or lag will reach soon; may shrink retries and bulkhead, never open a breaker.
        public var breach: Foresight?
        /// It was time to look ahead.
        public var isForecast = false
        /// What has been unusual about the flow of messages for half a minute.
        public var unusual: [FlowSignal] = []
    }

    /// What comes, if it goes on so.
    public struct Foresight: Sendable, Hashable {
        /// Lag, and not latency.
        public var isOfLag: Bool
        /// When, and how sure.
        public var breach: TrendForecast.Breach
    }

    /// What surrounds a second.
    public struct Surroundings: Sendable, Hashable {
        /// Monotonic nanoseconds.
        public var now: UInt64
        /// The wall clock.
        public var unixSeconds: Double
        /// The breaker is closed and admits all.
        public var isClosed: Bool
        /// What is learned does not act.
        public var isShadow: Bool
        /// What has passed, once in ten seconds.
        public var flow: FlowTally?
        /// A trace of a call of this second.
        public var exemplarTraceID: UInt128?

        /// By default a closed breaker that is not in shadow.
        public init(
            now: UInt64, unixSeconds: Double, isClosed: Bool = true, isShadow: Bool = false,
            flow: FlowTally? = nil, exemplarTraceID: UInt128? = nil
        ) {
            self.now = now
            self.unixSeconds = unixSeconds
            self.isClosed = isClosed
            self.isShadow = isShadow
            self.flow = flow
            self.exemplarTraceID = exemplarTraceID
        }
    }

    /// A key that begins now, with what is usual for its parent.
    public init(
        policy: TunerPolicy, parent: ParentBaseline? = nil, watchesQueue: Bool = false, now: UInt64,
        unixSeconds: Double
    ) {
        self.watchesQueue = watchesQueue
        baseline = Baseline(parent: parent)
        tuner = Tuner(policy: policy, now: now)
        firstSeenUnixSeconds = unixSeconds
    }

    /// Learns the tail from single latencies: any share of the calls of a second, told before `second`. Nothing is
    /// learned while something is wrong.
    public mutating func learnLatency(seconds: Double) {
        guard let mean = baseline.logLatencyMean, baseline.frozenSeconds == 0, seconds > 0 else { return }
        peaks.learn(logRatio: Elementary.ln(max(seconds, 1e-6)) - mean, present: slowQuantile)
    }

    /// Takes what ended in a second.
    public mutating func second(_ second: CallSecond, _ around: Surroundings) -> Lesson {
        let reading = baseline.update(second, isClosed: around.isClosed, now: around.now)
        tuner.count(calls: second.calls, failures: second.failures, now: around.now)
        minute.add(second)
        tenSeconds.add(second)
        seconds += 1
        var lesson = Lesson(reading: reading, changes: [], scores: nil, breach: nil)
        if let tally = around.flow { lesson.unusual = take(tally) }
        if seconds % Int(TrendForecast.tickSeconds) == 0 { (lesson.isForecast, lesson.breach) = (true, forecast()) }
        if seconds % Self.scoreSeconds == 0 {
            score(around)
            lesson.scores = scores
        }
        callsSinceStep += second.calls
        // As many calls for each step as for the first: a rare key would otherwise follow every single call.
        let isTime = steppedAt.map { around.now &- $0 >= Tuner.stepNanoseconds } ?? true
        guard callsSinceStep >= Tuner.callsMin, isTime else { return lesson }
        (callsSinceStep, steppedAt) = (0, around.now)
        lesson.changes = tuner.step(baseline, slowQuantile: slowQuantile, context: context(around))
        return lesson
    }

    /// What the tuner must know of the moment.
    public func context(_ around: Surroundings) -> TunerContext {
        TunerContext(
            now: around.now, unixSeconds: around.unixSeconds, isClosed: around.isClosed,
            isAnomalous: baseline.frozenSeconds > 0, hasWarning: around.now < warnedUntil, isShadow: around.isShadow,
            exemplarTraceID: around.exemplarTraceID)
    }

    private mutating func take(_ tally: FlowTally) -> [FlowSignal] {
        if let lag = tally.lag { lagForecast.add(lag) }
        minuteQueue.times += Float(tally.queueTimes)
        minuteQueue.logSum += Float(tally.queueLogSum)
        return flow.tick(tally)
    }

    private mutating func score(_ around: Surroundings) {
        defer { (minute, minuteQueue) = (CallSecond(), (0, 0)) }
        scores = AnomalyScores()
        if watchesQueue, minuteQueue.times > 0 {
            let mean = Double(minuteQueue.logSum / minuteQueue.times)
            scores.latency = latencyDetector.score(mean, atUnixSeconds: around.unixSeconds)
        }
        scoreCalls(around)
        if scores.isWarning { warnedUntil = around.now &+ Self.warningNanoseconds }
    }

    private mutating func scoreCalls(_ around: Surroundings) {
        guard minute.calls > 0 else { return }
        let share =
            (minute.failures + Self.shareWeight * baseline.failureShare) / (minute.calls + Self.shareWeight)
        scores.failures = failureDetector.score(share, atUnixSeconds: around.unixSeconds)
        guard !watchesQueue else { return }
        scores.latency = latencyDetector.score(minute.logLatency95, atUnixSeconds: around.unixSeconds)
    }

    /// Once every ten seconds: the tail's quantile, and the limits that come near.
    private mutating func forecast() -> Foresight? {
        slowQuantile = peaks.quantile
        if tenSeconds.calls > 0 { latencyForecast.add(tenSeconds.logLatency95) }
        tenSeconds = CallSecond()
        let latency = watchesQueue ? nil : latencyForecast.breach(of: Elementary.ln(tuner.applied[.slowCall]))
        let lag = lagLimit.flatMap { lagForecast.breach(of: $0) }
        return [(false, latency), (true, lag)]
            .compactMap { isOfLag, breach in breach.map { Foresight(isOfLag: isOfLag, breach: $0) } }
            .filter(\.breach.isNear).min { $0.breach.seconds < $1.breach.seconds }
    }

    /// The lag that is too much: what was promised, or else what is as far from the usual as an anomaly; nil while that
    /// is not known.
    var lagLimit: Double? {
        if let promised = tuner.policy.objective.lag { return promised }
        return flow.level(of: .lag).map {
            max(Self.lagLimitMin, Elementary.exp($0.mean + Baseline.hotScore * $0.deviation) - 1)
        }
    }
}

extension CallSecond {
    mutating func add(_ other: CallSecond) {
        calls += other.calls
        failures += other.failures
        slow += other.slow
        logSum += other.logSum
        logSquares += other.logSquares
    }

    /// The logarithm of the latency that one call in twenty exceeds, if latency is log-normal.
    var logLatency95: Double {
        let mean = logSum / calls
        return mean + 1.645 * max(0, logSquares / calls - mean * mean).squareRoot()
    }
}
