/// What a NATS listener is told beyond what concerns every protocol.
public struct NATSOptions: Sendable, Equatable {
    /// Which servers clients are told of (`connect_urls` of INFO).
    public enum Advertised: Sendable, Equatable {
        /// None: a client comes back to the address that it was given, and so stays behind the sidecar.
        case none
        /// What the server says: a client that loses its connection may go around the sidecar.
        case server
        /// These addresses, `HOST:PORT` each: other sidecars, or this one under the name that clients can reach.
        case listed([String])
    }

    /// Default none.
    public var advertised: Advertised
    /// Whether servers (2.11 and newer) are asked to tell the way of traced messages (`Nats-Trace-Dest`). Default no.
    public var messagePath: Bool

    /// The defaults.
    public init(advertised: Advertised = .none, messagePath: Bool = false) {
        self.advertised = advertised
        self.messagePath = messagePath
    }
}
