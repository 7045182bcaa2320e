import Foundation
import Pipeline
import Proxy
import Resilience

/// What would run, for people and for programs.
public struct ConfigurationReport {
    private let resolved: ResolvedConfiguration

    /// A report on a loaded configuration.
    public init(_ resolved: ResolvedConfiguration) { self.resolved = resolved }

    /// Listeners first, then every setting with the place it came from, then the notices.
    public var text: String {
        let configuration = resolved.configuration
        var lines = configuration.listeners.map { listener in
            let context = "inject \(listener.context.inject.rawValue), deliver \(listener.context.deliver.rawValue)"
            return "listener \(listener.name): \(listener.busProtocol.rawValue) "
                + "\(listener.listen) -> \(listener.upstream)\(Self.secondary(listener)) "
                + "(context: \(context)\(Self.encryption(listener.tls)))"
        }
        for key in ConfigurationKeys.process.keys {
            let value = key.show(configuration).text ?? (key.defaultNote ?? "not set").replacing("`", with: "")
            lines.append("\(key.path) = \(value)  (\(resolved.origins[key.path] ?? .builtIn))")
        }
        for (index, rule) in configuration.resilience.rules.enumerated() {
            let place = rule.listener.map { " behind \($0)" } ?? ""
            let plan = ValueSyntax.fallback.show(rule.onOpen).text ?? ""
            lines.append("\(ConfigurationKeys.rulesPath)[\(index)]: \(rule.destination)\(place): on_open \(plan)")
        }
        return (lines + resolved.notices.map { "notice: \($0)" }).joined(separator: "\n")
    }

    /// An object: `valid` true, `configuration` in the shape of the file, `origins` by key path, `notices`.
    public var json: String {
        var root: [String: Any] = [:]
        for key in ConfigurationKeys.process.keys {
            Self.insert(
                Self.object(key.show(resolved.configuration)), at: key.path.split(separator: ".")[...], in: &root)
        }
        root[ConfigurationKeys.listenersPath] = resolved.configuration.listeners.map { listener in
            let draft = ListenerDraft(
                name: listener.name, service: listener.service, busProtocol: listener.busProtocol,
                listen: listener.listen,
                upstream: listener.upstream, context: listener.context, tls: listener.tls, nats: listener.nats,
                credentials: listener.credentials, secondary: listener.secondary)
            var item: [String: Any] = [:]
            for key in ConfigurationKeys.listener.keys {
                Self.insert(Self.object(key.show(draft)), at: key.path.split(separator: ".")[...], in: &item)
            }
            return item
        }
        let rules = resolved.configuration.resilience.rules.map { rule in
            let draft = ResilienceRuleDraft(
                destination: rule.destination, listener: rule.listener, onOpen: rule.onOpen)
            var item: [String: Any] = [:]
            for key in ConfigurationKeys.rule.keys { item[key.path] = Self.object(key.show(draft)) }
            return item
        }
        Self.insert(rules, at: ConfigurationKeys.rulesPath.split(separator: ".")[...], in: &root)
        let origins = resolved.origins.mapValues(\.description)
        return Self.rendered([
            "valid": true, "configuration": root, "origins": origins, "notices": resolved.notices,
        ])
    }

    /// An object: `valid` false, `problems` as a list of objects with `message` and, where known, `path`, `file`,
    /// `line`, `column`, `variable` or `flag`.
    public static func json(_ failure: ConfigurationFailure) -> String {
        let problems = failure.problems.map { problem in
            var item: [String: Any] = ["message": problem.message]
            item["path"] = problem.path
            switch problem.origin {
            case .file(let name, let line, let column):
                item.merge(["file": name, "line": line, "column": column]) { $1 }
            case .variable(let name): item["variable"] = name
            case .flag(let name): item["flag"] = name
            case .builtIn, nil: break
            }
            return item
        }
        return rendered(["valid": false, "problems": problems])
    }

    /// Said only where there is one.
    private static func secondary(_ listener: ListenerConfiguration) -> String {
        guard let address = listener.secondary.address else { return "" }
        return ", else \(address)\(listener.secondary.tls.mode == .off ? "" : " over TLS")"
    }

    /// Said only where something is encrypted.
    private static func encryption(_ tls: ListenerTLSConfiguration) -> String {
        guard tls != ListenerTLSConfiguration() else { return "" }
        let upstream =
            tls.upstream.mode == .off ? "off" : "\(tls.upstream.mode.rawValue), verify \(tls.upstream.verify.rawValue)"
        return "; tls: listen \(tls.listen.mode.rawValue), upstream \(upstream)"
    }

    private static func object(_ value: ConfigurationValue) -> Any {
        switch value {
        case .text(let text): text
        case .number(let number): number
        case .real(let number): number
        case .unset: NSNull()
        }
    }

    private static func insert(_ value: Any, at path: ArraySlice<Substring>, in object: inout [String: Any]) {
        guard let name = path.first.map(String.init) else { return }
        guard path.count > 1 else { return object[name] = value }
        var inner = object[name] as? [String: Any] ?? [:]
        insert(value, at: path.dropFirst(), in: &inner)
        object[name] = inner
    }

    private static func rendered(_ object: [String: Any]) -> String {
        let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? JSONSerialization.data(withJSONObject: object, options: options) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}
