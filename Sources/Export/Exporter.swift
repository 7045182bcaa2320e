public import Logging
public import ServiceLifecycle
public import Telemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Takes spans from event loops and sends them to an OTLP/HTTP receiver, on a thread of its own.
///
/// Spans go into `queue`, which is also where their accounting is read. With no endpoint configured the queue counts
/// every span as dropped because exporting is disabled, and no thread is started.
public final class Exporter: Service {
    /// Give this to whatever finishes spans.
    public let queue: SpanQueue

    private let configuration: ExportConfiguration
    private let names: NameTable
    private let catalog: SpanCatalog
    private let logger: Logger
    private let clock: ExportClock
    private let observe: @Sendable (ExportObservation) -> Void

    /// - Parameter observe: Called on the export thread after each attempt; it must not block.
    /// - Throws: When the configuration cannot work, before anything is started.
    public convenience init(
        configuration: ExportConfiguration, names: NameTable, catalog: SpanCatalog, logger: Logger,
        observe: @escaping @Sendable (ExportObservation) -> Void = { _ in }
    ) throws(ExportSetupError) {
        try self.init(
            configuration: configuration, names: names, catalog: catalog, logger: logger, clock: .system,
            observe: observe)
    }

    package init(
        configuration: ExportConfiguration, names: NameTable, catalog: SpanCatalog, logger: Logger,
        clock: ExportClock, observe: @escaping @Sendable (ExportObservation) -> Void = { _ in }
    ) throws(ExportSetupError) {
        try configuration.validate()
        self.configuration = configuration
        self.names = names
        self.catalog = catalog
        self.logger = logger
        self.clock = clock
        self.observe = observe
        queue = SpanQueue(capacity: configuration.queueCapacity, isEnabled: configuration.endpoint != nil)
    }

    /// Exports until the service group shuts down, then sends what waits, for at most the drain timeout. A cancelled
    /// task does not wait. May be called once.
    public func run() async throws {
        let thread = configuration.endpoint == nil ? nil : WorkerThread { self.work() }
        // Throws when the task is cancelled, which ends the work as well.
        try? await gracefulShutdown()
        let patience = Task.isCancelled ? 0 : UInt64(configuration.drainTimeoutMilliseconds) * 1_000_000
        queue.beginDrain(deadline: clock.now() + patience)
        await thread?.waitForEnd()
        queue.close()
    }

    private func work() {
        var worker = ExportWorker(
            configuration: configuration, queue: queue, names: names, catalog: catalog, clock: clock, logger: logger,
            observe: observe)
        worker.run()
    }
}

/// A configuration that cannot work, with what is wrong and what to do.
public struct ExportSetupError: Error, Equatable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: Sendable, Equatable {
        case endpoint
        case header
        case file
        case limit
    }

    /// What is wrong, for programs.
    public let code: Code
    /// What is wrong and what was expected, for people. Holds no secret.
    public let description: String
}

extension ExportConfiguration {
    /// Checks everything that can be checked without the receiver.
    public func validate() throws(ExportSetupError) {
        guard let endpoint else { return }
        guard OTLPEndpoint.traces(at: endpoint) != nil else {
            throw ExportSetupError(
                code: .endpoint,
                description: "the OTLP endpoint must begin with http:// or https:// and name a host, "
                    + "as in \(OTLPEndpoint.standard)")
        }
        for field in headers where !HeaderField.isValidName(field.name) || !HeaderField.isValidValue(field.value) {
            throw ExportSetupError(
                code: .header,
                description: "an OTLP header has a name or value that HTTP does not permit; "
                    + "names are tokens, values have no control characters")
        }
        for file in [tlsFiles.authorities, tlsFiles.clientCertificate, tlsFiles.clientKey] where !file.isEmpty {
            guard access(file, R_OK) == 0 else {
                throw ExportSetupError(
                    code: .file,
                    description: "the file \(file) for the OTLP endpoint cannot be read; check path and rights")
            }
        }
        let limits = [
            ("queue capacity", queueCapacity, 1 << 24), ("batch size", batchSize, 1 << 20),
            ("request timeout", requestTimeoutMilliseconds, 86_400_000),
            ("schedule delay", scheduleDelayMilliseconds, 86_400_000),
            ("drain timeout", drainTimeoutMilliseconds, 86_400_000),
            ("request size", requestBytesMax, Self.requestBytesLimit),
        ]
        for (name, value, maximum) in limits where !(1...maximum).contains(value) {
            throw ExportSetupError(
                code: .limit, description: "the export \(name) is \(value); expected 1 to \(maximum)")
        }
    }
}
