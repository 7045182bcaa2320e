/// Where a setting came from.
public enum ConfigurationOrigin: Sendable, Hashable {
    case builtIn
    /// A place in the configuration file; line and column count from 1.
    case file(name: String, line: Int, column: Int)
    case variable(String)
    /// A flag, with its dashes.
    case flag(String)
}

extension ConfigurationOrigin: CustomStringConvertible {
    /// `tacho.yaml:3:5`, `TACHO_HTTP_LISTEN`, `--http` or `default`.
    public var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let name, let line, let column): "\(name):\(line):\(column)"
        case .variable(let name), .flag(let name): name
        }
    }
}

/// One thing that is wrong with the configuration, in one line.
public struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// Where it is written; nil when it is about the configuration as a whole.
    public var origin: ConfigurationOrigin?
    /// The key path, such as `limits.frame_bytes` or `listeners[0].upstream`; nil where there is none.
    public var path: String?
    /// What is wrong, what was expected, what to do.
    public var message: String

    /// `origin: path: message`, without the path where the origin already names the key.
    public var description: String {
        var parts = [message]
        if case .file = origin, let path { parts.insert(path, at: 0) }
        if let origin { parts.insert("\(origin)", at: 0) }
        return parts.joined(separator: ": ")
    }
}

/// Why there is no configuration: every problem that was found, in the order of the layers.
public struct ConfigurationFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// At least one.
    public var problems: [ConfigurationProblem]

    /// One line per problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Why a text is not a value of its kind: what was expected and, where it cannot hold a password, what was found.
struct ValueRejection: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    /// A value with an `@` may be a URL with credentials and is not repeated.
    init(expected: String, found text: String) {
        let shown = text.contains("@") ? "another value (not shown: it may hold a password)" : "\"\(text.clipped)\""
        reason = "expected \(expected), found \(shown)"
    }
}

extension String {
    /// At most 80 scalars without control characters: what may stand in a message on a terminal.
    var clipped: String {
        var shown = String.UnicodeScalarView()
        for scalar in unicodeScalars.prefix(80) {
            shown.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
        }
        return String(shown) + (unicodeScalars.count > 80 ? "…" : "")
    }
}
