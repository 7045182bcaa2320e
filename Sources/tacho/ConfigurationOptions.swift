import ArgumentParser
import Foundation
import Sidecar

/// The flags that say what to run; the same for `run` and `check`.
struct ConfigurationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read settings from this YAML file (also TACHO_CONFIG).", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Proxy a Redis: HOST:PORT, PORT or unix:PATH to listen on and to connect to, or embedded for the event log of "
                + "this process. Repeatable.",
            valueName: "listen=upstream"))
    var redis: [String] = []

    @Option(
        help: ArgumentHelp("Proxy a NATS server, in the same form. Repeatable.", valueName: "listen=upstream"))
    var nats: [String] = []

    @Option(help: ArgumentHelp("Proxy a Kafka broker. Not available in this version.", valueName: "listen=upstream"))
    var kafka: [String] = []

    @Option(help: setting("http", "host:port|none"))
    var http: String?

    @Option(help: setting("otlp", "url|none"))
    var otlp: String?

    @Option(help: setting("service", "name"))
    var service: String?

    @Option(help: setting("data", "dir"))
    var data: String?

    @Option(help: setting("log-level", "level"))
    var logLevel: String?

    /// The configuration that these flags, the file and the environment amount to.
    func load() throws(ConfigurationFailure) -> ResolvedConfiguration {
        var settings = CommandLineSettings()
        settings.file = config
        settings.redis = redis
        settings.nats = nats
        settings.kafka = kafka
        let values = ["http": http, "otlp": otlp, "service": service, "data": data, "log-level": logLevel]
        settings.values = values.compactMapValues { $0 }
        return try ConfigurationLoader.load(settings, environment: ProcessInfo.processInfo.environment)
    }

    private static func setting(_ flag: String, _ valueName: String) -> ArgumentHelp {
        ArgumentHelp(ConfigurationReference.help(forFlag: flag), valueName: valueName)
    }
}
