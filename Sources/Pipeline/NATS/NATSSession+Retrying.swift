import NIOCore
import Resilience
import Telemetry
import Wire

/// Publishes that are tried again because they carry an idempotency key: `Nats-Msg-Id`, by which JetStream knows a message
/// that it has stored already, for two minutes unless its stream says otherwise (`duplicate_window`).
///
/// An answer that says that the server was not able to (nobody is there, no leader, no resources) is kept from the client
/// while another try is allowed; the last one goes to it. An answer that does not come is waited for on: of several, the
/// first good one is the client's. Every try goes out on the client's own connection, with the same reply subject, and is
/// a call of its own for the guards.
extension NATSSession {
    /// How a message stands with being sent again.
    enum Idempotency {
        /// It is sent once.
        case none
        /// There is no room to keep it.
        case noRoom
        case keyed(isConditional: Bool)
    }

    /// A server that has not answered remembers the key for longer than this, unless its stream was told otherwise: half
    /// of JetStream's own two minutes.
    private static let rememberedNanoseconds: UInt64 = 60_000_000_000

    /// Whether the message can be told from its own second arrival. A verbose client counts the answers to what it sends,
    /// so nothing may be sent for it.
    func idempotency(_ operation: NATSOperation, _ bytes: Span<UInt8>) -> Idempotency {
        guard let limits = listener.retries, operation.headerLength > 0, !operation.reply.isEmpty, !isVerbose,
            var headers = NATSHeaders(bytes, in: requests.place(operation.headers))
        else { return .none }
        var (hasKey, isConditional) = (false, false)
        while let line = headers.nextLine(bytes) {
            if ASCIIText.isSame(bytes, in: line.name, "Nats-Msg-Id") {
                hasKey = !line.value.isEmpty
            } else if ASCIIText.hasPrefix(bytes, in: line.name, "Nats-Expected-") {
                isConditional = true
            }
        }
        guard hasKey else { return .none }
        let count = operation.endOffset + Self.addedBytesMax
        guard count <= listener.frameBytesMax, kept.hasRoom(for: count, limits) else { return .noRoom }
        return .keyed(isConditional: isConditional)
    }

    /// More than injection adds.
    private static let addedBytesMax = 1_024

    /// Keeps a message that has just been decided about. Edits from number `firstEdit` on are its own.
    mutating func keep(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ open: OpenSend, _ ticket: GuardTicket, isConditional: Bool,
        reply: UInt64, sid: UInt64, firstEdit: Int, at now: Instant
    ) {
        // A subscription that ends by itself takes one answer and no second.
        guard subscriptions[sid]?.remaining == 0 else { return }
        let frame = requests.frameStart..<requests.frameStart + operation.endOffset
        let moment = now.monotonicNanoseconds
        kept.put(
            NATSKeptPublishes.Publish(
                frame: splices.edited(bytes, frame, from: firstEdit), route: open.route,
                destination: open.destination.hash, sid: sid, isConditional: isConditional, firstSentAt: moment,
                sentAt: moment, isProbe: ticket.isProbe),
            reply: reply)
    }

    // MARK: Answers

    /// What becomes of a message from the server that answers a kept publish.
    enum KeptAnswer {
        /// It is like any other.
        case ordinary
        /// The client does not get it.
        case withheld
        /// It came by another subscription too, and is not the answer there.
        case passed
    }

