import Telemetry
import Wire

/// The way of a reply: which command it answers, and what it says about the messages.
extension RedisSession {
    mutating func scanReplies(_ bytes: Span<UInt8>, from start: Int, at now: Instant) throws(RESPError) {
        var position = start
        while opaque == nil {
            switch try replies.decoder.next(in: bytes, at: &position) {
            case .needsMore:
                return
            case .announced(let token):
                announceReply(token, bytes, at: now)
            case .token(let token):
                noteReply(token, bytes)
                guard token.endsFrame else { continue }
                finishReply(bytes, at: now)
                if republishing.replacement != nil { replacedReply = replies.frameStart..<position }
                replies.endFrame(at: position)
                replyStart = nil
                pushIsHandled = false
                guard republishing.replacement == nil else { return }
                insertAnswers(at: position)
            }
        }
    }

    private mutating func noteReply(_ token: RESPToken, _ bytes: Span<UInt8>) {
        guard replies.disposition != .pass else { return }
        guard replies.note(token) else { return passReply() }
        guard replies.disposition == .undecided, token.depth == 0, token.kind != .attribute else { return }
        replyStart = replies.tokens.count - 1
        replies.disposition = mustBeSeen(token) ? .keep : .pass
    }

    /// Whether the reply that begins with this token is looked into.
    private func mustBeSeen(_ token: RESPToken) -> Bool {
        guard !token.endsFrame, token.kind != .push else { return true }
        guard let head = pending.head else { return !subscriptions.isEmpty }
        switch head.expectation {
        case .subscription, .unsubscribeAll: return true
        case .execute: return tracedInTransaction > 0 || databases.areInTransaction
        case .reply, .hello, .select, .discard, .reset, .monitor, .local, .aborted:
            return !subscriptions.isEmpty || head.hasOperation
        }
    }

    /// A large bulk has begun inside the reply. What can be known of a push is known now; a reply that cannot be kept
    /// whole passes unedited.
    private mutating func announceReply(_ token: RESPToken, _ bytes: Span<UInt8>, at now: Instant) {
        guard replies.disposition != .pass else { return }
        if token.depth == 0 {
            replyStart = replies.tokens.count
            _ = replies.note(token)
            replies.disposition = .pass
            return
        }
        guard token.offset + token.length > listener.frameBytesMax else { return }
        if let start = replyStart, isPush(start, bytes), replies.note(token) {
            receivePush(start, bytes, at: now)
            pushIsHandled = true
            replies.disposition = .pass
            return
        }
        passReply()
    }

    private mutating func passReply() {
        if replies.disposition == .keep { counters.uneditedTooLarge.add(1) }
        replies.disposition = .pass
    }

    /// The reply has outgrown what is kept, and its bytes are here for the last time. If it is a push, it must not be
    /// taken for an answer when it ends.
    mutating func outgrewReply(_ bytes: Span<UInt8>, at now: Instant) {
        counters.uneditedTooLarge.add(1)
        guard let start = replyStart, isPush(start, bytes) else { return }
        if confirmsSubscription(start, bytes) { return turnOpaque(.subscriptionTooLarge, at: now) }
        pushIsHandled = true
    }

    private mutating func finishReply(_ bytes: Span<UInt8>, at now: Instant) {
        guard !pushIsHandled else { return }
        guard let start = replyStart else { return turnOpaque(.malformedReply, at: now) }
        let first = replies.tokens[start]
        if replies.disposition == .keep, isPush(start, bytes) { return receivePush(start, bytes, at: now) }
        // Of a push that has passed nothing is here to be looked at any more.
        if first.kind == .push { return }
        if isMonitoring, first.kind == .simpleString, isMonitorLine(first, bytes) { return }
        answer(start, bytes, at: now)
    }

    /// A line of MONITOR begins with a time stamp; no reply begins with a digit.
    private func isMonitorLine(_ token: RESPToken, _ bytes: Span<UInt8>) -> Bool {
        guard replies.disposition == .keep, token.length > 0 else { return false }
        return (0x30...0x39).contains(bytes[replies.value(token).lowerBound])
    }

