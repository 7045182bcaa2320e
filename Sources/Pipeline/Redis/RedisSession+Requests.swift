import Telemetry
import Wire

/// The way of a command: from its tokens to the reply that is now awaited.
extension RedisSession {
    /// `isHeld`: the frame that ends at `start` was held back and is taken up again.
    mutating func scanRequests(
        _ bytes: Span<UInt8>, from start: Int, isHeld: Bool = false, at now: Instant
    ) throws(RESPError) {
        var position = start
        if isHeld, let token = requests.tokens.last, !takeRequest(token, bytes, endedAt: position, at: now) { return }
        while opaque == nil {
            switch try requests.decoder.next(in: bytes, at: &position) {
            case .needsMore:
                return
            case .announced(let token):
                // A bulk that will not fit makes its frame pass at once, instead of after a megabyte.
                guard !requests.isDecided, token.offset + token.length > listener.frameBytesMax else { continue }
                passRequest(bytes, at: now)
            case .token(let token):
                noteRequest(token, bytes, at: now)
                guard token.endsFrame else { continue }
                guard takeRequest(token, bytes, endedAt: position, at: now) else { return }
            }
        }
    }

    /// Takes a complete command. False when it has to wait.
    private mutating func takeRequest(
        _ token: RESPToken, _ bytes: Span<UInt8>, endedAt position: Int, at now: Instant
    ) -> Bool {
        guarding.position = position
        finishRequest(token, bytes, at: now)
        guard guarding.hold == nil else { return false }
        endRequest(at: position, at: now)
        requests.endFrame(at: position)
        currentCommand = RedisCommandTable.other
        return true
    }

    private mutating func noteRequest(_ token: RESPToken, _ bytes: Span<UInt8>, at now: Instant) {
        guard !requests.isDecided else { return }
        guard requests.note(token) else { return passRequest(bytes, at: now) }
        guard requests.disposition == .undecided, requests.tokens.count == 2 else { return }
        currentCommand = RedisCommandTable.shared.number(bytes, requests.value(token))
        guard guarding.absence == nil else { return requests.disposition = .keep }
        let needsArguments = RedisCommandTable.shared.commands[Int(currentCommand)].kind.needsArguments
        guard !needsArguments else { return requests.disposition = .keep }
        guarding.isAborting = abortsTransaction
        requests.disposition = !guarding.isAborting && mayPass(nil, at: now) ? .pass : .swallow
    }

    /// Lets a command go on that is too large to be followed. It is still counted and timed.
    private mutating func passRequest(_ bytes: Span<UInt8>, at now: Instant) {
        if requests.disposition == .keep { counters.uneditedTooLarge.add(1) }
        decideUnseen(bytes, at: now)
    }

    /// A command will not be seen whole: whether it passes is decided by what is here of it.
    mutating func decideUnseen(_ bytes: Span<UInt8>, at now: Instant) {
        requests.disposition = mayPass(routeOfUnfinished(bytes), canWait: false, at: now) ? .pass : .swallow
    }

    private mutating func finishRequest(_ token: RESPToken, _ bytes: Span<UInt8>, at now: Instant) {
        switch requests.disposition {
        case .pass:
            if RedisCommandTable.shared.commands[Int(currentCommand)].kind.isSubscription {
                return turnOpaque(.subscriptionTooLarge, at: now)
            }
            expectReply(to: currentCommand, at: now)
        case .swallow:
            if guarding.isAborting { expectReply(to: currentCommand, as: .aborted, at: now) }
        case .keep:
            interpret(requests.tokens, bytes, requests.frameStart, inline: false, at: now)
        case .undecided:
            // An inline command, or an empty array, to which Redis does not reply at all.
            guard token.kind == .inlineCommand else { return }
            interpretInline(bytes, requests.value(token), at: now)
        }
    }

