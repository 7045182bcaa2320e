/// Whether and when a failed call is tried again.
///
/// Only what cannot do harm twice: an operation whose fate is known, or one that the destination deduplicates. Costs
/// and base delays by class of error follow the scheme of the AWS SDKs (a throttled call costs less than a broken
/// connection, since it did reach its destination), with a timeout priced between them.
public struct RetryPolicy: Sendable, Hashable {
    /// Tries of one call, the first included.
    public var attemptsMax = 3
    /// The longest delay.
    public var delayNanosecondsMax: UInt64 = 20_000_000_000

    /// Usual values.
    public init() {}

    /// What is known of a call that failed.
    public struct FailedCall: Sendable, Hashable {
        /// How it failed.
        public var failure: FailureClass
        /// Tries so far.
        public var attempts: Int
        /// The destination recognises a second arrival, or the operation changes nothing.
        public var isIdempotent: Bool
        /// It is certain that the destination has not carried it out.
        public var isCertainlyUndone: Bool
        /// It was a probe of a half-open breaker.
        public var isProbe = false
        /// What the destination asked to wait.
        public var hintNanoseconds: UInt64?

        /// A call after its first try.
        public init(_ failure: FailureClass, attempts: Int = 1, isIdempotent: Bool, isCertainlyUndone: Bool) {
            self.failure = failure
            self.attempts = attempts
            self.isIdempotent = isIdempotent
            self.isCertainlyUndone = isCertainlyUndone
        }
    }

    /// Why a call is not tried again (`tacho_retries_total{reason}` counts these beside those that were).
    public enum Refusal: String, Sendable, Hashable, CaseIterable {
        /// Nobody knows whether it was carried out, and doing it twice would show.
        case unknownFate = "unknown_fate"
        /// Probes are not repeated: they are there to fail cheaply.
        case probe
        /// As often as allowed.
        case attempts
        /// The answer would come after the caller has given up.
        case deadline
        /// The tokens of the key are used up.
        case tokens
        /// Retries are already as large a share of the calls as they may be.
        case budget
        /// The breaker admits nothing.
        case breaker
        /// As many calls are under way as may be.
        case bulkhead
    }

    /// The answer.
    public enum Decision: Sendable, Hashable {
        /// Try again after so long.
        case retry(delayNanoseconds: UInt64)
        /// Tell the caller.
        case refuse(Refusal)
    }

    /// What a retry takes from the tokens of its key.
    public static func cost(_ failure: FailureClass) -> Int {
        switch failure {
        case .throttled: 5
        case .timeout, .unavailable: 10
        case .connection: 14
        }
    }

    /// The upper end of the first delay.
    static func baseNanoseconds(_ failure: FailureClass) -> UInt64 {
        switch failure {
        case .throttled, .unavailable: 1_000_000_000
        case .timeout, .connection: 50_000_000
        }
    }

    /// Decides, and if the answer is yes takes the tokens. `deadline` is when the caller gives up.
    public func decide(
        _ call: FailedCall, _ budget: inout RetryBudget, share: Double, isAdmitted: Bool, deadline: UInt64,
        now: UInt64, using random: inout some RandomNumberGenerator
    ) -> Decision {
        guard !call.isProbe else { return .refuse(.probe) }
        guard call.isIdempotent || call.isCertainlyUndone else { return .refuse(.unknownFate) }
        guard call.attempts < attemptsMax else { return .refuse(.attempts) }
        guard isAdmitted else { return .refuse(.breaker) }
        let delay = delay(call, using: &random)
        guard now &+ delay < deadline else { return .refuse(.deadline) }
        if let refusal = budget.take(Self.cost(call.failure), share: share, now: now) { return .refuse(refusal) }
        return .retry(delayNanoseconds: delay)
    }

    /// Anything from nothing to the whole (full jitter), doubling with each try; what the destination asked for comes
    /// on top of it.
    public func delay(_ call: FailedCall, using random: inout some RandomNumberGenerator) -> UInt64 {
        let base = Self.baseNanoseconds(call.failure)
        let doublings = UInt64(min(max(0, call.attempts - 1), 16))
        let whole = min(delayNanosecondsMax, base << doublings)
        let hint = min(call.hintNanoseconds ?? 0, 5_000_000_000)
        return hint &+ UInt64.random(in: 0...whole, using: &random)
    }
}
