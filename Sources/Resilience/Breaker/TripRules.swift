/// When the calls of a closed breaker are reason to open it, or to worry.
///
/// Rejecting everything costs each call that would have succeeded, so it pays only where most do not. A learned
/// threshold may lie far below that: what exceeds it is *degraded* (a warning, no retries, no loosening), and opens only
/// when at least `openShareMin` of the calls are bad. An operator's fixed thresholds and ceilings open where they stand.
struct TripRules: Sendable, Hashable {
    /// Share of bad calls below which opening costs more calls than it saves.
    static let openShareMin = 0.5
    /// The fewest newest calls that can open at once, and the share of failures among them.
    private static let burstCalls = 10
    private static let burstShare = 0.5
    private static let burstNanoseconds: UInt64 = 1_000_000_000
    /// Slowness needs more evidence than failure: one pause makes many calls slow together.
    private static let slowBurstCalls = 20
    private static let slowBurstShare = 0.8
    private static let slowBurstNanoseconds: UInt64 = 2_000_000_000
    private static let slowBurstBeats = 3
    /// A key that is called so rarely that no window fills is judged by its last calls.
    private static let rareCalls = 8
    private static let rareNanoseconds: UInt64 = 600_000_000_000
    /// With one failure in fifty, six in a row happen once in 15 thousand million calls.
    private static let inRow = 6

    /// What the calls say.
    enum Verdict: Sendable, Hashable {
        case fine
        case degraded(TransitionReason, CallWindow.Sum)
        case trip(TransitionReason, CallWindow.Sum)
    }

    /// Thresholds open where they stand.
    let isFixed: Bool
    /// What an operator wants in any case.
    let limits: OperatorLimits

    /// Judges after a beat. Soon after a close, `onlyBursts` counts.
    func judge(_ window: CallWindow, _ parameters: BreakerParameters, onlyBursts: Bool, now: UInt64) -> Verdict {
        // What learns has `FaultEvidence` for what is sudden.
        if isFixed {
            if let sum = burst(window, now: now) { return .trip(.burst, sum) }
            if let sum = inRow(window, now: now) { return .trip(.consecutive, sum) }
        }
        guard !onlyBursts else { return .fine }
        let sum = window.sum(seconds: parameters.windowSeconds)
        if sum.calls >= parameters.minimumCalls { return judge(sum, parameters) }
        guard sum.calls < Self.rareCalls,
            let rare = window.newest(calls: Self.rareCalls, beats: 1, age: Self.rareNanoseconds, now: now)
        else { return .fine }
        return judge(rare, parameters)
    }

    private func judge(_ sum: CallWindow.Sum, _ parameters: BreakerParameters) -> Verdict {
        let reason: TransitionReason
        if sum.share(sum.failures) >= parameters.failureRate {
            reason = .failureRate
        } else if sum.share(sum.slow) >= parameters.slowCallRate {
            reason = .slowCallRate
        } else {
            return .fine
        }
        let isWorthIt = isFixed || sum.share(sum.bad) >= Self.openShareMin || limits.demands(sum)
        return isWorthIt ? .trip(reason, sum) : .degraded(reason, sum)
    }

    private func burst(_ window: CallWindow, now: UInt64) -> CallWindow.Sum? {
        if let sum = window.newest(calls: Self.burstCalls, beats: 2, age: Self.burstNanoseconds, now: now),
            sum.share(sum.failures) >= Self.burstShare
        {
            return sum
        }
        if let sum = window.newest(
            calls: Self.slowBurstCalls, beats: Self.slowBurstBeats, age: Self.slowBurstNanoseconds, now: now),
            sum.share(sum.bad) >= Self.slowBurstShare
        {
            return sum
        }
        return nil
    }

    private func inRow(_ window: CallWindow, now: UInt64) -> CallWindow.Sum? {
        let count = window.failuresInRow(age: Self.rareNanoseconds, now: now)
        guard count >= Self.inRow else { return nil }
        return CallWindow.Sum(calls: count, failures: count, slow: 0)
    }
}
