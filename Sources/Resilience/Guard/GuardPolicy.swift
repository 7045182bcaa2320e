/// What one guard is told: how much it may do, and within which limits.
public struct GuardPolicy: Sendable, Hashable {
    /// How much the breaker may do.
    public var mode: BreakerMode
    /// After how long a call counts as failed.
    public var timeoutNanoseconds: UInt64
    /// The operator's floors and ceilings of the breaker's parameters.
    public var bounds: ParameterBounds
    /// What is promised of the destination.
    public var objective: ServiceObjective
    /// How long a new key only watches what it would do with what it has learned. The start values act meanwhile.
    public var trialSeconds: Double
    /// The least and the greatest number of calls that may be under way at once; nil sets no limit.
    public var bulkhead: ClosedRange<Int>?

    /// Usual values: a breaker that tunes itself after five minutes of watching, no bulkhead.
    public init(
        mode: BreakerMode = .auto, timeoutNanoseconds: UInt64 = 1_000_000_000,
        bounds: ParameterBounds = ParameterBounds(), objective: ServiceObjective = ServiceObjective(),
        trialSeconds: Double = 300, bulkhead: ClosedRange<Int>? = nil
    ) {
        self.mode = mode
        self.timeoutNanoseconds = timeoutNanoseconds
        self.bounds = bounds
        self.objective = objective
        self.trialSeconds = trialSeconds
        self.bulkhead = bulkhead
    }

    var tuner: TunerPolicy {
        TunerPolicy(
            timeoutNanoseconds: timeoutNanoseconds, bounds: bounds, objective: objective, adapts: mode != .fixed)
    }
}
