import NIOCore
public import Pipeline

/// Where a listener's second broker is, and what carries commands there.
public struct SecondarySettings: Sendable {
    /// The broker.
    public var endpoint: Endpoint
    /// How long a connection to it may take to open.
    public var connectTimeoutMilliseconds: Int
    /// What encrypts connections to it; nil where it speaks plainly.
    public var tls: TLSContexts?
    /// What carries single commands to it.
    public var makeCourier: @Sendable (Lane) -> RedisCourier

    /// All parts.
    public init(
        endpoint: Endpoint, connectTimeoutMilliseconds: Int, tls: TLSContexts?,
        makeCourier: @escaping @Sendable (Lane) -> RedisCourier
    ) {
        self.endpoint = endpoint
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.tls = tls
        self.makeCourier = makeCourier
    }
}

extension Listener {
    /// A connection to the second broker, encrypted if that is what it speaks.
    func connectSecondary(on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        guard let secondary = settings.secondary else {
            return loop.makeFailedFuture(IOError(errnoCode: addressNotAvailableCode, reason: "connect"))
        }
        return connect(
            to: secondary.endpoint, on: loop, timeoutMilliseconds: secondary.connectTimeoutMilliseconds
        ).flatMapThrowing { channel in
            do {
                if let handler = try secondary.tls?.upstreamHandler(host: secondary.endpoint.host) {
                    try channel.pipeline.syncOperations.addHandler(handler, position: .first)
                }
            } catch {
                channel.close(promise: nil)
                throw error
            }
            return channel
        }
    }
}
