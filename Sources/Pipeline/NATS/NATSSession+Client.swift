import Telemetry
import Wire

/// The way of what a client sends: subscriptions are noted, messages given their context.
extension NATSSession {
    mutating func scanRequests(_ bytes: Span<UInt8>, from start: Int, at now: Instant) throws(NATSError) {
        var position = start
        while opaque == nil {
            switch try requests.decoder.next(in: bytes, at: &position) {
            case .needsMore:
                return
            case .line(let operation):
                // A line that had to pass because it is too long can be looked at no more.
                if requests.disposition == .keep { noteRequest(operation, bytes, at: now) }
                if operation.endsWithLine { requests.endFrame(at: position) }
            case .headers(let operation):
                if requests.disposition == .keep { notePublication(operation, bytes, at: now) }
            case .ended(let operation):
                if requests.disposition == .keep { readPayload(operation, bytes, at: now) }
                requests.endFrame(at: position)
            }
        }
    }

    /// A control line is complete.
    private mutating func noteRequest(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        switch operation.kind {
        case .pub: notePublication(operation, bytes, at: now)
        case .hpub:
            // Without a header block it is no message at all; the server will say so.
            if operation.headerLength == 0 { requests.disposition = .pass }
        case .sub: noteSubscription(operation, bytes)
        case .unsub:
            let sid = ByteHash.hash(bytes, requests.place(operation.sid))
            if operation.messagesMax > 0 {
                subscriptions.limit(sid, to: operation.messagesMax)
            } else {
                subscriptions.remove(sid)
            }
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
        removesHeaders = server.supportsHeaders && !options.readsHeaders && !options.wantsNoResponders
        takesHeaders = server.supportsHeaders && (options.readsHeaders || removesHeaders)
        if removesHeaders { options.askForHeaders(&splices) }
    }

    private mutating func noteSubscription(_ operation: NATSOperation, _ bytes: Span<UInt8>) {
        let subject = requests.place(operation.subject)
        var subscription = NATSSubscriptions.Subscription()
        subscription.isInbox = NATSSubject.family(bytes, subject) == .inbox
        if NATSSubject.isPattern(bytes, subject) {
            if !subscription.isInbox { subscription.template = lane.destination(bytes, subject).name }
            subscription.pattern = subject.map { bytes[$0] }
        } else {
            subscription.subject = ByteHash.hash(bytes, subject)
        }
        let queue = requests.place(operation.queue)
        if !queue.isEmpty { subscription.group = lane.group(bytes, queue) }
        subscriptions.add(subscription, sid: ByteHash.hash(bytes, requests.place(operation.sid)))
    }

    // MARK: Messages

    /// All that may be edited of a message is here: its line, and its headers if it has any.
    private mutating func notePublication(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        let subject = requests.place(operation.subject)
        switch NATSSubject.family(bytes, subject) {
        case .message, .keyValue, .object:
            requests.disposition = .pass
            publish(operation, bytes, subject, at: now)
        case .inbox:
            requests.disposition = .pass
            counters.notInjected[.reply]?.add(1)
        case .acknowledgement, .fetch, .api, .system:
            requests.disposition = .pass
        }
    }

    /// A payload that was kept is complete.
    private mutating func readPayload(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {}

    private mutating func publish(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>, at now: Instant
    ) {
        var headers = NATSContextHeaders()
        var publication = Publication(
            destination: lane.destination(bytes, subject), bodySize: Int64(operation.body.count),
            obstacle: takesHeaders ? nil : .headersUnsupported)
        if operation.headerLength > 0 {
            let block = requests.place(operation.headers)
            if let read = NATSContextHeaders(bytes, block, lane.shared.correlationFields),
                NATSHeaders.endOfLines(bytes, in: block) != nil
            {
                headers = read
            } else {
                publication.obstacle = .malformed
            }
            publication.context = headers.context
            publication.hasForeignContextField = headers.hasContextHeader && headers.context == nil
            publication.conversation = headers.conversation(bytes)
            publication.traceState = headers.traceState(bytes)
            publication.hasTraceStateField = headers.hasTraceState
            publication.hasCausation = headers.hasCausation
        }
        if publication.obstacle == nil, room(operation) < NATSContextHeaders.contextBytes {
            publication.obstacle = .tooLarge
        }
        var (open, injection, obstacle) = lane.publishing(
            publication, operation: counters.publish, listener: listener, causality: causality, at: now,
            mentions: { _ in .nothing })
        if let obstacle { counters.notInjected[obstacle]?.add(1) }
        if injection != .none { inject(injection, into: operation, bytes) }
        let reply = requests.place(operation.reply)
        guard !reply.isEmpty else { return lane.published(open, .succeeded, client: client, at: now) }
        let hash = ByteHash.hash(bytes, reply)
        guard subscriptions.markInbox(hash, bytes, reply) else {
            return lane.published(open, .succeeded, client: client, at: now)
        }
        open.startedAt = now
        for displaced in openRequests.add(open, reply: hash, most: listener.pendingRepliesMax) {
            lane.abandoned(displaced, as: .evicted, client: client, at: now)
        }
    }

    /// How many bytes of header lines the message may get until the server refuses it.
    private func room(_ operation: NATSOperation) -> Int {
        let block = operation.headerLength == 0 ? NATSContextHeaders.blockStart.count + 2 : 0
        return server.payloadMax - operation.payloadLength - block
    }

    /// Notes the edit: PUB becomes HPUB with a header block, an HPUB gets lines in front of the empty one.
    private mutating func inject(_ injection: Injection, into operation: NATSOperation, _ bytes: Span<UInt8>) {
        let sizes = requests.place(operation.sizes)
        lane.headerLines.removeAll(keepingCapacity: true)
        NATSContextHeaders.append(injection, to: &lane.headerLines, most: room(operation))
        let lines = lane.headerLines
        let body = operation.body.count
        if operation.kind == .pub {
            let headers = NATSContextHeaders.blockStart.count + lines.count + 2
            splices.replace(at: requests.frameStart, removing: 0) { $0.append(UInt8(ascii: "H")) }
            splices.replace(
                at: sizes.lowerBound, removing: requests.place(operation.line).upperBound - sizes.lowerBound
            ) {
                NATSWriter.append(headers, to: &$0)
                $0.append(UInt8(ascii: " "))
                NATSWriter.append(headers + body, to: &$0)
                NATSWriter.appendLineEnd(to: &$0)
                $0.append(contentsOf: NATSContextHeaders.blockStart)
                $0.append(contentsOf: lines)
                NATSWriter.appendLineEnd(to: &$0)
            }
        } else {
            let headers = operation.headerLength + lines.count
            splices.replace(at: sizes.lowerBound, removing: sizes.count) {
                NATSWriter.append(headers, to: &$0)
                $0.append(UInt8(ascii: " "))
                NATSWriter.append(headers + body, to: &$0)
            }
            splices.replace(at: requests.place(operation.headers).upperBound - 2, removing: 0) {
                $0.append(contentsOf: lines)
            }
        }
    }
}
