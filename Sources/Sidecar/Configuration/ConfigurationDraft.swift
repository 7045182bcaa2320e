import Proxy
import Resilience

/// The configuration while its layers are read: defaults, file, environment, command line, each over the one before.
///
/// A layer never stops at a mistake: everything that is wrong is reported at once, at the place where it is written.
struct ConfigurationDraft {
    var configuration = SidecarConfiguration()
    /// Where each key of the process got its value; absent = default.
    var origins: [String: ConfigurationOrigin] = [:]
    var listeners: [ListenerDraft] = []
    var rules: [ResilienceRuleDraft] = []
    var problems: [ConfigurationProblem] = []
    /// What the operator should know although nothing is wrong, one line each.
    var notices: [String] = []
    /// Whether any layer spoke of listeners, or could not be read: then their absence follows from another problem.
    var mentionsListeners = false

    mutating func report(_ message: String, at origin: ConfigurationOrigin?, path: String? = nil) {
        problems.append(ConfigurationProblem(origin: origin, path: path, message: message))
    }

    /// Sets one key of the process from its text.
    mutating func set(_ key: ConfigurationKey<SidecarConfiguration>, to text: String, from origin: ConfigurationOrigin)
    {
        do throws(ValueRejection) {
            try key.set(&configuration, text)
            origins[key.path] = origin
        } catch {
            report(error.reason, at: origin, path: key.path)
        }
    }

    /// Sets one key of an item of a list from its text.
    mutating func set<Item>(
        _ key: ConfigurationKey<Item>, to text: String, from origin: ConfigurationOrigin, item index: Int,
        of list: ConfigurationList<Item>
    ) {
        self[keyPath: list.items][index].origins[key.path] = origin
        do throws(ValueRejection) {
            try key.set(&self[keyPath: list.items][index], text)
        } catch {
            report(error.reason, at: origin, path: "\(list.path(index)).\(key.path)")
        }
    }

    /// Replaces the listeners of one protocol by those of a later layer, each written as `LISTEN=UPSTREAM`.
    ///
    /// A unix path to listen on ends at the first `=`.
    mutating func replaceListeners(of protocolName: String, with texts: [String], from origin: ConfigurationOrigin) {
        mentionsListeners = true
        guard let busProtocol = BusProtocol(rawValue: protocolName) else {
            let available = BusProtocol.allCases.map(\.rawValue).joined(separator: ", ")
            return report("\(protocolName) is not available in this version; available: \(available)", at: origin)
        }
        listeners.removeAll { $0.busProtocol == busProtocol }
        for text in texts {
            guard let equals = text.firstIndex(of: "=") else {
                let rejection = ValueRejection(
                    expected: "LISTEN=UPSTREAM, such as 16379=127.0.0.1:6379", found: text)
                report(rejection.reason, at: origin)
                continue
            }
            listeners.append(ListenerDraft(busProtocol: busProtocol, origin: origin))
            let values = ["listen": text[..<equals], "upstream": text[text.index(after: equals)...]]
            for key in ConfigurationKeys.listener.keys {
                guard let value = values[key.path] else { continue }
                set(key, to: String(value), from: origin, item: listeners.count - 1, of: .listeners)
            }
        }
    }

    /// The checked configuration, or everything that is wrong with it.
    consuming func finished() throws(ConfigurationFailure) -> ResolvedConfiguration {
        if listeners.isEmpty, !mentionsListeners, problems.isEmpty { listeners = [.embedded] }
        for (index, draft) in listeners.enumerated() { finish(draft, at: index) }
        if let http = configuration.httpListen {
            for (index, draft) in listeners.enumerated() where draft.listen?.collides(with: http) == true {
                report(
                    "listens on \(http), and so does HTTP; give one of them another port",
                    at: draft.origins["listen"], path: "\(ConfigurationKeys.listenersPath)[\(index)].listen")
            }
        }
        if listeners.isEmpty, problems.isEmpty {
            report(
                "nothing to listen on; give at least one --redis LISTEN=UPSTREAM, such as --redis 16379=6379", at: nil)
        }
        for parameter in configuration.resilience.contradictions {
            let path = "resilience.min.\(parameter.name)"
            report(
                "is above resilience.max.\(parameter.name); lower it, or raise that",
                at: origins[path] ?? origins["resilience.max.\(parameter.name)"], path: path)
        }
        let resilience = configuration.resilience
        if resilience.bulkheadMax > 0, resilience.bulkheadMin > resilience.bulkheadMax {
            report(
                "is above resilience.bulkhead.max; lower it, or raise that",
                at: origins["resilience.bulkhead.min"] ?? origins["resilience.bulkhead.max"],
                path: "resilience.bulkhead.min")
        }
        checkDeadLetters()
        finishRules()
        checkFallback()
        guard problems.isEmpty else { throw ConfigurationFailure(problems: problems) }
        noticeOpenDoors()
        return ResolvedConfiguration(
            configuration: configuration, origins: origins, listenerOrigins: listeners.map(\.origins),
            notices: notices)
    }

