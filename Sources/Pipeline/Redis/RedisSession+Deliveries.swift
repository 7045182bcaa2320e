import Telemetry
import Wire

/// Messages in replies, and messages that Redis pushes.
extension RedisSession {
    /// Takes the messages of one reply through the lane. False when the reply has not the shape that its command gives.
    mutating func receive(
        _ open: OpenReceive, by kind: RedisCommandKind, in database: Int, _ index: Int, _ bytes: Span<UInt8>,
        _ reader: inout StreamReplyReader, at now: Instant
    ) -> Bool {
        let reply = replies.tokens[index]
        // Null: the time of a blocking read was over.
        if reply.kind == .null || reply.length < 0 {
            lane.receivedNothing(
                open, from: open.destination, .succeeded, client: client, listener: listener, at: now)
            return true
        }
        switch kind {
        case .read, .readGroup:
            return receiveStreams(open, in: database, index, bytes, &reader, at: now)
        case .autoClaim:
            // [cursor, entries, deleted ids]
            guard reply.kind == .array, reply.length >= 2,
                reader.entries(at: index + 2, bytes, &splices) != nil
            else { return false }
        case .inspect:
            guard inspect(index, bytes, &reader) else { return false }
        case .range, .claim, .plain, .publishEntry, .publishMessage, .acknowledge, .delete, .subscribe, .unsubscribe,
            .hello, .client, .select, .begin, .execute, .discard, .reset, .monitor, .replicate:
            guard reader.entries(at: index, bytes, &splices) != nil else { return false }
        }
        deliver(open, open.destination, reader.messages, at: now)
        reader.clear()
        return true
    }

    /// RESP2: `[[stream, entries], ...]`; RESP3: `{stream: entries, ...}`.
    private mutating func receiveStreams(
        _ open: OpenReceive, in database: Int, _ index: Int, _ bytes: Span<UInt8>,
        _ reader: inout StreamReplyReader, at now: Instant
    ) -> Bool {
        let reply = replies.tokens[index]
        guard reply.kind == .map || reply.kind == .array else { return false }
        var next = index + 1
        for _ in 0..<reply.length {
            let key = reply.kind == .map ? next : next + 1
            guard key < replies.tokens.count, replies.tokens[key].kind == .bulkString,
                let after = reader.entries(at: key + 1, bytes, &splices)
            else { return false }
            let destination = destination(bytes, reader.range(key), in: database)
            var open = open
            if case .leased = open.mode, open.rereads.contains(destination.hash) {
                open.mode = .leased(firstDelivery: false)
            }
            deliver(open, destination, reader.messages, at: now)
            reader.clear()
            next = after
        }
        return true
    }

    /// XINFO STREAM: entries stand behind `entries` (FULL), or one each behind `first-entry` and `last-entry`.
    private mutating func inspect(_ index: Int, _ bytes: Span<UInt8>, _ reader: inout StreamReplyReader) -> Bool {
        let reply = replies.tokens[index]
        guard reply.kind == .map || (reply.kind == .array && reply.length % 2 == 0) else { return false }
        var next = index + 1
        for _ in 0..<(reply.kind == .map ? reply.length : reply.length / 2) {
            guard next + 1 < replies.tokens.count else { return false }
            let name = reader.range(next)
            if RESPText.matches(bytes, in: name, "entries"), replies.tokens[next + 1].kind == .array {
                guard reader.entries(at: next + 1, bytes, &splices) != nil else { return false }
            } else if RESPText.matches(bytes, in: name, "first-entry")
                || RESPText.matches(bytes, in: name, "last-entry")
            {
                guard reader.entry(at: next + 1, bytes, &splices) != nil else { return false }
            }
            next = reader.skip(next + 1)
        }
        return true
    }

    private mutating func deliver(
        _ open: OpenReceive, _ destination: Destination, _ messages: [Delivered], at now: Instant
    ) {
        if messages.isEmpty {
            lane.receivedNothing(open, from: destination, .succeeded, client: client, listener: listener, at: now)
        } else {
            if case .leased = open.mode { lane.countDeliveries(messages.count, destination, open.group, listener) }
            lane.received(
                open, from: destination, messages, client: client, listener: listener, causality: &causality, at: now)
        }
    }

    // MARK: Pushes

