/// Who takes a message that its broker may not be given.
public enum FallbackStep: String, Sendable, Hashable, CaseIterable {
    /// Another broker.
    case secondary
    /// Our own disk, from where it is sent on later.
    case spool
    /// Our own disk, where it stays until a person decides.
    case deadLetter = "dead_letter"
    /// Nobody: the client gets an error.
    case fail
}

/// The steps that are tried one after the other. Each occurs once, and failing is always the last.
public struct FallbackPlan: Sendable, Hashable {
    /// In order, without the failing at the end.
    public let steps: [FallbackStep]

    /// A plan of these steps; nil when one occurs twice, or stands behind `fail`.
    public init?(_ steps: [FallbackStep]) {
        var steps = steps
        if steps.last == .fail { steps.removeLast() }
        guard !steps.contains(.fail), Set(steps).count == steps.count else { return nil }
        self.steps = steps
    }

    private init(only steps: [FallbackStep]) { self.steps = steps }

    /// The client gets an error at once.
    public static let fail = FallbackPlan(only: [])

    /// Whether this step is one of them.
    public func contains(_ step: FallbackStep) -> Bool { step == .fail || steps.contains(step) }
}

/// How long each step may take before the next one is tried, in nanoseconds.
public struct FallbackDeadlines: Sendable, Hashable {
    /// Until the other broker has answered.
    public var secondary: UInt64
    /// Until the message is on disk.
    public var spool: UInt64
    /// Until it is on disk there.
    public var deadLetter: UInt64

    /// All parts.
    public init(secondary: UInt64, spool: UInt64, deadLetter: UInt64) {
        self.secondary = secondary
        self.spool = spool
        self.deadLetter = deadLetter
    }

    /// Of one step. Failing takes no time.
    subscript(step: FallbackStep) -> UInt64 {
        switch step {
        case .secondary: secondary
        case .spool: spool
        case .deadLetter: deadLetter
        case .fail: 0
        }
    }
}

/// What a step came to, and what is certain then. (`tacho_fallback_total{outcome}`)
public enum FallbackOutcome: String, Sendable, Hashable, CaseIterable {
    /// It has the message.
    case taken
    /// Its own bounds are reached.
    case full
    /// It has said no.
    case refused
    /// It was not there, or is known to be in trouble.
    case unavailable
    /// It took too long, and certainly does not have the message.
    case late
    /// It may or may not have the message, and nobody will find out.
    case unknown

    /// The message was certainly not taken, so that another step may have it.
    public var isCertainlyUndone: Bool {
        switch self {
        case .taken, .unknown: false
        case .full, .refused, .unavailable, .late: true
        }
    }
}
