/// When a failed request is repeated. Times are in milliseconds.
public struct RetryPolicy: Sendable, Equatable {
    /// The nominal delay after the first failure.
    public var initialDelayMilliseconds = 1_000
    /// What each further failure multiplies the delay by.
    public var multiplier = 1.5
    /// The nominal delay never exceeds this.
    public var maximumDelayMilliseconds = 30_000
    /// The delay lies within this share below and above its nominal value, so that senders do not move in step.
    public var jitter = 0.5
    /// No attempt begins later than this after the first one.
    public var maximumElapsedMilliseconds = 300_000

    /// The policy of otherwise unconfigured exporters.
    public init() {}
}

/// The life of one request: every answer in, what to do next out.
///
/// It holds no clock, no socket and no random source; the worker brings these. The rules are those of the OTLP
/// specification ("OTLP/HTTP Throttling", "All Other Responses", "OTLP/HTTP Connection").
package struct ExportStateMachine: Sendable {
    package enum Action: Sendable, Equatable {
        /// Done: `exported` spans arrived, `rejected` were refused by the receiver.
        case settle(exported: Int, rejected: Int, message: String)
        /// Post the same bytes again after this time.
        case retry(afterNanoseconds: UInt64, kind: ExportFailureKind, message: String)
        /// All spans of the request are lost.
        case drop(DropReason, kind: ExportFailureKind, message: String)
    }

    private let policy: RetryPolicy
    private let spanCount: Int
    private let startNanoseconds: UInt64
    private var delayMilliseconds: Double

    /// A request of `spanCount` spans, first posted at `now` on a clock that only moves forward.
    package init(policy: RetryPolicy, spanCount: Int, now: UInt64) {
        self.policy = policy
        self.spanCount = spanCount
        startNanoseconds = now
        delayMilliseconds = Double(policy.initialDelayMilliseconds)
    }

    /// The answer to an attempt that ended at `now`.
    ///
    /// - Parameters:
    ///   - drainDeadline: When a drain is under way, the time at which it gives up; then a receiver that cannot be
    ///     reached is not waited for.
    ///   - random: Evenly distributed from 0 up to 1.
    package mutating func answered(
        _ answer: ExportAnswer, now: UInt64, drainDeadline: UInt64? = nil, random: Double
    ) -> Action {
        switch ExportVerdict(answer, spanCount: spanCount) {
        case .accepted(let rejected, let message):
            return .settle(exported: spanCount - rejected, rejected: rejected, message: message)
        case .permanent(let kind, let message):
            return .drop(.permanent, kind: kind, message: message)
        case .retryable(let kind, let retryAfterSeconds, let message):
            let delay = nextDelay(retryAfterSeconds: retryAfterSeconds, random: random)
            if let drainDeadline {
                let isUnreachable = kind == .transport(.connect) || kind == .transport(.interrupted)
                guard !isUnreachable, now + delay < drainDeadline else {
                    return .drop(.shutdown, kind: kind, message: message)
                }
            }
            let elapsedLimit = UInt64(policy.maximumElapsedMilliseconds) * 1_000_000
            guard now - startNanoseconds + delay <= elapsedLimit else {
                return .drop(.expired, kind: kind, message: message)
            }
            return .retry(afterNanoseconds: delay, kind: kind, message: message)
        }
    }

    /// The receiver's wish, or else the next step of the exponential back-off.
    private mutating func nextDelay(retryAfterSeconds: Int, random: Double) -> UInt64 {
        let nominal = delayMilliseconds
        delayMilliseconds = min(nominal * policy.multiplier, Double(policy.maximumDelayMilliseconds))
        if retryAfterSeconds > 0 {
            // More than the elapsed limit means "too late" however long it is, and must not overflow.
            let seconds = min(retryAfterSeconds, policy.maximumElapsedMilliseconds / 1_000 + 1)
            return UInt64(seconds) * 1_000_000_000
        }
        let factor = 1 + policy.jitter * (2 * random - 1)
        return UInt64(nominal * factor * 1_000_000)
    }
}
