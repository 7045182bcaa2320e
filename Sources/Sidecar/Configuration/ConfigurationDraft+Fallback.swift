import Proxy
import Resilience

/// What of the fallback steps fits together: plans, rules, listeners and their secondaries.
extension ConfigurationDraft {
    /// Checks the rules and adds them to the configuration.
    mutating func finishRules() {
        let names = Set(configuration.listeners.map(\.name))
        for (index, draft) in rules.enumerated() {
            let path = ConfigurationList.rules.path(index)
            for required in ["destination", "on_open"] where draft.origins[required] == nil {
                report("\(required) is missing", at: draft.origin, path: path)
            }
            if let listener = draft.listener, !names.contains(listener), !configuration.listeners.isEmpty {
                report(
                    "there is no listener of this name; there are \(names.sorted().joined(separator: ", "))",
                    at: draft.origins["listener"], path: "\(path).listener")
            }
            guard let destination = draft.destination, let onOpen = draft.onOpen else { continue }
            configuration.resilience.rules.append(
                ResilienceRule(destination: destination, listener: draft.listener, onOpen: onOpen))
        }
    }

    /// Every step needs something that opens, and a listener that can take it.
    mutating func checkFallback() {
        guard !listeners.isEmpty else { return }
        check(configuration.resilience.onOpen, of: nil, at: origins["resilience.on_open"], path: "resilience.on_open")
        for (index, draft) in rules.enumerated() {
            guard let plan = draft.onOpen else { continue }
            check(
                plan, of: draft.listener, at: draft.origins["on_open"],
                path: "\(ConfigurationList.rules.path(index)).on_open")
        }
        noticeSkippedSteps()
    }

    /// - Parameter name: of the only listener that the plan is for; nil for all.
    private mutating func check(
        _ plan: FallbackPlan, of name: String?, at origin: ConfigurationOrigin?, path: String
    ) {
        guard let first = plan.steps.first else { return }
        if configuration.resilience.breaker == .off || configuration.resilience.breaker == .shadow {
            report(
                "\(first.rawValue) needs breakers that act; set resilience.breaker to auto or fixed", at: origin,
                path: path)
        }
        let concerned = configuration.listeners.filter { name == nil || $0.name == name }
        guard !concerned.isEmpty else { return }
        for step in plan.steps where !concerned.contains(where: { configuration.possibleSteps($0).contains(step) }) {
            let needs =
                switch step {
                case .secondary: "with protocol redis that names a secondary.address"
                case .deadLetter: "with protocol redis and a server as its upstream"
                case .spool, .fail: "with a server as its upstream"
                }
            report("\(step.rawValue) needs a listener \(needs)", at: origin, path: path)
        }
    }

    private mutating func noticeSkippedSteps() {
        let resilience = configuration.resilience
        for listener in configuration.listeners {
            let possible = configuration.possibleSteps(listener)
            let plans =
                [resilience.onOpen]
                + resilience.rules.filter { $0.listener == nil || $0.listener == listener.name }.map(\.onOpen)
            let skipped = FallbackStep.allCases.filter { step in
                step != .fail && !possible.contains(step) && plans.contains { $0.contains(step) }
            }
            if !skipped.isEmpty {
                let words = skipped.map(\.rawValue).joined(separator: ", ")
                let reason =
                    switch (listener.upstream, listener.busProtocol) {
                    case (.embedded, _): "its upstream is the embedded log"
                    case (_, .nats): "NATS has the spool alone"
                    case (_, .redis): "it names no secondary.address"
                    }
                notices.append("listener \(listener.name) skips \(words): \(reason)")
            }
            if listener.secondary.address != nil, !plans.contains(where: { $0.contains(.secondary) }) {
                notices.append("listener \(listener.name) never uses its secondary: no resilience.on_open names it")
            }
        }
    }

    /// A second broker where there can be one, and files for TLS to it.
    mutating func finishSecondary(_ draft: ListenerDraft, _ listener: ListenerConfiguration, path: String) {
        let keys = draft.origins.keys.filter { $0.hasPrefix("secondary.") }.sorted()
        guard let first = keys.first else { return }
        guard listener.busProtocol == .redis, listener.upstream != .embedded else {
            return report(
                "is for listeners with protocol redis and a server as their upstream; remove it",
                at: draft.origins[first], path: "\(path).\(first)")
        }
        guard let address = draft.secondary.address else {
            if draft.origins["secondary.address"] == nil {
                report("needs secondary.address", at: draft.origins[first], path: "\(path).\(first)")
            }
            return
        }
        for (other, what) in [(listener.upstream, "upstream"), (listener.listen, "listen")]
        where address.collides(with: other) {
            report(
                "is the address of \(what) too; give another server", at: draft.origins["secondary.address"],
                path: "\(path).secondary.address")
        }
        if draft.secondary.credentials.username != nil, draft.secondary.credentials.passwordFile == nil {
            report(
                "needs secondary.credentials.password_file",
                at: draft.origins["secondary.credentials.username"] ?? draft.origin,
                path: "\(path).secondary.credentials.username")
        }
        for (key, message) in draft.secondary.listenerTLS.problems(upstream: address) {
            let ours = key.replacing("tls.upstream", with: "secondary.tls")
            report(
                message.replacing("tls.upstream", with: "secondary.tls"), at: draft.origins[ours] ?? draft.origin,
                path: "\(path).\(ours)")
        }
        if draft.secondary.tls.mode != .off, draft.secondary.tls.verify == .insecureNone {
            notices.append(
                "listener \(listener.name) does not check who its secondary is (secondary.tls.verify: insecure_none); "
                    + "whoever stands in between reads and changes every message")
        }
    }
}
