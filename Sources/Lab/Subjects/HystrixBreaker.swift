/// Hystrix's command with its breaker and semaphore. Source: its wiki pages "How it works" and "Configuration" and
/// the metric streams of version 1.5.
///
/// Ten seconds of counts, looked at when a health snapshot is due (500 ms); 20 calls and half of them failed open it
/// for five seconds; then one call decides. At most ten calls in flight; what the semaphore turns away counts as an
/// error, what the breaker turns away does not.
public struct HystrixBreaker: Subject {
    private static let snapshot: UInt64 = 500_000_000
    private static let volumeMin = 20
    private static let sleepWindow: UInt64 = 5_000_000_000
    private static let semaphore = 10

    /// What an observer sees.
    public private(set) var stance = Stance.closed
    private var window = TimeWindow(buckets: 20, bucketNanoseconds: Self.snapshot)
    private var inFlight = 0
    private var openedAt: UInt64 = 0
    private var nextSnapshot: UInt64 = Self.snapshot
    private static let probe = Permit(mark: 1)

    /// A closed breaker.
    public init() {}

    /// The health snapshot: what ended before this moment.
    public mutating func beat(now: UInt64) {
        guard now >= nextSnapshot else { return }
        nextSnapshot += Self.snapshot
        if stance == .closed, window.count >= Self.volumeMin, window.failures * 2 >= window.count {
            stance = .open
            openedAt = now
        }
        window.advance(to: now)
    }

    /// Breaker first, then semaphore.
    public mutating func admit(now: UInt64) -> Permit? {
        var permit = Permit()
        switch stance {
        case .closed, .limited: break
        case .halfOpen: return nil
        case .open:
            guard now > openedAt + Self.sleepWindow else { return nil }
            stance = .halfOpen
            permit = Self.probe
        }
        guard inFlight < Self.semaphore else {
            window.add(hasFailed: true, now: now)
            if permit == Self.probe { reopen(now) }
            return nil
        }
        inFlight += 1
        return permit
    }

    /// Any success in half-open closes, any failure opens again: Hystrix does not ask which call it was.
    public mutating func ended(_ call: EndedCall, now: UInt64) {
        inFlight -= 1
        window.add(hasFailed: call.hasFailed, now: now)
        guard stance == .halfOpen else { return }
        if call.hasFailed {
            reopen(now)
        } else {
            stance = .closed
            window.clear()
        }
    }

    private mutating func reopen(_ now: UInt64) {
        stance = .open
        openedAt = now
    }
}
