import NIOCore
import Resilience
import Telemetry
import Wire

/// Publishes that carry an idempotency key (XADD with IDMP or IDMPAUTO, Redis 8.6) and have failed are published again.
///
/// The key makes it safe although nobody knows whether the first try was carried out: Redis answers with the id of the
/// entry that it has (https://redis.io/docs/latest/develop/data-types/streams/idempotency). IDMPAUTO derives the key from
/// the fields, which are the same in each try. Redis forgets keys, after 100 s and beyond 100 of a producer by default; so
/// nothing is tried again that is too old or has too many behind it. Tries go by a courier, under the credentials of the
/// sidecar. Meanwhile the client is not read, and replies behind the one that is sought wait, so that their order is kept.
extension RedisSession {
    /// Half of the time for which Redis remembers a key, if nobody has told it otherwise.
    private static let ageNanosecondsMax: UInt64 = 50_000_000_000

    // MARK: Keeping

    /// Keeps a copy of the publish at hand, if it may be tried again and there is room.
    mutating func keep(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ injection: Injection, inline: Bool
    ) -> KeyedPublish? {
        republishing.keyedCount += 1
        guard let limits = listener.retries, !inline, !guarding.isQueueing, replyMode == .on else { return nil }
        let tokens = arguments.tokens
        let end = tokens[tokens.count - 1].endOffset
        guard republishing.keptCount < limits.messagesMax, republishing.keptBytes + end <= limits.bytesMax else {
            lane.countNotRetried("not_kept", listener)
            return nil
        }
        var command: [UInt8] = []
        RESPWriter.appendHeader(
            type: UInt8(ascii: "*"), count: tokens[0].length + injection.elementCount, to: &command)
        command += Array(copying: bytes, (arguments.base + tokens[0].endOffset)..<(arguments.base + end))
        ContextFields.append(injection, to: &command)
        republishing.keep(command.count)
        return KeyedPublish(command: command, database: database, ordinal: republishing.keyedCount)
    }

    // MARK: Replies

    /// The reply to a publish with a key. True: it is not passed on, at least not now and here.
    mutating func answerKeyed(
        _ publish: KeyedPublish, _ entry: PendingReplies.Entry, _ start: Int, _ outcome: Outcome, _ bytes: Span<UInt8>,
        at now: Instant
    ) -> Bool {
        if let number = publish.republication {
            answerLate(number, entry, start, outcome, bytes, at: now)
            return true
        }
        guard case .send(let open)? = pending.nextOperation(of: entry) else {
            republishing.letGo(publish)
            return false
        }
        guard case .failed(let error) = outcome, let failure = failure(start, bytes) else {
            republishing.letGo(publish)
            if outcome == .succeeded { lane.publishedWithKey(open.route, after: nil, at: now) }
            return false
        }
        let number = republish(
            publish, open, after: failure, error, reply: frame(start, bytes), isProbe: entry.ticket.isProbe, at: now)
        guard let number else {
            republishing.letGo(publish)
            return false
        }
        _ = pending.popOperation(of: entry)
        republishing.replacement = number
        return true
    }

    /// What the reply at token `index` says about the broker, if it is trouble.
    private func failure(_ index: Int, _ bytes: Span<UInt8>) -> FailureClass? {
        guard replies.disposition == .keep else { return nil }
        return RedisErrorClass.result(bytes, replies.value(replies.tokens[index])).failure
    }

    /// The reply at token `index`, a scalar, with its attributes.
    private func frame(_ index: Int, _ bytes: Span<UInt8>) -> [UInt8] {
        Array(copying: bytes, replies.frameStart..<(replies.frameStart + replies.tokens[index].endOffset))
    }

    /// The upstream answers a publish for which it was overdue, and that was published again. Whatever came first is told;
    /// its place in the order is kept already.
    private mutating func answerLate(
        _ number: UInt64, _ entry: PendingReplies.Entry, _ start: Int, _ outcome: Outcome, _ bytes: Span<UInt8>,
        at now: Instant
    ) {
        _ = pending.popOperation(of: entry)
        guard replies.disposition == .keep, replies.tokens[start].endsFrame else { return guarding.ends = true }
        let frame = frame(start, bytes)
        splices.replace(at: replies.frameStart, removing: frame.count) { _ in }
        guard let republication = republishing[number] else { return }
        if republication.isActive, failure(start, bytes) != nil { return }
        let token = replies.tokens[start]
        let id = token.kind == .bulkString ? RESPText.entryID(bytes, in: replies.value(token)) : nil
        settle(
            number, with: frame, outcome,
            id.map { .streamEntry(milliseconds: $0.milliseconds, sequence: $0.sequence) } ?? .none, at: now)
    }

    /// A publish has no reply in time. If nothing is in front of it, it is published again while the upstream may yet
    /// reply.
    mutating func republishOverdue(_ entry: PendingReplies.Entry, at now: Instant) {
        guard opaque == nil, !replies.isInsideFrame, pending.examined == pending.republishedCount,
            let publish = pending.firstCopy, case .send(let open)? = pending.firstOperation,
            let number = republish(
                publish, open, after: .timeout, lane.name("timeout"), reply: nil, isProbe: entry.ticket.isProbe,
                isStillAwaited: true, at: now)
        else { return }
        pending.noteRepublished(as: number)
        republishing.replies.append(awaited: number)
    }

