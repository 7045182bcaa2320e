import NIOCore
import Telemetry
import Wire

/// The way of what the server sends, and the greeting as the client is to see it.
extension NATSSession {
    mutating func scanDeliveries(_ bytes: Span<UInt8>, from start: Int, at now: Instant) throws(NATSError) {
        var position = start
        while opaque == nil {
            switch try deliveries.decoder.next(in: bytes, at: &position) {
            case .needsMore:
                return
            case .line(let operation):
                if deliveries.disposition == .keep { noteDelivery(operation, bytes, at: now) }
                if operation.endsWithLine {
                    deliveries.endFrame(at: position)
                    if !answers.isEmpty { insertAnswers(at: position) }
                }
                if output.endsSession || output.startTLS.contains(.upstream) { return }
            case .headers(let operation):
                if deliveries.disposition == .keep { noteMessage(operation, bytes, at: now) }
            case .ended(let operation):
                if deliveries.disposition == .keep { finishMessage(operation, bytes, at: now) }
                if deliveries.disposition == .swallow { swallow(deliveries, through: position) }
                deliveries.endFrame(at: position)
                if !answers.isEmpty { insertAnswers(at: position) }
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
        case .ok, .pong: spooling.isAccepted = true
        case .ping, .connect, .pub, .hpub, .sub, .unsub: break
        }
    }

    // MARK: The greeting

    private mutating func noteInfo(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        let text = deliveries.place(operation.text)
        guard
            let info = NATSServerInfo(bytes, in: text, options: listener.nats, tls: listener.tls)
        else { return turnOpaque(.malformedReply, at: now) }
        server.update(info)
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
        output.toClient = Self.refusal(reason)
        output.endsSession = true
    }

    /// The server complains. Of a message that it does not let through, the subject is told; whoever waits for an answer
    /// to that will get none.
    private mutating func noteError(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        guard !isPathRefusal(operation, bytes) else { return }
        let text = deliveries.place(operation.text)
        let words: StaticString = "'Permissions Violation for Publish to \""
        guard ASCIIText.hasPrefix(bytes, in: text, words) else { return }
        let start = text.lowerBound + words.utf8CodeUnitCount
        guard let end = (start..<text.upperBound).first(where: { bytes[$0] == UInt8(ascii: "\"") }) else { return }
        let destination = ByteHash.hash(bytes, start..<end)
        for (open, ticket) in awaited.removeSends(to: destination) {
            lane.completed(ticket, .mistake, latency: nil, listener)
            lane.published(open, .failed(lane.name("permissions_violation")), client: client, at: now)
        }
    }

    // MARK: Messages

    /// All that may be edited of a message is here: its line, and its headers if it has any.
    private mutating func noteMessage(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        if isPathMessage(operation, bytes) {
            if operation.payloadLength > longestRead { deliveries.disposition = .swallow }
            return
        }
        guard !needsPayload(operation, bytes) else { return }
        if !kept.isIdle, withholds(operation, bytes, 0..<0, at: now) { return }
        receive(operation, bytes, isWhole: false, at: now)
        deliveries.disposition = .pass
    }

    /// A message whose payload was kept is complete.
    private mutating func finishMessage(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        guard isPathMessage(operation, bytes) else {
            if !kept.isIdle, withholds(operation, bytes, deliveries.place(operation.body), at: now) { return }
            return receive(operation, bytes, isWhole: true, at: now)
        }
        notePath(operation, bytes)
        deliveries.disposition = .swallow
    }

    /// Whether the message is not to be looked at any further, as it answers a publish that is tried again.
    private mutating func withholds(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ body: Range<Int>, at now: Instant
    ) -> Bool {
        switch answerToKept(operation, bytes, body, at: now) {
        case .ordinary: return false
        case .withheld: deliveries.disposition = .swallow
        case .passed: deliveries.disposition = .pass
        }
        return true
    }

    /// Payloads beyond it are not kept to be read.
    private var longestRead: Int { min(Self.answerBytesMax, listener.frameBytesMax / 2) }

    /// Whether the payload says what the message means.
    private func needsPayload(_ operation: NATSOperation, _ bytes: Span<UInt8>) -> Bool {
        guard !operation.body.isEmpty, operation.payloadLength <= longestRead else { return false }
        let subject = deliveries.place(operation.subject)
        if !awaited.isEmpty, awaited.isInPayload(ByteHash.hash(bytes, subject)) { return true }
        return JetStreamAdvisory.isAdvisory(bytes, subject)
    }

    /// JetStream's answers about consumers are the longest that are read.
    private static let answerBytesMax = 65_536
}
