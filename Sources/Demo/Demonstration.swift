import Console
import Foundation
import Logging
import NIOCore
import NIOPosix
import Proxy
import ServiceLifecycle
import Sidecar
import Telemetry

/// `tacho demo`: a bus, a sidecar, a shop with three services, accidents, and a view of it all, in one process, until
/// it is interrupted. Everything is on loopback and in a temporary directory, and nothing is left behind.
public struct Demonstration: Sendable {
    private let settings: DemoSettings
    private let shop: Shop
    private let faults = FaultSwitch()

    private static let callTimeoutMilliseconds = 500
    private static let services = ["checkout", "payments", "shipping"]
    private static let tills = 6
    private static let workers = 3

    /// A demonstration that has not begun.
    public init(_ settings: DemoSettings) {
        self.settings = settings
        shop = Shop(
            speaking: settings.busProtocol,
            queues: ShopQueues(prefix: settings.broker == .embedded ? "" : "demo-"))
    }

    /// Runs until SIGINT or SIGTERM.
    ///
    /// - Throws: `ConfigurationFailure` and what keeps the sidecar or the relay from starting.
    public func run() async throws {
        let scratch = try ScratchDirectory()
        defer { scratch.remove() }
        let broker = try await DemoBroker.start(settings.broker, faults: faults, scratch: scratch.path)
        do {
            let configuration = try await configuration(upstream: broker.endpoint, scratch: scratch.path)
            try await Topology.run(
                configuration: configuration, environment: openTelemetryEnvironment,
                companion: { try await play(beside: $0, broker) })
        } catch {
            await broker.stop()
            throw error
        }
        await broker.stop()
    }

    // MARK: The sidecar

    /// Only what concerns the collector: a demonstration is not configured by what its user has set up for real.
    private var openTelemetryEnvironment: [String: String] {
        settings.environment.filter { $0.key.hasPrefix("OTEL_") }
    }

    private func configuration(upstream: Endpoint, scratch: String) async throws -> SidecarConfiguration {
        var given = CommandLineSettings()
        let first = await DemoPorts.address(settings.listen, usual: shop.busProtocol == .redis ? 16_379 : 14_222)
        if shop.busProtocol == .redis {
            given.redis = ["\(first)=\(upstream)"]
        } else {
            given.nats = ["\(first)=\(upstream)"]
        }
        given.values = ["data": scratch, "http": await DemoPorts.address(settings.http, usual: 9_464)]
        if let otlp = settings.otlp {
            given.values["otlp"] = otlp
        } else if !openTelemetryEnvironment.keys.contains(where: { $0.hasPrefix("OTEL_EXPORTER_OTLP") }) {
            given.values["otlp"] = await DemoPorts.isAnswering(4_318) ? "http://localhost:4318" : "none"
        }
        var configuration = try ConfigurationLoader.load(given, environment: openTelemetryEnvironment).configuration
        // A listener for each service, as if each had a sidecar of its own; the first has the address that is asked for.
        configuration.listeners = Self.services.enumerated().map { number, service in
            var listener = configuration.listeners[0]
            (listener.name, listener.service) = (service, service)
            if number > 0 { listener.listen = .tcp(host: "127.0.0.1", port: 0) }
            // The relay between sidecar and broker is the one server there is.
            listener.nats.failover = .off
            return listener
        }
        configuration.resilience.learningSeconds = settings.learningSeconds
        configuration.resilience.callTimeoutMilliseconds = Self.callTimeoutMilliseconds
        configuration.limits.drainSeconds = 2
        // Its news are told in the view; what it says on top would be drawn over.
        configuration.logLevel = .critical
        return configuration
    }

    // MARK: The play