    /// The upstream is gone: publishes with keys at the head of what is awaited are published again, and answered in their
    /// order; then the connection ends, as it does at once where anything else stands in front.
    mutating func republishLost(at now: Instant) {
        guard opaque == nil, pending.head?.isKeyed ?? false || !republishing.replies.isEmpty else { return }
        defer { republishing.replies.end() }
        // The client has a part of a reply, and nothing can be put in its place.
        guard !replies.isInsideFrame || replies.disposition != .pass else { return }
        replies = RESPFrameKeeper(role: .replies)
        while let entry = pending.head {
            if let answer = pending.popLocal() {
                republishing.replies.append(ByteBuffer(bytes: answer))
                continue
            }
            guard entry.isKeyed, let entry = pending.popFirst(), let publish = pending.popCopy(),
                case .send(let open)? = pending.popOperation(of: entry)
            else { return }
            if let number = publish.republication {
                if republishing[number]?.isActive == false { return finishGivenUp(number, at: now) }
                continue
            }
            lane.completed(entry.ticket, .failed(.connection), latency: nil, listener)
            let error = lane.name("connection_lost")
            let number = republish(
                publish, open, after: .connection, error, reply: nil, isProbe: entry.ticket.isProbe, at: now)
            guard let number else {
                republishing.letGo(publish)
                return lane.abandoned(open, as: .disconnected, client: client, at: now)
            }
            republishing.replies.append(awaited: number)
        }
    }

    // MARK: Tries

    /// Decides whether a publish that has failed once is tried again. Returns the number of its republication.
    private mutating func republish(
        _ publish: KeyedPublish, _ open: OpenSend, after failure: FailureClass, _ error: NameID, reply: [UInt8]?,
        isProbe: Bool, isStillAwaited: Bool = false, at now: Instant
    ) -> UInt64? {
        guard let limits = listener.retries else { return nil }
        var republication = Republication(
            number: republishing.nextNumber(), publish: publish, open: open,
            deadline: now.monotonicNanoseconds &+ limits.withinNanoseconds, isStillAwaited: isStillAwaited,
            failure: failure, error: error, reply: reply.map { ($0, error) }, state: .givenUp)
        guard plan(&republication, error, isProbe: isProbe, at: now) else { return nil }
        republishing.add(republication)
        return republication.number
    }

    /// Plans the next try, if there is to be one.
    private mutating func plan(
        _ republication: inout Republication, _ error: NameID, isProbe: Bool, at now: Instant
    ) -> Bool {
        let limits = listener.retries
        let isRecent =
            republishing.keyedCount - republication.publish.ordinal < UInt64(limits?.messagesMax ?? 0)
            && now.nanoseconds(since: republication.open.startedAt) < Self.ageNanosecondsMax
        var call = RetryPolicy.FailedCall(
            republication.failure, attempts: republication.attempts, isIdempotent: isRecent,
            isCertainlyUndone: republication.reply != nil)
        call.isProbe = isProbe
        // A try needs some time for its reply: without one nobody knows any more what has become of the publish.
        let lastMoment = republication.deadline &- (limits?.withinNanoseconds ?? 0) / 10
        let decision = lane.retryPublish(call, on: republication.open.route, listener, until: lastMoment, at: now)
        guard case .after(let delay) = decision else { return false }
        republication.state = .waits(until: now.monotonicNanoseconds &+ delay)
        republication.error = error
        return true
    }

    /// Sends what is due.
    mutating func sendDue(at now: Instant) {
        let moment = now.monotonicNanoseconds
        for republication in republishing.republications where moment >= republication.wakesAt {
            switch republication.state {
            case .waits: send(republication, at: now)
            case .carried: carried(republication.number, .unknown(.timeout), at: now)
            case .givenUp: break
            }
        }
    }

    private mutating func send(_ republication: Republication, at now: Instant) {
        guard case .passes(var ticket) = lane.admit(republication.open.route, listener, at: now) else {
            lane.countNotRetried("breaker", listener)
            return giveUp(republication.number, at: now)
        }
        guard lane.takePlace(&ticket) else {
            lane.completed(ticket, .unknown, latency: nil, listener)
            lane.countNotRetried("bulkhead", listener)
            return giveUp(republication.number, at: now)
        }
        republishing.update(republication.number) { sent in
            sent.state = .carried(ticket, since: now)
            let error = lane.shared.names.text(of: sent.error)
            lane.noteRetry(&sent.open, attempt: sent.attempts + 1, after: error, at: now)
        }
        guarding.detours.append(
            .courier(
                CourierOrder(
                    number: republication.number, command: republication.publish.command,
                    database: republication.publish.database, deadline: republication.deadline), to: .primary))
    }

