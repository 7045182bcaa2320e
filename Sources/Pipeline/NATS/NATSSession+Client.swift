import Telemetry
import Wire

/// The way of what a client sends, from its bytes to what it means.
extension NATSSession {
    mutating func scanRequests(_ bytes: Span<UInt8>, from start: Int, at now: Instant) throws(NATSError) {
        var position = start
        if hold != nil {
            takeHeld(bytes, endedAt: position, at: now)
            guard hold == nil else { return }
        }
        while opaque == nil {
            switch try requests.decoder.next(in: bytes, at: &position) {
            case .needsMore: return
            case .line(let operation):
                takeLine(operation, bytes, endedAt: position, at: now)
                if hold != nil { return stay(.line, at: position) }
            case .headers(let operation):
                takeHeaders(operation, bytes, at: now)
                if hold != nil { return stay(.headers, at: position) }
            case .ended(let operation):
                takeEnd(operation, bytes, endedAt: position, at: now)
                if hold != nil { return stay(.end, at: position) }
            }
        }
    }

    /// The operation waits at this piece of it.
    private mutating func stay(_ piece: HeldPiece, at position: Int) {
        heldPiece = piece
        hold?.position = position
    }

    /// The piece at which an operation waits, again.
    private mutating func takeHeld(_ bytes: Span<UInt8>, endedAt position: Int, at now: Instant) {
        let operation = requests.decoder.operation
        switch heldPiece {
        case .line: takeLine(operation, bytes, endedAt: position, at: now)
        case .headers: takeHeaders(operation, bytes, at: now)
        case .end: takeEnd(operation, bytes, endedAt: position, at: now)
        }
        hold?.position = position
    }

    @inline(__always)
    private mutating func takeLine(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, endedAt position: Int, at now: Instant
    ) {
        // A line that had to pass because it is too long can be looked at no more.
        if requests.disposition == .keep { noteRequest(operation, bytes, at: now) }
        if operation.endsWithLine { requests.endFrame(at: position) }
    }

    @inline(__always)
    private mutating func takeHeaders(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        if requests.disposition == .keep { notePublication(operation, bytes, at: now) }
    }

    @inline(__always)
    private mutating func takeEnd(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, endedAt position: Int, at now: Instant
    ) {
        if requests.disposition == .keep { readPayload(operation, bytes, at: now) }
        if hold != nil { return }
        if requests.disposition == .swallow { swallow(requests, through: position) }
        requests.endFrame(at: position)
        if !resends.isEmpty { insertResends(at: position) }
    }

    /// A control line is complete.
    private mutating func noteRequest(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        switch operation.kind {
        case .pub: notePublication(operation, bytes, at: now)
        case .hpub:
            // Without a header block it is no message at all; the server will say so.
            if operation.headerLength == 0 { requests.disposition = .pass }
        case .sub: noteSubscription(operation, bytes)
        case .unsub: noteUnsubscription(operation, bytes, at: now)
        case .connect: noteConnect(operation, bytes)
        case .ping, .pong, .info, .msg, .hmsg, .ok, .error: break
        }
    }

    private mutating func noteConnect(_ operation: NATSOperation, _ bytes: Span<UInt8>) {
        guard let options = NATSClientOptions(bytes, in: requests.place(operation.text)) else { return }
        if !options.name.isEmpty {
            client = lane.name(bytes, options.name)
            causality.renamed(ByteHash.hash(bytes, options.name))
        }
        isVerbose = options.isVerbose
        removesHeaders = server.supportsHeaders && !options.readsHeaders && !options.wantsNoResponders
        takesHeaders = server.supportsHeaders && (options.readsHeaders || removesHeaders)
        if removesHeaders { options.askForHeaders(&splices) }
        noteIdentity(bytes, in: requests.place(operation.text))
        openPath(behind: operation)
    }

    private mutating func noteSubscription(_ operation: NATSOperation, _ bytes: Span<UInt8>) {
        let subject = requests.place(operation.subject)
        let sid = requests.place(operation.sid)
        var subscription = NATSSubscriptions.Subscription()
        var words = NATSSubscriptions.Words(sid: sid.map { bytes[$0] })
        subscription.isInbox = NATSSubject.family(bytes, subject) == .inbox
        if NATSSubject.isPattern(bytes, subject) {
            if !subscription.isInbox { subscription.template = lane.destination(bytes, subject).name }
            subscription.isPattern = true
            words.pattern = subject.map { bytes[$0] }
        } else {
            subscription.subject = ByteHash.hash(bytes, subject)
        }
        let queue = requests.place(operation.queue)
        if !queue.isEmpty { subscription.group = lane.group(bytes, queue) }
        subscriptions.add(subscription, words, sid: ByteHash.hash(bytes, sid))
    }

    private mutating func noteUnsubscription(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        let sid = ByteHash.hash(bytes, requests.place(operation.sid))
        if operation.messagesMax > 0 { return subscriptions.limit(sid, to: operation.messagesMax) }
        if !fetches.isEmpty, let subscription = subscriptions[sid], !subscription.isPattern {
            while let fetch = fetches.remove(reply: subscription.subject) { end(fetch, .succeeded, at: now) }
        }
        subscriptions.remove(sid)
    }
}
