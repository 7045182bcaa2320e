/// The documentation of the keys, made from the keys: it cannot be out of date.
public enum ConfigurationReference {
    /// Three tables in Markdown: the settings of the process, those of one listener, and those of one rule.
    public static var markdown: String {
        let process = ConfigurationKeys.process.keys.map { key in
            let variable = "`\(ConfigurationKeys.variablePrefix)\(key.variableName)`"
            let flag = key.flag.map { "`--\($0)`" } ?? ""
            let standard = key.defaultNote ?? word(key.show(SidecarConfiguration()))
            return row(["`\(key.path)`", variable, flag, key.expected, standard, key.meaning])
        }
        let listener = ConfigurationKeys.listener.keys.map { key in
            let indexed = "`\(ConfigurationKeys.variablePrefix)LISTENERS_<n>_\(key.variableName)`"
            let variable = ConfigurationKeys.refinable.contains(key.path) ? indexed : "`TACHO_REDIS`, `TACHO_NATS`"
            let standard = key.defaultNote ?? word(key.show(ListenerDraft()))
            return row(["`\(key.path)`", variable, key.expected, standard, key.meaning])
        }
        let rule = ConfigurationKeys.rule.keys.map { key in
            let variable = "`\(ConfigurationKeys.variablePrefix)RESILIENCE_RULES_<n>_\(key.variableName)`"
            return row(["`\(key.path)`", variable, key.expected, key.defaultNote ?? "", key.meaning])
        }
        let file = row([
            "", "`\(ConfigurationKeys.fileVariable)`", "`--config`", "a path", "", "the file with these keys",
        ])
        let between =
            "Each item of `listeners` (`--redis LISTEN=UPSTREAM`, `TACHO_REDIS=\"LISTEN=UPSTREAM,...\"`, and `--nats`, "
            + "`TACHO_NATS`):"
        var lines = header(["Key", "Variable", "Flag", "Value", "Default", "Meaning"]) + [file] + process
        lines += ["", between, ""] + header(["Key", "Variable", "Value", "Default", "Meaning"]) + listener
        lines += ["", "Each item of `resilience.rules`; the first whose `destination` fits decides:", ""]
        lines += header(["Key", "Variable", "Value", "Default", "Meaning"]) + rule
        return lines.joined(separator: "\n") + "\n"
    }

    /// What a flag does and expects, for `--help`.
    ///
    /// - Parameter flag: the name without dashes; one without a key gives an empty text.
    public static func help(forFlag flag: String) -> String {
        guard let key = ConfigurationKeys.process.keys.first(where: { $0.flag == flag }) else { return "" }
        let standard = key.defaultNote ?? word(key.show(SidecarConfiguration()))
        let sentence = key.meaning.prefix(1).uppercased() + key.meaning.dropFirst()
        return "\(sentence) (\(key.expected); default: \(standard))".replacing("`", with: "")
    }

    private static func header(_ titles: [String]) -> [String] {
        [row(titles), row(titles.map { _ in "---" })]
    }

    private static func row(_ cells: [String]) -> String {
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }

    private static func word(_ value: ConfigurationValue) -> String {
        switch value {
        case .text(let text): "`\(text)`"
        case .number(let number): "`\(number)`"
        case .real(let number): "`\(number)`"
        case .unset: ""
        }
    }
}
