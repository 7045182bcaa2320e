import NIOCore
import Pipeline

/// Encrypting the sides of a relay, and what becomes of a handshake that fails.
extension Relay {
    /// What was written so far leaves as it is; from here on a handler stands between the socket and this relay.
    func startTLS(_ sides: TLSSides) {
        if sides.contains(.client) { encrypt(.client) }
        if sides.contains(.upstream) { encrypt(.upstream) }
        resumeReading(.client)
        resumeReading(.upstream)
    }

    private func encrypt(_ side: Side) {
        guard let tls, let context = context(side), handshakes.begin(side) else { return }
        context.flush()
        limitHandshake(side)
        do {
            try tls.addHandler(to: context.pipeline.syncOperations, side)
        } catch {
            failed(side, error)
        }
    }

    func limitHandshake(_ side: Side) {
        guard let tls, let context = context(side) else { return }
        let limit = context.eventLoop.assumeIsolated().scheduleTask(in: tls.handshakeLimit) {
            self.failed(side, TLSHandshakeTimeout(limit: tls.handshakeLimit))
        }
        switch side {
        case .client: handshakeLimits.client = limit
        case .upstream: handshakeLimits.upstream = limit
        }
    }

    private func endHandshake(_ side: Side) -> Bool {
        guard handshakes.end(side) else { return false }
        switch side {
        case .client: handshakeLimits.client?.cancel()
        case .upstream: handshakeLimits.upstream?.cancel()
        }
        return true
    }

    func handshakeCompleted(_ side: Side) {
        guard endHandshake(side) else { return }
        metrics.handshake(side, .completed)
        resumeReading(.client)
        resumeReading(.upstream)
    }

    /// An error on one side: the end of that connection, and during a handshake a story to tell.
    func failed(_ side: Side, _ error: any Error) {
        if endHandshake(side), let tls {
            metrics.handshake(side, .failed)
            let reason = TLSFailure.reason(error)
            tls.onFailure(side, reason)
            if side == .upstream { refuseClient("TLS with upstream \(tls.upstreamName) failed: \(reason)") }
        } else if TLSFailure.isOnlyRude(error) {
            return
        }
        context(side)?.close(promise: nil)
    }

    /// Leaves the client to a handler that tells it what has happened.
    private func refuseClient(_ reason: String) {
        guard let context = contexts.client else { return }
        detach(.client)
        let refusal = RefusalHandler(
            Machine.refusing(reason), waitsForQuestion: !Machine.upstreamSpeaksFirst)
        let pipeline = context.pipeline.syncOperations
        try? pipeline.addHandler(refusal, position: .after(context.handler))
        pipeline.removeHandler(context: context, promise: nil)
        if waitsToRead.client { context.channel.read() }
    }
}
