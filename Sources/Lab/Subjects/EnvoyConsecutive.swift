/// Envoy's outlier detection by consecutive errors. Source: its architecture overview "Outlier detection" and the API
/// reference of OutlierDetection.
///
/// Five server errors or timeouts in a row eject the host at once, for 30 s times the number of ejections, at most
/// 300 s. It comes back at a sweep, every 10 s, and each sweep that finds it well forgets one ejection. As there is
/// one host only, panic routing is taken to be off (healthy_panic_threshold 0): with it, nothing is ever ejected.
///
/// Its success-rate rule is not simulated: it compares at least five hosts, and one destination is one host.
public struct EnvoyConsecutive: Subject {
    private static let consecutiveErrors = 5
    private static let baseEjection: UInt64 = 30_000_000_000
    private static let ejectionMax: UInt64 = 300_000_000_000
    private static let sweep: UInt64 = 10_000_000_000

    /// What an observer sees.
    public private(set) var stance = Stance.closed
    private var errors = 0
    private var ejections: UInt64 = 0
    private var ejectedAt: UInt64 = 0
    private var nextSweep: UInt64 = Self.sweep

    /// A host that is well.
    public init() {}

    /// The sweep.
    public mutating func beat(now: UInt64) {
        guard now >= nextSweep else { return }
        nextSweep += Self.sweep
        if stance == .closed {
            if ejections > 0 { ejections -= 1 }
        } else if now >= ejectedAt + min(Self.baseEjection * ejections, Self.ejectionMax) {
            stance = .closed
            errors = 0
        }
    }

    /// An ejected host gets nothing.
    public mutating func admit(now: UInt64) -> Permit? { stance == .open ? nil : Permit() }

    /// One success ends the row.
    public mutating func ended(_ call: EndedCall, now: UInt64) {
        guard call.hasFailed else {
            errors = 0
            return
        }
        errors += 1
        guard errors >= Self.consecutiveErrors, stance == .closed else { return }
        stance = .open
        ejections += 1
        ejectedAt = now
    }
}
