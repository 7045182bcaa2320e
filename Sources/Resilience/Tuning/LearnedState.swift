/// What survives a restart of what one key has learned, as plain values.
///
/// Knowledge ages: the weight of the baseline halves each day, so that new calls soon outweigh it, and the thresholds
/// come half the way back to the start values each week. Transient things, a freeze or a count of the minute, begin
/// anew.
public struct LearnedState: Sendable, Hashable {
    /// The weight of the baseline after a day.
    static let baselineHalfLifeSeconds = 86_400.0
    /// The distance from the start values after a week.
    static let thresholdHalfLifeSeconds = 7 * 86_400.0
    private static let format: UInt64 = 0x5_0002
    private static let bytesMax = 16 * 1024

    /// When it was saved, by the wall clock.
    public var savedUnixSeconds: Double
    /// When the key was first seen.
    public var firstSeenUnixSeconds: Double
    /// Number of the parameter set.
    public var version: UInt32
    /// What acts.
    public var applied: BreakerParameters
    /// What would act outside of shadow.
    public var learned: BreakerParameters
    /// Deviations from the usual.
    public var deviations: Double
    /// How long outages usually last.
    public var outageSeconds: Double
    /// What is normal.
    public var baseline: Baseline
    var peaks: PeaksOverThreshold
    var failureDetector: EnvelopeDetector
    var latencyDetector: EnvelopeDetector
}

extension LearnedState {
    /// For a store.
    public var bytes: [UInt8] { stateBytes(format: Self.format) }

    /// From a store.
    public init(bytes: [UInt8]) throws(StateError) {
        guard bytes.count <= Self.bytesMax else { throw .length }
        try self.init(stateBytes: bytes, format: Self.format)
    }
}

extension KeyLearning {
    /// What survives a restart.
    public func state(savedUnixSeconds: Double) -> LearnedState {
        LearnedState(
            savedUnixSeconds: savedUnixSeconds, firstSeenUnixSeconds: firstSeenUnixSeconds, version: tuner.version,
            applied: tuner.applied, learned: tuner.learned, deviations: tuner.deviations,
            outageSeconds: tuner.outageSeconds, baseline: baseline, peaks: peaks, failureDetector: failureDetector,
            latencyDetector: latencyDetector)
    }

    /// Goes on with what was learned before, as far as it is still worth something; the policy's bounds win.
    public init(
        _ state: LearnedState, policy: TunerPolicy, watchesQueue: Bool = false, now: UInt64, unixSeconds: Double
    ) {
        self.init(policy: policy, watchesQueue: watchesQueue, now: now, unixSeconds: state.firstSeenUnixSeconds)
        let age = max(0, unixSeconds - state.savedUnixSeconds)
        baseline = state.baseline.aged(by: age)
        let share = Elementary.power(0.5, age / LearnedState.thresholdHalfLifeSeconds)
        tuner.resume(
            applied: state.applied, learned: state.learned, deviations: state.deviations,
            outageSeconds: state.outageSeconds, version: state.version, keeping: share, now: now)
        peaks = state.peaks
        peaks.fade(to: Elementary.power(0.5, age / LearnedState.baselineHalfLifeSeconds))
        failureDetector = state.failureDetector
        latencyDetector = state.latencyDetector
    }
}

extension Baseline {
    /// The same knowledge, with the weight that it still has. Two minutes of traffic are all that counts afterwards,
    /// so no more than that is kept.
    func aged(by seconds: Double) -> Baseline {
        var aged = Baseline()
        let total = learnedCalls + borrowed
        let known = min(total, 240 * max(callsPerSecond ?? 0, 0.2))
        let share =
            total > 0 ? known / total * Elementary.power(0.5, seconds / LearnedState.baselineHalfLifeSeconds) : 0
        aged.failureShare = failureShare
        aged.overdispersion = overdispersion
        aged.logLatencyMean = logLatencyMean
        aged.logLatencyVariance = logLatencyVariance
        aged.slowShare = slowShare
        aged.callsPerSecond = callsPerSecond
        aged.learnedCalls = learnedCalls * share
        aged.borrowed = borrowed * share
        return aged
    }
}

