import NIOCore
import Telemetry
import Wire

/// The way of what the server sends: the greeting as the client is to see it, and messages.
extension NATSSession {
    mutating func scanDeliveries(_ bytes: Span<UInt8>, from start: Int, at now: Instant) throws(NATSError) {
        var position = start
        while opaque == nil {
            switch try deliveries.decoder.next(in: bytes, at: &position) {
            case .needsMore:
                return
            case .line(let operation):
                if deliveries.disposition == .keep { noteDelivery(operation, bytes, at: now) }
                if operation.endsWithLine { deliveries.endFrame(at: position) }
                if output.endsSession || output.startTLS.contains(.upstream) { return }
            case .headers(let operation):
                if deliveries.disposition == .keep { noteMessage(operation, bytes, at: now) }
            case .ended:
                deliveries.endFrame(at: position)
            }
        }
    }

    private mutating func noteDelivery(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        switch operation.kind {
        case .msg: noteMessage(operation, bytes, at: now)
        case .hmsg:
            if operation.headerLength == 0 { deliveries.disposition = .pass }
        case .info: noteInfo(operation, bytes, at: now)
        case .error: noteError(operation, bytes, at: now)
        case .ok, .ping, .pong, .connect, .pub, .hpub, .sub, .unsub: break
        }
    }

    // MARK: The greeting

    private mutating func noteInfo(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        let text = deliveries.place(operation.text)
        guard
            let info = NATSServerInfo(bytes, in: text, options: listener.nats, tls: listener.tls)
        else { return turnOpaque(.malformedReply, at: now) }
        server = info
        output.alternatives = info.servers
        let isGreeting = !hasGreeted
        hasGreeted = true
        if isGreeting, listener.tls.upstream == .afterGreeting, !info.requiresTLS, !info.offersTLS {
            // Going on would send the client's credentials in the clear.
            return refuse("the upstream offers no TLS, and this listener is told to use it")
        }
        splices.replace(at: text.lowerBound, removing: text.count) { $0.append(contentsOf: info.text) }
        guard isGreeting else { return }
        if listener.tls.upstream == .afterGreeting { output.startTLS.insert(.upstream) }
        if listener.tls.client == .afterGreeting { output.startTLS.insert(.client) }
    }

    private mutating func refuse(_ reason: String) {
        splices.replace(at: 0, removing: 0) { $0.append(contentsOf: NATSWriter.error("tacho: \(reason)")) }
        output.endsSession = true
    }

    /// The server complains. Of a message that it does not let through, the subject is told; whoever waits for an answer
    /// to that will get none.
    private mutating func noteError(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        let text = deliveries.place(operation.text)
        let words: StaticString = "'Permissions Violation for Publish to \""
        guard ASCIIText.hasPrefix(bytes, in: text, words) else { return }
        let start = text.lowerBound + words.utf8CodeUnitCount
        guard let end = (start..<text.upperBound).first(where: { bytes[$0] == UInt8(ascii: "\"") }) else { return }
        let destination = ByteHash.hash(bytes, start..<end)
        for open in openRequests.removeAll(to: destination) {
            lane.published(open, .failed(lane.name("permissions_violation")), client: client, at: now)
        }
    }

    // MARK: Messages

    /// All that may be edited of a message is here: its line, and its headers if it has any.
    private mutating func noteMessage(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        deliveries.disposition = .pass
        let sid = ByteHash.hash(bytes, deliveries.place(operation.sid))
        let subject = deliveries.place(operation.subject)
        let subscription = subscriptions[sid]
        if let subscription { subscriptions.count(sid, subscription) }
        var headers = NATSContextHeaders()
        if operation.headerLength > 0 {
            let block = deliveries.place(operation.headers)
            headers = NATSContextHeaders(bytes, block, lane.shared.correlationFields) ?? headers
            editHeaders(operation, headers)
        }
        if !openRequests.isEmpty {
            let hash = ByteHash.hash(bytes, subject)
            if openRequests.contains(hash) { return answered(hash, headers, at: now) }
        }
        if subscription?.isInbox == true || headers.status != 0 { return }
        deliver(operation, bytes, subject, headers, subscription, at: now)
    }

    /// What the client does not read, or is not to see, is taken out.
    private mutating func editHeaders(_ operation: NATSOperation, _ headers: NATSContextHeaders) {
        let sizes = deliveries.place(operation.sizes)
        let block = deliveries.place(operation.headers)
        let body = operation.body.count
        let strips = listener.deliver == .strip && !headers.added.isEmpty
        if strips { counters.stripped.add(1) }
        if removesHeaders || (strips && !headers.hasOthers) {
            splices.replace(at: deliveries.frameStart, removing: 1) { _ in }
            splices.replace(at: sizes.lowerBound, removing: sizes.count) { NATSWriter.append(body, to: &$0) }
            splices.replace(at: block.lowerBound, removing: block.count) { _ in }
        } else if strips {
            let length = operation.headerLength - headers.added.count
            splices.replace(at: sizes.lowerBound, removing: sizes.count) {
                NATSWriter.append(length, to: &$0)
                $0.append(UInt8(ascii: " "))
                NATSWriter.append(length + body, to: &$0)
            }
            splices.replace(at: headers.added.lowerBound, removing: headers.added.count) { _ in }
        }
    }

    /// The answer to a request has come.
    private mutating func answered(_ reply: UInt64, _ headers: NATSContextHeaders, at now: Instant) {
        guard var open = openRequests.remove(reply) else { return }
        let outcome: Outcome = headers.status >= 400 ? .failed(lane.name("\(headers.status)")) : .succeeded
        lane.rename(&open, counters.request, listener)
        // Who waits for an answer is a client of the one who works on it.
        open.kind = .client
        lane.published(open, outcome, client: client, at: now)
    }

    private mutating func deliver(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>, _ headers: NATSContextHeaders,
        _ subscription: NATSSubscriptions.Subscription?, at now: Instant
    ) {
        guard NATSSubject.family(bytes, subject) == .message else { return }
        var destination = lane.destination(bytes, subject)
        destination.template = subscription?.template ?? .none
        let group = subscription?.group ?? .absent
        var message = Delivered(
            messageID: .none, context: headers.context, conversation: headers.conversation(bytes), traceState: nil,
            bodySize: Int64(operation.body.count))
        if headers.context?.isSampled == true { message.traceState = headers.traceState(bytes) }
        if let conversation = message.conversation {
            message.conversationIsExact = headers.isExact(conversation, bytes)
        }
        lane.pushed(message, from: destination, group: group, client: client, listener: listener, at: now)
    }
}