    /// Looks at a message that may answer a kept publish. `body` is empty where there is none, or it was not kept.
    mutating func answerToKept(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ body: Range<Int>, at now: Instant
    ) -> KeptAnswer {
        let reply = ByteHash.hash(bytes, deliveries.place(operation.subject))
        if kept.takeLate(reply) { return .withheld }
        guard var publish = kept[reply] else { return .ordinary }
        guard publish.sid == ByteHash.hash(bytes, deliveries.place(operation.sid)) else { return .passed }
        publish.unanswered = max(0, publish.unanswered - 1)
        let status =
            operation.headerLength > 0
            ? NATSHeaders(bytes, in: deliveries.place(operation.headers))?.status ?? 0 : 0
        let answer = JetStreamAnswer(bytes, body)
        if let failure = Self.failure(answer, status, bytes) {
            let isWaiting = publish.dueAt != nil
            let mayTry = isWanted(publish) && !publish.isGivenUp
            if isWaiting || (mayTry && triesAgain(&publish, failure, at: now)) {
                let frame = deliveries.frameStart..<deliveries.frameStart + operation.endOffset - 2
                publish.answer = frame.map { bytes[$0] } + Array("\r\n".utf8)
                kept.put(publish, reply: reply)
                endTry(reply, .failed(failure.kind), at: now)
                return .withheld
            }
        } else if case .stored = answer {
            lane.publishedWithKey(publish.route, after: publish.failure?.kind, at: now)
        }
        _ = kept.remove(reply)
        if publish.tries > 1 { kept.expectLate(publish.unanswered, reply: reply) }
        return .ordinary
    }

    /// What the server is to blame for; nil for everything else.
    private static func failure(
        _ answer: JetStreamAnswer, _ status: Int, _ bytes: Span<UInt8>
    ) -> NATSKeptPublishes.Failure? {
        switch answer {
        case .refused(let code, isServersFault: true):
            NATSKeptPublishes.Failure(kind: .unavailable, name: ContextNames.text(bytes, code))
        case .other where status == 503: NATSKeptPublishes.Failure(kind: .unavailable, name: "503")
        case .stored, .refused, .other: nil
        }
    }

    /// The client still listens for the answer.
    private func isWanted(_ publish: NATSKeptPublishes.Publish) -> Bool { subscriptions[publish.sid]?.remaining == 0 }

    /// Tells the guards of a try whose publish still waits.
    private mutating func endTry(_ reply: UInt64, _ result: CallResult, at now: Instant) {
        let ended = awaited.change(reply) { question in
            defer { question.ticket = .none }
            return (question.ticket, question.since)
        }
        guard let (ticket, since) = ended, !ticket.isNone else { return }
        let moment = now.monotonicNanoseconds
        lane.completed(ticket, result, latency: moment > since ? moment - since : 0, listener)
    }

    /// Decides about a publish of which a try has failed. True: it has got its time for another.
    private func triesAgain(
        _ publish: inout NATSKeptPublishes.Publish, _ failure: NATSKeptPublishes.Failure, at now: Instant
    ) -> Bool {
        guard let limits = listener.retries else { return false }
        let moment = now.monotonicNanoseconds
        let deadline = publish.deadline ?? moment &+ limits.withinNanoseconds
        publish.deadline = deadline
        // Only what JetStream stores is told from its second arrival, and a condition may fail for the first.
        let isStored = counters.storedDestinations.contains(publish.destination)
        var call = RetryPolicy.FailedCall(
            failure.kind, attempts: publish.tries, isIdempotent: isStored && !publish.isConditional,
            isCertainlyUndone: publish.unanswered == 0)
        call.isProbe = publish.isProbe
        let retry = lane.retryPublish(
            call, on: publish.route, listener, until: min(deadline, publish.firstSentAt &+ Self.rememberedNanoseconds),
            at: now)
        guard case .after(let delay) = retry else { return false }
        publish.failure = failure
        publish.dueAt = moment &+ delay
        return true
    }

    /// Tries that nobody has answered in time. Another follows once; the answer may come all the same.
    mutating func countOverdueTries(limit: UInt64, at now: Instant) {
        let moment = now.monotonicNanoseconds
        for reply in kept.overdue(since: moment - limit) {
            guard var publish = kept[reply] else { continue }
            publish.timeouts += 1
            if publish.timeouts > 1 {
                lane.countNotRetried("attempts", listener)
            } else if isWanted(publish),
                triesAgain(&publish, NATSKeptPublishes.Failure(kind: .timeout, name: "timeout"), at: now)
            {
                kept.put(publish, reply: reply)
                continue
            }
            guard !publish.answer.isEmpty else {
                if publish.unanswered > 1 {
                    // Of the answers that may come yet, the client gets the first.
                    publish.isGivenUp = true
                    publish.sentAt = .max
                    kept.put(publish, reply: reply)
                } else {
                    _ = kept.remove(reply)
                }
                continue
            }
            publish.isGivenUp = true
            publish.dueAt = moment
            kept.put(publish, reply: reply)
        }
    }

