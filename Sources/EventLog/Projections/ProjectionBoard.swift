import Synchronization

/// Where the writer leaves how its projections are after a commit, for those who only want to measure.
final class ProjectionBoard: Sendable {
    private let current = Mutex<[ProjectionStatus]>([])

    var statuses: [ProjectionStatus] { current.withLock { $0 } }

    func update(_ statuses: [ProjectionStatus]) { current.withLock { $0 = statuses } }
}
