/// Polly v8's circuit breaker strategy. Source: its documentation page "Circuit breaker" and the defaults of
/// CircuitBreakerStrategyOptions.
///
/// A tenth of at least 100 calls in 30 s (ten windows of 3 s), looked at when a call fails; open for 5 s; then one
/// call, and no other for as long as a break lasts unless that one ends. Latency never opens it.
public struct PollyBreaker: Subject {
    private static let failureShare = 0.1
    private static let throughputMin = 100
    private static let breakDuration: UInt64 = 5_000_000_000

    /// What an observer sees.
    public private(set) var stance = Stance.closed
    private var window = TimeWindow(buckets: 10, bucketNanoseconds: 3_000_000_000)
    private var blockedUntil: UInt64 = 0

    /// A closed breaker.
    public init() {}

    /// In half-open, one call per break duration.
    public mutating func admit(now: UInt64) -> Permit? {
        switch stance {
        case .closed, .limited: return Permit()
        case .open, .halfOpen:
            guard now >= blockedUntil else { return nil }
            stance = .halfOpen
            blockedUntil = now + Self.breakDuration
            return Permit()
        }
    }

    /// A result while open, of a call from before, changes nothing but the counts.
    public mutating func ended(_ call: EndedCall, now: UInt64) {
        switch stance {
        case .halfOpen:
            if call.hasFailed {
                open(now)
            } else {
                stance = .closed
                window.clear()
            }
        case .closed, .limited:
            window.add(hasFailed: call.hasFailed, now: now)
            if call.hasFailed, window.count >= Self.throughputMin,
                Double(window.failures) >= Self.failureShare * Double(window.count)
            {
                open(now)
            }
        case .open:
            window.add(hasFailed: call.hasFailed, now: now)
        }
    }

    private mutating func open(_ now: UInt64) {
        stance = .open
        blockedUntil = now + Self.breakDuration
    }
}
