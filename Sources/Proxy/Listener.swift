public import NIOCore
import NIOPosix
public import Pipeline
import Telemetry

/// What one listener is told.
public struct ListenerSettings: Sendable {
    /// What the pipeline has to know.
    public var profile: ListenerProfile
    /// Where clients connect.
    public var listen: Endpoint
    /// Where the broker is.
    public var upstream: Endpoint
    /// How long a connection to the upstream may take to open.
    public var connectTimeoutMilliseconds: Int

    /// All parts are given.
    public init(
        profile: ListenerProfile, listen: Endpoint, upstream: Endpoint, connectTimeoutMilliseconds: Int
    ) {
        self.profile = profile
        self.listen = listen
        self.upstream = upstream
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    }
}

/// One address that clients connect to, and the upstream that each of them is joined with.
///
/// The life of a listener: `start`, then `drain`. A connection gets an upstream connection of its own on the same
/// event loop before its first byte is read.
public final class Listener<Machine: SessionMachine>: Sendable {
    private let settings: ListenerSettings
    private let workers: WorkerSet
    private let group: any EventLoopGroup
    private let report: @Sendable (ProxyEvent) -> Void

    /// A listener that is not listening yet. `report` may be called on any event loop.
    public init(
        _ settings: ListenerSettings, group: any EventLoopGroup, workers: WorkerSet,
        report: @escaping @Sendable (ProxyEvent) -> Void
    ) {
        self.settings = settings
        self.group = group
        self.workers = workers
        self.report = report
    }

    /// Binds the address and accepts connections. Throws `ListenError`.
    public func start() async throws -> any Channel {
        do {
            return try await bind()
        } catch {
            if case .unix(let path) = settings.listen, await isStale(path) {
                _ = unlinkSocket(path)
                if let channel = try? await bind() { return channel }
            }
            throw ListenError(endpoint: settings.listen, reason: Self.reason(error))
        }
    }

    private func bind() async throws -> any Channel {
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { client in self.accept(client) }
        switch settings.listen {
        case .tcp(let host, let port):
            bootstrap =
                bootstrap
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            return try await bootstrap.bind(host: host, port: port).get()
        case .unix(let path):
            return try await bootstrap.bind(unixDomainSocketPath: path).get()
        }
    }

    /// Nobody answers on a socket file that a killed process has left behind.
    private func isStale(_ path: String) async -> Bool {
        do {
            try await ClientBootstrap(group: group).connect(unixDomainSocketPath: path).get().close().get()
            return false
        } catch let error as IOError {
            return error.errnoCode == connectionRefusedCode
        } catch {
            return false
        }
    }

    // MARK: Connections

    /// The client's channel is not active before the returned future succeeds, so nothing of it is read before it has
    /// an upstream, or a refusal.
    private func accept(_ client: any Channel) -> EventLoopFuture<Void> {
        let worker = workers.worker(on: client.eventLoop)
        let metrics = worker.metrics(settings.profile)
        metrics.accepted.add(1)
        metrics.connections.add(1)
        let bound = NIOLoopBound((worker: worker, metrics: metrics), eventLoop: client.eventLoop)
        client.closeFuture.whenComplete { _ in bound.value.metrics.connections.add(-1) }
        return connect(on: client.eventLoop).and(ClientPeer.of(client)).flatMapThrowing { upstream, peer in
            try self.join(client, peer, upstream, bound.value.worker, bound.value.metrics)
        }.flatMapErrorThrowing { error in
            try self.refuse(client, error, bound.value.metrics)
        }
    }

    private func connect(on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(Int64(settings.connectTimeoutMilliseconds)))
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
        switch settings.upstream {
        case .tcp(let host, let port):
            return bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(host: host, port: port)
        case .unix(let path):
            return bootstrap.connect(unixDomainSocketPath: path)
        }
    }

    private func join(
        _ client: any Channel, _ peer: ClientPeer, _ upstream: any Channel, _ worker: Worker,
        _ metrics: ListenerMetrics
    ) throws {
        let profile = settings.profile
        let upstreamName = settings.upstream.description
        let clientName = client.remoteAddress.map { "\($0)" } ?? "unknown"
        let report = report
        let relay = Relay(
            machine: Machine(
                lane: worker.lane, listener: profile, counters: worker.counters(profile, of: Machine.self),
                peer: peer),
            worker: worker, metrics: metrics,
            onOpaque: { report(.sessionOpaque(listener: profile.name, client: clientName, reason: $0.rawValue)) },
            onUpstreamLost: {
                metrics.upstreamFailed(.lost)
                report(.upstreamLost(listener: profile.name, upstream: upstreamName))
            })
        worker.add(relay)
        try client.pipeline.syncOperations.addHandler(RelayHandler(relay, .client))
        try upstream.pipeline.syncOperations.addHandler(RelayHandler(relay, .upstream))
        let bound = NIOLoopBound(relay, eventLoop: client.eventLoop)
        // Whichever way a channel ends, also before it was ever active, the relay hears of it.
        client.closeFuture.whenComplete { _ in bound.value.closed(.client) }
        upstream.closeFuture.whenComplete { _ in bound.value.closed(.upstream) }
    }

    private func refuse(_ client: any Channel, _ error: any Error, _ metrics: ListenerMetrics) throws {
        metrics.upstreamFailed(Self.failure(error))
        let reason = Self.reason(error)
        report(
            .upstreamUnreachable(
                listener: settings.profile.name, upstream: settings.upstream.description, reason: reason))
        let answer = Machine.refusal("upstream \(settings.upstream) is not reachable: \(reason)")
        try client.pipeline.syncOperations.addHandler(RefusalHandler(answer: answer))
    }
}
