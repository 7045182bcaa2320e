import Export
import Logging
import ServiceLifecycle
import Telemetry
import TestSupport
import Testing

@Suite("Exporter as a service")
struct ExporterTests {
    let world = SpanWorld()

    private func exporter(
        _ endpoint: String?, _ configure: (inout ExportConfiguration) -> Void = { _ in }
    ) throws -> Exporter {
        var configuration = world.configuration
        configuration.endpoint = endpoint
        configure(&configuration)
        return try Exporter(
            configuration: configuration, names: world.names, catalog: world.catalog, logger: CollectedLog().logger)
    }

    private func offer(_ count: Int, to exporter: Exporter) {
        var batch = world.records(count)
        exporter.queue.offer(&batch)
    }

    /// Runs `body` beside the exporter and shuts down gracefully after it.
    private func run(_ exporter: Exporter, _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(services: [exporter], logger: CollectedLog().logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test("What waits at a shutdown is sent before the end")
    func drain() async throws {
        try await ScriptedReceiver.with([.answer(503)]) { receiver in
            // Only the shutdown can be what sends them; its first attempt fails and is repeated.
            let exporter = try exporter(receiver.endpoint) {
                $0.scheduleDelayMilliseconds = 3_600_000
                $0.retry.initialDelayMilliseconds = 1
            }
            try await run(exporter) { offer(1_000, to: exporter) }
            #expect(exporter.queue.snapshot().exported == 1_000)
            offer(7, to: exporter)
            #expect(exporter.queue.snapshot().dropped(.shutdown) == 7)
            #expect(exporter.queue.snapshot().isBalanced)
        }
    }

    @Test("A shutdown does not wait for a receiver that is not there")
    func drainWithoutReceiver() async throws {
        let port = try #require(DeafPort())
        let exporter = try exporter("http://127.0.0.1:\(port.number)/v1/traces") { $0.batchSize = 10 }
        try await run(exporter) { offer(95, to: exporter) }
        let ledger = exporter.queue.snapshot()
        #expect(ledger.dropped(.shutdown) == 95)
        #expect(ledger.isBalanced)
        withExtendedLifetime(port) {}
    }

    @Test("A shutdown gives up on a receiver that stays silent")
    func drainWithSilentReceiver() async throws {
        try await ScriptedReceiver.with([.silence, .silence]) { receiver in
            let exporter = try exporter(receiver.endpoint) {
                $0.drainTimeoutMilliseconds = 200
                $0.batchSize = 10
            }
            try await run(exporter) { offer(95, to: exporter) }
            let ledger = exporter.queue.snapshot()
            #expect(ledger.dropped(.shutdown) == 95)
            #expect(ledger.isBalanced)
        }
    }

    @Test("A flush sends without waiting for the schedule")
    func flush() async throws {
        try await ScriptedReceiver.with { receiver in
            let exporter = try exporter(receiver.endpoint) { $0.scheduleDelayMilliseconds = 3_600_000 }
            try await run(exporter) {
                offer(5, to: exporter)
                exporter.queue.flush()
                while exporter.queue.snapshot().exported < 5 { await Task.yield() }
            }
            #expect(receiver.requests.count == 1)
        }
    }

    @Test("A cancelled task ends without a drain")
    func cancelled() async throws {
        try await ScriptedReceiver.with([.silence]) { receiver in
            let exporter = try exporter(receiver.endpoint) { $0.scheduleDelayMilliseconds = 3_600_000 }
            let task = Task { try await exporter.run() }
            offer(3, to: exporter)
            task.cancel()
            try await task.value
            #expect(exporter.queue.snapshot().dropped(.shutdown) == 3)
        }
    }

    @Test("Without an endpoint spans are counted as dropped because exporting is disabled")
    func disabled() async throws {
        let exporter = try exporter(nil)
        try await run(exporter) { offer(3, to: exporter) }
        let ledger = exporter.queue.snapshot()
        #expect(ledger.sampled == 3 && ledger.dropped(.disabled) == 3)
    }

    @Test("A configuration that cannot work is refused before anything starts")
    func refused() {
        #expect(setupErrorCode("grpc://h") { _ in } == .endpoint)
        #expect(setupErrorCode("http://h") { $0.headers = [HeaderField(name: "a b", value: "")] } == .header)
        #expect(setupErrorCode("http://h") { $0.headers = [HeaderField(name: "a", value: "b\r\nc")] } == .header)
        #expect(setupErrorCode("http://h") { $0.tlsFiles.authorities = "/nowhere/ca.pem" } == .file)
        #expect(setupErrorCode("http://h") { $0.queueCapacity = 0 } == .limit)
        #expect(setupErrorCode("http://h") { $0.requestBytesMax = 65 << 20 } == .limit)
        #expect(setupErrorCode("http://h") { _ in } == nil)
    }

    private func setupErrorCode(
        _ endpoint: String, _ configure: (inout ExportConfiguration) -> Void
    ) -> ExportSetupError.Code? {
        do {
            _ = try exporter(endpoint, configure)
            return nil
        } catch {
            return (error as? ExportSetupError)?.code
        }
    }
}
