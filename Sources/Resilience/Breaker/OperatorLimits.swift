/// What an operator's floors and ceilings mean for decisions that rest on evidence and not on a threshold.
///
/// A floor says "not before", a ceiling "then at the latest". Taken from `ParameterBounds` once, since they are read
/// with each failed call.
struct OperatorLimits: Sendable, Hashable {
    /// No decision on fewer calls.
    let minimumCalls: Int
    /// Shares below which nothing opens.
    let failureFloor: Double
    let slowFloor: Double
    /// Shares from which on it opens, worth it or not.
    let failureCeiling: Double
    let slowCeiling: Double
    /// What the open time may be.
    let openSeconds: ClosedRange<Double>

    init(_ bounds: ParameterBounds) {
        minimumCalls = Int(bounds.minimum(of: .minimumCalls) ?? 0)
        failureFloor = bounds.minimum(of: .failureRate) ?? 0
        slowFloor = bounds.minimum(of: .slowCallRate) ?? 0
        failureCeiling = bounds.maximum(of: .failureRate) ?? .infinity
        slowCeiling = bounds.maximum(of: .slowCallRate) ?? .infinity
        let least = bounds.minimum(of: .open) ?? 0
        openSeconds = least...max(least, bounds.maximum(of: .open) ?? BreakerParameter.open.range.upperBound)
    }

    /// The calls of a fault are enough, and bad enough, for the operator.
    func permits(_ sum: CallWindow.Sum) -> Bool {
        guard sum.calls >= minimumCalls else { return false }
        guard failureFloor > 0 || slowFloor > 0 else { return true }
        return (sum.failures > 0 && sum.share(sum.failures) >= failureFloor)
            || (sum.slow > 0 && sum.share(sum.slow) >= slowFloor)
    }

    /// The operator wants it open, whatever that costs.
    func demands(_ sum: CallWindow.Sum) -> Bool {
        sum.share(sum.failures) >= failureCeiling || sum.share(sum.slow) >= slowCeiling
    }
}
