import Logging
import Proxy

extension Logger {
    /// One line per event. A peer can cause any number of these; `LogOutput` limits each kind.
    func log(_ event: ProxyEvent) {
        switch event {
        case .sessionOpaque(let listener, let client, let reason):
            notice(
                "a session is passed on without being read, its bytes were not understood",
                metadata: ["listener": "\(listener)", "client": "\(client)", "reason": "\(reason)"])
        case .upstreamUnreachable(let listener, let upstream, let reason):
            warning(
                "the upstream is not reachable, clients get an error",
                metadata: ["listener": "\(listener)", "upstream": "\(upstream)", "reason": "\(reason)"])
        case .upstreamReplaced(let listener, let upstream, let standIn, let reason):
            warning(
                "the upstream is not reachable, another server of its cluster stands in",
                metadata: [
                    "listener": "\(listener)", "upstream": "\(upstream)", "stand_in": "\(standIn)",
                    "reason": "\(reason)",
                ])
        case .upstreamLost(let listener, let upstream):
            warning(
                "the upstream closed a connection that was waiting for replies",
                metadata: ["listener": "\(listener)", "upstream": "\(upstream)"])
        case .tlsFailed(let listener, let peer, let isUpstream, let reason):
            warning(
                isUpstream ? "TLS with the upstream failed, the client gets an error" : "TLS with a client failed",
                metadata: ["listener": "\(listener)", "peer": "\(peer)", "reason": "\(reason)"])
        }
    }
}
