public import Pipeline

/// What only a NATS listener is told, as the keys `nats.*` say it.
public struct NATSConfiguration: Sendable, Equatable {
    /// A setting with two words.
    public enum Switch: String, Sendable, CaseIterable {
        case on
        case off
    }

    /// Which servers clients are told of. Default none.
    public var advertise = NATSOptions.Advertised.none
    /// Whether servers that the upstream names stand in for it while it is away. Default on.
    public var failover = Switch.on
    /// Whether servers are asked to tell the way of traced messages. Default off.
    public var messagePath = Switch.off

    /// The defaults.
    public init() {}

    /// What the session is told.
    var options: NATSOptions { NATSOptions(advertised: advertise, messagePath: messagePath == .on) }
}
