/// One setting: its name, how its value is written, where the value goes, and what it means.
///
/// File, environment, command line, `check` and the reference are all driven by the same keys.
struct ConfigurationKey<Target: Sendable>: Sendable {
    /// Dotted, as the file nests it, such as `limits.frame_bytes`.
    let path: String
    /// The flag without its dashes, where the setting has one.
    let flag: String?
    /// What a value looks like.
    let expected: String
    /// What the setting does, as a sentence without its stop; starts in lower case.
    let meaning: String
    /// The default in words, where the value of a fresh target does not tell it.
    let defaultNote: String?
    /// Whether the file may write the value as a list.
    let isList: Bool
    let set: @Sendable (inout Target, String) throws(ValueRejection) -> Void
    let show: @Sendable (Target) -> ConfigurationValue

    init<Value>(
        _ path: String, _ property: any WritableKeyPath<Target, Value> & Sendable, _ syntax: ValueSyntax<Value>,
        flag: String? = nil, default defaultNote: String? = nil, _ meaning: String
    ) {
        self.path = path
        self.flag = flag
        self.expected = syntax.expected
        self.meaning = meaning
        self.defaultNote = defaultNote
        isList = syntax.isList
        set = { (target, text) throws(ValueRejection) in target[keyPath: property] = try syntax.parse(text) }
        show = { syntax.show($0[keyPath: property]) }
    }

    /// The path as part of the name of an environment variable.
    var variableName: String { path.uppercased().replacing(".", with: "_") }
}

/// The keys of one target, found by path.
struct ConfigurationKeyTable<Target: Sendable>: Sendable {
    let keys: [ConfigurationKey<Target>]

    func key(at path: String) -> ConfigurationKey<Target>? { keys.first { $0.path == path } }

    func isSection(_ path: String) -> Bool { keys.contains { $0.path.hasPrefix(path + ".") } }

    /// The names that may stand in a section, "" being the outermost, in the order of the table.
    func names(in section: String) -> [String] {
        let prefix = section.isEmpty ? "" : section + "."
        var seen: Set<String> = []
        return keys.filter { $0.path.hasPrefix(prefix) }
            .map { String($0.path.dropFirst(prefix.count).prefix { $0 != "." }) }
            .filter { seen.insert($0).inserted }
    }
}
