import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOPosix
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing

@testable import Gateway

@Suite("Service")
struct ServiceTests {
    private static let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private func service(
        _ configuration: GatewayConfiguration, onServerRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> GatewayService {
        GatewayService(
            configuration: configuration, registry: MetricsRegistry(), readiness: Readiness(), service: "shop",
            logger: Self.quiet,
            onServerRunning: onServerRunning)
    }

    @Test func servesOverASocket() async throws {
        let application = service(GatewayConfiguration(port: 0)).application(on: MultiThreadedEventLoopGroup.singleton)
        try await application.test(.live) { client in
            try await client.execute(uri: "/healthz", method: .get) { response in
                #expect(response.status == .ok)
            }
        }
    }

    /// A second server on the port of the first says so; graceful shutdown ends the first.
    @Test func aTakenPortIsAClearErrorAndShutdownEndsTheService() async throws {
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        let group = ServiceGroup(
            services: [service(GatewayConfiguration(port: 0)) { found.yield($0) }], logger: Self.quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let port = try #require(await ports.first { _ in true })
            #expect(port > 0)
            let error = await #expect(throws: GatewayError.self) {
                try await service(GatewayConfiguration(port: port)).run()
            }
            #expect(error?.code == .addressInUse)
            #expect(
                error.map(String.init(describing:))
                    == "cannot listen on 127.0.0.1:\(port): address in use; choose another address with --http HOST:PORT"
            )
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test func otherReasonsNotToListen() async throws {
        let foreign = await #expect(throws: GatewayError.self) {
            try await service(GatewayConfiguration(host: "203.0.113.1", port: 0)).run()
        }
        #expect(foreign?.code == .addressNotAvailable)
        let unknown = await #expect(throws: GatewayError.self) {
            try await service(GatewayConfiguration(host: "no-such-host.invalid", port: 9464)).run()
        }
        #expect(unknown?.code == .unknownHost)
        #expect(
            unknown.map(String.init(describing:))
                == "cannot listen on no-such-host.invalid:9464: unknown host; choose another address with --http HOST:PORT"
        )
    }
}

@Suite("Process statistics")
struct ProcessStatisticsTests {
    @Test func fieldsAreCountedFromTheEndOfTheName() {
        let line =
            "42 (odd) name) 1 S) S 1 42 42 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 3 0 777 1000000 888 18446744073709551615 1"
        let status = ProcessStatus(parsing: Array(line.utf8))
        #expect(status?.startTicks == 777)
        #expect(status?.residentPages == 888)
        #expect(ProcessStatus(parsing: []) == nil)
        #expect(ProcessStatus(parsing: Array("42 (name) S 1 2 3".utf8)) == nil)
    }

    @Test func thisProcess() throws {
        let registry = MetricsRegistry()
        ProcessStatistics().register(in: registry)
        var values: [String: Double] = [:]
        for line in String(decoding: registry.render(.prometheusText), as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ")
            if !line.hasPrefix("#") { values[String(parts[0])] = Double(parts[1]) }
        }
        #expect(
            values.keys.sorted() == [
                "process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes",
                "process_start_time_seconds",
            ])
        #expect(values["process_cpu_seconds_total"]! > 0)
        #expect(values["process_open_fds"]! >= 3)
        #expect(values["process_resident_memory_bytes"]! > 1_000_000)
        let age = Double(time(nil)) - values["process_start_time_seconds"]!
        #expect(age > -2 && age < 3600)
    }
}
