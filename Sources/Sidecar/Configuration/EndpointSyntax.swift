import Glibc
public import Proxy

/// How people write endpoints: `HOST:PORT`, `[IPV6]:PORT`, a bare `PORT` (then the host is 127.0.0.1) or `unix:PATH`.
extension Endpoint {
    /// Why a text is not an endpoint.
    public enum ParseError: Error, Sendable, Hashable {
        /// The word `embedded`: the event log in this process, which is no address.
        case embedded
        /// A URL, such as `redis://...`.
        case url
        /// Nothing, or nothing before the port: an empty host could mean loopback or every interface.
        case emptyHost
        /// More than one colon outside brackets.
        case bareIPv6
        /// Not an address, and not a host name of letters, digits, `-`, `_` and `.`.
        case invalidHost
        /// Not a whole number from 0 to 65535.
        case invalidPort
        /// No port where one is needed.
        case missingPort
        /// An empty path, one of more than 107 bytes, or one with a zero byte.
        case invalidPath
    }

    /// Reads one endpoint.
    public init(parsing text: String) throws(ParseError) {
        if text == "embedded" { throw .embedded }
        if text.contains("://") { throw .url }
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard 1...107 ~= path.utf8.count, !path.utf8.contains(0) else { throw .invalidPath }
            self = .unix(path: path)
        } else if text.hasPrefix("[") {
            self = try Self.bracketed(text)
        } else if let colon = text.firstIndex(of: ":") {
            let host = String(text[..<colon])
            let port = text[text.index(after: colon)...]
            if port.contains(":") { throw Self.isIPv6(text) || host.isEmpty ? .bareIPv6 : .invalidPort }
            if host.isEmpty { throw .emptyHost }
            guard Self.isHost(host) else { throw .invalidHost }
            self = .tcp(host: host, port: try Self.port(port))
        } else if text.isEmpty {
            throw .emptyHost
        } else if text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) {
            self = .tcp(host: "127.0.0.1", port: try Self.port(text[...]))
        } else {
            throw Self.isHost(text) ? .missingPort : .invalidHost
        }
    }

    /// Whether only processes on this machine can reach it.
    public var isLoopback: Bool {
        switch self {
        case .unix, .embedded: true
        case .tcp(let host, _): host.lowercased() == "localhost" || host.hasPrefix("127.") || host == "::1"
        }
    }

    /// Whether two listeners on `self` and `other` would ask the system for the same address.
    ///
    /// Host names other than `localhost` are compared as written: resolving them is for the moment of binding.
    func collides(with other: Endpoint) -> Bool {
        switch (self, other) {
        case (.unix(let mine), .unix(let theirs)): return mine == theirs
        case (.tcp(let mine, let port), .tcp(let theirs, let otherPort)):
            guard port == otherPort, port != 0 else { return false }
            let wildcards: Set = ["0.0.0.0", "::"]
            let hosts = [mine, theirs].map { $0.lowercased() == "localhost" ? "127.0.0.1" : $0.lowercased() }
            return hosts[0] == hosts[1] || !wildcards.isDisjoint(with: hosts)
        default: return false
        }
    }

    private static func bracketed(_ text: String) throws(ParseError) -> Endpoint {
        guard let close = text.firstIndex(of: "]") else { throw .invalidHost }
        let host = String(text[text.index(after: text.startIndex)..<close])
        guard isIPv6(host) else { throw .invalidHost }
        let rest = text[text.index(after: close)...]
        guard rest.hasPrefix(":") else { throw .missingPort }
        return .tcp(host: host, port: try port(rest.dropFirst()))
    }

    private static func port(_ text: Substring) throws(ParseError) -> Int {
        if text.isEmpty { throw .missingPort }
        guard text.utf8.count <= 5, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = Int(text),
            number <= 65_535
        else { throw .invalidPort }
        return number
    }

    /// An address in the text form of RFC 4291, with an optional `%zone`.
    private static func isIPv6(_ text: String) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        var address = in6_addr()
        return parts.count <= 2 && parts.last?.isEmpty == false && inet_pton(AF_INET6, String(parts[0]), &address) == 1
    }

    /// A name by its characters (RFC 1123, and `_` for the names of container networks); all digits and dots must be
    /// a whole IPv4 address.
    private static func isHost(_ text: String) -> Bool {
        if text.utf8.allSatisfy({ 0x30...0x39 ~= $0 || $0 == UInt8(ascii: ".") }) {
            var address = in_addr()
            return inet_pton(AF_INET, text, &address) == 1
        }
        return text.utf8.count <= 253
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}

extension Endpoint.ParseError: CustomStringConvertible {
    /// What was expected, as the tail of a sentence about the value.
    public var description: String {
        switch self {
        case .embedded:
            "\"embedded\" is the event log in this process, which only an upstream can be; write an address"
        case .url: "write the address alone, without scheme and credentials"
        case .emptyHost:
            "the host is empty; write 127.0.0.1:PORT for this machine only, 0.0.0.0:PORT for every interface"
        case .bareIPv6: "an IPv6 address needs brackets: [::1]:PORT"
        case .invalidHost: "the host is neither an address nor a host name"
        case .invalidPort: "the port must be a whole number up to 65535"
        case .missingPort: "the port is missing; write HOST:PORT"
        case .invalidPath: "the path of a unix socket must have 1 to 107 bytes"
        }
    }
}
