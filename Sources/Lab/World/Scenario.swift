/// What the destination is like at one moment.
public struct Conditions: Sendable, Hashable {
    /// How long calls take.
    public var latency: LatencyDistribution
    /// The share of calls that fail, besides those that time out.
    public var failureShare: Double
    /// The destination is in the fault that a breaker is there for.
    public var isFaulty: Bool

    /// Conditions with log-normal latency.
    public init(medianMilliseconds: Double = 10, failureShare: Double = 0.005, isFaulty: Bool = false) {
        latency = LatencyDistribution(medianSeconds: medianMilliseconds / 1_000)
        self.failureShare = failureShare
        self.isFaulty = isFaulty
    }
}

/// When the fault of a run begins and ends, in seconds of the run. Drawn per seed: a fixed length would be a multiple
/// of somebody's open time and flatter its recovery.
public struct FaultWindow: Sendable, Hashable {
    /// First second of the fault.
    public var begin: Double
    /// Its end.
    public var end: Double

    /// A window.
    public init(begin: Double, end: Double) {
        self.begin = begin
        self.end = end
    }

    /// Whether the moment lies inside.
    public func contains(_ seconds: Double) -> Bool { seconds >= begin && seconds < end }
    /// Seconds from begin to end.
    public var length: Double { end - begin }
}

/// How load acts on the destination.
public enum Capacity: Sendable, Hashable {
    /// Not at all: a call takes what it takes.
    case unlimited
    /// So many servers with one queue, first come first served. Latency is waiting plus service. What the client has
    /// given up is still served; beyond two seconds of queue a call is refused at once.
    case servers(Int)
}

/// One situation: traffic, fault, and what counts as either.
public struct Scenario: Sendable {
    /// What a scenario is there to show.
    public enum Purpose: String, Sendable, CaseIterable {
        /// A fault that should be noticed.
        case fault
        /// Life as usual: opening is wrong.
        case benign
    }

    /// How it is called on the command line.
    public var name: String
    /// One line about it.
    public var summary: String
    /// Fault or benign.
    public var purpose: Purpose
    /// Among the eleven of the protocol, or one added since.
    public var isCore: Bool
    /// The fault's length is drawn from here, per seed; one value if both are equal.
    public var faultSeconds: ClosedRange<Double>
    /// When the fault begins.
    public var faultBegin: Double
    /// Calls per second at a moment.
    public var rate: @Sendable (_ seconds: Double, _ fault: FaultWindow) -> Double
    /// The highest rate there is, for thinning.
    public var rateMax: Double
    /// What the destination is like at a moment.
    public var conditions: @Sendable (_ seconds: Double, _ fault: FaultWindow) -> Conditions
    /// How load acts on the destination.
    public var capacity: Capacity
    /// How often the client tries again, at once, what failed. It does not retry what a breaker rejected.
    public var retries: Int

    init(
        _ name: String, _ summary: String, _ purpose: Purpose, isCore: Bool = true,
        faultSeconds: ClosedRange<Double> = 200...400, faultBegin: Double = 1_200, rateMax: Double = 50,
        capacity: Capacity = .unlimited, retries: Int = 0,
        rate: (@Sendable (Double, FaultWindow) -> Double)? = nil,
        conditions: @escaping @Sendable (Double, FaultWindow) -> Conditions
    ) {
        self.name = name
        self.summary = summary
        self.purpose = purpose
        self.isCore = isCore
        self.faultSeconds = faultSeconds
        self.faultBegin = faultBegin
        self.rateMax = rateMax
        self.capacity = capacity
        self.retries = retries
        self.rate = rate ?? { _, _ in rateMax }
        self.conditions = conditions
    }

    /// The fault of a run with this seed.
    public func fault(seed: UInt64) -> FaultWindow {
        var random = LabRandom(seed: seed, stream: "fault")
        let length = faultSeconds.lowerBound + random.uniform() * (faultSeconds.upperBound - faultSeconds.lowerBound)
        return FaultWindow(begin: faultBegin, end: min(faultBegin + length, Evaluation.runSeconds))
    }
}

/// The figures of the evaluation protocol that all scenarios share.
public enum Evaluation {
    /// Length of a run.
    public static let runSeconds = 2_400.0
    /// The client gives up after that.
    public static let timeoutNanoseconds: UInt64 = 1_000_000_000
    /// A slower call is a bad call.
    public static let objectiveNanoseconds: UInt64 = 100_000_000
    /// An open later than this after a fault is a false one.
    public static let lateEvidenceNanoseconds: UInt64 = 5_000_000_000
    /// How often subjects are told the time, arrivals or not.
    public static let beatNanoseconds: UInt64 = 100_000_000
}
