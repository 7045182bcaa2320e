import Logging
import Pipeline
import Proxy
import Telemetry

/// A value as the configuration reference and `check` show it.
enum ConfigurationValue: Sendable, Equatable {
    case text(String)
    case number(Int)
    case real(Double)
    /// Not set: left to another source of settings.
    case unset

    /// As it is written; nil where nothing is.
    var text: String? {
        switch self {
        case .text(let text): text
        case .number(let number): String(number)
        case .real(let number): "\(number)"
        case .unset: nil
        }
    }
}

/// How one kind of value is written and shown, wherever it stands: file, environment or command line.
struct ValueSyntax<Value: Sendable>: Sendable {
    /// What a value looks like, as the object of "expected".
    let expected: String
    let parse: @Sendable (String) throws(ValueRejection) -> Value
    let show: @Sendable (Value) -> ConfigurationValue
    /// Whether the file may write the value as a list.
    var isList = false
}

extension ValueSyntax where Value == String {
    /// Any text of 1 to `maximumBytes` bytes without control characters.
    static func text(_ what: String, maximumBytes: Int) -> Self {
        let expected = "\(what) of 1 to \(maximumBytes) bytes"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> String in
                guard 1...maximumBytes ~= text.utf8.count, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                    throw ValueRejection(expected: expected, found: text)
                }
                return text
            },
            show: { .text($0) }
        )
    }
}

extension ValueSyntax where Value == Int {
    /// A whole number, perhaps with underscores between digits.
    static func number(_ range: ClosedRange<Int>) -> Self {
        scaled(range, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)", units: [])
    }

    /// A number of bytes, plain or in `KiB` or `MiB`.
    static func bytes(_ range: ClosedRange<Int>) -> Self {
        scaled(
            range, expected: "bytes from \(range.lowerBound) to \(range.upperBound), plain or as KiB or MiB",
            units: [("KiB", 1024), ("MiB", 1_048_576)])
    }

    private static func scaled(
        _ range: ClosedRange<Int>, expected: String, units: [(suffix: String, factor: Int)]
    ) -> Self {
        Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> Int in
                let unit = units.first { text.hasSuffix($0.suffix) }
                let digits = text.dropLast(unit?.suffix.count ?? 0).filter { $0 != "_" && $0 != " " }
                let (value, overflow) = (Int(digits) ?? -1).multipliedReportingOverflow(by: unit?.factor ?? 1)
                guard !overflow, range ~= value else { throw ValueRejection(expected: expected, found: text) }
                return value
            },
            show: { .number($0) }
        )
    }
}

extension ValueSyntax where Value == Double {
    /// A number, perhaps with a fraction.
    static func decimal(_ range: ClosedRange<Double>) -> Self {
        let expected = "a number from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> Double in
                let isPlain = text.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
                guard isPlain, let value = Double(text), range ~= value else {
                    throw ValueRejection(expected: expected, found: text)
                }
                return value
            },
            show: { .real($0) }
        )
    }

    private static func plain(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }
}

extension ValueSyntax where Value: CaseIterable & RawRepresentable<String> {
    /// One of the words of a closed set; `later` are words of the contract whose time has not come.
    static func word(later: Set<String> = []) -> Self {
        let words = Value.allCases.map(\.rawValue)
        let expected = words.joinedAsChoice
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> Value in
                if let value = Value(rawValue: text) { return value }
                guard !later.contains(text) else {
                    throw ValueRejection("\"\(text)\" is not available in this version; expected \(expected)")
                }
                throw ValueRejection(expected: expected, found: text)
            },
            show: { .text($0.rawValue) }
        )
    }
}

extension ValueSyntax where Value == KeepRules {
    /// Words with commas between them, or `none`.
    static let keepRules = {
        let known = KeepReason.allCases.filter(KeepRules.all.contains)
        let expected = "a list of \(known.map(\.text).joined(separator: ", ")), or none"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> KeepRules in
                var rules: KeepRules = []
                for word in text.split(whereSeparator: { $0 == "," || $0 == " " }) where text != "none" {
                    guard let reason = known.first(where: { $0.text == word }) else {
                        throw ValueRejection(expected: expected, found: String(word))
                    }
                    rules.formUnion(KeepRules([reason]))
                }
                return rules
            },
            show: { rules in
                let words = known.filter(rules.contains).map(\.text)
                return .text(words.isEmpty ? "none" : words.joined(separator: ", "))
            },
            isList: true
        )
    }()
}

extension ValueSyntax where Value == Endpoint {
    static let listen = endpoint { (_) throws(ValueRejection) in }

    static let upstream = endpoint(expected: "HOST:PORT, PORT, unix:PATH or embedded", allowsEmbedded: true) {
        (endpoint) throws(ValueRejection) in
        if case .tcp(_, 0) = endpoint { throw ValueRejection("port 0 cannot be connected to") }
    }

    static let secondary = endpoint { (endpoint) throws(ValueRejection) in
        if case .tcp(_, 0) = endpoint { throw ValueRejection("port 0 cannot be connected to") }
    }

    static let http = endpoint(expected: "HOST:PORT, PORT or none") { (endpoint) throws(ValueRejection) in
        if case .unix = endpoint { throw ValueRejection("HTTP is served over TCP only; expected HOST:PORT or none") }
    }

