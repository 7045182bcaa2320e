import NIOCore
import Telemetry
import Wire

/// Publishes that are stored on disk instead of being refused, and sent on later.
///
/// The client waits for the disk as it would for the broker: the command and all that follows it are held back meanwhile,
/// so replies stay in order. It is told the id under which the entry will be sent on, which holds unless others publish to
/// the same stream in the meantime. What cannot be promised is refused: ids of the client's own, NOMKSTREAM (it asks
/// whether there is a stream), IDMP (whose reply may name an older entry), transactions and inline commands.
extension RedisSession {
    /// A publish that is on its way to the disk.
    struct Spooling {
        var open: OpenSend
        var ticket: SpoolTicket
        var outcome: SpoolOutcome?
    }

    /// The disk has answered.
    mutating func spooled(_ outcome: SpoolOutcome, at now: Instant) -> SessionOutput {
        guard guarding.spooling != nil else { return .nothing }
        guarding.spooling?.outcome = outcome
        return goOnWithRequests(at: now)
    }

    /// Whether messages to this stream wait on disk, so that this one has to queue behind them.
    func queuesBehindSpooled(_ arguments: RedisArguments, _ bytes: Span<UInt8>) -> Bool {
        guard let spool = lane.shared.spool, listener.spools, !spool.isEmpty else { return false }
        return spool.isQueueing(spoolKey(arguments, bytes))
    }

    private func spoolKey(_ arguments: RedisArguments, _ bytes: Span<UInt8>) -> SpoolKey {
        SpoolKey(
            listener: listener.name, database: database, stream: Array(copying: bytes, arguments.range(1)))
    }

    /// Stores the publish at hand, which may not pass, if that is wanted and can be. False: it is refused.
    mutating func spool(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ entry: RedisEntryCommand?, _ publication: Publication,
        at now: Instant
    ) -> Bool {
        guard let spool = lane.shared.spool, listener.spools else { return false }
        guard let entry, let idArgument = entry.spoolableID(arguments, bytes), publication.obstacle != .inline,
            !guarding.isQueueing
        else {
            lane.countNotSpooled("not_spoolable", listener)
            return false
        }
        let (open, injection, obstacle) = lane.publishing(
            publication, operation: operationName, listener: listener, causality: causality, at: now,
            mentions: { entry.mention(of: $0, arguments, bytes) })
        if let obstacle { counters.notInjected[obstacle]?.add(1) }
        let message = message(
            arguments, bytes, idArgument, injection, publication, open, spool.sequenceBase(of: listener))
        let key = spoolKey(arguments, bytes)
        guard spool.reserve(key, bytes: message.byteCount, at: now) else {
            lane.countNotSpooled("full", listener)
            guarding.refusal = RESPWriter.error("TACHO the spool is full, try again later")
            lane.refused(open, lane.name("spool_full"), client: client, at: now)
            return true
        }
        let request = SpoolRequest(message, key, spool)
        let deadline = now.monotonicNanoseconds &+ spool.limits.waitNanoseconds
        guarding.refusal = nil
        guarding.isLeaving = false
        guarding.spooling = Spooling(open: open, ticket: request.ticket)
        guarding.detours.append(.spool(request))
        guarding.hold = HeldCall(position: guarding.position, deadline: deadline, looksAgainAt: deadline)
        return true
    }

    /// The command as it is to be sent on, with everything that is added to it, in two parts around its id.
    private func message(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ idArgument: Int, _ injection: Injection,
        _ publication: Publication, _ open: OpenSend, _ sequenceBase: UInt64
    ) -> SpooledMessage {
        let (tokens, base) = (arguments.tokens, arguments.base)
        let id = tokens[idArgument + 1]
        var head: [UInt8] = []
        RESPWriter.appendHeader(
            type: UInt8(ascii: "*"), count: tokens[0].length + injection.elementCount, to: &head)
        head += Array(copying: bytes, (base + tokens[0].endOffset)..<(base + id.offset))
        var tail = Array(copying: bytes, (base + id.endOffset)..<(base + tokens[tokens.count - 1].endOffset))
        ContextFields.append(injection, to: &tail)
        var written = publication.context
        if case .add(let context, _, _, _) = injection { written = context }
        // The span of the passing on belongs to the span of this publish, sampled or not.
        let parent = TraceContext(
            traceID: open.context.traceID, spanID: open.context.spanID, flags: open.context.flags)
        return SpooledMessage(
            .redis(SpooledEntry(head: head, tail: tail, sequenceBase: sequenceBase)),
            traceParent: (written == nil ? open.context : parent).description)
    }

