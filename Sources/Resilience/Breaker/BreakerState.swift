/// What the path has to do with the next calls. Published with each beat and read for each call.
public enum Admission: Sendable, Hashable {
    /// Every call passes.
    case all
    /// No call passes before that moment (monotonic nanoseconds), and then the state will be another one.
    case none(retryAtNanoseconds: UInt64)
    /// So many calls pass until the next beat, each as a probe; a place is not given back when its call ends.
    case probes(most: Int)
    /// This share of the calls passes, 0 to 1.
    case share(Double)
}

/// The three states of a circuit breaker (Nygard, Release It!, 2007).
public enum BreakerState: UInt8, Sendable, Hashable, CaseIterable {
    /// Calls pass.
    case closed = 0
    /// A few calls pass, to see how they fare.
    case halfOpen = 1
    /// Calls are rejected at once.
    case open = 2

    /// The word in metrics, logs and on the command line.
    public var text: String {
        switch self {
        case .closed: "closed"
        case .halfOpen: "half_open"
        case .open: "open"
        }
    }
}

/// How much a breaker may do.
public enum BreakerMode: String, Sendable, Hashable, CaseIterable {
    /// There is no breaker.
    case off
    /// It acts on the start values and the operator's bounds, and learns nothing.
    case fixed
    /// It learns and decides, and lets every call pass.
    case shadow
    /// It learns, and acts on what it has learned.
    case auto
}

/// What an operator may say of one breaker, whatever it would do itself.
public enum BreakerOverride: UInt8, Sendable, Hashable, CaseIterable {
    /// Every call is rejected.
    case forcedOpen
    /// Every call passes; nothing opens.
    case forcedClosed
    /// As if there were no breaker: every call passes, nothing is decided or learned.
    case disabled
}

/// Why a breaker changed its state.
public enum TransitionReason: String, Sendable, Hashable, CaseIterable {
    /// The last few calls nearly all failed or were slow.
    case burst
    /// The failure share of the window reached its threshold.
    case failureRate = "failure_rate"
    /// The slow share of the window reached its threshold.
    case slowCallRate = "slow_call_rate"
    /// As many calls in a row failed as never do by chance.
    case consecutive
    /// The open time is over.
    case openTimeOver = "open_time_over"
    /// Enough probes ended well.
    case probesSucceeded = "probes_succeeded"
    /// Too many probes failed or were slow.
    case probesFailed = "probes_failed"
    /// An operator said so.
    case `operator`
}

/// One change of state, with what it rests on.
public struct BreakerTransition: Sendable, Hashable {
    /// The state before.
    public var from: BreakerState
    /// The state from now on.
    public var to: BreakerState
    /// What led to it.
    public var reason: TransitionReason
    /// Calls that the decision rests on.
    public var calls: Int
    /// Those of them that failed.
    public var failures: Int
    /// Those that were slow.
    public var slow: Int
    /// From leaving the closed state to coming back to it; nil but for the return.
    public var tripToCloseSeconds: Double?
    /// Every probe of the first round succeeded: perhaps there was nothing to open for.
    public var isAtOnce = false
}
