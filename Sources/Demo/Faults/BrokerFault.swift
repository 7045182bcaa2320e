import Synchronization

/// What can be wrong with the demonstration's broker.
public enum BrokerFault: String, Sendable, CaseIterable {
    /// Every answer comes late.
    case latency
    /// Every command is answered with an error (Redis), or after whoever asked has stopped counting on it (NATS).
    case errors

    /// How late answers are when they are late.
    static let latencyMilliseconds: Int64 = 400
    /// Beyond what the demonstration's sidecar takes for an answer in time.
    private static let tooLateMilliseconds: Int64 = 900

    func delayMilliseconds(speaksRedis: Bool) -> Int64 {
        switch self {
        case .latency: Self.latencyMilliseconds
        case .errors: speaksRedis ? 0 : Self.tooLateMilliseconds
        }
    }

    /// For people.
    var text: String {
        switch self {
        case .latency: "the broker answers \(Self.latencyMilliseconds) ms late"
        case .errors: "every call to the broker fails"
        }
    }
}

/// One switch for all connections to the broker: what is wrong with it now.
public final class FaultSwitch: Sendable {
    private let fault = Mutex<BrokerFault?>(nil)

    /// Nothing is wrong yet.
    public init() {}

    /// What is wrong now; nil for nothing.
    public var current: BrokerFault? { fault.withLock { $0 } }

    /// Turns the switch.
    public func set(_ wanted: BrokerFault?) { fault.withLock { $0 = wanted } }
}
