import Synchronization

/// How many events per second are taken from outside: a bucket that fills at the rate and holds one second of it.
final class EventRateLimit: Sendable {
    private struct State {
        var tokens: Double
        var filledAt: UInt64?
    }

    private let perSecond: Double
    private let state: Mutex<State>

    /// - Parameter perSecond: 0 takes everything.
    init(perSecond: Int) {
        self.perSecond = Double(perSecond)
        state = Mutex(State(tokens: Double(perSecond)))
    }

    /// Takes so many events at a moment of the monotonic clock. Otherwise, after how many seconds they can be taken.
    ///
    /// A batch larger than the bucket passes when the bucket is full, and is paid for afterwards.
    func take(_ events: Int, at nanoseconds: UInt64) -> Int? {
        guard perSecond > 0 else { return nil }
        return state.withLock { state in
            let elapsed = nanoseconds &- (state.filledAt ?? nanoseconds)
            // A clock reading that another task took earlier counts as now.
            let seconds = elapsed > UInt64(Int64.max) ? 0 : Double(elapsed) / 1e9
            state.tokens = min(perSecond, state.tokens + seconds * perSecond)
            if seconds > 0 || state.filledAt == nil { state.filledAt = nanoseconds }
            let needed = min(Double(events), perSecond)
            guard state.tokens >= needed else {
                return max(1, Int(((needed - state.tokens) / perSecond).rounded(.up)))
            }
            state.tokens -= Double(events)
            return nil
        }
    }
}
