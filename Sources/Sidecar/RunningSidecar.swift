public import Proxy
import ServiceLifecycle
import Telemetry

/// A sidecar that has opened all its doors: where they really are.
public struct RunningSidecar: Sendable {
    /// What it was told.
    public let configuration: SidecarConfiguration
    /// Where each listener is, in the order of the configuration; a port that the system chose is known here.
    public let listeners: [Endpoint]
    /// The base URL of its HTTP server; nil when there is none.
    public let http: String?

    /// For people, and for programs that wait for the word `ready`.
    var announcement: String {
        var lines = ["tacho \(TachographVersion.text)"]
        for (listener, address) in zip(configuration.listeners, listeners) {
            let name = listener.busProtocol.rawValue
            let padding = String(repeating: " ", count: max(1, 8 - name.count))
            lines.append("  \(name)\(padding)\(address) -> \(listener.upstream)")
        }
        if let http { lines.append("  http    \(http)/metrics") }
        return (lines + ["ready"]).joined(separator: "\n")
    }
}

/// What runs beside a sidecar in the same process: it begins when everything listens, and is asked to end before
/// anything else is. When it returns by itself, the sidecar drains.
public typealias SidecarCompanion = @Sendable (RunningSidecar) async throws -> Void

/// Waits for the sidecar, then lets the companion run.
struct CompanionService: Service {
    let running: AsyncStream<RunningSidecar>
    let companion: SidecarCompanion

    func run() async throws {
        for await sidecar in running.cancelOnGracefulShutdown() { return try await companion(sidecar) }
    }
}
