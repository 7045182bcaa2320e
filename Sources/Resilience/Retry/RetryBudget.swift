/// How many retries one key can afford: tokens that failures cost and successes give back, and a share of its calls.
///
/// The tokens stop retries of a destination that fails for long; the share keeps them from adding more than so much to
/// its load at any time. One retry a second is always affordable by share, so that a rare key can retry at all.
public struct RetryBudget: Sendable, Hashable {
    /// Tokens of a key that does well.
    public static let tokensMax = 500
    private static let second: UInt64 = 1_000_000_000
    private static let windowSeconds = 10

    private struct Second: Sendable, Hashable {
        var calls: UInt32 = 0
        var retries: UInt32 = 0
    }

    /// Tokens left.
    public private(set) var tokens = RetryBudget.tokensMax
    private var seconds = Array(repeating: Second(), count: windowSeconds)
    private var newest: UInt64 = 0

    /// A full budget.
    public init() {}

    /// A call ended well: at the first try it gives one token back, after a retry what that had cost.
    public mutating func succeeded(after failure: FailureClass? = nil, now: UInt64) {
        tokens = min(Self.tokensMax, tokens + (failure.map(RetryPolicy.cost) ?? 1))
        advance(now)
        seconds[slot].calls &+= 1
    }

    /// A call ended otherwise.
    public mutating func failed(now: UInt64) {
        advance(now)
        seconds[slot].calls &+= 1
    }

    /// Takes the cost of a retry, or says why not.
    mutating func take(_ cost: Int, share: Double, now: UInt64) -> RetryPolicy.Refusal? {
        advance(now)
        guard tokens >= cost else { return .tokens }
        let (calls, retries) = seconds.reduce((0, 0)) { ($0.0 + Int($1.calls), $0.1 + Int($1.retries)) }
        guard Double(retries) < max(Double(Self.windowSeconds), share * Double(calls)) else { return .budget }
        tokens -= cost
        seconds[slot].retries &+= 1
        return nil
    }

    private var slot: Int { Int(newest % UInt64(Self.windowSeconds)) }

    private mutating func advance(_ now: UInt64) {
        let second = now / Self.second
        guard second > newest else { return }
        for step in 1...min(second - newest, UInt64(Self.windowSeconds)) {
            seconds[Int((second - step + 1) % UInt64(Self.windowSeconds))] = Second()
        }
        newest = second
    }
}