extension Tuner {
    /// Continues with a stored set, moved towards the start values by what is not kept of it.
    mutating func resume(
        applied: BreakerParameters, learned: BreakerParameters, deviations: Double, outageSeconds: Double,
        version: UInt32, keeping share: Double, now: UInt64
    ) {
        for parameter in BreakerParameter.allCases {
            let start = policy.start[parameter]
            // A store may hold what no formula ever gave.
            func faded(_ value: Double) -> Double {
                let value = value.clamped(to: policy.range(of: parameter))
                guard share < 1, start > 0, value > 0 else { return value }
                return start * Elementary.power(value / start, share)
            }
            self.applied[parameter] = faded(applied[parameter])
            self.learned[parameter] = faded(learned[parameter])
        }
        self.applied = inside(self.applied)
        self.learned = inside(self.learned)
        let widened = deviations - ThresholdFormulas.deviationsDefault
        self.deviations = ThresholdFormulas.deviationsDefault + share * widened
        let usualOutage = OutageClock.usualOutageSeconds
        self.outageSeconds = usualOutage + share * (outageSeconds - usualOutage)
        self.version = version
        hour = HourMarks(self.learned, now: now)
    }
}

extension LearnedState: StateCodable {
    func write(to writer: inout StateWriter) {
        for number in [savedUnixSeconds, firstSeenUnixSeconds, deviations, outageSeconds] { writer.write(number) }
        writer.write(version)
        for set in [applied, learned] {
            for parameter in BreakerParameter.allCases { writer.write(set[parameter]) }
        }
        baseline.write(to: &writer)
        peaks.write(to: &writer)
        failureDetector.write(to: &writer)
        latencyDetector.write(to: &writer)
    }

    init(from reader: inout StateReader) throws(StateError) {
        savedUnixSeconds = try reader.readFinite()
        firstSeenUnixSeconds = try reader.readFinite()
        deviations = try reader.read(in: 0...ThresholdFormulas.deviationsMax)
        outageSeconds = try reader.read(in: 0...1e9)
        version = try reader.read()
        applied = BreakerParameters(timeoutNanoseconds: 1)
        learned = applied
        // Wider than any range: the operator's bounds may have allowed what the program's own do not.
        for parameter in BreakerParameter.allCases { applied[parameter] = try reader.read(in: 0...1e9) }
        for parameter in BreakerParameter.allCases { learned[parameter] = try reader.read(in: 0...1e9) }
        baseline = Baseline()
        try baseline.read(from: &reader)
        peaks = PeaksOverThreshold()
        try peaks.read(from: &reader)
        failureDetector = try EnvelopeDetector(from: &reader)
        latencyDetector = try EnvelopeDetector(from: &reader)
    }
}

extension Baseline {
    func write(to writer: inout StateWriter) {
        for number in [failureShare, overdispersion, logLatencyVariance, slowShare, learnedCalls, borrowed] {
            writer.write(number)
        }
        for optional in [logLatencyMean, callsPerSecond] {
            writer.write(optional != nil)
            writer.write(optional ?? 0)
        }
    }

    mutating func read(from reader: inout StateReader) throws(StateError) {
        failureShare = try reader.read(in: 0...1)
        overdispersion = try reader.read(in: 1...4)
        logLatencyVariance = try reader.read(in: 0...1e3)
        slowShare = try reader.read(in: 0...1)
        learnedCalls = try reader.read(in: 0...1e300)
        borrowed = try reader.read(in: 0...1e300)
        let hasMean = try reader.readFlag()
        let mean = try reader.read(in: -100...100)
        logLatencyMean = hasMean ? mean : nil
        let hasRate = try reader.readFlag()
        let rate = try reader.read(in: 0...1e12)
        callsPerSecond = hasRate ? rate : nil
    }
}
