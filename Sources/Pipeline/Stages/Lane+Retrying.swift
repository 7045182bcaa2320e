import Resilience
import Telemetry

/// Whether a publish that carries an idempotency key is tried again, for bindings to ask: they know what a key is, and
/// what has failed.
extension Lane {
    /// What is to be done about a failed publish, and when.
    enum PublishRetry {
        case after(nanoseconds: UInt64)
        case refused(RetryPolicy.Refusal)
    }

    /// Decides about a publish that has failed, and counts the decision. Tokens and share are those of its destination
    /// on this lane; `deadline` is on the monotonic clock.
    func retryPublish(
        _ call: RetryPolicy.FailedCall, on route: RouteID, _ listener: ListenerProfile, until deadline: UInt64,
        at now: Instant
    ) -> PublishRetry {
        let moment = now.monotonicNanoseconds
        let (share, isAdmitted) = (retryShare(route), isOpen(route, listener))
        publishBudgets[route.index, default: RetryBudget()].failed(now: moment)
        let decision = Self.publishRetries.decide(
            call, &publishBudgets[route.index, default: RetryBudget()], share: share, isAdmitted: isAdmitted,
            deadline: deadline, now: moment, using: &identifiers)
        switch decision {
        case .retry(let delay):
            countRetry(listener, Self.publishOperation, "retried")
            return .after(nanoseconds: delay)
        case .refuse(let reason):
            countRetry(listener, Self.publishOperation, reason.rawValue)
            return .refused(reason)
        }
    }

    /// A publish with a key has ended well; `failure` is that of the last try before, if there was one.
    func publishedWithKey(_ route: RouteID, after failure: FailureClass?, at now: Instant) {
        publishBudgets[route.index, default: RetryBudget()].succeeded(after: failure, now: now.monotonicNanoseconds)
    }

    /// A publish is not tried again although it might have been, for a reason that the policy does not know.
    func countNotRetried(_ reason: StaticString, _ listener: ListenerProfile) {
        countRetry(listener, Self.publishOperation, "\(reason)")
    }

    /// Notes with a publish that it is sent once more, as an event of its span.
    ///
    /// - Parameters:
    ///   - attempt: 2 for the first retry.
    ///   - error: the `error.type` of the try before.
    func noteRetry(_ open: inout OpenSend, attempt: Int, after error: String, at now: Instant) {
        guard open.context.isSampled else { return }
        let event = SpanEvent(
            unixNanoseconds: now.unixNanoseconds, name: "tacho.retry",
            attributes: [("tacho.retry.attempt", .integer(Int64(attempt))), ("error.type", .string(error))])
        open.detail = SendDetail(open.detail, retry: event)
    }

    /// Whether the guards of a call let all pass: half-open breakers are probed by calls that are not repeated.
    private func isOpen(_ route: RouteID, _ listener: ListenerProfile) -> Bool {
        guard upstreamIsOpen(listener) else { return false }
        return cell(of: route).map { $0.word == AdmissionWord.all } ?? true
    }

    private static let publishOperation = "publish"

    private static let publishRetries = {
        var policy = RetryPolicy()
        policy.attemptsMax = 5
        policy.delayNanosecondsMax = 1_000_000_000
        return policy
    }()
}
