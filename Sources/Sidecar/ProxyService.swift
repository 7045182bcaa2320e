import EventLog
import Gateway
import Logging
import NIOCore
import NIOPosix
import Pipeline
import Proxy
import Resilience
import ServiceLifecycle
import Synchronization
import Telemetry

/// Runs every listener: opens them, says so, and on shutdown lets the sessions finish what they are at.
final class ProxyService: Service {
    private let configuration: SidecarConfiguration
    private let shared: Lane.SharedState
    private let registry: MetricsRegistry
    private let readiness: Readiness
    private let logger: Logger
    /// What listeners with an embedded upstream connect to; nil when there is none.
    private let log: EmbeddedRedis?
    /// Called once, when everything listens.
    private let onRunning: @Sendable (RunningSidecar) -> Void
    /// Resolved with the address of the HTTP server, or nil if there is none: the block that is printed names it.
    private let gatewayAddress: AsyncStream<String?>
    private let gatewayAddressSink: AsyncStream<String?>.Continuation

    init(
        configuration: SidecarConfiguration, shared: Lane.SharedState, registry: MetricsRegistry,
        readiness: Readiness, logger: Logger, log: EmbeddedRedis? = nil,
        onRunning: @escaping @Sendable (RunningSidecar) -> Void
    ) {
        self.configuration = configuration
        self.shared = shared
        self.registry = registry
        self.readiness = readiness
        self.logger = logger
        self.log = log
        self.onRunning = onRunning
        (gatewayAddress, gatewayAddressSink) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// The HTTP server has bound its port, or there is none.
    func gatewayIsListening(_ address: String?) {
        gatewayAddressSink.yield(address)
        gatewayAddressSink.finish()
    }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        do {
            try await run(on: group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private func run(on group: MultiThreadedEventLoopGroup) async throws {
        let profiles = Self.profiles(configuration)
        let workers = try await WorkerSet(group) { [shared, registry] _ in
            var generator = SystemRandomNumberGenerator()
            return Worker(
                lane: Lane(
                    shared: shared, listeners: profiles, metrics: registry.makeShard(),
                    seed: (generator.next(), generator.next(), generator.next(), generator.next())),
                listeners: profiles)
        }
        workers.startTicking()
        var channels: [any Channel] = []
        for (listener, profile) in zip(configuration.listeners, profiles) {
            channels.append(try await start(listener, profile, group, workers))
        }
        await announce(channels)
        readiness.markReady()
        // Throws when another service has failed; then there is no time for a drain.
        try? await gracefulShutdown()
        readiness.markDraining()
        for channel in channels { try? await channel.close() }
        if !Task.isCancelled { try await drain(workers) }
        _ = try await workers.forEach { $0.closeAll() }
        _ = try await workers.forEach { $0.abandonDeliveries() }
        if let log {
            await log.settle()
            // Once more through every loop: the answers are in it now.
            _ = try await workers.forEach { _ in }
        }
    }

    private func start(
        _ listener: ListenerConfiguration, _ profile: ListenerProfile, _ group: MultiThreadedEventLoopGroup,
        _ workers: WorkerSet
    ) async throws -> any Channel {
        var embedded: (@Sendable (any EventLoop) -> EventLoopFuture<any Channel>)?
        if let log { embedded = { loop in log.connect(on: loop) } }
        let settings = ListenerSettings(
            profile: profile, listen: listener.listen, upstream: listener.upstream,
            connectTimeoutMilliseconds: configuration.limits.connectTimeoutMilliseconds,
            connectPatienceMilliseconds: configuration.resilience.connectPatienceMilliseconds,
            tls: try listener.tls.settings.map { try TLSContexts($0) },
            followsCluster: listener.busProtocol == .nats && listener.nats.failover == .on,
            embedded: embedded, makeCourier: try courier(listener, profile),
            secondary: try secondary(listener, profile))
        let report: @Sendable (ProxyEvent) -> Void = { [logger] in logger.log($0) }
        switch listener.busProtocol {
        case .redis:
            let redis = Listener<RedisSession>(settings, group: group, workers: workers, report: report)
            let channel = try await redis.start()
            try await startOutbound(redis, listener, profile)
            return channel
        case .nats:
            let nats = Listener<NATSSession>(settings, group: group, workers: workers, report: report)
            let channel = try await nats.start()
            if let spool = shared.spool, profile.spools {
                let credentials = try listener.credentials.read()
                try await nats.startOutbound(
                    { SpoolForwarder.nats(lane: $0, listener: profile, spool: spool, credentials: credentials) },
                    perform: { spool.perform($0, answer: $1) })
            }
            return channel
        }
    }

    /// What carries single commands to the upstream, where any may need that.
    private func courier(
        _ listener: ListenerConfiguration, _ profile: ListenerProfile
    ) throws -> (@Sendable (Lane) -> RedisCourier)? {
        guard listener.busProtocol == .redis, profile.retries != nil else { return nil }
        let credentials = try listener.credentials.read()
        return { RedisCourier(lane: $0, listener: profile, credentials: credentials) }
    }

    /// The second broker, where some message may be for it.
    private func secondary(
        _ listener: ListenerConfiguration, _ profile: ListenerProfile
    ) throws -> SecondarySettings? {
        guard let address = listener.secondary.address, profile.fallback.uses(.secondary) else { return nil }
        let credentials = try listener.secondary.credentials.read()
        return SecondarySettings(
            endpoint: address, connectTimeoutMilliseconds: configuration.resilience.secondaryConnectMilliseconds,
            tls: try listener.secondary.listenerTLS.settings.map { try TLSContexts($0) },
            makeCourier: {
                RedisCourier(lane: $0, listener: profile, to: .secondary, credentials: credentials)
            })
    }

    /// What the sidecar does for itself on connections of its own.
    private func startOutbound(
        _ redis: Listener<RedisSession>, _ listener: ListenerConfiguration, _ profile: ListenerProfile
    ) async throws {
        let credentials = try listener.credentials.read()
        if profile.fallback.hasSteps {
            try await redis.startOutbound(
                { RedisUpstreamProbe(lane: $0, listener: profile, credentials: credentials) }, perform: { _, _ in })
        }
        if let spool = shared.spool, profile.fallback.stores {
            try await redis.startOutbound(
                { SpoolForwarder.redis(lane: $0, listener: profile, spool: spool, credentials: credentials) },
                perform: { spool.perform($0, answer: $1) })
        }
        guard let groups = shared.consumerGroups else { return }
        try await redis.startOutbound(
            { RedisDeadLetters(lane: $0, listener: profile, groups: groups, credentials: credentials) },
            perform: { _, _ in })
    }

    private static func profile(
        number: Int, _ listener: ListenerConfiguration, _ configuration: SidecarConfiguration
    ) -> ListenerProfile {
        ListenerProfile(
            number: UInt32(number), name: listener.name, service: listener.service ?? configuration.service,
            system: listener.busProtocol.rawValue, broker: listener.broker, inject: listener.context.inject,
            deliver: listener.context.deliver, frameBytesMax: configuration.limits.frameBytes,
            pendingRepliesMax: configuration.limits.pendingReplies, tls: listener.tls.sides(listener.busProtocol),
            nats: listener.nats.options,
            deliveryScope: listener.upstream == .embedded ? EventFaces.deliveryScope : UInt32(number),
            fallback: configuration.fallback(listener),
            retries: retries(listener, configuration))
    }

    /// How publishes with a key are tried again; nil where they are not.
    private static func retries(
        _ listener: ListenerConfiguration, _ configuration: SidecarConfiguration
    ) -> PublishRetryLimits? {
        guard listener.upstream != .embedded, var limits = configuration.resilience.publishRetries else { return nil }
        // JetStream remembers keys for a time, however many they are.
        if listener.busProtocol == .nats { limits.messagesMax = 1_024 }
        return limits
    }

    /// What lanes have to know: the listeners in their order, and last the event log's own faces.
    static func profiles(_ configuration: SidecarConfiguration) -> [ListenerProfile] {
        let listeners = configuration.listeners.enumerated().map { profile(number: $0, $1, configuration) }
        return listeners + [EventFaces.profile(number: listeners.count, service: configuration.service)]
    }

    /// Names of the listeners that send on what was spooled.
    static func forwardingListeners(_ configuration: SidecarConfiguration) -> Set<String> {
        Set(profiles(configuration).filter(\.fallback.stores).map(\.name))
    }

    /// Waits until every session has ended by itself, at most for the drain time.
    private func drain(_ workers: WorkerSet) async throws {
        _ = try await workers.forEach { $0.drain() }
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(configuration.limits.drainSeconds)
        while clock.now < deadline {
            let open = try await workers.forEach(\.sessionCount).reduce(0, +)
            if open == 0 { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
        let abandoned = try await workers.forEach(\.sessionCount).reduce(0, +)
        if abandoned > 0 {
            logger.warning(
                "closing sessions that did not finish within the drain time",
                metadata: ["sessions": "\(abandoned)", "drain_seconds": "\(configuration.limits.drainSeconds)"])
        }
    }

    /// Tells who waits for it what is there.
    private func announce(_ channels: [any Channel]) async {
        let addresses = zip(configuration.listeners, channels).map { listener, channel in
            Endpoint(bound: channel.localAddress) ?? listener.listen
        }
        var http: String?
        for await address in gatewayAddress { http = address }
        onRunning(RunningSidecar(configuration: configuration, listeners: addresses, http: http))
    }
}

extension ListenerConfiguration {
    /// How spans call the upstream.
    var broker: BrokerAddress { upstream.broker }
}

extension Endpoint {
    /// How spans call a broker there.
    var broker: BrokerAddress {
        switch self {
        case .tcp(let host, let port): BrokerAddress(server: host, port: port)
        case .unix(let path): BrokerAddress(server: path, port: 0)
        case .embedded: BrokerAddress(server: "embedded", port: 0)
        }
    }
}