    private func play(beside sidecar: RunningSidecar, _ broker: DemoBroker) async throws {
        guard let http = sidecar.http?.dropFirst("http://".count) else { return }
        let watch = SidecarWatch(AdminClient(try AdminAddress(String(http), environment: [:])))
        let (isLive, style) = (settings.isLive, settings.style)
        let story = DemoStory(clock: { SystemClock.unixNanoseconds() }) { line in
            if !isLive { DemoOutput.print(style.paint("\(line.time)  \(line.text)", line.role)) }
        }
        let board = DemoBoard(watch: watch, shop: shop, story: story)
        let heading = heading(sidecar, broker)
        if !isLive { DemoOutput.print(heading.joined(separator: "\n") + "\nready") }

        try? await withThrowingTaskGroup(of: Void.self) { group in
            hire(&group, at: sidecar.listeners)
            group.addTask { try await board.run() }
            let script = FaultScript(
                accidents: settings.accidents, restSeconds: settings.restSeconds, shop: shop, faults: faults,
                board: board, story: story)
            group.addTask { try await script.run() }
            group.addTask { [self] in try await show(heading, board, story) }
            try? await gracefulShutdown()
            group.cancelAll()
            try await group.waitForAll()
        }
        faults.set(nil)
        let summary = DemoSummary(watch: watch, shop: shop, style: style)
        DemoOutput.print("\n" + (await summary.text()))
        if settings.broker != .embedded {
            try? await shop.busProtocol.connected(to: broker.endpoint, name: "tacho-demo") { [shop] bus in
                try await bus.remove(shop.queues)
            }
        }
    }

    private func hire(_ group: inout ThrowingTaskGroup<Void, any Error>, at doors: [Endpoint]) {
        for number in 1...Self.tills {
            group.addTask { [shop] in await shop.till(number, at: doors[0]) }
        }
        for number in 1...Self.workers {
            group.addTask { [shop] in await shop.payments(number, at: doors[1]) }
            group.addTask { [shop] in await shop.shipping(number, at: doors[2]) }
        }
    }

    private func heading(_ sidecar: RunningSidecar, _ broker: DemoBroker) -> [String] {
        let names = shop.queues
        let door = sidecar.listeners[0]
        let collector =
            switch sidecar.configuration.otlp.endpoint {
            case .url(let url): url
            case .disabled: "none on this machine: traces are kept in memory"
            case nil: "as OTEL_EXPORTER_OTLP_* say"
            }
        return [
            "tacho \(TachographVersion.text) demo: \(names.orders.name) -> \(names.payments.name) -> \(names.shipments)",
            "  \(TerminalText.padded(shop.busProtocol.rawValue, 9)) \(door) -> \(broker.description); connect your own client too",
            "  pages     \(sidecar.http ?? "")/traces and \(sidecar.http ?? "")/metrics",
            "  collector \(collector)",
            "  breakers  learn for \(settings.learningSeconds) s here, not for 300; Ctrl-C ends with a summary",
        ]
    }

    /// A frame twice a second, or a line every ten.
    private func show(_ heading: [String], _ board: DemoBoard, _ story: DemoStory) async throws {
        let terminal = LiveTerminal()
        let clock = ContinuousClock()
        let began = clock.now
        while true {
            try await Task.sleep(for: settings.isLive ? .milliseconds(500) : .seconds(10))
            let seconds = Int((clock.now - began).components.seconds)
            let counts = shop.counts
            if settings.isLive {
                let frame = DemoFrame(
                    heading: heading, seconds: seconds, counts: counts, board: board.snapshot, fault: faults.current,
                    story: story.last(10), style: settings.style, width: LiveTerminal.size.columns)
                terminal.draw(frame.lines)
            } else {
                let rate = Int(board.snapshot.ordersPerSecond.rounded())
                story.tell("\(counts.placed) orders (\(rate)/s), \(counts.shipped) shipped, \(counts.refused) refused")
            }
        }
    }
}

/// Lines at once, also into a pipe.
enum DemoOutput {
    static func print(_ text: String) {
        Swift.print(text)
        fflush(nil)
    }
}