    // MARK: Further tries

    /// Sends what is due once more, or gives its client the answer that there was.
    mutating func tryDue(at now: Instant) {
        for reply in kept.due(at: now.monotonicNanoseconds) { tryAgain(reply, at: now) }
    }

    private mutating func tryAgain(_ reply: UInt64, at now: Instant) {
        guard var publish = kept.remove(reply), awaited.contains(reply), isWanted(publish) else { return }
        guard !publish.isGivenUp, let ticket = admitTry(publish.route, at: now) else {
            return giveBack(publish, reply, at: now)
        }
        guard let question = awaited.remove(reply), case .send(var open) = question.answer else {
            return lane.completed(ticket, .unknown, latency: nil, listener)
        }
        publish.tries += 1
        publish.unanswered += 1
        publish.dueAt = nil
        publish.sentAt = now.monotonicNanoseconds
        publish.isProbe = ticket.isProbe
        lane.noteRetry(&open, attempt: publish.tries, after: publish.failure?.name ?? "", at: now)
        resends += publish.frame
        kept.put(publish, reply: reply)
        awaitAnswer(.send(open), ticket, reply: reply, at: now)
    }

    /// Asks the guards about one more try; nil where they say no.
    private func admitTry(_ route: RouteID, at now: Instant) -> GuardTicket? {
        guard case .passes(var ticket) = lane.admit(route, listener, at: now) else {
            lane.countNotRetried("breaker", listener)
            return nil
        }
        guard lane.shared.guards?.bulkhead == nil || lane.takePlace(&ticket) else {
            lane.completed(ticket, .unknown, latency: nil, listener)
            lane.countNotRetried("bulkhead", listener)
            return nil
        }
        return ticket
    }

    /// Operations that are sent again, if none of the client's is on its way to the server; they would stand in the middle
    /// of it.
    mutating func takeResends() -> ByteBuffer? {
        guard !resends.isEmpty, !(requests.isInsideFrame && requests.disposition == .pass) else { return nil }
        defer { resends.removeAll(keepingCapacity: false) }
        return ByteBuffer(bytes: resends)
    }

    /// An operation of the client has ended at `position`: what is sent again comes next.
    mutating func insertResends(at position: Int) {
        splices.replace(at: position, removing: 0) { $0 += resends }
        resends.removeAll(keepingCapacity: false)
    }

    /// No further try: the client gets the answer that was kept from it, as if it came now.
    private mutating func giveBack(_ publish: NATSKeptPublishes.Publish, _ reply: UInt64, at now: Instant) {
        guard !publish.answer.isEmpty else { return }
        // The server may be in the middle of another message.
        var (direction, edits) = (NATSFrameKeeper(role: .server), SpliceList())
        swap(&direction, &deliveries)
        swap(&edits, &splices)
        let buffer = ByteBuffer(bytes: publish.answer)
        try? scanDeliveries(buffer.readableBytesUInt8Span, from: 0, at: now)
        let shown = splices.isEmpty ? buffer : splices.apply(to: buffer, count: buffer.readableBytes)
        swap(&direction, &deliveries)
        swap(&edits, &splices)
        answers.append(contentsOf: shown.readableBytesView)
        kept.expectLate(publish.unanswered, reply: reply)
    }

    /// Nothing is sent any more for this client: what waits for another try gets the answer that there was.
    mutating func giveAllBack(at now: Instant) {
        for reply in kept.due(at: .max - 1) {
            guard let publish = kept.remove(reply), awaited.contains(reply), isWanted(publish) else { continue }
            giveBack(publish, reply, at: now)
        }
        _ = kept.removeAll()
    }
}
