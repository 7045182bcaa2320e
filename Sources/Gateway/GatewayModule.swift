public import Hummingbird

/// Resources of another module that the HTTP server serves beside its own.
///
/// Errors thrown by its handlers become problem bodies (RFC 9457): a `GatewayProblem` as it says, others by their status.
public protocol GatewayModule: Sendable {
    /// Adds the routes.
    func add(to router: Router<BasicRequestContext>)
    /// What takes WebSocket connections; nil for none.
    var socketEndpoint: (any SocketEndpoint)? { get }
}

extension GatewayModule {
    /// None.
    public var socketEndpoint: (any SocketEndpoint)? { nil }
}