    /// What came of a try.
    mutating func carried(_ number: UInt64, _ outcome: CourierOutcome, at now: Instant) {
        guard let republication = republishing[number], case .carried(let ticket, let since) = republication.state
        else {
            return
        }
        republishing.update(number) { $0.state = .waits(until: .max) }
        let latency = now.nanoseconds(since: since)
        switch outcome {
        case .answered(let reply):
            lane.completed(ticket, reply.result, latency: latency, listener)
            answered(republication, reply, isProbe: ticket.isProbe, at: now)
        case .undone(let failure):
            // The guard of the upstream knows of the connection; the call itself never began.
            lane.completed(ticket, .unknown, latency: nil, listener)
            guard failure == .connection || failure == .timeout else {
                lane.countNotRetried(failure.word, listener)
                return giveUp(number, at: now)
            }
            again(number, after: failure.failureClass, lane.name("connection_lost"), isProbe: ticket.isProbe, at: now)
        case .unknown(let failure):
            lane.completed(ticket, .failed(failure.failureClass), latency: nil, listener)
            republishing.update(number) { $0.reply = nil }
            let error = failure == .timeout ? lane.name("timeout") : lane.name("connection_lost")
            again(number, after: failure.failureClass, error, isProbe: ticket.isProbe, at: now)
        }
    }

    private mutating func answered(
        _ republication: Republication, _ reply: CourierReply, isProbe: Bool, at now: Instant
    ) {
        guard let text = reply.failure else {
            lane.publishedWithKey(republication.open.route, after: republication.failure, at: now)
            let id = reply.entryID.map {
                MessageID.streamEntry(milliseconds: $0.milliseconds, sequence: $0.sequence)
            }
            return settle(republication.number, with: reply.frame, .succeeded, id ?? .none, at: now)
        }
        let error = lane.errorName(text.span, 0..<text.count)
        // Whether the sidecar may publish says nothing of the client.
        guard !Self.isAboutPermission(text) else {
            lane.countNotRetried("refused", listener)
            return giveUp(republication.number, at: now)
        }
        guard let failure = reply.result.failure else {
            return settle(republication.number, with: reply.frame, .failed(error), .none, at: now)
        }
        // An error tells that this try was not carried out; of earlier ones of unknown fate it tells nothing.
        republishing.update(republication.number) { if $0.reply != nil { $0.reply = (reply.frame, error) } }
        again(republication.number, after: failure, error, isProbe: isProbe, at: now)
    }

    private static func isAboutPermission(_ text: [UInt8]) -> Bool {
        text.starts(with: "NOPERM".utf8) || text.starts(with: "NOAUTH".utf8)
    }

    private mutating func again(
        _ number: UInt64, after failure: FailureClass, _ error: NameID, isProbe: Bool, at now: Instant
    ) {
        guard var changed = republishing[number] else { return }
        changed.failure = failure
        changed.attempts += 1
        guard plan(&changed, error, isProbe: isProbe, at: now) else { return giveUp(number, at: now) }
        republishing.update(number) { $0 = changed }
    }

    // MARK: Ends

    /// No further try. The client is told what the broker said, if that is the truth; else the connection ends there,
    /// as it does where nothing is tried again, unless the upstream may yet reply.
    private mutating func giveUp(_ number: UInt64, at now: Instant) {
        guard let republication = republishing[number] else { return }
        if let reply = republication.reply {
            return settle(number, with: reply.frame, .failed(reply.error), .none, at: now)
        }
        if republication.isStillAwaited, !republishing.hasLostUpstream {
            return republishing.update(number) { $0.state = .givenUp }
        }
        finishGivenUp(number, at: now)
    }

    private mutating func finishGivenUp(_ number: UInt64, at now: Instant) {
        guard let republication = republishing.remove(number) else { return }
        republishing.replies.settle(number, with: nil)
        lane.abandoned(
            republication.open, as: .disconnected, client: client, at: now)
    }

    private mutating func settle(
        _ number: UInt64, with frame: [UInt8], _ outcome: Outcome, _ id: MessageID, at now: Instant
    ) {
        guard let republication = republishing.remove(number) else { return }
        if case .carried(let ticket, _) = republication.state { forget(CollectionOfOne(ticket)) }
        republishing.replies.settle(number, with: frame)
        lane.published(
            republication.open, outcome, messageID: id, client: client, at: now)
    }

    /// The session is over.
    mutating func abandonRepublishing(at now: Instant) {
        for republication in republishing.republications {
            _ = republishing.remove(republication.number)
            if case .carried(let ticket, _) = republication.state { forget(CollectionOfOne(ticket)) }
            lane.abandoned(
                republication.open, as: .disconnected, client: client, at: now)
        }
    }
}

extension CourierFailure {
    fileprivate var failureClass: FailureClass { self == .timeout ? .timeout : .connection }

    /// Why a publish is not tried again (`tacho_retries_total{outcome}`).
    fileprivate var word: StaticString {
        switch self {
        case .full: "full"
        case .guarded: "breaker"
        case .refused: "refused"
        case .connection: "connection"
        case .timeout: "deadline"
        }
    }
}
