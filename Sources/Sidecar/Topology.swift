import EventGateway
import EventLog
import Export
import Gateway
import GuardStore
import Logging
import NIOCore
import NIOPosix
import Pipeline
import Proxy
import Resilience
import ServiceLifecycle
import Telemetry
import UnixSignals

/// Configuration in, running services out: the one place where the parts meet.
///
/// Services start in the order of the list and stop in the reverse: sessions drain while metrics can still be scraped
/// and spans still be exported, and the exporter goes last, with everything that the drain left for it.
public enum Topology {
    /// Runs the sidecar until SIGTERM or SIGINT and drains it.
    ///
    /// - Parameter companion: what runs beside it; without one, what listens is printed to standard output.
    /// - Throws: what kept a service from starting, or made one fail.
    public static func run(
        configuration: SidecarConfiguration, environment: [String: String], companion: SidecarCompanion? = nil
    ) async throws {
        // Room for a few operations on each destination that has a label of its own.
        let registry = MetricsRegistry(seriesPerFamilyMax: max(2_000, 8 * configuration.limits.destinations))
        let processShard = registry.makeShard()
        let accounts = ProcessAccounts(shard: processShard)
        let logger = LogOutput.standardError(onLoss: { _ in accounts.logLineLost() })
            .logger(level: configuration.logLevel)
        let otel = OTELEnvironment(parsing: environment)
        for warning in otel.warnings { logger.warning("\(warning)") }

        let names = NameTable(capacity: 65_536)
        let catalog = SpanCatalog()
        let exporter = try Exporter(
            configuration: exportConfiguration(configuration, otel), names: names, catalog: catalog, logger: logger,
            observe: accounts.exported)
        let traces = recentTraces(configuration, names, catalog, next: exporter.queue)
        let sampling = SamplingController(
            otel.sampler.map { SamplingBudget(fixed: Sampler($0)) }
                ?? SamplingBudget(spansPerSecond: configuration.sampling.spansPerSecond))
        let provisional =
            keepsByRule(configuration, otel)
            ? ProvisionalRing(capacity: configuration.sampling.ring, rules: configuration.sampling.always) : nil
        let wantsSpans = otel.sampler != .alwaysOff
        let board = guardBoard(
            configuration, logger,
            audit: wantsSpans ? auditSpans(configuration, catalog, traces ?? exporter.queue) : nil)
        board?.register(in: registry)
        board?.store?.register(in: registry)
        var spool: SpoolService?
        if let limits = configuration.resilience.spool {
            spool = try await SpoolService(configuration: configuration, limits: limits, logger: logger)
            spool?.spool.register(in: registry, clock: { SystemClock.unixNanoseconds() })
        }
        let shared = Lane.SharedState(
            destinations: NameTable(capacity: configuration.limits.destinations + NameTable.reserved),
            names: names, groups: NameTable(capacity: configuration.limits.destinations + NameTable.reserved),
            catalog: catalog,
            deliveries: OpenDeliveries(
                capacity: configuration.limits.openDeliveries,
                unsettledNanoseconds: UInt64(configuration.limits.unsettledSeconds) * 1_000_000_000),
            sampler: Sampler(otel.sampler ?? .parentBased(root: .alwaysOn)), sink: traces ?? exporter.queue,
            consumerRelation: configuration.tracing.consumerRelation, busSpans: configuration.tracing.busSpans == .on,
            causality: configuration.tracing.causality, correlationFields: configuration.tracing.correlationFields,
            sampling: sampling, provisional: provisional, tap: MessageTap(catalog: catalog),
            guards: board?.table,
            consumerGroups: configuration.resilience.deadLetters.map {
                ConsumerGroups(policy: $0, capacity: configuration.limits.destinations)
            }, spool: spool?.spool)
        accounts.register(in: registry, queue: exporter.queue, shared: shared)
        ProcessStatistics().register(in: registry)

        let readiness = Readiness()
        let usesLog =
            configuration.http.events == .on || configuration.listeners.contains { $0.upstream == .embedded }
        let log = try usesLog ? EventLogService(dataDirectory: configuration.dataDirectory) : nil
        let started = AsyncStream.makeStream(of: RunningSidecar.self, bufferingPolicy: .bufferingOldest(1))
        let proxy = ProxyService(
            configuration: configuration, shared: shared, registry: registry, readiness: readiness, logger: logger,
            log: log?.redis,
            onRunning: { sidecar in
                guard companion == nil else {
                    started.continuation.yield(sidecar)
                    return
                }
                StandardOutput.print(sidecar.announcement)
            })
        var services: [any Service] = [exporter]
        if let log { services.append(log) }
        if let spool { services.append(spool) }
        let admin = AdminSources(
            traces: traces, tap: shared.tap,
            text: TapText(
                names: names, catalog: catalog, listeners: configuration.listeners.map(\.name) + [EventFaces.name]),
            guards: board.map { GuardDesk(board: $0, logger: logger) },
            spool: spool.map {
                SpoolAdministrator(
                    spool: $0.spool, listeners: ProxyService.forwardingListeners(configuration), logger: logger)
            })
        let events = EventFaces.gateway(configuration, log?.log, shared, registry, readiness)
        events.register(in: registry)
        if let gateway = gateway(configuration, registry, readiness, admin, [events], logger, proxy) {
            services.append(gateway)
        }
        if let board {
            if let store = board.store { services.append(store) }
            services.append(GuardService(board: board, logger: logger))
        }
        services.append(proxy)
        var configured = services.map {
            ServiceGroupConfiguration.ServiceConfiguration(service: $0, failureTerminationBehavior: .cancelGroup)
        }
        if let companion {
            configured.append(
                .init(
                    service: CompanionService(running: started.stream, companion: companion),
                    successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .cancelGroup))
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: configured,
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger)))
        try await group.run()
    }

    /// The guards of the process; nil when there are to be none.
    private static func guardBoard(
        _ configuration: SidecarConfiguration, _ logger: Logger, audit: AuditSpans?
    ) -> GuardBoard? {
        guard let policy = configuration.resilience.policy else { return nil }
        let table = GuardTable(
            capacity: configuration.resilience.guards, callTimeoutNanoseconds: policy.timeoutNanoseconds,
            bulkhead: configuration.resilience.bulkhead)
        let store = ThresholdStore(directory: configuration.dataDirectory) { logger.log($0) }
        return GuardBoard(table: table, policy: policy, store: policy.mode == .fixed ? nil : store, audit: audit)
    }

    private static func auditSpans(
        _ configuration: SidecarConfiguration, _ catalog: SpanCatalog, _ sink: any SpanSink
    ) -> AuditSpans {
        AuditSpans(
            catalog: catalog, sink: sink, service: configuration.service,
            listeners: configuration.listeners.map { ($0.busProtocol.rawValue, $0.broker) })
    }

    /// Keeps spans on their way to the exporter; nil when nobody could read them, or nobody wants to.
    private static func recentTraces(
        _ configuration: SidecarConfiguration, _ names: NameTable, _ catalog: SpanCatalog, next: any SpanSink
    ) -> RecentTraces? {
        guard configuration.traces.keepSpans > 0, configuration.httpListen != nil else { return nil }
        return RecentTraces(capacity: configuration.traces.keepSpans, names: names, catalog: catalog, next: next)
    }

    /// Who turns sampling off by name wants no span at all, whatever goes wrong.
    private static func keepsByRule(_ configuration: SidecarConfiguration, _ otel: OTELEnvironment) -> Bool {
        var root = otel.sampler ?? .alwaysOn
        while case .parentBased(let inner) = root { root = inner }
        return root != .alwaysOff && !configuration.sampling.always.isEmpty
    }

    private static func exportConfiguration(
        _ configuration: SidecarConfiguration, _ otel: OTELEnvironment
    ) -> ExportConfiguration {
        var export = ExportConfiguration(environment: otel)
        export.serviceName = configuration.service
        switch configuration.otlp.endpoint {
        case .url(let base): export.endpoint = OTLPEndpoint.traces(underBase: base)
        case .disabled: export.endpoint = nil
        case nil: break
        }
        switch configuration.otlp.compression {
        case .gzip: export.compression = .gzip
        case .uncompressed: export.compression = .none
        case nil: break
        }
        return export
    }

    private static func gateway(
        _ configuration: SidecarConfiguration, _ registry: MetricsRegistry, _ readiness: Readiness,
        _ admin: AdminSources, _ modules: [any GatewayModule], _ logger: Logger, _ proxy: ProxyService
    ) -> GatewayService? {
        guard case .tcp(let host, let port) = configuration.httpListen else {
            proxy.gatewayIsListening(nil)
            return nil
        }
        return GatewayService(
            configuration: GatewayConfiguration(
                host: host, port: port, connectionsMax: configuration.http.connections), registry: registry,
            readiness: readiness,
            service: configuration.service, logger: quiet(logger), admin: admin, modules: modules,
            onServerRunning: { proxy.gatewayIsListening("http://\(host):\($0)") })
    }

    /// Frameworks say at info what concerns only their makers.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}
