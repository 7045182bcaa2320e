import Foundation

/// The environment layer: `TACHO_` and the path of a key in capitals, dots as underscores.
///
/// An empty variable counts as not set. Lists of listeners are `TACHO_REDIS="LISTEN=UPSTREAM,..."`; what that form
/// cannot say about the listener at a position (from 0) is `TACHO_LISTENERS_0_CONTEXT_DELIVER` and the like.
struct ConfigurationEnvironment {
    /// What is set, by name.
    let variables: [String: String]

    init(_ variables: [String: String]) { self.variables = variables.filter { !$0.value.isEmpty } }

    /// The conventional variables of OpenTelemetry that stand in for a default; the weakest layer.
    func readDefaults(into draft: inout ConfigurationDraft) {
        let sources = [
            ("service", "OTEL_RESOURCE_ATTRIBUTES", serviceNameInAttributes),
            ("service", "OTEL_SERVICE_NAME", variables["OTEL_SERVICE_NAME"]),
            ("log.level", "OTEL_LOG_LEVEL", variables["OTEL_LOG_LEVEL"]),
        ]
        for (path, variable, text) in sources {
            guard let text, let key = ConfigurationKeys.process.key(at: path) else { continue }
            do throws(ValueRejection) {
                try key.set(&draft.configuration, text)
                draft.origins[path] = .variable(variable)
            } catch {
                // The specification of these variables asks for a warning, not for an error.
                draft.notices.append("\(variable) is ignored: \(error.reason)")
            }
        }
    }

    /// Our own variables; over the file, under the command line.
    func read(into draft: inout ConfigurationDraft) {
        let table = ConfigurationKeys.process
        let byVariable = Dictionary(
            uniqueKeysWithValues: table.keys.map { (ConfigurationKeys.variablePrefix + $0.variableName, $0) })
        for (variable, text) in variables.sorted(by: { $0.key < $1.key }) {
            guard variable.hasPrefix(ConfigurationKeys.variablePrefix), variable != ConfigurationKeys.fileVariable,
                Self.item(variable, of: ConfigurationKeys.listenersPath) == nil,
                Self.item(variable, of: ConfigurationKeys.rulesPath) == nil
            else { continue }
            if let key = byVariable[variable] {
                draft.set(key, to: text, from: .variable(variable))
            } else if let name = ConfigurationKeys.protocols.first(where: { Self.listVariable($0) == variable }) {
                let items = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                draft.replaceListeners(of: name, with: items, from: .variable(variable))
            } else if !Self.isServiceLink(variable, value: text) {
                let names = byVariable.keys.sorted() + ConfigurationKeys.protocols.map(Self.listVariable)
                draft.report(Self.unknown(variable, names: names), at: .variable(variable))
            }
        }
    }

    /// The variables that refine one listener; read when the list of listeners is complete.
    func refineListeners(in draft: inout ConfigurationDraft) {
        let keys = ConfigurationKeys.listener.keys.filter { ConfigurationKeys.refinable.contains($0.path) }
        readItems(of: .listeners, keys, mayAdd: false, into: &draft)
    }

    /// The variables that refine a rule of the file, or add one behind the last.
    func readRules(into draft: inout ConfigurationDraft) {
        readItems(of: .rules, ConfigurationKeys.rule.keys, mayAdd: true, into: &draft)
    }

    private func readItems<Item>(
        of list: ConfigurationList<Item>, _ keys: [ConfigurationKey<Item>], mayAdd: Bool,
        into draft: inout ConfigurationDraft
    ) {
        let found = variables.compactMap { variable, text in
            Self.item(variable, of: list.path).map { (variable: variable, text: text, item: $0) }
        }
        for (variable, text, (position, name)) in found.sorted(by: {
            ($0.item.position, $0.variable) < ($1.item.position, $1.variable)
        }) {
            guard let key = keys.first(where: { $0.variableName == name }) else {
                let names = keys.map { String(variable.dropLast(name.count)) + $0.variableName }
                draft.report(Self.unknown(variable, names: names), at: .variable(variable))
                continue
            }
            let count = draft[keyPath: list.items].count
            if mayAdd, position == count { draft[keyPath: list.items].append(Item(origin: .variable(variable))) }
            guard draft[keyPath: list.items].indices.contains(position) else {
                let message = "no \(list.noun) at position \(position); there are \(count), counted from 0"
                draft.report(message, at: .variable(variable))
                continue
            }
            draft.set(key, to: text, from: .variable(variable), item: position, of: list)
        }
    }

    /// `TACHO_<path of the list>_<position>_<name>` taken apart.
    private static func item(_ variable: String, of path: String) -> (position: Int, name: String)? {
        let list = path.uppercased().replacing(".", with: "_")
        let prefix = ConfigurationKeys.variablePrefix + list + "_"
        guard variable.hasPrefix(prefix) else { return nil }
        let rest = variable.dropFirst(prefix.count)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let position = Int(digits), rest.dropFirst(digits.count).first == "_" else { return nil }
        return (position, String(rest.dropFirst(digits.count + 1)))
    }

    /// `service.name` of a list `key=value,...` with percent-encoded values.
    private var serviceNameInAttributes: String? {
        let prefix = "service.name="
        return variables["OTEL_RESOURCE_ATTRIBUTES"]?.split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .last { $0.hasPrefix(prefix) }
            .flatMap { String($0.dropFirst(prefix.count)).removingPercentEncoding }
    }

    private static func listVariable(_ protocolName: String) -> String {
        ConfigurationKeys.variablePrefix + protocolName.uppercased()
    }

    private static func unknown(_ variable: String, names: [String]) -> String {
        let later = ConfigurationKeys.laterPaths.map {
            ConfigurationKeys.variablePrefix + $0.uppercased().replacing(".", with: "_")
        }
        if later.contains(where: { variable == $0 || variable.hasPrefix($0 + "_") }) {
            return "not available in this version"
        }
        guard let nearest = NearestName.suggestion(for: variable, among: names) else {
            return "unknown variable; the names are in the configuration reference"
        }
        return "unknown variable; did you mean \(nearest)?"
    }

    /// Whether a container platform set the variable to announce a service whose name begins with "tacho":
    /// `TACHO_SERVICE_HOST`, `TACHO_PORT=tcp://...`, `TACHO_PORT_9464_TCP_ADDR` and their like are not ours.
    private static func isServiceLink(_ variable: String, value: String) -> Bool {
        variable.hasSuffix("_SERVICE_HOST") || variable.hasSuffix("_SERVICE_PORT")
            || variable.contains("_SERVICE_PORT_") || variable.contains(/_PORT_[0-9]+_(TCP|UDP|SCTP)/)
            || variable.hasSuffix("_PORT") && value.contains("://")
    }
}
