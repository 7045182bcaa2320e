public import NIOCore
import NIOPosix
public import Proxy
import Synchronization

/// Stands between the sidecar and its broker, on loopback, and does to the connections what the switch says. The
/// sidecar takes it for the broker.
public final class FaultRelay: Sendable {
    /// Where a connection to the broker comes from.
    public typealias Connector = @Sendable (any EventLoop) -> EventLoopFuture<any Channel>

    private let listener: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let clients: OpenChannels

    /// Where the sidecar connects.
    public let endpoint: Endpoint

    /// Opens a relay. `speaksRedis`: errors are answers of the protocol, else answers that come too late.
    public static func start(
        listen: Endpoint = .tcp(host: "127.0.0.1", port: 0), faults: FaultSwitch, speaksRedis: Bool,
        connect: @escaping Connector
    ) async throws -> FaultRelay {
        guard case .tcp(let host, let port) = listen else {
            throw ShopBusError(description: "the broker's stand-in listens on TCP only")
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let clients = OpenChannels()
        do {
            let listener = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.autoRead, value: false)
                .childChannelInitializer { client in
                    clients.add(client)
                    return connect(client.eventLoop).flatMap { broker in
                        client.eventLoop.makeCompletedFuture {
                            let pair = FaultPair(client, broker, faults, speaksRedis: speaksRedis)
                            try client.pipeline.syncOperations.addHandler(FaultHandler(pair, isClient: true))
                            try broker.pipeline.syncOperations.addHandler(FaultHandler(pair, isClient: false))
                        }.flatMap {
                            broker.setOption(.autoRead, value: true).and(client.setOption(.autoRead, value: true))
                        }.map { _ in }
                    }
                }
                .bind(host: host, port: port).get()
            return FaultRelay(listener, group, clients, Endpoint(bound: listener.localAddress) ?? listen)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Connects over TCP to a broker.
    public static func connector(to endpoint: Endpoint) -> Connector {
        { loop in
            let bootstrap = ClientBootstrap(group: loop).channelOption(.autoRead, value: false)
            switch endpoint {
            case .tcp(let host, let port): return bootstrap.connect(host: host, port: port)
            case .unix(let path): return bootstrap.connect(unixDomainSocketPath: path)
            case .embedded: return loop.makeFailedFuture(ShopBusError(description: "nothing to connect to"))
            }
        }
    }

    private init(
        _ listener: any Channel, _ group: MultiThreadedEventLoopGroup, _ clients: OpenChannels, _ endpoint: Endpoint
    ) {
        self.listener = listener
        self.group = group
        self.clients = clients
        self.endpoint = endpoint
    }

    /// Ends every connection.
    public func stop() async {
        try? await listener.close()
        await clients.closeAll()
        try? await group.shutdownGracefully()
    }
}

/// The connections that are open, so that they end before their event loop does.
private final class OpenChannels: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    func add(_ channel: any Channel) {
        channels.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { [self] _ in
            channels.withLock { $0[ObjectIdentifier(channel)] = nil }
        }
    }

    func closeAll() async {
        for channel in channels.withLock({ Array($0.values) }) { try? await channel.close() }
    }
}

/// The two ends of one connection and what is done between them; lives on one event loop.
final class FaultPair {
    private let client: any Channel
    private let broker: any Channel
    private let faults: FaultSwitch
    private let speaksRedis: Bool
    private var line = FaultLine()
    /// No answer goes out before those that came earlier.
    private var lastDue = NIODeadline.uptimeNanoseconds(0)

    init(_ client: any Channel, _ broker: any Channel, _ faults: FaultSwitch, speaksRedis: Bool) {
        self.client = client
        self.broker = broker
        self.faults = faults
        self.speaksRedis = speaksRedis
    }

    func fromClient(_ buffer: ByteBuffer) {
        guard speaksRedis else { return write(buffer, to: broker) }
        for action in line.requested(buffer.readableBytesView, isFailing: faults.current == .errors) {
            switch action {
            case .forward(let bytes): write(ByteBuffer(bytes: bytes), to: broker)
            case .answer(let bytes): answer(ByteBuffer(bytes: bytes))
            }
        }
    }

    func fromBroker(_ buffer: ByteBuffer) {
        if speaksRedis { line.answered(Array(buffer.readableBytesView)) }
        answer(buffer)
    }

    private func answer(_ buffer: ByteBuffer) {
        let now = NIODeadline.now()
        let delay = faults.current?.delayMilliseconds(speaksRedis: speaksRedis) ?? 0
        lastDue = max(lastDue, now + .milliseconds(delay))
        guard lastDue > now else { return write(buffer, to: client) }
        client.eventLoop.scheduleTask(deadline: lastDue) { [client] in
            client.writeAndFlush(buffer, promise: nil)
        }
    }

    func closed() {
        client.close(promise: nil)
        broker.close(promise: nil)
    }

    private func write(_ buffer: ByteBuffer, to channel: any Channel) { channel.writeAndFlush(buffer, promise: nil) }
}

/// One end of a pair.
final class FaultHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let pair: FaultPair
    private let isClient: Bool

    init(_ pair: FaultPair, isClient: Bool) {
        self.pair = pair
        self.isClient = isClient
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if isClient { pair.fromClient(buffer) } else { pair.fromBroker(buffer) }
    }

    func channelInactive(context: ChannelHandlerContext) { pair.closed() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
