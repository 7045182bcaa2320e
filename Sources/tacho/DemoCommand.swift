import ArgumentParser
import Console
import Demo
import Foundation
import Proxy
import Sidecar
import Telemetry

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show everything at work, with no broker and no container.",
        discussion: """
            A shop of three services sends orders through a sidecar: orders -> payments -> shipments. On and on, a \
            consumer dies, a message cannot be processed, the broker is slow, the broker fails; breakers open and close, \
            and tune themselves. It runs until it is interrupted, and then tells what it has shown. Everything is on \
            loopback and in a temporary directory, and nothing is left behind.
            """
    )

    @Option(
        help: ArgumentHelp(
            "Use this Redis instead of the embedded event log; its keys demo-* are removed at the end.",
            valueName: "host:port"))
    var redis: String?

    @Option(
        help: ArgumentHelp(
            "Use this NATS server with JetStream; its streams demo-* are removed at the end.",
            valueName: "host:port"))
    var nats: String?

    @Option(
        help: ArgumentHelp("Where clients connect (default: 127.0.0.1:16379, or a free port).", valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("Where HTTP is (default: 127.0.0.1:9464, or a free port).", valueName: "host:port"))
    var http: String?

    @Option(
        help: ArgumentHelp(
            "Where spans go, or none (default: OTEL_EXPORTER_OTLP_*, else a collector on this machine if there is one).",
            valueName: "url"))
    var otlp: String?

    @Option(
        help: ArgumentHelp(
            "What goes wrong, of \(ShopAccident.allCases.map(\.rawValue).joined(separator: ",")), or none.",
            valueName: "accidents"))
    var accidents = ShopAccident.allCases.map(\.rawValue).joined(separator: ",")

    @Option(help: ArgumentHelp("Seconds between two accidents.", valueName: "seconds"))
    var rest = 8

    @Option(
        help: ArgumentHelp("Seconds for which breakers watch before they act on what they learn.", valueName: "seconds")
    )
    var learn = 15

    func validate() throws { _ = try settings() }

    func run() async throws { try await Demonstration(settings()).run() }

    private func settings() throws -> DemoSettings {
        var settings = DemoSettings()
        guard redis == nil || nats == nil else { throw ValidationError("--redis and --nats exclude each other") }
        if let redis { settings.broker = .server(.redis, try endpoint(redis, "--redis")) }
        if let nats { settings.broker = .server(.nats, try endpoint(nats, "--nats")) }
        guard (0...3_600).contains(rest) else { throw ValidationError("--rest: expected 0 to 3600") }
        settings.accidents =
            try accidents == "none"
            ? []
            : accidents.split(separator: ",").map { word in
                guard let accident = ShopAccident(rawValue: String(word)) else {
                    throw ValidationError("--accidents: '\(word)' is none of them")
                }
                return accident
            }
        (settings.listen, settings.http, settings.otlp, settings.restSeconds) = (listen, http, otlp, rest)
        let environment = ProcessInfo.processInfo.environment
        (settings.environment, settings.style) = (environment, AdminOptions.style)
        settings.isLive = isatty(STDOUT_FILENO) == 1 && environment["TERM"] != "dumb"
        return settings
    }

    private func endpoint(_ text: String, _ flag: String) throws -> Endpoint {
        guard let endpoint = try? Endpoint(parsing: text), case .tcp(_, let port) = endpoint, port > 0 else {
            throw ValidationError("\(flag): expected HOST:PORT of a running server")
        }
        return endpoint
    }
}
