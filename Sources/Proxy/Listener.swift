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
    /// For how long a new connection tries again to reach an upstream that refuses it; 0 tries once.
    public var connectPatienceMilliseconds: Int
    /// What encrypts the sides that `profile.tls` names.
    public var tls: TLSContexts?
    /// Whether servers that the upstream names stand in for it when it cannot be reached.
    public var followsCluster: Bool
    /// Opens a connection to the embedded log, where the upstream is that: the end that speaks for the client, which
    /// reads nothing before it is told to.
    public var embedded: (@Sendable (any EventLoop) -> EventLoopFuture<any Channel>)?
    /// What carries single commands beside the connections of clients; nil where nothing does.
    public var makeCourier: (@Sendable (Lane) -> RedisCourier)?

    /// A second broker, for what the upstream may not be given; nil where there is none.
    public var secondary: SecondarySettings?

    /// Without TLS and stand-ins, unless they are given.
    public init(
        profile: ListenerProfile, listen: Endpoint, upstream: Endpoint, connectTimeoutMilliseconds: Int,
        connectPatienceMilliseconds: Int = 0, tls: TLSContexts? = nil, followsCluster: Bool = false,
        embedded: (@Sendable (any EventLoop) -> EventLoopFuture<any Channel>)? = nil,
        makeCourier: (@Sendable (Lane) -> RedisCourier)? = nil, secondary: SecondarySettings? = nil
    ) {
        self.profile = profile
        self.listen = listen
        self.upstream = upstream
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.connectPatienceMilliseconds = connectPatienceMilliseconds
        self.tls = tls
        self.followsCluster = followsCluster
        self.embedded = embedded
        self.makeCourier = makeCourier
        self.secondary = secondary
    }
}

/// One address that clients connect to, and the upstream that each of them is joined with.
///
/// The life of a listener: `start`, then `drain`. A connection gets an upstream connection of its own on the same
/// event loop before its first byte is read.
public final class Listener<Machine: SessionMachine>: Sendable {
    let settings: ListenerSettings
    let workers: WorkerSet
    private let group: any EventLoopGroup
    let report: @Sendable (ProxyEvent) -> Void
    private let upstreams: UpstreamDirectory

    /// A listener that is not listening yet. `report` may be called on any event loop.
    public init(
        _ settings: ListenerSettings, group: any EventLoopGroup, workers: WorkerSet,
        report: @escaping @Sendable (ProxyEvent) -> Void
    ) {
        self.settings = settings
        self.group = group
        self.workers = workers
        self.report = report
        upstreams = UpstreamDirectory(settings.upstream, isFollowed: settings.followsCluster)
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
        case .embedded:
            throw IOError(errnoCode: addressNotAvailableCode, reason: "bind")
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
        let peer = ClientPeer.of(client)
        return connectGuarded(worker, client.eventLoop).and(peer).flatMapThrowing { upstream, peer in
            if let error = upstream.configuredError {
                self.tellReplacement(by: upstream.endpoint, error, bound.value.metrics)
            }
            try self.join(client, peer, upstream, bound.value.worker, bound.value.metrics)
        }.flatMapError { error in
            peer.flatMapThrowing { peer in
                let reason = self.note(error, bound.value.metrics)
                if try self.serveAlone(client, peer, reason, bound.value.worker, bound.value.metrics) { return }
                try self.refuse(client, reason)
            }
        }
    }

    /// A connection to a server, and why it is not the configured one.
    struct Upstream: Sendable {
        var channel: any Channel
        var endpoint: Endpoint
        var configuredError: (any Error)?
        /// The guard's leave, which somebody has to tell how the connection does.
        var permit: ConnectionPermit?
    }

    /// The configured upstream, or the first of its stand-ins that answers. If none does, the error is the configured
    /// one's.
    func connectToAny(on loop: any EventLoop) -> EventLoopFuture<Upstream> {
        let configured = settings.upstream
        return connect(to: configured, on: loop).map { Upstream(channel: $0, endpoint: configured) }
            .flatMapError { error in
                var tried: EventLoopFuture<Upstream> = loop.makeFailedFuture(error)
                for endpoint in self.upstreams.standIns(most: Self.standInsTried) {
                    tried = tried.flatMapError { _ in
                        self.connect(to: endpoint, on: loop).map { channel in
                            self.upstreams.answered(endpoint)
                            return Upstream(channel: channel, endpoint: endpoint, configuredError: error)
                        }
                    }
                }
                return tried.flatMapErrorThrowing { _ in throw error }
            }
    }

    private func tellReplacement(by endpoint: Endpoint, _ error: any Error, _ metrics: ListenerMetrics) {
        metrics.upstreamFailed(Self.failure(error))
        report(
            .upstreamReplaced(
                listener: settings.profile.name, upstream: settings.upstream.description,
                standIn: endpoint.description, reason: Self.reason(error)))
    }

    /// A client gives up after a few seconds, and unreachable addresses take their time.
    private static var standInsTried: Int { 3 }

