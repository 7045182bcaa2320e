import NIOCore
import Resilience
import Telemetry
import Wire

/// Commands that a guard refuses, and what the guards hear of the others.
///
/// A refused command is not forwarded; its error reply stands where the reply of the broker would have stood. Inside a
/// transaction it spoils the transaction, as an error while queueing does in Redis: EXEC goes out as DISCARD, and the
/// client reads EXECABORT.
extension RedisSession {
    /// What the guards do to this connection.
    struct Guarding {
        /// Who hears of the reply to the command whose frame is being read.
        var ticket = GuardTicket.none
        /// The command whose frame is being read is not forwarded, and answered so.
        var refusal: [UInt8]?
        /// Answers of our own that precede everything that is still to come from the upstream.
        var answers: [UInt8] = []
        /// Between MULTI and EXEC, as far as commands have been sent.
        var isQueueing = false
        /// A command of the transaction was refused.
        var isSpoilt = false
        /// The frame being read is the EXEC of a spoilt transaction.
        var isAborting = false
        /// When a command that waits by design was last answered: what stood behind it began only then.
        var unblockedAt: Instant?
        /// The order of replies cannot be kept any longer.
        var ends = false
        /// Where the frame being read has ended.
        var position = 0
        /// The command whose frame has just been read waits for a place, and everything behind it with it.
        var hold: HeldCall?
        /// The upstream connection, until it is known whether somebody answers there.
        var connection: Connection?
        /// The client has gone: nothing waits any more.
        var isBypassed = false
        /// What was refused last was so because a breaker is open.
        var isRefusedByBreaker = false
        /// For people: why what was refused last was so.
        var refusalReason = ""
        /// The publish at hand is on its way to others than the upstream.
        var fallback: Fallback?
        /// Names orders for the secondary's courier, apart from those of publishes that are tried again.
        var lastOrder = Guarding.firstOrder
        static let firstOrder: UInt64 = 1 << 63
        /// What the IO shell is to hand to others.
        var detours: [Detour] = []
        /// Why there is no upstream behind this session; nil when there is one.
        var absence: String?
        /// When that was first noticed by the clock, and whether it is a while ago.
        var absentSince: UInt64?
        var isSettled = false
        /// The connection ends behind our answers.
        var isLeaving = false

        mutating func takeDetours() -> [Detour] {
            guard !detours.isEmpty else { return [] }
            defer { detours = [] }
            return detours
        }
    }

    /// An upstream connection of which the guard has not heard yet.
    struct Connection {
        var permit: ConnectionPermit
        var openedAt: Instant
    }

    private static let executionAborted = RESPWriter.error(
        "EXECABORT Transaction discarded because of previous errors.")
    private static let discardCommand = Array("*1\r\n$7\r\nDISCARD\r\n".utf8)

    // MARK: Commands

    /// Asks the guards about the command at hand, once. If it is refused, this is noted and acted upon at its end.
    mutating func mayPass(_ route: RouteID?, canWait: Bool = true, at now: Instant) -> Bool {
        guard guarding.absence == nil else {
            refuseAlone()
            return false
        }
        guard lane.isGuarding, !RedisCommandTable.shared.commands[Int(currentCommand)].isControl else { return true }
        switch lane.admit(route, listener, at: now) {
        case .passes(let ticket):
            if let route, let bulkhead = lane.shared.guards?.bulkhead {
                return takePlace(ticket, route, bulkhead, canWait: canWait, at: now)
            }
            guarding.ticket = ticket
            return true
        case .refused(let refusal):
            refuse(refusal)
            return false
        }
    }

    private mutating func refuse(_ refusal: GuardRefusal) {
        endWait()
        guarding.isRefusedByBreaker = refusal.crowd == nil
        guarding.refusalReason = refusal.text
        guarding.refusal = RESPWriter.error("TACHO \(refusal.text)")
        if guarding.isQueueing { guarding.isSpoilt = true }
    }

    /// Nothing passes where there is no upstream.
    mutating func refuseAlone() {
        endWait()
        guarding.isRefusedByBreaker = true
        guarding.refusalReason = guarding.absence ?? ""
        guarding.refusal = RESPWriter.error("ERR tacho: \(guarding.refusalReason)")
        guarding.isLeaving = true
    }

