/// What went wrong with a call, as far as the guard cares. A message that is itself at fault (rejected, not authorised,
/// cannot be decoded) is no failure of the destination and has no class.
public enum FailureClass: UInt8, Sendable, Hashable, CaseIterable {
    /// No answer in time; what became of the call is unknown.
    case timeout
    /// The connection could not be opened, or was lost under the call.
    case connection
    /// The destination asks for less: busy, out of memory, too many requests.
    case throttled
    /// The destination cannot serve at present: loading, read-only, without leader or quorum.
    case unavailable
}

/// A number for each class.
public struct FailureCounts: Sendable, Hashable {
    private var counts = InlineArray<4, Int>(repeating: 0)

    /// Zero for each.
    public init() {}

    /// The number for one class.
    public subscript(_ failure: FailureClass) -> Int {
        get { counts[Int(failure.rawValue)] }
        set { counts[Int(failure.rawValue)] = newValue }
    }

    /// Over all classes.
    public var total: Int { FailureClass.allCases.reduce(0) { $0 + self[$1] } }

    /// Equal class by class.
    public static func == (one: FailureCounts, other: FailureCounts) -> Bool {
        FailureClass.allCases.allSatisfy { one[$0] == other[$0] }
    }

    /// As equality.
    public func hash(into hasher: inout Hasher) {
        for failure in FailureClass.allCases { hasher.combine(self[failure]) }
    }
}

/// What the calls to one key did since the last beat. Sums, so that those of several event loops can be added up.
public struct CallTally: Sendable, Hashable {
    /// Calls that ended: succeeded, failed, or refused for a mistake of the client's. Not those we rejected ourselves.
    public var calls = 0
    /// Those of them that failed, by class.
    public var failures = FailureCounts()
    /// Those that succeeded, but later than the slow-call duration.
    public var slow = 0
    /// Sum of the natural logarithm of latency in seconds (at least a microsecond) over `calls`.
    public var logSum = 0.0
    /// Sum of its square.
    public var logSquares = 0.0
    /// Latency in seconds of one of the calls, the last to end; 0 without a call. The tail of latency is learned from
    /// such samples, ten a second: sums cannot tell it, and a histogram for each beat would cost more.
    public var sampleSeconds = 0.0
    /// Calls that the destination refused for a mistake of the client's: evidence that it works.
    public var clientMistakes = 0
    /// Calls that were not let through.
    public var rejectedByUs = 0
    /// The most calls that were under way at once.
    public var inFlightPeak = 0
    /// Calls that are under way and have taken longer than the slow-call duration already; those that wait by design are
    /// never among them. A level, not a count: each will be counted in `calls` when it ends.
    public var overdue = 0
    /// Probes that were let through.
    public var probesBegun = 0
    /// Probes that ended well and in time. Also counted in `calls`.
    public var probeSuccesses = 0
    /// Probes that failed or were slow. Also counted in `calls`.
    public var probeFailures = 0

    /// No call.
    public init() {}

    /// Failures of all classes.
    public var failed: Int { failures.total }

    /// Failed or slow.
    public var bad: Int { min(calls, failed + slow) }

    /// Adds what another event loop has counted in the same time.
    public mutating func add(_ other: CallTally) {
        if other.calls > calls { sampleSeconds = other.sampleSeconds }
        calls += other.calls
        for failure in FailureClass.allCases { failures[failure] += other.failures[failure] }
        slow += other.slow
        logSum += other.logSum
        logSquares += other.logSquares
        clientMistakes += other.clientMistakes
        rejectedByUs += other.rejectedByUs
        inFlightPeak += other.inFlightPeak
        overdue += other.overdue
        probesBegun += other.probesBegun
        probeSuccesses += other.probeSuccesses
        probeFailures += other.probeFailures
    }
}