    // MARK: Answers

    private mutating func answer(_ start: Int, _ bytes: Span<UInt8>, at now: Instant) {
        guard pending.head?.expectation != .local, let entry = pending.popFirst() else {
            return turnOpaque(.unexpectedReply, at: now)
        }
        let first = replies.tokens[start]
        let copy = entry.isKeyed ? pending.popCopy() : nil
        if first.kind == .simpleString, first.length == 6, isQueued(first, bytes) {
            if let copy { republishing.letGo(copy) }
            return queue(entry, pending.popOperation(of: entry), at: now)
        }
        complete(entry, first, bytes, since: entry.startedAt, at: now)
        let outcome = outcome(first, bytes)
        if let copy, answerKeyed(copy, entry, start, outcome, bytes, at: now) { return }
        switch entry.expectation {
        case .reply, .subscription, .unsubscribeAll:
            break
        case .hello:
            // The reply's own form tells the version; nothing needs to be remembered.
            break
        case .select:
            databases.answered(outcome == .succeeded)
        case .aborted:
            forgetTransaction()
            replaceAbortedReply(first)
        case .local:
            // Ours, and never answered by the upstream.
            break
        case .execute:
            executed(start, outcome, bytes, startedAt: entry.startedAt, at: now)
        case .discard:
            if outcome == .succeeded { forgetTransaction() }
        case .reset:
            if outcome == .succeeded { reset() }
        case .monitor:
            if outcome == .succeeded { isMonitoring = true }
        }
        guard let operation = pending.popOperation(of: entry) else { return measure(entry, outcome, at: now) }
        if case .send(let open) = operation { return sent(open, start, outcome, bytes, at: now) }
        var reader = makeReader()
        resolve(operation, start, outcome, bytes, &reader, at: now)
        finish(&reader)
    }

    private func makeReader() -> StreamReplyReader {
        let storage = lane.deliveredMessages
        lane.deliveredMessages = []
        return StreamReplyReader(
            tokens: replies.tokens, base: replies.frameStart, strips: listener.deliver == .strip,
            correlationFields: lane.shared.correlationFields, storage: storage)
    }

    private func finish(_ reader: inout StreamReplyReader) {
        counters.stripped.add(reader.strippedCount)
        reader.clear()
        lane.deliveredMessages = reader.messages
    }

    private func isQueued(_ token: RESPToken, _ bytes: Span<UInt8>) -> Bool {
        RESPText.matches(bytes, in: replies.value(token), "QUEUED")
    }

    private mutating func queue(
        _ entry: PendingReplies.Entry, _ operation: OpenOperation?, at now: Instant
    ) {
        if entry.expectation == .subscription || entry.expectation == .unsubscribeAll {
            return turnOpaque(.subscriptionInTransaction, at: now)
        }
        if entry.expectation == .select { databases.queued() }
        transaction.append((entry, operation))
        if operation != nil { tracedInTransaction += 1 }
        if transaction.count > listener.pendingRepliesMax { turnOpaque(.pendingLimit, at: now) }
    }

    private func measure(_ entry: PendingReplies.Entry, _ outcome: Outcome, at now: Instant) {
        var error = NameID.none
        if case .failed(let name) = outcome { error = name }
        counters.answered(
            entry.command, now.nanoseconds(since: entry.startedAt), error: error, names: lane.shared.names)
    }

    /// The first word of an error, if it looks like the code that Redis puts there.
    private func outcome(_ token: RESPToken, _ bytes: Span<UInt8>) -> Outcome {
        guard token.kind == .error || token.kind == .bulkError else { return .succeeded }
        guard replies.disposition == .keep else { return .failed(lane.errorName(bytes, 0..<0)) }
        return .failed(lane.errorName(bytes, replies.value(token)))
    }

