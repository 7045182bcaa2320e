import Foundation
import Logging

/// What the command line says about the configuration; nil and empty = not said.
public struct CommandLineSettings: Sendable, Equatable {
    /// `--config`
    public var file: String?
    /// `--redis`, each `LISTEN=UPSTREAM`
    public var redis: [String] = []
    /// `--nats`, each `LISTEN=UPSTREAM`
    public var nats: [String] = []
    /// `--kafka`, each `LISTEN=UPSTREAM`
    public var kafka: [String] = []
    /// The other settings by the name of their flag without dashes: `http`, `otlp`, `service`, `data`, `log-level`.
    public var values: [String: String] = [:]

    /// Nothing said.
    public init() {}
}

/// A configuration with the place each setting came from.
public struct ResolvedConfiguration: Sendable, Equatable {
    /// The checked configuration.
    public var configuration: SidecarConfiguration
    /// By key path, where a setting is not the default.
    public var origins: [String: ConfigurationOrigin]
    /// The same for each listener.
    public var listenerOrigins: [[String: ConfigurationOrigin]]

    /// What the operator should know at the start although nothing is wrong, one line each.
    public var notices: [String]

    /// Puts the notices into the log.
    public func logNotices(to output: LogOutput) {
        let logger = output.logger(level: configuration.logLevel)
        for notice in notices { logger.notice("\(notice)") }
    }
}

/// Puts the layers over each other: defaults, `OTEL_*`, file, `TACHO_*`, command line.
///
/// A later layer replaces single values; of listeners it replaces all those of a protocol that it names.
public enum ConfigurationLoader {
    /// More is not a configuration file.
    static let fileBytesMaximum = 1_048_576

    /// The configuration, or every problem in it at once. The file is read with `readFile`, which gives nil when the
    /// file cannot be read.
    public static func load(
        _ commandLine: CommandLineSettings, environment: [String: String],
        readFile: (String) -> String? = ConfigurationLoader.contents
    ) throws(ConfigurationFailure) -> ResolvedConfiguration {
        let environment = ConfigurationEnvironment(environment)
        var draft = ConfigurationDraft()
        environment.readDefaults(into: &draft)
        if let name = commandLine.file ?? environment.variables[ConfigurationKeys.fileVariable] {
            if let text = readFile(name) {
                ConfigurationFile(name: name).read(text, into: &draft)
            } else {
                let origin =
                    commandLine.file == nil
                    ? .variable(ConfigurationKeys.fileVariable) : ConfigurationOrigin.flag("--config")
                draft.report("\(name) is not readable as a UTF-8 file of at most \(fileBytesMaximum) bytes", at: origin)
                throw ConfigurationFailure(problems: draft.problems)
            }
        }
        environment.read(into: &draft)
        for (name, texts) in [("redis", commandLine.redis), ("nats", commandLine.nats), ("kafka", commandLine.kafka)]
        where !texts.isEmpty {
            draft.replaceListeners(of: name, with: texts, from: .flag("--\(name)"))
        }
        environment.refineListeners(in: &draft)
        environment.readRules(into: &draft)
        for key in ConfigurationKeys.process.keys {
            guard let flag = key.flag, let text = commandLine.values[flag] else { continue }
            draft.set(key, to: text, from: .flag("--\(flag)"))
        }
        return try draft.finished()
    }

    /// The text of a file, nil when it cannot be read, is too large or is not UTF-8.
    public static func contents(ofFile path: String) -> String? {
        guard let handle = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? handle.close() }
        // Reading an empty file gives no data at all.
        guard let data = try? handle.read(upToCount: fileBytesMaximum + 1) ?? Data(),
            data.count <= fileBytesMaximum
        else { return nil }
        return String(data: data, encoding: .utf8)
    }
}