    /// The held command again: answers it if the disk has spoken, or can be waited for no longer.
    mutating func continueSpooling(_ spooling: Spooling, at now: Instant) {
        guard let outcome = spooling.outcome else {
            if guarding.isBypassed {
                // The client has gone; its message is stored all the same, as a broker does that has received it.
                return endSpooling(spooling, answer: [], .succeeded, .none, at: now)
            }
            let deadline = guarding.hold?.deadline ?? 0
            guard now.monotonicNanoseconds >= deadline, spooling.ticket.abandon() else {
                guarding.hold?.position = guarding.position
                // Past the deadline the answer is on its way here.
                guarding.hold?.looksAgainAt = max(deadline, now.monotonicNanoseconds &+ HeldCall.lookNanoseconds)
                return
            }
            lane.countNotSpooled("late", listener)
            let text = "TACHO the disk of the spool did not answer in time, the message was not taken"
            return endSpooling(
                spooling, answer: RESPWriter.error(text), .failed(lane.name("spool_late")), .none, at: now)
        }
        switch outcome {
        case .stored(let id):
            let base = lane.shared.spool?.sequenceBase(of: listener) ?? 0
            let entryID = SpooledEntry.promisedID(of: id, base: base)
            var answer: [UInt8] = []
            RESPWriter.appendBulk(entryID.bytes, to: &answer)
            lane.countSpooled(spooling.open.destination, listener)
            endSpooling(
                spooling, answer: answer, .succeeded,
                .streamEntry(milliseconds: entryID.milliseconds, sequence: entryID.sequence), at: now)
        case .failed(let reason):
            lane.countNotSpooled("failed", listener)
            endSpooling(
                spooling, answer: RESPWriter.error("TACHO the message could not be spooled: \(reason)"),
                .failed(lane.name("spool_failed")), .none, at: now)
        }
    }

    private mutating func endSpooling(
        _ spooling: Spooling, answer: [UInt8], _ outcome: Outcome, _ id: MessageID, at now: Instant
    ) {
        guarding.spooling = nil
        endWait()
        guarding.refusal = answer
        lane.published(
            spooling.open, outcome, messageID: id, client: client,
            endedAs: outcome == .succeeded ? .spooled : .unremarkable, at: now)
    }

    /// The session cannot follow its command any longer.
    mutating func abandonSpooling(at now: Instant) {
        guard let spooling = guarding.spooling else { return }
        guarding.spooling = nil
        lane.abandoned(spooling.open, as: .unobserved, client: client, at: now)
    }

    // MARK: Without an upstream

    /// A session that has no upstream and never will: it stores publishes, and refuses everything else with `reason`.
    public static func detached(
        lane: Lane, listener: ListenerProfile, counters: RedisCounters, peer: ClientPeer, reason: String
    ) -> RedisSession? {
        guard listener.spools, lane.shared.spool != nil else { return nil }
        var session = RedisSession(lane: lane, listener: listener, counters: counters, peer: peer)
        session.guarding.absence = reason
        return session
    }

    /// The upstream can be used again, and nothing waits that the client's next messages would have to queue behind: the
    /// client had better come again.
    public var isOver: Bool {
        guard guarding.absence != nil, guarding.hold == nil, let spool = lane.shared.spool else { return false }
        return lane.upstreamIsOpen(listener) && spool.isEmpty(listener.name)
    }

    /// Answers a command in the place of an upstream that is away. Clients introduce themselves first; the rest is
    /// refused, and the connection ends behind it, as it does where nothing is spooled.
    mutating func answerAlone(
        _ reason: String, _ arguments: RedisArguments, _ bytes: Span<UInt8>, inline: Bool, at now: Instant
    ) {
        switch RedisCommandTable.shared.commands[Int(currentCommand)].kind {
        case .publishEntry:
            return publishEntry(arguments, bytes, inline: inline, at: now)
        case .client:
            let isIntroduction =
                arguments.isWord(1, "SETNAME", bytes) || arguments.isWord(1, "SETINFO", bytes)
                || arguments.isWord(1, "NO-EVICT", bytes) || arguments.isWord(1, "NO-TOUCH", bytes)
            if isIntroduction {
                noteClientName(arguments, bytes, after: "SETNAME")
                return guarding.refusal = Self.okay
            }
        case .select:
            if arguments.count == 2, let number = RESPText.integer(bytes, in: arguments.range(1)), number >= 0 {
                databases.sent(number)
                databases.answered(true)
                return guarding.refusal = Self.okay
            }
        case .plain, .publishMessage, .read, .readGroup, .range, .claim, .autoClaim, .inspect, .acknowledge, .delete,
            .subscribe, .unsubscribe, .hello, .begin, .execute, .discard, .reset, .monitor, .replicate:
            break
        }
        guarding.refusal = RESPWriter.error("ERR tacho: \(reason)")
        guarding.isLeaving = true
    }

    private static let okay = Array("+OK\r\n".utf8)
}
