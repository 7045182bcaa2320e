import Wire

/// Commands between MULTI and EXEC.
struct QueuedTransaction {
    var commands: [(command: RedisCommand, subcommand: String, words: RedisArguments)] = []
    /// A command was refused when it was queued: EXEC will be, too.
    var isAborted = false
}

/// An EXEC that waits for the store, and then for what its other commands ask.
struct RunningTransaction {
    enum Part {
        case ready([UInt8])
        case store(RedisRequest)
        case question(EmbeddedQuestion)
        case connection(command: RedisCommand, subcommand: String, words: RedisArguments)
    }

    var parts: [Part]

    /// The replies, when all are there.
    var replies: [[UInt8]]? {
        var replies: [[UInt8]] = []
        for part in parts {
            guard case .ready(let bytes) = part else { return nil }
            replies.append(bytes)
        }
        return replies
    }
}

/// Transactions: https://redis.io/docs/latest/develop/interact/transactions/
extension EmbeddedSession {
    /// Commands between MULTI and EXEC are bounded like the words of a command.
    static let queuedMax = 65_536

    mutating func queue(
        _ command: RedisCommand, _ subcommand: String, _ words: RedisArguments
    ) throws(RedisCommandError) {
        guard !command.isSubscription, command != .HELLO, command != .AUTH else {
            throw RedisCommandError("ERR Command not allowed inside a transaction")
        }
        guard (transaction?.commands.count ?? 0) < Self.queuedMax else {
            throw RedisCommandError("ERR too many commands in one transaction; the limit is \(Self.queuedMax)")
        }
        transaction?.commands.append((command, subcommand, words.detached))
        reply { $0.simple("QUEUED") }
    }

    mutating func controlTransaction(
        _ command: RedisCommand, _ words: RedisArguments, now: UInt64
    ) throws(RedisCommandError) {
        switch command {
        case .MULTI:
            guard transaction == nil else { return replyError("ERR MULTI calls can not be nested") }
            transaction = QueuedTransaction()
            reply { $0.simple("OK") }
        case .DISCARD:
            guard transaction != nil else { throw RedisCommandError("ERR DISCARD without MULTI") }
            transaction = nil
            watched = []
            reply { $0.simple("OK") }
        case .WATCH:
            guard transaction == nil else { return replyError("ERR WATCH inside MULTI is not allowed") }
            let keys = words.arrays(1..<words.count)
            let unit = StreamUnit(keys.map { .keys(.revision(key: $0)) }, nowUnixMilliseconds: now)
            effects.append(.submit(unit, append(.watch(keys))))
        case .UNWATCH:
            if transaction == nil {
                watched = []
                reply { $0.simple("OK") }
            } else {
                try queue(command, "", words)
            }
        case .EXEC:
            guard let queued = transaction else { throw RedisCommandError("ERR EXEC without MULTI") }
            transaction = nil
            execute(queued, now: now)
        case .QUIT:
            reply { $0.simple("OK") }
            flushSlots()
            close()
        case .RESET: reset()
        default: preconditionFailure("not about transactions")
        }
    }

    private mutating func execute(_ queued: QueuedTransaction, now: UInt64) {
        let revisions = watched
        watched = []
        if queued.isAborted {
            return replyError("EXECABORT Transaction discarded because of previous errors.")
        }
        var parts: [RunningTransaction.Part] = []
        var commands: [StreamCommand] = []
        for (command, subcommand, words) in queued.commands {
            do throws(RedisCommandError) {
                if let request = try RedisRequest.parse(command, subcommand, words, now: now) {
                    commands.append(request.command)
                    parts.append(.store(request))
                } else if let question = try question(command, subcommand, words) {
                    parts.append(.question(question))
                } else {
                    parts.append(.connection(command: command, subcommand: subcommand, words: words))
                }
            } catch {
                parts.append(.ready(RESPWriter.error(error.message)))
            }
        }
        let unit = StreamUnit(commands, nowUnixMilliseconds: now, requiredRevisions: revisions)
        effects.append(.submit(unit, append(.transaction(RunningTransaction(parts: parts)))))
    }

