import Synchronization

/// Whether traffic should be sent here, as `/readyz` tells load balancers and orchestrators.
///
/// Set by whoever starts and stops the services, read by every request.
public final class Readiness: Sendable {
    /// The states in the only order in which they follow each other.
    public enum State: UInt8, Sendable, Comparable {
        /// Not every listener is up yet.
        case starting
        /// All listeners are up.
        case ready
        /// Shutting down: what is open is finished, nothing new should come.
        case draining

        /// The body of `/readyz`.
        var text: String {
            switch self {
            case .starting: "starting"
            case .ready: "ready"
            case .draining: "draining"
            }
        }

        /// Compares positions in the life of the process.
        public static func < (left: State, right: State) -> Bool { left.rawValue < right.rawValue }
    }

    private let current = Mutex(State.starting)

    /// Starts as `starting`.
    public init() {}

    /// Where the process is in its life.
    public var state: State { current.withLock { $0 } }

    /// All listeners are up. Has no effect once draining has begun.
    public func markReady() { advance(to: .ready) }

    /// Shutting down has begun; there is no way back.
    public func markDraining() { advance(to: .draining) }

    private func advance(to state: State) {
        current.withLock { $0 = max($0, state) }
    }
}
