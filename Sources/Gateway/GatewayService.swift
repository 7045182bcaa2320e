import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
import NIOPosix
public import ServiceLifecycle
public import Telemetry

/// Where the HTTP server listens.
public struct GatewayConfiguration: Sendable, Hashable {
    /// A host name or an address; loopback unless someone decides otherwise.
    public var host: String
    /// 0 lets the system choose; `onServerRunning` tells what it chose.
    public var port: Int
    /// Connections at once. A scraper needs one and a load balancer a few; publishers one each. Past this many, new ones
    /// wait in the backlog.
    public var connectionsMax: Int

    /// Loopback and the port that the OpenTelemetry Prometheus exporter made usual.
    public init(host: String = "127.0.0.1", port: Int = 9464, connectionsMax: Int = 1_024) {
        self.host = host
        self.port = port
        self.connectionsMax = connectionsMax
    }
}

/// The HTTP server for people and scrapers: `/metrics`, `/healthz`, `/readyz`, `/api/v1`.
///
/// It runs apart from the traffic: sockets on an event loop of its own, rendering on Swift's concurrent executor, so a
/// slow scrape costs processor time but never makes a message wait.
public struct GatewayService: Service {
    private static let idleTimeout = TimeAmount.seconds(90)

    private let configuration: GatewayConfiguration
    private let routes: GatewayRoutes
    private let logger: Logger
    private let eventLoopGroup: (any EventLoopGroup)?
    private let onServerRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - registry: what `/metrics` renders.
    ///   - readiness: what `/readyz` answers.
    ///   - service: `service.name` of the spans that `/metrics/spm` counts.
    ///   - admin: what `/api/v1` shows; nil leaves it out.
    ///   - modules: what other modules serve.
    ///   - eventLoopGroup: for the sockets; nil makes a group of one thread that ends with the service. Never the
    ///     group that carries traffic.
    ///   - onServerRunning: told the bound port once connections are accepted.
    public init(
        configuration: GatewayConfiguration, registry: MetricsRegistry, readiness: Readiness, service: String,
        logger: Logger, admin: AdminSources? = nil, modules: [any GatewayModule] = [],
        eventLoopGroup: (any EventLoopGroup)? = nil,
        onServerRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        routes = GatewayRoutes(
            registry: registry, spanMetrics: SpanMetricsPage(registry: registry, service: service),
            readiness: readiness, admin: admin, modules: modules)
        self.logger = logger
        self.eventLoopGroup = eventLoopGroup
        self.onServerRunning = onServerRunning
    }

    /// Serves until graceful shutdown or cancellation. Throws `GatewayError` when the address cannot be bound.
    public func run() async throws {
        if let eventLoopGroup { return try await run(on: eventLoopGroup) }
        let own = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await run(on: own)
        } catch {
            try? await own.shutdownGracefully()
            throw error
        }
        try await own.shutdownGracefully()
    }

    private func run(on eventLoopGroup: any EventLoopGroup) async throws {
        do {
            try await application(on: eventLoopGroup).run()
        } catch {
            throw GatewayError(configuration: configuration, cause: error) ?? error
        }
    }

    /// The server with its routes, not yet running.
    func application(on eventLoopGroup: any EventLoopGroup) -> some ApplicationProtocol {
        // The library's own start and stop lines would repeat ours.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .warning)
        let endpoints = routes.modules.compactMap(\.socketEndpoint)
        return Application(
            responder: routes.router().buildResponder(),
            server: HTTPServerBuilder { responder in
                UpgradableChannel(responder: responder, endpoints: endpoints, idleTimeout: Self.idleTimeout)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    endpoints.map(\.connectionsMax).reduce(configuration.connectionsMax, +), logger: serverLogger)),
            onServerRunning: { [configuration, logger, onServerRunning] channel in
                let port = channel.localAddress?.port ?? configuration.port
                logger.info("serving http", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
                await onServerRunning(port)
            },
            eventLoopGroupProvider: .shared(eventLoopGroup),
            logger: serverLogger)
    }
}
