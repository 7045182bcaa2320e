/// What one destination may keep until the next interval edge.
public struct SamplingAssignment: Sendable, Hashable {
    /// The rejection threshold, as `Sampler` understands it: 0 keeps everything, 2^56 nothing.
    public var threshold: UInt64
    /// Kept roots from which on the destination has outrun what the threshold was made for.
    public var rootsMax: UInt32

    /// A threshold of at most 2^56, and its guard.
    public init(threshold: UInt64, rootsMax: UInt32) {
        self.threshold = threshold
        self.rootsMax = rootsMax
    }
}

/// Decides for the roots of one destination on one event loop, and counts what the budget needs to know.
///
/// The threshold changes at interval edges. In between it only ever rises, when a burst outruns the assignment; what
/// it becomes depends on the past alone, so each root's own threshold still states the probability of its being kept.
public struct DestinationSampler: Sendable {
    /// The threshold that decided the last root.
    public private(set) var threshold: UInt64
    /// Roots seen in this interval.
    public private(set) var roots: UInt32 = 0
    /// Roots kept in this interval.
    public private(set) var kept: UInt32 = 0
    /// Spans recorded of traces that were kept by probability.
    public private(set) var spans: UInt32 = 0
    private var keptMax: UInt32
    private var rootsMax: UInt32

    /// Begins the first interval.
    public init(_ assignment: SamplingAssignment) {
        threshold = assignment.threshold
        keptMax = assignment.rootsMax
        rootsMax = assignment.rootsMax
    }

    /// Begins a new interval.
    public mutating func restart(_ assignment: SamplingAssignment) {
        self = DestinationSampler(assignment)
    }

    /// Whether a root is kept; `threshold` says afterwards by which threshold.
    @inline(__always)
    public mutating func keeps(_ traceID: TraceID, elapsedNanoseconds: UInt64) -> Bool {
        roots &+= 1
        if kept >= keptMax { tighten(elapsedNanoseconds) }
        guard traceID.randomness >= threshold else { return false }
        kept &+= 1
        return true
    }

    /// Counts a recorded span of a trace that was kept by probability.
    @inline(__always)
    public mutating func countSpan() {
        spans &+= 1
    }

    /// Raises the threshold so that the rest of the interval, at the rate seen so far, adds a quarter of the
    /// assignment.
    private mutating func tighten(_ elapsedNanoseconds: UInt64) {
        guard threshold < Sampler.thresholdLimit else { return }
        // Reads come in bursts: what arrived within one millisecond says little about a second.
        let elapsed = Double(min(max(elapsedNanoseconds, 1_000_000), 1_000_000_000)) / 1e9
        let remaining = Double(roots) / elapsed * max(1 - elapsed, 0.1)
        let extra = max(1, rootsMax / 4)
        let limit = Double(Sampler.thresholdLimit)
        let current = (limit - Double(threshold)) / limit
        threshold = max(threshold, Sampler.threshold(keeping: min(current / 2, Double(extra) / remaining)))
        keptMax = kept.addingReportingOverflow(extra).overflow ? .max : kept + extra
    }
}
