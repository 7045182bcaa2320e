public import NIOCore
public import Pipeline

/// A place to listen on or to connect to.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// `host` is a name, an IPv4 address or an IPv6 address without brackets; `port` is 0...65535, 0 only to listen
    /// (the system then picks a free port).
    case tcp(host: String, port: Int)
    /// `path` is 1...107 bytes: what fits into `sockaddr_un` with its closing zero.
    case unix(path: String)
    /// The event log in this process; only to connect to.
    case embedded

    /// The address that a server socket was really given; nil for a unix socket, which has the path it asked for.
    public init?(bound address: SocketAddress?) {
        guard let host = address?.ipAddress, let port = address?.port else { return nil }
        self = .tcp(host: host, port: port)
    }

    /// As the configuration writes it.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .embedded: "embedded"
        }
    }
}

/// What happens in the proxy that somebody may want to read about. The composition root turns it into log lines.
public enum ProxyEvent: Sendable {
    case sessionOpaque(listener: String, client: String, reason: String)
    case upstreamUnreachable(listener: String, upstream: String, reason: String)
    /// Another server of the same cluster took a client instead of the configured upstream.
    case upstreamReplaced(listener: String, upstream: String, standIn: String, reason: String)
    /// A connection ended while the client waited for replies.
    case upstreamLost(listener: String, upstream: String)
    /// Something about the work that the sidecar does on connections of its own.
    case outbound(listener: String, OutboundEvent)
    /// A TLS handshake failed; `peer` is the client's address or the upstream's.
    case tlsFailed(listener: String, peer: String, isUpstream: Bool, reason: String)
}

/// Why a listener could not start.
public struct ListenError: Error, CustomStringConvertible {
    /// The address that was asked for.
    public let endpoint: Endpoint
    /// The operating system's words.
    public let reason: String

    /// What happened and what to do.
    public var description: String {
        "cannot listen on \(endpoint): \(reason); choose another address, or stop what is using it"
    }
}