    /// An inline command is given the form that the others have, so that one piece of code understands both. It is
    /// never edited: what passes is the line as it came.
    private mutating func interpretInline(_ bytes: Span<UInt8>, _ line: Range<Int>, at now: Instant) {
        guard let words = InlineWords.split(bytes.extracting(line)) else {
            return passPlain(at: now)
        }
        guard let name = words.first else { return }
        var array: [UInt8] = []
        RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: words.count, to: &array)
        for word in words { RESPWriter.appendBulk(word, to: &array) }
        currentCommand = RedisCommandTable.shared.number(name.span, 0..<name.count)
        guard RedisCommandTable.shared.commands[Int(currentCommand)].kind.needsArguments else {
            return passPlain(at: now)
        }
        var decoder = RESPDecoder(role: .requests)
        var tokens: [RESPToken] = []
        var position = 0
        while position < array.count, case .token(let token)? = try? decoder.next(in: array.span, at: &position) {
            tokens.append(token)
        }
        interpret(tokens, array.span, 0, inline: true, at: now)
    }

    /// An inline command whose arguments need no look.
    private mutating func passPlain(at now: Instant) {
        guard guarding.absence == nil else { return refuseAlone() }
        guarding.isAborting = abortsTransaction
        if guarding.isAborting { return expectReply(to: currentCommand, as: .aborted, at: now) }
        if mayPass(nil, at: now) { expectReply(to: currentCommand, at: now) }
    }

    /// Takes note of a command by its kind. `base` is where the frame starts in `bytes`.
    private mutating func interpret(
        _ tokens: [RESPToken], _ bytes: Span<UInt8>, _ base: Int, inline: Bool, at now: Instant
    ) {
        let arguments = RedisArguments(tokens: tokens, base: base)
        if let reason = guarding.absence {
            return answerAlone(reason, arguments, bytes, inline: inline, at: now)
        }
        switch RedisCommandTable.shared.commands[Int(currentCommand)].kind {
        case .publishEntry:
            publishEntry(arguments, bytes, inline: inline, at: now)
        case .publishMessage:
            publishMessage(arguments, bytes, at: now)
        case .read, .readGroup, .range, .claim, .autoClaim, .inspect:
            let kind = RedisCommandTable.shared.commands[Int(currentCommand)].kind
            let open = openReceive(arguments, bytes, at: now)
            guard mayPass(open.flatMap(route), at: now) else { return }
            if let open, !open.isInspection { causality.readSent() }
            expectReply(
                to: currentCommand, open.map { .receive($0, kind, database: database) }, mayWait: open?.blocks ?? false,
                at: now)
        case .acknowledge, .delete:
            let open = openSettle(arguments, bytes, at: now)
            let route = open.map { lane.route(listener, $0.operation, .settle, $0.destination, group: $0.group) }
            guard mayPass(route, at: now) else { return }
            expectReply(to: currentCommand, open.map { .settle($0) }, at: now)
        case .subscribe:
            expectReply(to: currentCommand, as: .subscription, remaining: arguments.count - 1, at: now)
        case .unsubscribe:
            if arguments.count > 1 {
                expectReply(to: currentCommand, as: .subscription, remaining: arguments.count - 1, at: now)
            } else {
                expectReply(to: currentCommand, as: .unsubscribeAll, at: now)
            }
        case .hello:
            noteClientName(arguments, bytes, after: "SETNAME")
            expectReply(to: currentCommand, as: .hello, at: now)
        case .client:
            interpretClient(arguments, bytes, at: now)
        case .select:
            let number = arguments.count == 2 ? RESPText.integer(bytes, in: arguments.range(1)) : nil
            databases.sent(number)
            expectReply(to: currentCommand, as: .select, at: now)
        case .plain, .begin, .execute, .discard, .reset, .monitor, .replicate:
            expectReply(to: currentCommand, at: now)
        }
    }

    mutating func publishEntry(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, inline: Bool, at now: Instant
    ) {
        if guarding.fallback != nil { return continueFallback(at: now) }
        guard arguments.count > 1, guarding.absence == nil || arguments.count > 2 else {
            return guarding.absence == nil ? expectReply(to: currentCommand, at: now) : refuseAlone()
        }
        let destination = destination(bytes, arguments.range(1))
        let isBehind = queuesBehindSpooled(arguments, bytes)
        if isBehind || !mayPass(lane.route(listener, operationName, .send, destination), at: now) {
            return detain(arguments, bytes, destination, inline: inline, isBehind: isBehind, at: now)
        }
        let entry = RedisEntryCommand(arguments, bytes, lane.shared.correlationFields)
        let publication = publication(entry, destination, bytes, inline: inline)
        let (open, injection, obstacle) = lane.publishing(
            publication, operation: operationName, listener: listener, causality: causality, at: now,
            mentions: { entry?.mention(of: $0, arguments, bytes) ?? .nothing })
        if let obstacle { counters.notInjected[obstacle]?.add(1) }
        if injection != .none { inject(injection, into: arguments) }
        // The null that NOMKSTREAM may bring depends on the form of RESP, which a courier does not know.
        let isKeyed = entry.map { $0.isKeyed && !$0.needsStream } ?? false
        let copy = isKeyed ? keep(arguments, bytes, injection, inline: inline) : nil
        expectReply(to: currentCommand, .send(open), copy: copy, at: now)
    }

    /// A publish does not go on: because a guard says no, or because others of its stream wait on disk. Others may take it,
    /// or it is refused, which a span tells; or it waits for a place, and nothing is decided yet.
    private mutating func detain(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ destination: Destination, inline: Bool, isBehind: Bool,
        at now: Instant
    ) {
        guard isBehind || guarding.refusal != nil else { return }
        let entry = RedisEntryCommand(arguments, bytes, lane.shared.correlationFields)
        var publication = publication(entry, destination, bytes, inline: inline)
        if isBehind {
            guarding.refusalReason = "messages of this stream are still spooled, try again soon"
            guarding.refusal = RESPWriter.error("TACHO \(guarding.refusalReason)")
            if guarding.isQueueing { guarding.isSpoilt = true }
        }
        if isBehind || guarding.isRefusedByBreaker,
            fallBack(arguments, bytes, entry, publication, isBehind: isBehind, at: now)
        {
            return
        }
        publication.obstacle = .configured
        let (open, _, _) = lane.publishing(
            publication, operation: operationName, listener: listener, causality: causality, at: now,
            mentions: { _ in .nothing })
        let error: StaticString =
            isBehind ? "spool_order" : guarding.isRefusedByBreaker ? "breaker_open" : "bulkhead_full"
        lane.refused(open, lane.name("\(error)"), client: client, at: now)
    }

    private func publication(
        _ entry: RedisEntryCommand?, _ destination: Destination, _ bytes: Span<UInt8>, inline: Bool
    ) -> Publication {
        var publication = Publication(
            destination: destination, bodySize: entry?.bodySize ?? -1,
            obstacle: inline ? .inline : nil)
        if let entry {
            publication.context = entry.context
            publication.hasForeignContextField = entry.hasContextField
            publication.conversation = entry.conversation(bytes)
            publication.traceState = entry.traceState(bytes)
            publication.hasTraceStateField = entry.hasTraceStateField
            publication.hasCausation = entry.hasCausation
            if entry.isContentHashed { publication.obstacle = .contentHashed }
        } else {
            publication.obstacle = .malformed
        }
        return publication
    }

    private mutating func publishMessage(_ arguments: RedisArguments, _ bytes: Span<UInt8>, at now: Instant) {
        guard arguments.count == 3 else { return expectReply(to: currentCommand, at: now) }
        let destination = lane.destination(bytes, arguments.range(1))
        guard mayPass(lane.route(listener, operationName, .send, destination), at: now) else { return }
        // Only the channel and the payload exist, and the payload is the application's.
        let publication = Publication(
            destination: destination, bodySize: Int64(arguments.range(2).count),
            obstacle: .configured)
        let (open, _, _) = lane.publishing(
            publication, operation: operationName, listener: listener, causality: causality, at: now,
            mentions: { _ in .nothing })
        expectReply(to: currentCommand, .send(open), at: now)
    }

    /// Notes the edit: two to eight more elements, at the end.
    private mutating func inject(_ injection: Injection, into arguments: RedisArguments) {
        let header = arguments.tokens[0]
        splices.replace(at: arguments.base + header.offset, removing: header.endOffset - header.offset) { bytes in
            RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: header.length + injection.elementCount, to: &bytes)
        }
        let end = arguments.tokens[arguments.tokens.count - 1].endOffset
        splices.replace(at: arguments.base + end, removing: 0) { bytes in
            ContextFields.append(injection, to: &bytes)
        }
    }

    private mutating func interpretClient(_ arguments: RedisArguments, _ bytes: Span<UInt8>, at now: Instant) {
        if arguments.count == 3, arguments.isWord(1, "REPLY", bytes) {
            if arguments.isWord(2, "OFF", bytes) {
                replyMode = .off
                return
            }
            if arguments.isWord(2, "SKIP", bytes) {
                if replyMode == .on { replyMode = .skipNext }
                return
            }
            if arguments.isWord(2, "ON", bytes) { replyMode = .on }
        }
        noteClientName(arguments, bytes, after: "SETNAME")
        expectReply(to: currentCommand, at: now)
    }

    mutating func noteClientName(_ arguments: RedisArguments, _ bytes: Span<UInt8>, after word: StaticString) {
        // From 1: a user name or a password of HELLO AUTH may be any word, and is skipped with its command word.
        var position = 1
        while position + 1 < arguments.count {
            if arguments.isWord(position, "AUTH", bytes) {
                position += 3
            } else if arguments.isWord(position, word, bytes) {
                client = lane.name(bytes, arguments.range(position + 1))
                causality.renamed(ByteHash.hash(bytes, arguments.range(position + 1)))
                return
            } else {
                position += 1
            }
        }
    }

    /// A stream by the name and the database, a channel by the name alone: channels belong to no database.
    func destination(_ bytes: Span<UInt8>, _ range: Range<Int>, in database: Int? = nil) -> Destination {
        var destination = lane.destination(bytes, range)
        destination.hash ^= Self.mark(ofDatabase: database ?? self.database)
        return destination
    }

    /// What tells streams of the same name in different databases apart.
    static func mark(ofDatabase database: Int) -> UInt64 {
        UInt64(bitPattern: Int64(database)) &* 0xd6e8_feb8_6659_fd93
    }

    var operationName: NameID { counters.operationNames[Int(currentCommand)] }

    /// The command at hand will be answered, unless the client has asked for silence.
    mutating func expectReply(
        to command: RedisCommandTable.Number, _ operation: OpenOperation? = nil,
        as expectation: PendingReplies.Expectation? = nil, remaining: Int = 1, mayWait: Bool = false,
        copy: KeyedPublish? = nil, at now: Instant
    ) {
        let ticket = guarding.ticket.isNone ? observation(of: command) : guarding.ticket
        guarding.ticket = .none
        noteTransaction(command)
        causality.sent(overlapping: pending.head.map { $0.startedAt != now } ?? false)
        switch replyMode {
        case .on:
            break
        case .off:
            // Redis answers RESET all the same, and its silence ends.
            guard RedisCommandTable.shared.commands[Int(command)].kind == .reset else {
                if expectation == .select { databases.silenced() }
                return answeredInSilence(operation, ticket, at: now)
            }
            replyMode = .on
        case .skipNext:
            replyMode = .on
            if expectation == .select { databases.silenced() }
            return answeredInSilence(operation, ticket, at: now)
        }
        let entry = PendingReplies.Entry(
            command: command, expectation: expectation ?? Self.expectation(of: command),
            hasOperation: operation != nil, remaining: UInt32(clamping: remaining), startedAt: now, ticket: ticket,
            mayWait: mayWait || RedisCommandTable.shared.commands[Int(command)].mayWait, isKeyed: copy != nil)
        pending.append(entry, operation, copy)
        if RedisCommandTable.shared.commands[Int(command)].kind == .replicate { turnOpaque(.replication, at: now) }
        if pending.count > listener.pendingRepliesMax { turnOpaque(.pendingLimit, at: now) }
    }

    private static func expectation(of command: RedisCommandTable.Number) -> PendingReplies.Expectation {
        switch RedisCommandTable.shared.commands[Int(command)].kind {
        case .execute: .execute
        case .discard: .discard
        case .reset: .reset
        case .monitor: .monitor
        case .plain, .publishEntry, .publishMessage, .read, .readGroup, .range, .claim, .autoClaim, .inspect,
            .acknowledge, .delete, .subscribe, .unsubscribe, .hello, .client, .select, .begin, .replicate:
            .reply
        }
    }

    /// No reply will come. What was sent counts as sent; what it came to is not known.
    private mutating func answeredInSilence(_ operation: OpenOperation?, _ ticket: GuardTicket, at now: Instant) {
        forget(CollectionOfOne(ticket))
        switch operation {
        case .send(let open): lane.published(open, .succeeded, client: client, at: now)
        case .settle(let open):
            lane.settled(open, .succeeded, client: client, listener: listener, causality: &causality, at: now)
        case .receive, nil: break
        }
    }
}
