/// Where to listen or to connect.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host name or address, and a port.
    case tcp(host: String, port: Int)
    case unix(path: String)

    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// What happens in the proxy that somebody may want to read about. The composition root turns it into log lines.
public enum ProxyEvent: Sendable {
    case sessionOpaque(listener: String, client: String, reason: String)
    case upstreamUnreachable(listener: String, upstream: String, reason: String)
    case upstreamLost(listener: String, upstream: String, waitingReplies: Bool)
    case acceptFailed(listener: String, reason: String)
    case drained(listener: String, abandonedSessions: Int)
}

/// Why a listener could not start.
public struct ListenError: Error, CustomStringConvertible {
    public let endpoint: Endpoint
    public let reason: String

    public var description: String {
        "cannot listen on \(endpoint): \(reason); choose another address, or stop what is using it"
    }
}
