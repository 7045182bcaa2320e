import NIOCore
import Pipeline

/// Connecting under the eye of the upstream's guard.
extension Listener {
    /// An upstream connection, unless the guard of the upstream refuses to try. How it went is told to the guard.
    func connectGuarded(
        _ worker: Worker, _ loop: any EventLoop
    ) -> EventLoopFuture<(any Channel, Endpoint)> {
        let profile = settings.profile
        switch worker.lane.admitConnection(profile, at: SystemClock.now()) {
        case .refused(let refusal):
            return loop.makeFailedFuture(refusal)
        case .passes(let permit):
            let bound = NIOLoopBound((worker.lane, permit), eventLoop: loop)
            return connectToAny(on: loop).always { result in
                let (lane, permit) = bound.value
                switch result {
                case .success: lane.connected(permit, profile, .opened)
                case .failure(let error):
                    lane.connected(permit, profile, Self.failure(error) == .timeout ? .timedOut : .failed)
                }
            }
        }
    }
}
