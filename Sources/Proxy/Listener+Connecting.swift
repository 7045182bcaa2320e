import NIOCore
import Pipeline

/// Connecting under the eye of the upstream's guard, more than once if that is affordable.
extension Listener {
    /// An upstream connection, unless the guard of the upstream refuses to try. What a client sees as one connection may
    /// be several tries: nothing was sent yet, so trying again can do no harm.
    func connectGuarded(
        _ worker: Worker, _ loop: any EventLoop
    ) -> EventLoopFuture<Upstream> {
        let patience = settings.connectPatienceMilliseconds
        let deadline = SystemClock.monotonicNanoseconds() &+ UInt64(max(0, patience)) * 1_000_000
        return attempt(1, until: deadline, worker, loop)
    }

    private func attempt(
        _ number: Int, until deadline: UInt64, _ worker: Worker, _ loop: any EventLoop
    ) -> EventLoopFuture<Upstream> {
        let profile = settings.profile
        switch worker.lane.admitConnection(profile, at: SystemClock.now()) {
        case .refused(let refusal):
            return loop.makeFailedFuture(refusal)
        case .passes(let permit):
            let bound = NIOLoopBound((worker, permit), eventLoop: loop)
            return connectToAny(on: loop).map { upstream in
                var upstream = upstream
                upstream.permit = bound.value.1
                return upstream
            }.flatMapError { error in
                let (worker, permit) = bound.value
                let now = SystemClock.monotonicNanoseconds()
                let delay = worker.lane.retryDelay(
                    after: permit, profile, Self.outcome(error), attempts: number, until: deadline, now: now)
                // The guard hears of what a client got, not of each try: our own zeal must not open the breaker.
                worker.lane.connected(permit, profile, delay == nil ? Self.outcome(error) : .unknown)
                guard let delay else { return loop.makeFailedFuture(error) }
                return loop.flatScheduleTask(in: .nanoseconds(Int64(clamping: delay))) {
                    self.attempt(number + 1, until: deadline, bound.value.0, loop)
                }.futureResult
            }
        }
    }

    private static func outcome(_ error: any Error) -> ConnectionOutcome {
        failure(error) == .timeout ? .timedOut : .failed
    }
}
