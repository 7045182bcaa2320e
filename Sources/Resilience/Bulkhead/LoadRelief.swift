/// Whether slowness is the destination's fault or our load's: tried out before a breaker opens for it.
///
/// Rejecting the few calls too many costs less than rejecting all, but helps only where load is the cause. So when slow
/// calls would open the breaker and many are under way, a quarter of them may be under way from then on, and where that
/// is not enough a quarter again. Once most calls are not slow any more, the limit is kept and adapted (`GradientLimit`)
/// until it holds nothing back; if they still are at the floor, load was not the cause, and the breaker may open. Needs
/// nothing to be set.
public struct LoadRelief: Sendable, Hashable {
    /// What became of a trial.
    public enum Change: Sendable, Hashable {
        /// So many calls may be under way, on trial.
        case begun(limit: Int)
        /// Calls are slow whatever the load; the limit is gone.
        case useless
        /// The limit was not needed any more.
        case over
    }

    private enum Phase: Sendable, Hashable {
        case idle
        case trying(since: UInt64, until: UInt64)
        case holding(idleSteps: Int)
        /// Not to be tried again before then.
        case useless(until: UInt64)
    }

    /// Fewer calls than this are never held back.
    public static let floor = 4
    private static let shareKept = 0.25
    /// With fewer under way it is not the load.
    private static let crowd = 2 * floor
    /// Of one limit of the trial; longer where calls take longer.
    private static let trialNanoseconds: ClosedRange<UInt64> = 500_000_000...3_000_000_000
    private static let uselessNanoseconds: UInt64 = 60_000_000_000
    /// Steps in which less than half of the limit was used until it is over.
    private static let idleStepsMax = 10

    private var phase = Phase.idle
    private var limit = GradientLimit(bounds: floor...floor)
    private var trialCalls = 0
    private var trialSlow = 0

    /// Nothing is limited.
    public init() {}

    /// How many calls may be under way; nil for any number.
    public var value: Int? {
        switch phase {
        case .idle, .useless: nil
        case .trying, .holding: limit.value
        }
    }

    /// Whether slow calls of this beat could still be the load's doing, so that they need not open the breaker.
    func mayHelp(_ tally: CallTally, now: UInt64) -> Bool {
        switch phase {
        case .idle: tally.inFlightPeak >= Self.crowd && tally.calls > 0
        case .useless(let until): now >= until && tally.inFlightPeak >= Self.crowd && tally.calls > 0
        case .trying: true
        case .holding: limit.value > Self.floor
        }
    }

    /// Slow calls would have opened the breaker in this beat, and `mayHelp` was true. `ceiling` is the operator's.
    mutating func begin(_ tally: CallTally, ceiling: Int?, now: UInt64) -> Change? {
        guard value == nil, tally.calls > 0 else { return nil }
        let most = max(Self.floor, min(ceiling ?? .max, tally.inFlightPeak))
        attempt(Double(tally.inFlightPeak) * Self.shareKept, most: most, callSeconds: tally.meanSeconds, now: now)
        return .begun(limit: limit.value)
    }

    private mutating func attempt(_ start: Double, most: Int, callSeconds: Double, now: UInt64) {
        limit = GradientLimit(bounds: Self.floor...most, start: start)
        let trial = UInt64(callSeconds.clamped(to: 0...3) * 2e9).clamped(to: Self.trialNanoseconds)
        phase = .trying(since: now, until: now &+ trial)
        (trialCalls, trialSlow) = (0, 0)
    }

    /// Takes the calls of a beat. `isClosed` is false once the breaker has opened: then there is nothing to relieve.
    mutating func beat(_ tally: CallTally, isClosed: Bool, now: UInt64) -> Change? {
        guard value != nil else { return nil }
        guard isClosed else {
            phase = .idle
            return .over
        }
        limit.add(tally)
        guard case .trying(let since, let until) = phase else { return nil }
        // The first calls to end began under the old load: what counts is the second half.
        if now &- since > (until &- since) / 2 {
            trialCalls += tally.calls
            trialSlow += tally.bad
        }
        guard now >= until else { return nil }
        if trialSlow * 2 < trialCalls {
            phase = .holding(idleSteps: 0)
            return nil
        }
        guard limit.value > Self.floor, trialCalls > 0 else {
            phase = .useless(until: now &+ Self.uselessNanoseconds)
            return .useless
        }
        attempt(Double(limit.value) * Self.shareKept, most: limit.ceiling, callSeconds: tally.meanSeconds, now: now)
        return .begun(limit: limit.value)
    }

    /// Once a second: adapts the limit to what the destination bears, and ends it when it holds nothing back.
    mutating func step(usualSeconds: Double?, slowSeconds: Double?) -> Change? {
        guard case .holding(let idleSteps) = phase else { return nil }
        let isIdle = Double(limit.peak) < 0.5 * Double(limit.value)
        limit.step(usualSeconds: usualSeconds, slowSeconds: slowSeconds)
        phase = .holding(idleSteps: isIdle ? idleSteps + 1 : 0)
        guard isIdle, idleSteps + 1 >= Self.idleStepsMax else { return nil }
        phase = .idle
        return .over
    }
}

extension CallTally {
    /// The geometric mean of latency; 0 without a call.
    fileprivate var meanSeconds: Double { calls > 0 ? Elementary.exp(logSum / Double(calls)) : 0 }
}
