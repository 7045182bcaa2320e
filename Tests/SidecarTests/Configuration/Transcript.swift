@testable import Sidecar

/// Loads a configuration from values: the file is the text given here, under the name tacho.yaml.
func load(
    _ file: String? = nil, environment: [String: String] = [:], redis: [String] = [], kafka: [String] = [],
    flags: [String: String] = [:]
) throws(ConfigurationFailure) -> ResolvedConfiguration {
    var settings = CommandLineSettings()
    settings.file = file == nil ? nil : "tacho.yaml"
    settings.redis = redis
    settings.kafka = kafka
    settings.values = flags
    return try ConfigurationLoader.load(settings, environment: environment) { name in
        name == "tacho.yaml" ? file : nil
    }
}

/// The lines an operator reads when the same settings are wrong; empty when they are good.
func complaints(
    _ file: String? = nil, environment: [String: String] = [:], redis: [String] = [], kafka: [String] = [],
    flags: [String: String] = [:]
) -> [String] {
    do {
        _ = try load(file, environment: environment, redis: redis, kafka: kafka, flags: flags)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}