    /// JetStream counts deliveries itself and stops at `max_deliver`; we cannot keep a message for it that we have not read.
    private mutating func checkDeadLetters() {
        guard configuration.resilience.deadLetterDeliveries > 0, !listeners.isEmpty,
            !configuration.listeners.contains(where: { $0.busProtocol == .redis })
        else { return }
        report(
            "needs a listener with protocol redis; in JetStream set max_deliver on the consumer instead",
            at: origins["resilience.dead_letters.deliveries"], path: "resilience.dead_letters.deliveries")
    }

    /// Listening beyond this machine is allowed to who writes it, and said aloud.
    private mutating func noticeOpenDoors() {
        var doors = configuration.listeners.map { ("listener \($0.name)", $0.listen) }
        if let http = configuration.httpListen { doors.append(("HTTP", http)) }
        for (what, endpoint) in doors where !endpoint.isLoopback {
            notices.append("\(what) listens on \(endpoint), which other machines may reach")
        }
    }

    /// What only some listeners have: keys of another protocol, and files for TLS.
    private mutating func finishExtras(_ draft: ListenerDraft, _ listener: ListenerConfiguration, path: String) {
        if listener.busProtocol != .nats {
            for (key, origin) in draft.origins.sorted(by: { $0.key < $1.key }) where key.hasPrefix("nats.") {
                report("is for listeners with protocol nats; remove it", at: origin, path: "\(path).\(key)")
            }
        }
        if listener.upstream == .embedded, listener.busProtocol != .redis {
            report(
                "the embedded event log speaks redis; give the address of a running \(listener.busProtocol) server",
                at: draft.origins["upstream"], path: "\(path).upstream")
        }
        if draft.credentials.username != nil, draft.credentials.passwordFile == nil {
            report(
                "needs credentials.password_file", at: draft.origins["credentials.username"] ?? draft.origin,
                path: "\(path).credentials.username")
        }
        for (key, message) in draft.tls.problems(upstream: listener.upstream) {
            report(message, at: draft.origins[key] ?? draft.origin, path: "\(path).\(key)")
        }
        finishSecondary(draft, listener, path: path)
        if draft.tls.upstream.mode != .off, draft.tls.upstream.verify == .insecureNone {
            notices.append(
                "listener \(listener.name) does not check who its upstream is (tls.upstream.verify: insecure_none); "
                    + "whoever stands in between reads and changes every message")
        }
    }

    /// Checks one listener on its own and against those before it, and adds it to the configuration when complete.
    private mutating func finish(_ draft: ListenerDraft, at index: Int) {
        let path = "\(ConfigurationKeys.listenersPath)[\(index)]"
        for required in ["protocol", "listen", "upstream"] where draft.origins[required] == nil {
            if required == "protocol", draft.busProtocol != nil { continue }
            report("\(required) is missing", at: draft.origin, path: path)
        }
        guard let busProtocol = draft.busProtocol, let listen = draft.listen, let upstream = draft.upstream else {
            return
        }
        let listener = ListenerConfiguration(
            name: draft.name, service: draft.service, busProtocol: busProtocol, listen: listen, upstream: upstream,
            context: draft.context, tls: draft.tls, nats: draft.nats, credentials: draft.credentials,
            secondary: draft.secondary)
        finishExtras(draft, listener, path: path)
        let origin = draft.origins["listen"] ?? draft.origin
        if listen.collides(with: upstream) {
            report("listen and upstream are the same address: \(listen)", at: origin, path: path)
        }
        for earlier in configuration.listeners {
            if earlier.listen.collides(with: listen) {
                report(
                    "listens on \(listen), and so does listener \(earlier.name); give one of them another address",
                    at: origin, path: "\(path).listen")
            }
            if earlier.name == listener.name {
                report(
                    "another listener is called \(listener.name) too; give one of them another name",
                    at: draft.origins["name"] ?? draft.origin, path: "\(path).name")
            }
        }
        configuration.listeners.append(listener)
    }
}