    private static func endpoint(
        expected: String = "HOST:PORT, PORT or unix:PATH", allowsEmbedded: Bool = false,
        admit: @escaping @Sendable (Endpoint) throws(ValueRejection) -> Void
    ) -> Self {
        Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> Endpoint in
                let endpoint: Endpoint
                do throws(Endpoint.ParseError) {
                    endpoint = try Endpoint(parsing: text)
                } catch .embedded {
                    if allowsEmbedded { return .embedded }
                    throw ValueRejection("\(Endpoint.ParseError.embedded)")
                } catch .url {
                    // Not repeated: URLs of servers often carry a password.
                    throw ValueRejection("expected \(expected), found a URL; \(Endpoint.ParseError.url)")
                } catch {
                    throw ValueRejection(ValueRejection(expected: expected, found: text).reason + "; \(error)")
                }
                try admit(endpoint)
                return endpoint
            },
            show: { .text($0.description) }
        )
    }
}

extension ValueSyntax where Value == String {
    /// A host name: an address cannot be asked for in TLS, and is compared by itself where the upstream is one.
    static let serverName = {
        let expected = "a host name"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> String in
                guard case .tcp(let host, _)? = try? Endpoint(parsing: text + ":1"), host == text,
                    text.contains(where: { $0.isASCII && $0.isLetter })
                else { throw ValueRejection(expected: expected, found: text) }
                return text
            },
            show: { .text($0) }
        )
    }()
}

extension ValueSyntax where Value == NATSOptions.Advertised {
    static let advertised = {
        let expected = "none, server, or 1 to \(serversMax) of HOST:PORT, separated by commas"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> NATSOptions.Advertised in
                if text == "none" { return .none }
                if text == "server" { return .server }
                let servers = text.split(separator: ",", omittingEmptySubsequences: false).map { server in
                    String(server.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }
                guard servers.count <= serversMax else { throw ValueRejection(expected: expected, found: text) }
                for server in servers {
                    // A bare port is an endpoint too, but no address that a client elsewhere can use.
                    guard case .tcp(_, 1...)? = try? Endpoint(parsing: server), server.contains(":") else {
                        throw ValueRejection(expected: expected, found: server)
                    }
                }
                return .listed(servers)
            },
            show: { advertised in
                switch advertised {
                case .none: .text("none")
                case .server: .text("server")
                case .listed(let servers): .text(servers.joined(separator: ","))
                }
            },
            isList: true
        )
    }()

    private static var serversMax: Int { 16 }
}

extension ValueSyntax where Value == CorrelationFields {
    static let correlationFields = {
        let expected = "1 to \(fieldsMax) names of 1 to \(CorrelationFields.nameBytesMax) bytes, separated by commas"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> CorrelationFields in
                let names = text.split(separator: ",", omittingEmptySubsequences: false).map { name in
                    String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }
                let isPlain = names.allSatisfy { name in
                    1...CorrelationFields.nameBytesMax ~= name.utf8.count
                        && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
                }
                guard isPlain, names.count <= fieldsMax else { throw ValueRejection(expected: expected, found: text) }
                return CorrelationFields(names)
            },
            show: { .text($0.names.joined(separator: ",")) }
        )
    }()

    private static var fieldsMax: Int { 16 }
}

extension ValueSyntax where Value == OTLPConfiguration.Endpoint {
    static let otlp = {
        let expected = "http://HOST[:PORT][/PATH], https://... or none"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> OTLPConfiguration.Endpoint in
                if text == "none" { return .disabled }
                guard let scheme = ["http://", "https://"].first(where: text.lowercased().hasPrefix) else {
                    throw ValueRejection(expected: expected, found: text)
                }
                let rest = text.dropFirst(scheme.count)
                let authority = rest.prefix { $0 != "/" }
                guard !rest.contains("@") else {
                    throw ValueRejection("a URL with credentials; put them into OTEL_EXPORTER_OTLP_HEADERS instead")
                }
                guard !rest.contains(where: { $0 == "?" || $0 == "#" || $0.isWhitespace }) else {
                    throw ValueRejection("expected \(expected), without query, fragment and blanks")
                }
                // The syntax of socket endpoints judges host and port; 80 stands in for the port of the scheme.
                let hasPort = authority.contains(authority.hasPrefix("[") ? "]:" : ":")
                let address = hasPort ? "\(authority)" : "\(authority):80"
                guard !authority.isEmpty, (try? Endpoint(parsing: address)) != nil else {
                    throw ValueRejection(expected: expected, found: text)
                }
                return .url(text)
            },
            show: { endpoint in
                switch endpoint {
                case .url(let text): .text(text)
                case .disabled: .text("none")
                }
            }
        )
    }()
}

extension ValueSyntax where Value == Logger.Level {
    static let logLevel = {
        let expected = Logger.Level.allCases.map(\.rawValue).joinedAsChoice
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> Logger.Level in
                let aliases = ["warn": Logger.Level.warning, "fatal": .critical]
                let word = text.lowercased()
                guard let level = Logger.Level(rawValue: word) ?? aliases[word] else {
                    throw ValueRejection(expected: expected, found: text)
                }
                return level
            },
            show: { .text($0.rawValue) }
        )
    }()
}

extension ValueSyntax {
    /// The same syntax for a setting that is left to other sources while it is not set.
    func optional() -> ValueSyntax<Value?> {
        ValueSyntax<Value?>(
            expected: expected,
            parse: { [parse] (text) throws(ValueRejection) -> Value? in try parse(text) },
            show: { [show] in $0.map(show) ?? .unset },
            isList: isList
        )
    }

    /// The same syntax, with the word `none` for nothing; `expected` names that word already.
    func orNone() -> ValueSyntax<Value?> {
        ValueSyntax<Value?>(
            expected: expected,
            parse: { [parse] (text) throws(ValueRejection) -> Value? in text == "none" ? nil : try parse(text) },
            show: { [show] in $0.map(show) ?? .text("none") }
        )
    }
}

extension [String] {
    /// `a`, `a or b`, `a, b or c`.
    fileprivate var joinedAsChoice: String {
        guard let last, count > 1 else { return joined() }
        return dropLast().joined(separator: ", ") + " or " + last
    }
}