    /// Gives a command that may pass its place among those under way, or lets it wait, or refuses it.
    private mutating func takePlace(
        _ ticket: GuardTicket, _ route: RouteID, _ bulkhead: BulkheadPolicy, canWait: Bool, at now: Instant
    ) -> Bool {
        if guarding.isBypassed {
            endWait()
            guarding.ticket = ticket
            return true
        }
        let isCrowded = bulkhead.perConnectionMax > 0 && pending.count >= bulkhead.perConnectionMax
        switch lane.place(
            ticket, route, bulkhead, &guarding.hold, isCrowded: isCrowded, canWait: canWait, listener, at: now)
        {
        case .taken(let ticket):
            guarding.ticket = ticket
            return true
        case .waits: guarding.hold?.position = guarding.position
        case .refused(let refusal): refuse(refusal)
        }
        return false
    }

    /// The command does not wait any longer.
    mutating func endWait() {
        lane.endWait(&guarding.hold)
    }

    /// The route of a command of which only the first words are here; nil if they do not tell.
    func routeOfUnfinished(_ bytes: Span<UInt8>) -> RouteID? {
        let arguments = RedisArguments(tokens: requests.tokens, base: requests.frameStart)
        switch RedisCommandTable.shared.commands[Int(currentCommand)].kind {
        case .publishEntry:
            guard arguments.count > 1 else { return nil }
            return lane.route(listener, operationName, .send, destination(bytes, arguments.range(1)))
        case .publishMessage:
            guard arguments.count > 1 else { return nil }
            return lane.route(listener, operationName, .send, lane.destination(bytes, arguments.range(1)))
        case .acknowledge:
            guard arguments.count > 2 else { return nil }
            return lane.route(
                listener, operationName, .settle, destination(bytes, arguments.range(1)),
                group: lane.group(bytes, arguments.range(2)))
        case .plain, .read, .readGroup, .range, .claim, .autoClaim, .inspect, .delete, .subscribe, .unsubscribe, .hello,
            .client, .select, .begin, .execute, .discard, .reset, .monitor, .replicate:
            return nil
        }
    }

    /// The command at hand is EXEC, and commands of its transaction were refused.
    var abortsTransaction: Bool {
        guarding.isSpoilt && RedisCommandTable.shared.commands[Int(currentCommand)].kind == .execute
    }

    /// The frame of a command has ended at `position`: takes it out if it was refused.
    mutating func endRequest(at position: Int, at now: Instant) {
        let start = requests.frameStart
        if guarding.absence != nil, guarding.refusal == nil { guarding.refusal = [] }
        if let refusal = guarding.refusal {
            guarding.refusal = nil
            splices.replace(at: start, removing: position - start) { _ in }
            answer(refusal, at: now)
        } else if guarding.isAborting {
            guarding.isAborting = false
            splices.replace(at: start, removing: position - start) { $0 += Self.discardCommand }
        }
    }

    /// Keeps up with transactions, as commands are sent.
    mutating func noteTransaction(_ command: RedisCommandTable.Number) {
        switch RedisCommandTable.shared.commands[Int(command)].kind {
        case .begin:
            guarding.isQueueing = true
        case .execute, .discard, .reset:
            guarding.isQueueing = false
            guarding.isSpoilt = false
        case .plain, .publishEntry, .publishMessage, .read, .readGroup, .range, .claim, .autoClaim, .inspect,
            .acknowledge, .delete, .subscribe, .unsubscribe, .hello, .client, .select, .monitor, .replicate:
            break
        }
    }

    /// A command that is never refused: what comes of it says how the upstream does, unless its replies come at other
    /// times than others' do.
    func observation(of command: RedisCommandTable.Number) -> GuardTicket {
        switch RedisCommandTable.shared.commands[Int(command)].kind {
        case .plain, .hello, .client, .select, .begin, .execute, .discard, .reset, .inspect, .range:
            return lane.observe(listener)
        case .publishEntry, .publishMessage, .read, .readGroup, .claim, .autoClaim, .acknowledge, .delete, .subscribe,
            .unsubscribe, .monitor, .replicate:
            return .none
        }
    }

    // MARK: Our own answers

    /// Answers the command at hand ourselves, behind the replies to the commands before it, unless the client has asked
    /// for silence.
    private mutating func answer(_ text: [UInt8], at now: Instant) {
        switch replyMode {
        case .off: return
        case .skipNext: return replyMode = .on
        case .on: break
        }
        if pending.isEmpty, !replies.isInsideFrame {
            guarding.answers += text
        } else {
            pending.appendLocal(text, currentCommand, at: now)
            if pending.count > listener.pendingRepliesMax { turnOpaque(.pendingLimit, at: now) }
        }
    }

    /// The upstream's reply has ended at `position`: what we answer ourselves comes next.
    mutating func insertAnswers(at position: Int) {
        while let answer = pending.popLocal() {
            splices.replace(at: position, removing: 0) { $0 += answer }
        }
    }

