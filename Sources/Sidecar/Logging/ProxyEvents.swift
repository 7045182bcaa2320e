import Logging
import Pipeline
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
        case .outbound(let listener, let event):
            log(event, listener)
        case .tlsFailed(let listener, let peer, let isUpstream, let reason):
            warning(
                isUpstream ? "TLS with the upstream failed, the client gets an error" : "TLS with a client failed",
                metadata: ["listener": "\(listener)", "peer": "\(peer)", "reason": "\(reason)"])
        }
    }

    private func log(_ event: OutboundEvent, _ listener: String) {
        switch event {
        case .failing(let purpose, let reason):
            warning(
                "work of the sidecar's own does not get on, it is tried again",
                metadata: ["listener": "\(listener)", "purpose": "\(purpose)", "reason": "\(reason)"])
        case .recovered(let purpose):
            notice(
                "work of the sidecar's own gets on again",
                metadata: ["listener": "\(listener)", "purpose": "\(purpose)"])
        case .deadLettersHeld(let stream, let group):
            warning(
                "too many messages would be dead letters, none is moved; look at the consumers",
                metadata: ["listener": "\(listener)", "stream": "\(stream)", "group": "\(group)"])
        case .deadLettered(let stream, let group, let id, let deliveries):
            notice(
                "a message was moved to the dead letters",
                metadata: [
                    "listener": "\(listener)", "stream": "\(stream)", "group": "\(group)", "id": "\(id)",
                    "deliveries": "\(deliveries)",
                ])
        case .spooledRefused(let stream, let reason):
            warning(
                "the broker refuses a spooled message for good, it is kept aside",
                metadata: ["listener": "\(listener)", "stream": "\(stream)", "reason": "\(reason)"])
        }
    }
}
