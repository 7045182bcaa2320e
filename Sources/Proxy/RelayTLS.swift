import NIOCore
import NIOSSL
import Pipeline

/// What a relay needs to encrypt its two connections.
struct RelayTLS {
    let sides: SessionTLS
    let contexts: TLSContexts
    /// The host that the upstream connection goes to; nil for a unix socket.
    let upstreamHost: String?
    let upstreamName: String
    let handshakeLimit: TimeAmount
    let onFailure: (Side, String) -> Void

    /// Puts the handler that encrypts next to the socket.
    func addHandler(to pipeline: ChannelPipeline.SynchronousOperations, _ side: Side) throws {
        switch side {
        case .client:
            if let handler = contexts.clientHandler() { try pipeline.addHandler(handler, position: .first) }
        case .upstream:
            if let handler = try contexts.upstreamHandler(host: upstreamHost) {
                try pipeline.addHandler(handler, position: .first)
            }
        }
    }
}

/// A peer that takes too long.
struct TLSHandshakeTimeout: Error {
    let limit: TimeAmount
}

/// What went wrong with TLS, in words for people; never anything that the peer has sent.
enum TLSFailure {
    /// The peer closed its connection without saying so inside TLS. Very many do; what counts is that it has closed.
    static func isOnlyRude(_ error: any Error) -> Bool {
        if case .uncleanShutdown = error as? NIOSSLError { true } else { error is NIOSSLCloseTimedOutError }
    }

    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as TLSHandshakeTimeout:
            return "no handshake within \(error.limit.nanoseconds / 1_000_000) ms"
        case is NIOSSLExtraError: return "the certificate does not bear the expected name"
        case NIOSSLError.handshakeFailed(.sslError(let stack)):
            if stack.contains(.eofDuringHandshake) { return "the connection ended during the handshake" }
            return stack.first.map { known("\($0)") } ?? "the handshake failed"
        case let error as IOError: return Listener<RedisSession>.reason(error)
        default: return "the handshake failed"
        }
    }

    /// The constant of an OpenSSL error text, `...:OPENSSL_internal:CONSTANT at FILE:LINE`, in our words or its own.
    private static func known(_ text: String) -> String {
        guard let constant = text.firstMatch(of: /OPENSSL_internal:([A-Z0-9_]+)/)?.output.1 else {
            return "the handshake failed"
        }
        return switch constant {
        case "CERTIFICATE_VERIFY_FAILED":
            "the certificate is not trusted (its authority is not known here, or it is not valid now)"
        case "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST": "the other side does not speak TLS"
        case "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the other side showed no certificate"
        default: constant.lowercased().replacing("_", with: " ")
        }
    }
}