    mutating func takeAnswers() -> ByteBuffer? {
        guard !guarding.answers.isEmpty else { return nil }
        defer { guarding.answers.removeAll(keepingCapacity: true) }
        return ByteBuffer(bytes: guarding.answers)
    }

    /// The reply to the DISCARD that took the place of EXEC: the client reads what Redis would have said.
    mutating func replaceAbortedReply(_ first: RESPToken) {
        guard replies.disposition == .keep, first.endsFrame else { return guarding.ends = true }
        let start = replies.frameStart
        splices.replace(at: start, removing: first.endOffset) { $0 += Self.executionAborted }
    }

    /// Whether the client would be told wrong things if its bytes were no longer understood from here on.
    var dependsOnOrder: Bool {
        guarding.isSpoilt || guarding.isAborting || guarding.refusal != nil || requests.disposition == .swallow
            || pending.dependsOnOrder
    }

    // MARK: What came of commands

    /// A reply that answers one guarded command.
    mutating func complete(
        _ entry: PendingReplies.Entry, _ token: RESPToken, _ bytes: Span<UInt8>, since startedAt: Instant,
        at now: Instant
    ) {
        if entry.mayWait { guarding.unblockedAt = now }
        guard !entry.ticket.isNone else { return }
        var result = CallResult.succeeded
        if token.kind == .error || token.kind == .bulkError {
            result = replies.disposition == .keep ? RedisErrorClass.result(bytes, replies.value(token)) : .mistake
        }
        lane.completed(entry.ticket, result, latency: latency(entry, since: startedAt, at: now), listener)
    }

    /// Nil where the time says nothing of the broker.
    private func latency(_ entry: PendingReplies.Entry, since startedAt: Instant, at now: Instant) -> UInt64? {
        guard !entry.mayWait else { return nil }
        guard let unblockedAt = guarding.unblockedAt else { return now.nanoseconds(since: startedAt) }
        return min(now.nanoseconds(since: startedAt), now.nanoseconds(since: unblockedAt))
    }

    /// All commands of a transaction were executed, and the reply was not looked into.
    func succeed(_ entries: some Sequence<PendingReplies.Entry>, since startedAt: Instant, at now: Instant) {
        for entry in entries {
            lane.completed(entry.ticket, .succeeded, latency: latency(entry, since: startedAt, at: now), listener)
        }
    }

    /// Tells the guard of the upstream how the connection does, once.
    mutating func endConnection(as outcome: ConnectionOutcome) {
        guard let connection = guarding.connection else { return }
        guarding.connection = nil
        lane.connected(connection.permit, listener, outcome)
    }

    /// Nobody will know how these calls ended.
    func forget(_ tickets: some Sequence<GuardTicket>) {
        for ticket in tickets { lane.completed(ticket, .unknown, latency: nil, listener) }
    }

    /// Tells the guards of calls that have become slow while they are under way.
    mutating func noteLate(at now: Instant) {
        guard lane.isGuarding, !pending.isEmpty else { return }
        let (lane, unblockedAt) = (lane, guarding.unblockedAt)
        pending.noteLate { entry, ticket in
            // Whatever stands behind a command that waits has not begun.
            guard !entry.mayWait else { return false }
            var waited = now.nanoseconds(since: entry.startedAt)
            if let unblockedAt { waited = min(waited, now.nanoseconds(since: unblockedAt)) }
            return lane.noteOverdue(&ticket, after: waited)
        }
    }

    /// Finds the calls whose replies are overdue. They count once, as timeouts; the replies may still come.
    mutating func countOverdue(at now: Instant) {
        guard lane.isGuarding else { return }
        let limit = lane.callTimeoutNanoseconds
        if let connection = guarding.connection, now.nanoseconds(since: connection.openedAt) >= limit {
            // Nobody has asked anything, or what was asked takes its time by design.
            if pending.head?.mayWait ?? true {
                endConnection(as: .unknown)
            } else if let head = pending.head, now.nanoseconds(since: head.startedAt) >= limit {
                endConnection(as: .timedOut)
            }
        }
        while pending.examined < pending.count {
            let entry = pending[pending.examined]
            // Whatever stands behind a command that waits has not begun.
            guard !entry.mayWait else { return }
            guard (latency(entry, since: entry.startedAt, at: now) ?? 0) >= limit else { return }
            if !entry.ticket.isNone { lane.completed(entry.ticket, .failed(.timeout), latency: limit, listener) }
            if entry.isKeyed { republishOverdue(entry, at: now) }
            pending.examineNext()
        }
    }
}
