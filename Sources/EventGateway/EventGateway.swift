public import EventLog
public import Gateway
public import Hummingbird
public import Pipeline
public import Telemetry

/// The HTTP and WebSocket faces of the embedded event log, as resources of the sidecar's HTTP server.
public struct EventGateway: GatewayModule {
    /// What the faces work with.
    public struct Log: Sendable {
        let desk: EventDesk
        let limits: EventGatewayLimits
        let readiness: Readiness
        let changes = StreamChanges()
        let waiters: StreamWaiters
        let rate: EventRateLimit

        /// - Parameters:
        ///   - log: the log, open for as long as requests come.
        ///   - tracing: the stages that events pass.
        ///   - correlationFields: where applications put their correlation ids.
        ///   - readiness: ends what waits when the process drains.
        public init(
            log: DurableLog, tracing: EventTracing, correlationFields: CorrelationFields, limits: EventGatewayLimits,
            readiness: Readiness
        ) {
            desk = EventDesk(log: log, tracing: tracing, correlationFields: correlationFields)
            self.limits = limits
            self.readiness = readiness
            waiters = StreamWaiters(changes, limit: limits.waitersMax)
            rate = EventRateLimit(perSecond: limits.eventsPerSecond)
            log.observeChanges { [changes] streams in changes.changed(streams) }
        }
    }

    private let log: Log?
    private let sockets: StreamSockets

    /// - Parameter log: nil where the process has no event log; every resource then says so.
    public init(log: Log?) {
        self.log = log
        sockets = StreamSockets(desk: log.map { SocketDesk($0) }, settings: log?.limits.sockets ?? SocketSettings())
    }

    /// Adds what the faces have done to each scrape.
    public func register(in registry: MetricsRegistry) {
        sockets.register(in: registry)
        guard let log = log?.desk.log else { return }
        registry.onScrape { samples in
            for projection in log.projectionsInMemory {
                let counts = projection.counts
                samples.set(MetricCatalog.projectionLag, [projection.name], value: UInt64(clamping: projection.lag))
                samples.set(MetricCatalog.projectionRows, [projection.name], value: UInt64(clamping: counts.rows))
                for (outcome, count) in [
                    ("folded", counts.folded), ("skipped", counts.skipped), ("unusable", counts.unusable),
                    ("missed", counts.missed),
                ] {
                    samples.set(
                        MetricCatalog.projectionEvents, [projection.name, outcome], value: UInt64(clamping: count))
                }
            }
        }
    }

    /// The sockets of streams.
    public var socketEndpoint: (any SocketEndpoint)? { sockets }

    /// Adds every resource of `EventOperation`, and for other methods of their paths an answer that says which there are.
    public func add(to router: Router<BasicRequestContext>) {
        for operation in EventOperation.allCases {
            router.on(RouterPath(operation.path), method: operation.method) { [log, sockets] request, context in
                guard operation != .describe else { return OpenAPIDocument.response }
                // What could become a WebSocket has done so before it came here.
                guard operation != .openSocket else { throw sockets.explanation(of: SocketRequest(request)) }
                guard let log else { throw GatewayProblem.noLog }
                if operation.changesSomething { try RequestOrigin.refuseWebPages(request) }
                return try await EventRequest(operation, request, context, log).respond()
            }
        }
        for (path, operations) in Dictionary(grouping: EventOperation.allCases, by: \.path) {
            let allowed = operations.map(\.method.rawValue).sorted().joined(separator: ", ")
            for method in [HTTPRequest.Method.get, .post, .put, .delete, .patch]
            where !operations.contains(where: { $0.method == method }) {
                router.on(RouterPath(path), method: method) { _, _ -> Response in
                    throw GatewayProblem(
                        status: .methodNotAllowed, detail: "this resource takes \(allowed)", allowedMethods: allowed)
                }
            }
        }
    }
}

extension GatewayProblem {
    static let noLog = GatewayProblem.notFound(
        "this process has no event log: give a listener the upstream `embedded`, or set http.events to `on`")
}

/// What the faces take on. Everything beyond is refused with a problem that says so.
public struct EventGatewayLimits: Sendable, Hashable {
    /// Bytes of one request's body.
    public var bodyBytes: Int
    /// Events of one batch, of one answer, and of one receive.
    public var batchEvents: Int
    /// Events published per second, over all clients; 0 for no limit.
    public var eventsPerSecond: Int
    /// Long polls and followers at once.
    public var waitersMax: Int
    /// What WebSockets may do.
    public var sockets: SocketSettings

    /// Usual values.
    public init(
        bodyBytes: Int = 1 << 20, batchEvents: Int = 1_000, eventsPerSecond: Int = 0, waitersMax: Int = 512,
        sockets: SocketSettings = SocketSettings()
    ) {
        self.bodyBytes = bodyBytes
        self.batchEvents = batchEvents
        self.eventsPerSecond = eventsPerSecond
        self.waitersMax = waitersMax
        self.sockets = sockets
    }
}