    // MARK: Answers

    /// Brings a slot closer to its reply.
    mutating func settle(_ slot: inout Slot, _ answer: EmbeddedAnswer, _ ticket: EmbeddedTicket, now: UInt64) {
        var writer = RedisReplyWriter(version: slot.version)
        switch (slot.state, answer) {
        case (.request(let form), .store(let outcome)):
            Self.write(outcome, form, to: &writer, now: now)
        case (.request, .unblocked):
            writer.error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
        case (.watch(let keys), .store(let outcome)):
            note(outcome, of: keys, to: &writer)
        case (.transaction(var running), _):
            if let bytes = advance(&running, answer, ticket, slot.version, now: now) {
                writer.append(raw: bytes)
            } else {
                slot.state = .transaction(running)
                return
            }
        case (.question, _):
            write(answer, to: &writer, now: now)
        case (.ready, _), (.request, _), (.watch, _):
            // Nobody has asked for this.
            return
        }
        slot.state = .ready(writer.take())
    }

    static func write(
        _ outcome: StreamOutcome, _ form: RedisRequest.Form, to writer: inout RedisReplyWriter, now: UInt64
    ) {
        switch outcome {
        case .replies(let replies):
            guard let reply = replies.first else { return writer.null() }
            writer.reply(reply, form, now: now)
        case .conditionFailed: writer.nullArray()
        case .unavailable(let error): writer.error(StreamError(error).message)
        }
    }

    private mutating func note(
        _ outcome: StreamOutcome, of keys: [[UInt8]], to writer: inout RedisReplyWriter
    ) {
        guard case .replies(let replies) = outcome else {
            return Self.write(outcome, .plain, to: &writer, now: 0)
        }
        for (key, reply) in zip(keys, replies) {
            guard case .revision(let revision) = reply, !watched.contains(where: { $0.key == key }) else { continue }
            watched.append((key, revision))
        }
        writer.simple("OK")
    }

    /// The whole reply of an EXEC, or nil while a part of it is missing.
    private mutating func advance(
        _ running: inout RunningTransaction, _ answer: EmbeddedAnswer, _ ticket: EmbeddedTicket,
        _ version: RESPVersion, now: UInt64
    ) -> [UInt8]? {
        var writer = RedisReplyWriter(version: version)
        switch answer {
        case .store(.conditionFailed):
            writer.nullArray()
            return writer.take()
        case .store(.unavailable(let error)):
            writer.error(StreamError(error).message)
            return writer.take()
        case .store(.replies(let replies)):
            var replies = replies[...]
            for index in running.parts.indices {
                switch running.parts[index] {
                case .ready: continue
                case .store(let request):
                    writer.reply(replies.popFirst() ?? .none, request.form, now: now)
                case .question(let question):
                    effects.append(.ask(question, EmbeddedTicket(slot: ticket.slot, part: index)))
                    continue
                case .connection(let command, let subcommand, let words):
                    writer.append(raw: performed(command, subcommand, words, now: now))
                }
                running.parts[index] = .ready(writer.take())
            }
        default:
            guard running.parts.indices.contains(ticket.part) else { return nil }
            write(answer, to: &writer, now: now)
            running.parts[ticket.part] = .ready(writer.take())
        }
        guard let replies = running.replies else { return nil }
        writer.array(replies.count)
        for reply in replies { writer.append(raw: reply) }
        return writer.take()
    }
}

extension RedisCommand {
    var isSubscription: Bool {
        switch self {
        case .SUBSCRIBE, .UNSUBSCRIBE, .PSUBSCRIBE, .PUNSUBSCRIBE, .SSUBSCRIBE, .SUNSUBSCRIBE: true
        default: false
        }
    }
}