    /// RESP3 marks what was not asked for. In RESP2 it is an array like any other, told apart by its first word, and
    /// comes only to a connection that has subscribed or is about to.
    func isPush(_ start: Int, _ bytes: Span<UInt8>) -> Bool {
        let first = replies.tokens[start]
        if first.kind == .push { return true }
        guard first.kind == .array, replies.tokens.count > start + 1 else { return false }
        let expectsSubscription =
            pending.head.map { $0.expectation == .subscription || $0.expectation == .unsubscribeAll } ?? false
        guard expectsSubscription || !subscriptions.isEmpty else { return false }
        return RedisPush(word: replies.value(replies.tokens[start + 1]), bytes) != nil
    }

    /// Whether a push that is not here whole is one that says of a subscription.
    func confirmsSubscription(_ start: Int, _ bytes: Span<UInt8>) -> Bool {
        guard replies.tokens.count > start + 1 else { return false }
        switch RedisPush(word: replies.value(replies.tokens[start + 1]), bytes) {
        case .subscribed, .unsubscribed: return true
        case .message, .patternMessage, nil: return false
        }
    }

    mutating func receivePush(_ start: Int, _ bytes: Span<UInt8>, at now: Instant) {
        let tokens = replies.tokens
        guard tokens.count > start + 2, let push = RedisPush(word: replies.value(tokens[start + 1]), bytes) else {
            return
        }
        switch push {
        case .message:
            guard tokens.count > start + 3 else { return }
            let channel = lane.destination(bytes, replies.value(tokens[start + 2]))
            pushed(Int64(tokens[start + 3].length), from: channel, at: now)
        case .patternMessage:
            guard tokens.count > start + 4 else { return }
            var channel = lane.destination(bytes, replies.value(tokens[start + 3]))
            channel.template = lane.destination(bytes, replies.value(tokens[start + 2])).name
            pushed(Int64(tokens[start + 4].length), from: channel, at: now)
        case .subscribed(let family), .unsubscribed(let family):
            guard replies.disposition == .keep, tokens[start].length < 3 || tokens.count > start + 3 else {
                return turnOpaque(.subscriptionTooLarge, at: now)
            }
            guard tokens.count > start + 3, let total = RESPText.integer(bytes, in: replies.value(tokens[start + 3]))
            else { return }
            subscriptions.update(family, total: total)
            answerSubscription(family, at: now)
        }
    }

    /// The payload is the application's: nothing is known of the message but its size.
    private func pushed(_ bodySize: Int64, from channel: Destination, at now: Instant) {
        let message = Delivered(
            messageID: .none, context: nil, conversation: nil, traceState: nil, bodySize: bodySize)
        lane.pushed(message, from: channel, client: client, listener: listener, at: now)
    }

    /// One of the replies to a subscription command has come; the command is answered with the last of them.
    private mutating func answerSubscription(_ family: RedisSubscriptions.Family, at now: Instant) {
        guard let head = pending.head else { return }
        switch head.expectation {
        case .subscription:
            guard head.remaining <= 1 else { return pending.replaceHead(remaining: head.remaining - 1) }
        case .unsubscribeAll:
            guard subscriptions.count(family) == 0 else { return }
        case .reply, .hello, .select, .execute, .discard, .reset, .monitor, .local, .aborted:
            return
        }
        guard let entry = pending.popFirst() else { return }
        counters.answered(
            entry.command, now.nanoseconds(since: entry.startedAt), error: .none, names: lane.shared.names)
    }
}

/// The kinds of push that concern us, by their first word. Others (`invalidate`, for one) are passed on.
enum RedisPush {
    case message
    case patternMessage
    case subscribed(RedisSubscriptions.Family)
    case unsubscribed(RedisSubscriptions.Family)

    private static let words: [(StaticString, RedisPush)] = [
        ("message", .message), ("smessage", .message), ("pmessage", .patternMessage),
        ("subscribe", .subscribed(.channel)), ("psubscribe", .subscribed(.pattern)),
        ("ssubscribe", .subscribed(.shard)), ("unsubscribe", .unsubscribed(.channel)),
        ("punsubscribe", .unsubscribed(.pattern)), ("sunsubscribe", .unsubscribed(.shard)),
    ]

    init?(word: Range<Int>, _ bytes: Span<UInt8>) {
        for (text, push) in Self.words where RESPText.matches(bytes, in: word, text) {
            self = push
            return
        }
        return nil
    }
}
