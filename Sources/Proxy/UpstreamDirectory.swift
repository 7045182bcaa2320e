import Synchronization

/// The servers that may stand in for a configured upstream: what the upstream itself has named of its cluster.
///
/// Shared by the event loops; touched when an upstream names its servers and when a connection to it fails.
final class UpstreamDirectory: Sendable {
    private let configured: Endpoint
    private let isFollowed: Bool
    private let known = Mutex<[Endpoint]>([])

    private static let serversMax = 64

    /// - Parameter isFollowed: false keeps to the configured upstream alone.
    init(_ configured: Endpoint, isFollowed: Bool) {
        self.configured = configured
        self.isFollowed = isFollowed
    }

    /// The upstream has named its servers, each as `HOST:PORT`. What does not read so is left out.
    func learn(_ servers: [String]) {
        guard isFollowed else { return }
        var endpoints: [Endpoint] = []
        for text in servers.prefix(Self.serversMax) {
            guard let endpoint = Endpoint(hostAndPort: text), endpoint != configured, !endpoints.contains(endpoint)
            else { continue }
            endpoints.append(endpoint)
        }
        known.withLock { $0 = endpoints }
    }

    /// Where to try after the configured upstream, in this order, at most `most` of them.
    func standIns(most: Int) -> [Endpoint] { Array(known.withLock { $0 }.prefix(most)) }

    /// It has answered: it is the first to be tried next time.
    func answered(_ endpoint: Endpoint) {
        known.withLock { known in
            guard let position = known.firstIndex(of: endpoint), position > 0 else { return }
            known.insert(known.remove(at: position), at: 0)
        }
    }
}

extension Endpoint {
    /// `HOST:PORT` or `[IPV6]:PORT`, as servers name each other.
    init?(hostAndPort text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard 1...253 ~= host.utf8.count, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }) else {
            return nil
        }
        self = .tcp(host: String(host), port: Int(port))
    }

    /// nil for a unix socket.
    var host: String? {
        if case .tcp(let host, _) = self { host } else { nil }
    }
}
