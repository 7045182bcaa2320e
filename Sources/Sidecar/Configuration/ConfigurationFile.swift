import Yams

/// The file layer: a YAML document walked node by node, so that every problem knows its line and column.
///
/// Only scalars as written matter: `16379` and `"16379"` are the same port, and no value is guessed to be a date.
struct ConfigurationFile {
    /// As it stands in messages.
    let name: String

    /// Reads the document into the draft; an empty document sets nothing.
    func read(_ text: String, into draft: inout ConfigurationDraft) {
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch let error as YamlError {
            let (message, mark) = Self.explain(error)
            draft.mentionsListeners = true
            draft.report(message, at: .file(name: name, line: mark?.line ?? 1, column: mark?.column ?? 1))
            return
        } catch {
            draft.mentionsListeners = true
            draft.report("not readable as YAML", at: .file(name: name, line: 1, column: 1))
            return
        }
        guard let root, root.scalar?.string.isEmpty != true else { return }
        guard case .mapping(let mapping) = root else {
            draft.mentionsListeners = true
            return draft.report("expected keys with values, found \(Self.kind(root))", at: origin(root))
        }
        readProcess(mapping, section: "", into: &draft)
    }

    private func readProcess(_ mapping: Node.Mapping, section: String, into draft: inout ConfigurationDraft) {
        let table = ConfigurationKeys.process
        for (keyNode, value) in mapping {
            let path = Self.path(keyNode, in: section)
            if path == ConfigurationKeys.listenersPath {
                draft.mentionsListeners = true
                readList(value, .listeners, into: &draft)
            } else if path == ConfigurationKeys.rulesPath {
                readList(value, .rules, into: &draft)
            } else if let key = table.key(at: path) {
                if let text = text(value, of: key, path: path, into: &draft) {
                    draft.set(key, to: text, from: origin(value))
                }
            } else if table.isSection(path) {
                if let inner = keys(value, names: table.names(in: path), path: path, into: &draft) {
                    readProcess(inner, section: path, into: &draft)
                }
            } else {
                let lists = [ConfigurationKeys.listenersPath, ConfigurationKeys.rulesPath]
                let extra = lists.map { $0.split(separator: ".") }.filter {
                    $0.dropLast().joined(separator: ".") == section
                }.compactMap { $0.last.map(String.init) }
                let message = Self.unknown(
                    path, siblings: table.names(in: section) + extra, all: table.keys.map(\.path))
                draft.report(message, at: origin(keyNode), path: path)
            }
        }
    }

    private func readList<Item>(_ node: Node, _ list: ConfigurationList<Item>, into draft: inout ConfigurationDraft) {
        guard case .sequence(let items) = node else {
            let message = "expected a list of \(list.noun)s, found \(Self.kind(node))"
            return draft.report(message, at: origin(node), path: list.path)
        }
        if items.isEmpty {
            let message = "the list is empty; give at least one \(list.noun)"
            draft.report(message, at: origin(node), path: list.path)
        }
        for item in items {
            let index = draft[keyPath: list.items].count
            let names = list.table.names(in: "")
            guard let mapping = keys(item, names: names, path: list.path(index), into: &draft) else { continue }
            draft[keyPath: list.items].append(Item(origin: origin(item)))
            readItem(mapping, section: "", index: index, of: list, into: &draft)
        }
    }

    private func readItem<Item>(
        _ mapping: Node.Mapping, section: String, index: Int, of list: ConfigurationList<Item>,
        into draft: inout ConfigurationDraft
    ) {
        let table = list.table
        for (keyNode, value) in mapping {
            let path = Self.path(keyNode, in: section)
            let fullPath = "\(list.path(index)).\(path)"
            if let key = table.key(at: path) {
                // A key that was tried is not missing, even when its value is rejected.
                draft[keyPath: list.items][index].origins[path] = origin(value)
                if let text = text(value, of: key, path: fullPath, into: &draft) {
                    draft.set(key, to: text, from: origin(value), item: index, of: list)
                }
            } else if table.isSection(path) {
                if let inner = keys(value, names: table.names(in: path), path: fullPath, into: &draft) {
                    readItem(inner, section: path, index: index, of: list, into: &draft)
                }
            } else {
                let message = Self.unknown(path, siblings: table.names(in: section), all: table.keys.map(\.path))
                draft.report(message, at: origin(keyNode), path: fullPath)
            }
        }
    }

    /// The text of a setting; a list of words is the same as the words with commas between them.
    private func text<Target>(
        _ node: Node, of key: ConfigurationKey<Target>, path: String, into draft: inout ConfigurationDraft
    ) -> String? {
        guard key.isList, case .sequence(let items) = node else {
            return scalar(node, expected: key.expected, path: path, into: &draft)
        }
        let words = items.compactMap { scalar($0, expected: key.expected, path: path, into: &draft) }
        return words.count == items.count ? words.joined(separator: ",") : nil
    }

    private func scalar(
        _ node: Node, expected: String, path: String, into draft: inout ConfigurationDraft
    ) -> String? {
        if case .scalar(let scalar) = node, !Self.isNothing(scalar) { return scalar.string }
        draft.report("expected \(expected), found \(Self.kind(node))", at: origin(node), path: path)
        return nil
    }

    private func keys(
        _ node: Node, names: [String], path: String, into draft: inout ConfigurationDraft
    ) -> Node.Mapping? {
        if case .mapping(let mapping) = node { return mapping }
        let expected = "keys with values (\(names.joined(separator: ", ")))"
        draft.report("expected \(expected), found \(Self.kind(node))", at: origin(node), path: path)
        return nil
    }

    private func origin(_ node: Node) -> ConfigurationOrigin {
        .file(name: name, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }
}

extension ConfigurationFile {
    /// What to say about a name that is no key: a later version's, a neighbour's or another section's.
    static func unknown(_ path: String, siblings: [String], all: [String]) -> String {
        if ConfigurationKeys.laterPaths.contains(path) { return "not available in this version" }
        let name = String(path.split(separator: ".").last ?? "")
        let elsewhere = all.first { $0.hasSuffix("." + name) }
        guard let nearest = NearestName.suggestion(for: name, among: siblings) ?? elsewhere else {
            return "unknown key; expected one of \(siblings.joined(separator: ", "))"
        }
        return "unknown key; did you mean \"\(nearest)\"?"
    }

    private static func path(_ key: Node, in section: String) -> String {
        let name = key.scalar?.string.clipped ?? kind(key)
        return section.isEmpty ? name : "\(section).\(name)"
    }

    /// A key without a value, or with the plain word for none.
    private static func isNothing(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
    }

    private static func kind(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar): isNothing(scalar) ? "nothing" : "\"\(scalar.string.clipped)\""
        case .mapping: "keys with values"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    /// The parser's complaint without the document, which it would repeat.
    private static func explain(_ error: YamlError) -> (message: String, mark: Mark?) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ("not YAML: \(problem)", mark)
        case .duplicatedKeysInMapping(let names, let context):
            ("written more than once in one place: \(names.joined(separator: ", "))", context.mark)
        case .reader(let problem, _, _, _): ("not YAML: \(problem)", nil)
        default: ("not readable as YAML", nil)
        }
    }
}
