import EventLog
import NIOCore
import Proxy

/// The bus of a demonstration with the relay before it: what the sidecar takes for its broker.
struct DemoBroker {
    private let relay: FaultRelay
    private let log: DurableLog?
    /// For people.
    let description: String

    var endpoint: Endpoint { relay.endpoint }

    static func start(_ broker: DemoSettings.Broker, faults: FaultSwitch, scratch: String) async throws -> DemoBroker {
        switch broker {
        case .embedded:
            let log = try DurableLog(directory: scratch + "/events") { Int64(clamping: unixMilliseconds()) }
            let redis = EmbeddedRedis(store: log) { unixMilliseconds() }
            do {
                let relay = try await FaultRelay.start(faults: faults, speaksRedis: true) { redis.connect(on: $0) }
                return DemoBroker(relay: relay, log: log, description: "an embedded event log")
            } catch {
                log.close()
                throw error
            }
        case .server(let busProtocol, let endpoint):
            let relay = try await FaultRelay.start(
                faults: faults, speaksRedis: busProtocol == .redis, connect: FaultRelay.connector(to: endpoint))
            return DemoBroker(relay: relay, log: nil, description: "\(endpoint)")
        }
    }

    func stop() async {
        await relay.stop()
        log?.close()
    }

    private static func unixMilliseconds() -> UInt64 { SystemClock.unixNanoseconds() / 1_000_000 }
}
