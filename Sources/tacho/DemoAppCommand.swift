public import ArgumentParser
public import Demo
import Foundation
import Proxy
import Sidecar

/// The parts of the demonstration application one by one, for `docker-compose.yml`.
struct DemoAppCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-app", abstract: "Run a part of the demonstration application.", shouldDisplay: false,
        subcommands: [ServiceCommand.self, FaultsCommand.self, FaultCommand.self])

    /// Where the order of `fault` lies.
    static let orderFile = "/tmp/tacho-demo-fault"

    static func endpoint(_ text: String, _ flag: String) throws -> Endpoint {
        guard let endpoint = try? Endpoint(parsing: text) else {
            throw ValidationError("\(flag): expected HOST:PORT")
        }
        return endpoint
    }

    struct ServiceCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "service", abstract: "Run one of the services.")

        @Argument(help: "checkout, payments or shipping.")
        var role: ShopService.Role

        @Option(help: "redis or nats.")
        var bus: ShopProtocol

        @Option(help: ArgumentHelp("The service's sidecar.", valueName: "host:port"))
        var at: String

        @Option(help: ArgumentHelp("Touch this file while work gets done.", valueName: "file"))
        var alive: String?

        func run() async throws {
            try await ShopService(role, speaking: bus, at: DemoAppCommand.endpoint(at, "--at"), aliveFile: alive).run()
        }
    }

    struct FaultsCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "faults", abstract: "Stand before a broker, and misbehave now and then.")

        @Option(help: "redis or nats.")
        var bus: ShopProtocol

        @Option(help: ArgumentHelp("Where the sidecar connects.", valueName: "host:port"))
        var listen: String

        @Option(
            help: ArgumentHelp(
                "The host of the broker, on its protocol's usual port unless one is given.", valueName: "host"))
        var broker: String

        func run() async throws {
            let address = broker.contains(":") ? broker : "\(broker):\(bus == .redis ? 6379 : 4222)"
            try await FaultService(
                listen: DemoAppCommand.endpoint(listen, "--listen"),
                broker: DemoAppCommand.endpoint(address, "--broker"),
                speaking: bus, orderFile: DemoAppCommand.orderFile
            ).run()
        }
    }

    struct FaultCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fault", abstract: "Order a fault of the broker, none, or the programme again.")

        @Argument(help: "latency, errors, none or programme.")
        var order: Order

        enum Order: String, ExpressibleByArgument, CaseIterable {
            case latency, errors, none, programme
        }

        func run() throws {
            if order == .programme {
                try? FileManager.default.removeItem(atPath: DemoAppCommand.orderFile)
            } else {
                try Data(order.rawValue.utf8).write(to: URL(fileURLWithPath: DemoAppCommand.orderFile))
            }
        }
    }
}

extension ShopService.Role: ExpressibleByArgument {}
extension ShopProtocol: ExpressibleByArgument {}
