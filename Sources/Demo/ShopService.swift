import Foundation
import Logging
public import Proxy
import ServiceLifecycle
import UnixSignals

/// Part of the demonstration application as a process of its own, for containers: `tacho demo-app`.
public struct ShopService: Sendable {
    /// Which of the services.
    public enum Role: String, Sendable, CaseIterable {
        case checkout
        case payments
        case shipping
    }

    private let role: Role
    private let shop: Shop
    private let endpoint: Endpoint
    private let aliveFile: String?

    private static let tills = 6
    private static let workers = 3
    /// Seconds between two accidents of the application's own.
    private static let accidentSeconds = 45

    /// - Parameter aliveFile: touched while work gets done, for a health check.
    public init(_ role: Role, speaking busProtocol: ShopProtocol, at endpoint: Endpoint, aliveFile: String?) {
        self.role = role
        self.endpoint = endpoint
        self.aliveFile = aliveFile
        shop = Shop(speaking: busProtocol, queues: ShopQueues())
    }

    /// Runs until SIGINT or SIGTERM.
    public func run() async throws {
        try await Stoppable.run { [self] in
            await withTaskGroup(of: Void.self) { group in
                switch role {
                case .checkout: for number in 1...Self.tills { group.addTask { await shop.till(number, at: endpoint) } }
                case .payments:
                    for number in 1...Self.workers { group.addTask { await shop.payments(number, at: endpoint) } }
                case .shipping:
                    for number in 1...Self.workers { group.addTask { await shop.shipping(number, at: endpoint) } }
                }
                group.addTask { await haveAccidents() }
                group.addTask { await showLife() }
            }
        }
    }

    private func haveAccidents() async {
        while (try? await Task.sleep(for: .seconds(Self.accidentSeconds))) != nil {
            switch role {
            case .checkout: shop.orderTheUnreadable()
            case .payments: shop.crashOneConsumer()
            case .shipping: break
            }
        }
    }

    /// Also a call that a breaker has refused is a sign of life.
    private func showLife() async {
        var last = 0
        while (try? await Task.sleep(for: .seconds(2))) != nil {
            let counts = shop.counts
            let sum = counts.placed + counts.refused + counts.failed + counts.paid + counts.shipped
            guard sum != last, let aliveFile else { continue }
            last = sum
            _ = FileManager.default.createFile(atPath: aliveFile, contents: Data("\(sum)\n".utf8))
        }
    }
}

/// The relay with its faults as a process of its own: it stands between a sidecar and its broker, misbehaves now and
/// then, and does what a file says if there is one: `tacho demo-app fault latency` writes it.
public struct FaultService: Sendable {
    private let listen: Endpoint
    private let broker: Endpoint
    private let busProtocol: ShopProtocol
    private let orderFile: String

    /// What is wrong for how long, over and over, while no order was given.
    private static let programme: [(BrokerFault?, Int)] = [(nil, 60), (.latency, 15), (nil, 45), (.errors, 8)]

    /// A relay that is not open yet.
    public init(listen: Endpoint, broker: Endpoint, speaking busProtocol: ShopProtocol, orderFile: String) {
        self.listen = listen
        self.broker = broker
        self.busProtocol = busProtocol
        self.orderFile = orderFile
    }

    /// Runs until SIGINT or SIGTERM.
    public func run() async throws {
        let faults = FaultSwitch()
        let relay = try await FaultRelay.start(
            listen: listen, faults: faults, speaksRedis: busProtocol == .redis,
            connect: FaultRelay.connector(to: broker))
        DemoOutput.print("\(relay.endpoint) -> \(broker)\nready")
        try await Stoppable.run { [self] in await play(faults) }
        await relay.stop()
    }

    private func play(_ faults: FaultSwitch) async {
        var second = 0
        let length = Self.programme.map(\.1).reduce(0, +)
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            second = (second + 1) % length
            let wanted = order ?? Self.programmed(second)
            if wanted != faults.current { DemoOutput.print(wanted?.text ?? "the broker is well") }
            faults.set(wanted)
        }
    }

    /// What the file says: a fault, or nothing wrong; nil without a file.
    private var order: BrokerFault?? {
        guard let text = try? String(contentsOfFile: orderFile, encoding: .utf8) else { return nil }
        return .some(BrokerFault(rawValue: text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private static func programmed(_ second: Int) -> BrokerFault? {
        var rest = second
        for (fault, seconds) in programme {
            if rest < seconds { return fault }
            rest -= seconds
        }
        return nil
    }
}

/// Work that ends when the process is asked to stop.
private struct Stoppable: Service {
    let work: @Sendable () async -> Void

    static func run(_ work: @escaping @Sendable () async -> Void) async throws {
        var logger = Logger(label: "tacho")
        logger.logLevel = .error
        let group = ServiceGroup(
            services: [Stoppable(work: work)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask(operation: work)
            try? await gracefulShutdown()
            group.cancelAll()
        }
    }
}
