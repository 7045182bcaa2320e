/// One change of one parameter, or a refusal to change it, with everything needed to judge it later: the audit record.
public struct ThresholdChange: Sendable, Hashable {
    /// When, by the wall clock.
    public var unixSeconds: Double
    /// Which parameter.
    public var parameter: BreakerParameter
    /// Its value before.
    public var old: Double
    /// What the formula, the operator or the rollback asked for.
    public var proposed: Double
    /// Its value now; the old one where the proposal was refused.
    public var applied: Double
    /// What kept the applied value from being the proposed one.
    public var limitedBy: ThresholdLimit
    /// Who asked.
    public var actor: ThresholdActor
    /// What was known of the destination.
    public var evidence: ThresholdEvidence
    /// The key is in shadow: the value is learned and recorded, but does not act.
    public var isShadow: Bool
    /// The number of the parameter set that the change made, or left in force.
    public var version: UInt32
    /// Methods and formulas that the decision came from.
    public var detectorVersion: String
    /// A trace of a call of that time.
    public var exemplarTraceID: UInt128?

    /// A record of what the rest of its members says.
    public init(
        unixSeconds: Double, parameter: BreakerParameter, old: Double, proposed: Double, applied: Double,
        limitedBy: ThresholdLimit, actor: ThresholdActor, evidence: ThresholdEvidence, isShadow: Bool,
        version: UInt32, detectorVersion: String = ThresholdChange.detectorVersionNow, exemplarTraceID: UInt128? = nil
    ) {
        self.unixSeconds = unixSeconds
        self.parameter = parameter
        self.old = old
        self.proposed = proposed
        self.applied = applied
        self.limitedBy = limitedBy
        self.actor = actor
        self.evidence = evidence
        self.isShadow = isShadow
        self.version = version
        self.detectorVersion = detectorVersion
        self.exemplarTraceID = exemplarTraceID
    }

    /// Detector A, detector B and the table of formulas; changes with any of them.
    public static let detectorVersionNow = "\(Baseline.version)+b1+t2"

    /// Whether the breaker now opens earlier or later than before.
    public var direction: ThresholdDirection {
        if applied == old { return .none }
        return (applied > old) == parameter.loosensUpwards ? .loosen : .tighten
    }

    /// The proposal was not followed at all.
    public var isRefused: Bool { applied == old }
}

/// What stood between a proposal and its application.
public enum ThresholdLimit: String, Sendable, Hashable, CaseIterable {
    case none
    /// The least or greatest value that the program allows.
    case minimum = "min"
    case maximum = "max"
    /// The operator's floor or ceiling.
    case operatorMinimum = "operator_min"
    case operatorMaximum = "operator_max"
    /// Not so much in one step.
    case step
    /// Not so much looser than an hour ago.
    case hour
    /// Not worth a change.
    case deadBand = "dead_band"
    /// Nothing is changed during an anomaly, after a warning, or while the breaker is not closed.
    case freeze
    /// The error budget burns too fast: nothing loosens, and what is above the budget's limit tightens.
    case burnRate = "guard"
    /// Taken back a while ago, and not to be tried again so soon.
    case hold
}

/// Who changed a threshold.
public enum ThresholdActor: String, Sendable, Hashable, CaseIterable {
    /// The tuner, from what it has learned.
    case auto
    /// A person, or the configuration.
    case `operator`
    /// The tuner, which took back a change that had made things worse.
    case rollback
}

/// What a change does to the breaker.
public enum ThresholdDirection: String, Sendable, Hashable, CaseIterable {
    case none
    case loosen
    case tighten
}

/// What a decision rested on.
public struct ThresholdEvidence: Sendable, Hashable {
    /// Calls that were learned from.
    public var calls = 0.0
    /// Calls per second.
    public var callsPerSecond = 0.0
    /// The usual failure share (p0).
    public var failureShare = 0.0
    /// Overdispersion of failures (φ).
    public var overdispersion = 1.0
    /// Mean of the logarithm of latency in seconds (m); nil before the first.
    public var logLatencyMean: Double?
    /// Its variance (v).
    public var logLatencyVariance = 0.0
    /// The usual share of slow calls.
    public var slowShare = 0.0
    /// How many deviations a threshold keeps from the usual (z).
    public var deviations = 5.0
    /// The window that the calls of a decision come from (W).
    public var windowSeconds = 0.0
    /// The log ratio to the usual latency that one call in a thousand exceeds, once it is known.
    public var slowQuantile: Double?
    /// How long outages of the key usually last; nil in records of versions that did not learn it.
    public var outageSeconds: Double?

    /// No evidence.
    public init() {}

    init(_ baseline: Baseline, deviations: Double, windowSeconds: Double, slowQuantile: Double?) {
        calls = baseline.learnedCalls
        callsPerSecond = baseline.callsPerSecond ?? 0
        failureShare = baseline.failureShare
        overdispersion = baseline.overdispersion
        logLatencyMean = baseline.logLatencyMean
        logLatencyVariance = baseline.logLatencyVariance
        slowShare = baseline.slowShare
        self.deviations = deviations
        self.windowSeconds = windowSeconds
        self.slowQuantile = slowQuantile
    }
}