    /// What the reply at token `index` means for one traced command.
    private mutating func resolve(
        _ operation: OpenOperation, _ index: Int, _ outcome: Outcome, _ bytes: Span<UInt8>,
        _ reader: inout StreamReplyReader, at now: Instant
    ) {
        switch operation {
        case .send(let open): sent(open, index, outcome, bytes, at: now)
        case .settle(let open):
            lane.settled(
                open, outcome, client: client, listener: listener, causality: &causality, at: now)
        case .receive(let open, let kind, let database):
            if !open.isInspection { causality.readAnswered(alone: pending.isEmpty) }
            guard outcome == .succeeded, replies.disposition == .keep else {
                return lane.receivedNothing(
                    open, from: open.destination, outcome, client: client, listener: listener, at: now)
            }
            if !receive(open, by: kind, in: database, index, bytes, &reader, at: now) {
                counters.uneditedShape.add(1)
                reader.clear()
                lane.receivedNothing(
                    open, from: open.destination, .succeeded, client: client, listener: listener, at: now)
            }
        }
    }

    /// The reply at token `index` says what became of a published message.
    private mutating func sent(
        _ open: OpenSend, _ index: Int, _ outcome: Outcome, _ bytes: Span<UInt8>, at now: Instant
    ) {
        var messageID = MessageID.none
        let token = replies.tokens[index]
        if replies.disposition == .keep, token.kind == .bulkString, token.length > 0,
            let id = RESPText.entryID(bytes, in: replies.value(token))
        {
            messageID = .streamEntry(milliseconds: id.milliseconds, sequence: id.sequence)
        }
        lane.published(open, outcome, messageID: messageID, client: client, at: now)
    }

    // MARK: Transactions

    private mutating func executed(
        _ start: Int, _ outcome: Outcome, _ bytes: Span<UInt8>, startedAt: Instant, at now: Instant
    ) {
        let queued = transaction
        transaction = []
        tracedInTransaction = 0
        let reply = replies.tokens[start]
        if case .failed = outcome { return endTransaction(queued, outcome, at: now) }
        guard reply.kind == .array, reply.length >= 0 else {
            // Null: a watched key had changed, nothing was executed.
            return endTransaction(queued, .failed(lane.name("aborted")), at: now)
        }
        guard reply.length == queued.count else {
            forget(queued.map(\.entry.ticket))
            return turnOpaque(.transactionMismatch, at: now)
        }
        guard replies.disposition == .keep else {
            succeed(queued.map(\.entry), since: startedAt, at: now)
            return endTransaction(queued, .succeeded, isCounted: true, at: now)
        }
        var reader = makeReader()
        var index = start + 1
        for (entry, operation) in queued where index < replies.tokens.count {
            let outcome = self.outcome(replies.tokens[index], bytes)
            complete(entry, replies.tokens[index], bytes, since: startedAt, at: now)
            if entry.expectation == .select { databases.executed(outcome == .succeeded) }
            if let operation {
                resolve(operation, index, outcome, bytes, &reader, at: now)
            } else {
                measure(entry, outcome, at: now)
            }
            index = reader.skip(index)
        }
        finish(&reader)
    }

    /// All commands of a transaction end alike: none was executed, or the reply was too large to be looked into.
    private mutating func endTransaction(
        _ queued: [(entry: PendingReplies.Entry, operation: OpenOperation?)], _ outcome: Outcome,
        isCounted: Bool = false, at now: Instant
    ) {
        if !isCounted { forget(queued.map(\.entry.ticket)) }
        databases.ended(succeeded: outcome == .succeeded)
        for (entry, operation) in queued {
            switch operation {
            case .send(let open):
                lane.published(open, outcome, client: client, at: now)
            case .settle(let open):
                lane.settled(
                    open, outcome, client: client, listener: listener, causality: &causality, at: now)
            case .receive(let open, _, _):
                lane.receivedNothing(
                    open, from: open.destination, outcome, client: client, listener: listener, at: now)
            case nil:
                measure(entry, outcome, at: now)
            }
        }
    }

    private mutating func forgetTransaction() {
        forget(transaction.map(\.entry.ticket))
        transaction = []
        tracedInTransaction = 0
        databases.ended(succeeded: false)
    }

    private mutating func reset() {
        forgetTransaction()
        subscriptions = RedisSubscriptions()
        isMonitoring = false
        client = .none
        databases.reset()
    }
}
