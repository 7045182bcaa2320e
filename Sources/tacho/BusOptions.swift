import ArgumentParser
import Console
import Proxy

/// Which bus to use, and how to show what it says.
struct BusOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A redis listener of a running sidecar, or a Redis (default 127.0.0.1:16379).", valueName: "host:port"))
    var bus: String?

    @OptionGroup var format: OutputOptions

    func validate() throws {
        do throws(AdminError) {
            _ = try BusAddress.endpoint(bus)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    var view: EventView { EventView(asJSON: format.output == .json) }

    func connected(_ body: (inout BusClient) async throws -> Void) async throws {
        try await BusClient.connected(to: try BusAddress.endpoint(bus), body)
    }
}

extension BusClient {
    /// The names of all streams that fit a glob, in order.
    mutating func streams(_ pattern: String?) async throws -> [String] {
        var names: [String] = []
        var cursor = "0"
        repeat {
            let match = pattern.map { ["MATCH", $0] } ?? []
            let reply = try await call(["SCAN", cursor, "COUNT", "500", "TYPE", "stream"] + match)
            names += reply.elements.last?.elements.compactMap(\.text) ?? []
            cursor = reply.elements.first?.text ?? "0"
        } while cursor != "0"
        return names.sorted()
    }
}