    func connect(
        to endpoint: Endpoint, on loop: any EventLoop, timeoutMilliseconds: Int? = nil
    ) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(Int64(timeoutMilliseconds ?? settings.connectTimeoutMilliseconds)))
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
        switch endpoint {
        case .tcp(let host, let port):
            return bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(host: host, port: port)
        case .unix(let path):
            return bootstrap.connect(unixDomainSocketPath: path)
        case .embedded:
            return settings.embedded?(loop)
                ?? loop.makeFailedFuture(IOError(errnoCode: connectionRefusedCode, reason: "connect"))
        }
    }

    private func join(
        _ client: any Channel, _ peer: ClientPeer, _ upstream: Upstream, _ worker: Worker, _ metrics: ListenerMetrics
    ) throws {
        let profile = settings.profile
        let upstreamName = upstream.endpoint.description
        let clientName = Self.name(client)
        let report = report
        let upstreams = upstreams
        let loop = client.eventLoop
        let tls = relayTLS(clientName: clientName, upstream.endpoint)
        let relay = Relay(
            machine: Machine(
                lane: worker.lane, listener: profile, counters: worker.counters(profile, of: Machine.self),
                peer: peer),
            worker: worker, metrics: metrics, tls: tls,
            carry: { self.carry($0, to: $1, worker, loop, completion: $2) },
            onOpaque: { report(.sessionOpaque(listener: profile.name, client: clientName, reason: $0.rawValue)) },
            onUpstreamLost: {
                metrics.upstreamFailed(.lost)
                report(.upstreamLost(listener: profile.name, upstream: upstreamName))
            },
            onAlternatives: { upstreams.learn($0) })
        do {
            try attach(relay, .upstream, to: upstream.channel, profile.tls.upstream, tls)
        } catch {
            upstream.channel.close(promise: nil)
            if let permit = upstream.permit { worker.lane.connected(permit, profile, .opened) }
            throw error
        }
        if let permit = upstream.permit { relay.take(permit, profile) }
        try attach(relay, .client, to: client, profile.tls.client, tls)
        worker.add(relay)
        let bound = NIOLoopBound(relay, eventLoop: client.eventLoop)
        // Whichever way a channel ends, also before it was ever active, the relay hears of it.
        client.closeFuture.whenComplete { _ in bound.value.closed(.client) }
        upstream.channel.closeFuture.whenComplete { _ in bound.value.closed(.upstream) }
    }

    private func attach(
        _ relay: Relay<Machine>, _ side: Side, to channel: any Channel, _ beginning: SessionTLS.Beginning,
        _ tls: RelayTLS?
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(RelayHandler(relay, side))
        if beginning == .firstByte { try tls?.addHandler(to: pipeline, side) }
    }

    func relayTLS(clientName: String, _ upstream: Endpoint) -> RelayTLS? {
        guard let contexts = settings.tls else { return nil }
        let (report, listener) = (report, settings.profile.name)
        return RelayTLS(
            sides: settings.profile.tls, contexts: contexts, upstreamHost: upstream.host,
            upstreamName: upstream.description,
            handshakeLimit: .milliseconds(Int64(settings.connectTimeoutMilliseconds)),
            onFailure: { side, reason in
                report(
                    .tlsFailed(
                        listener: listener, peer: side == .upstream ? upstream.description : clientName,
                        isUpstream: side == .upstream, reason: reason))
            })
    }

    private static func name(_ client: any Channel) -> String { client.remoteAddress.map { "\($0)" } ?? "unknown" }

    /// Counts and reports why a client gets no upstream. Returns what it is told.
    private func note(_ error: any Error, _ metrics: ListenerMetrics) -> String {
        if let refusal = error as? ConnectionRefusal { return refusal.text }
        metrics.upstreamFailed(Self.failure(error))
        let reason = Self.reason(error)
        report(
            .upstreamUnreachable(
                listener: settings.profile.name, upstream: settings.upstream.description, reason: reason))
        return "upstream \(settings.upstream) is not reachable: \(reason)"
    }

    /// Serves a client without an upstream, where what it publishes is stored. False where it is not.
    private func serveAlone(
        _ client: any Channel, _ peer: ClientPeer, _ reason: String, _ worker: Worker, _ metrics: ListenerMetrics
    ) throws -> Bool {
        let profile = settings.profile
        let detached = Machine.detached(
            lane: worker.lane, listener: profile, counters: worker.counters(profile, of: Machine.self), peer: peer,
            reason: reason)
        guard let detached else { return false }
        let (report, clientName) = (report, Self.name(client))
        let loop = client.eventLoop
        let tls = relayTLS(clientName: clientName, settings.upstream)
        let relay = Relay(
            machine: detached, worker: worker, metrics: metrics, hasUpstream: false, tls: tls,
            carry: { self.carry($0, to: $1, worker, loop, completion: $2) },
            onOpaque: { report(.sessionOpaque(listener: profile.name, client: clientName, reason: $0.rawValue)) },
            onUpstreamLost: {})
        try attach(relay, .client, to: client, profile.tls.client, tls)
        worker.add(relay)
        let bound = NIOLoopBound(relay, eventLoop: client.eventLoop)
        client.closeFuture.whenComplete { _ in bound.value.closed(.client) }
        return true
    }

    private func refuse(_ client: any Channel, _ reason: String) throws {
        if settings.profile.tls.client == .firstByte {
            try relayTLS(clientName: Self.name(client), settings.upstream)?
                .addHandler(to: client.pipeline.syncOperations, .client)
        }
        try client.pipeline.syncOperations.addHandler(
            RefusalHandler(Machine.refusing(reason), waitsForQuestion: !Machine.upstreamSpeaksFirst))
    }
}
