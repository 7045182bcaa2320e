/// resilience4j's circuit breaker. Source: the defaults of its CircuitBreakerConfig and the guide "CircuitBreaker".
///
/// Count window of 100, no decision below the minimum number of calls, opens at a failure share or a share of slow
/// calls, rejects for the wait duration, then lets ten calls through and decides on those ten. It does not know which
/// state a call was admitted in: a result counts in the state it ends in.
public struct Resilience4jBreaker: Subject {
    /// Its settings, with its defaults.
    public struct Settings: Sendable, Hashable {
        /// failureRateThreshold, as a share.
        public var failureShare = 0.5
        /// slowCallRateThreshold, as a share.
        public var slowShare = 1.0
        /// slowCallDurationThreshold.
        public var slowNanoseconds: UInt64 = 60_000_000_000
        /// slidingWindowSize.
        public var windowCalls = 100
        /// minimumNumberOfCalls; silently no more than the window.
        public var callsMin = 100
        /// waitDurationInOpenState.
        public var openNanoseconds: UInt64 = 60_000_000_000
        /// permittedNumberOfCallsInHalfOpenState.
        public var halfOpenCalls = 10

        /// The defaults.
        public init() {}

        /// As somebody sets it who has measured the destination: slow from 100 ms, half of them, ten seconds open.
        public static var handTuned: Settings {
            var settings = Settings()
            settings.slowNanoseconds = 100_000_000
            settings.slowShare = 0.5
            settings.openNanoseconds = 10_000_000_000
            return settings
        }
    }

    /// What an observer sees.
    public private(set) var stance = Stance.closed
    private let settings: Settings
    private var window: CountWindow
    private var openUntil: UInt64 = 0
    private var halfOpenAdmitted = 0

    /// A closed breaker.
    public init(_ settings: Settings = Settings()) {
        self.settings = settings
        window = CountWindow(size: settings.windowCalls)
    }

    /// Half-open begins with the first call after the wait: the automatic transition is off by default.
    public mutating func admit(now: UInt64) -> Permit? {
        switch stance {
        case .closed, .limited:
            return Permit()
        case .open:
            guard now >= openUntil else { return nil }
            stance = .halfOpen
            halfOpenAdmitted = 1
            window = CountWindow(size: settings.halfOpenCalls)
            return Permit()
        case .halfOpen:
            guard halfOpenAdmitted < settings.halfOpenCalls else { return nil }
            halfOpenAdmitted += 1
            return Permit()
        }
    }

    /// A slow call counts as slow whether it failed or not.
    public mutating func ended(_ call: EndedCall, now: UInt64) {
        guard stance != .open else { return }
        window.add(hasFailed: call.hasFailed, isSlow: call.latencyNanoseconds > settings.slowNanoseconds)
        let callsMin =
            stance == .halfOpen ? settings.halfOpenCalls : min(settings.callsMin, settings.windowCalls)
        guard window.count >= callsMin else { return }
        let count = Double(window.count)
        if Double(window.failures) >= settings.failureShare * count
            || Double(window.slow) >= settings.slowShare * count
        {
            stance = .open
            openUntil = now + settings.openNanoseconds
        } else if stance == .halfOpen {
            stance = .closed
            window = CountWindow(size: settings.windowCalls)
        }
    }
}
