public import NIOCore
import Resilience
import Telemetry
import Wire

/// One Redis client connection with its upstream connection: matches replies to commands, finds the messages in both,
/// and takes them through the lane's stages.
///
/// Responsible for: which reply answers which command (pipelines, transactions, subscriptions, MONITOR, CLIENT REPLY),
/// and which bytes are edited. Not responsible for: what an argument list means (`RedisRequests`), what a stream reply
/// looks like (`StreamReplyReader`), what becomes of a message (`Lane`), or any IO.
///
/// Replies carry the state: whether a command was queued is read from its `+QUEUED`, the protocol version from the
/// reply to HELLO, the number of subscriptions from the counts. So an error reply needs no special case.
public struct RedisSession: SessionMachine {
    let lane: Lane
    let listener: ListenerProfile
    let counters: RedisCounters
    var requests = RESPFrameKeeper(role: .requests)
    var replies = RESPFrameKeeper(role: .replies)
    var splices = SpliceList()
    var pending = PendingReplies()
    /// Commands that were answered with `+QUEUED` and wait for EXEC.
    var transaction: [(entry: PendingReplies.Entry, operation: OpenOperation?)] = []
    var guarding = Guarding()
    var tracedInTransaction = 0
    var subscriptions = RedisSubscriptions()
    var replyMode = ReplyMode.on
    var isMonitoring = false
    /// CLIENT SETNAME or HELLO SETNAME.
    var client = NameID.none
    /// Which message a published one may come from.
    var causality: Causality
    /// SELECT: the same stream name means another stream in another database.
    var databases = RedisDatabases()
    var database: Int { databases.current }
    /// The command whose frame is being read.
    var currentCommand = RedisCommandTable.other
    /// The token with which the reply itself starts, behind its attributes.
    var replyStart: Int?
    /// A push whose payload is still passing was already counted.
    var pushIsHandled = false
    /// Publishes that carry an idempotency key.
    var republishing = Republishing()
    /// Where the reply lies that another takes the place of.
    var replacedReply = 0..<0
    private(set) var opaque: OpaqueReason?

    /// CLIENT REPLY.
    enum ReplyMode {
        case on
        case off
        case skipNext
    }

    /// A session that stands before the first byte of both directions.
    public init(lane: Lane, listener: ListenerProfile, counters: RedisCounters, peer: ClientPeer = .unknown) {
        self.lane = lane
        self.listener = listener
        self.counters = counters
        causality = Causality(lane.shared.causality, peer, lane.shared.clients)
    }

    /// No reply is awaited and no frame is half here; an opaque session cannot know and counts as idle.
    public var isIdle: Bool {
        guarding.hold == nil && isAnswered && republishing.replies.isEmpty
    }

    private var isAnswered: Bool {
        opaque != nil || (pending.isEmpty && !requests.isInsideFrame && !replies.isInsideFrame)
    }

    /// An error reply, `-ERR tacho: reason`.
    public static func refusal(_ reason: String) -> ByteBuffer {
        ByteBuffer(bytes: RESPWriter.error("ERR tacho: \(reason)"))
    }

    /// Each command with the reason, until one that matters.
    public static func refusing(_ reason: String) -> any RefusalMachine { RedisRefusal(reason) }

    /// Tells the guard after the first reply: a broker that hangs accepts connections all the same.
    public mutating func take(_ permit: ConnectionPermit, at now: Instant) -> Bool {
        guard lane.isGuarding else { return false }
        guarding.connection = Connection(permit: permit, openedAt: now)
        return true
    }

    /// Commands on their way to Redis.
    public mutating func receiveFromClient(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput {
        if guarding.hold != nil || republishing.isActive || republishing.hasLostUpstream {
            requests.hold(more: bytes)
            return .nothing
        }
        var buffer = bytes
        let start = requests.join(&buffer)
        return inOrder(takeRequests(buffer, from: start, at: now))
    }

    /// The moment at which the held command, or a publish that is tried again, is looked at.
    public var resumesAt: UInt64? {
        guard republishing.isActive else { return guarding.hold?.looksAgainAt }
        return min(republishing.wakesAt, guarding.hold?.looksAgainAt ?? .max)
    }

    /// Goes on with what was held, if it may.
    public mutating func resume(at now: Instant) -> SessionOutput {
        if republishing.isActive { sendDue(at: now) }
        return inOrder(goOnWithRequests(at: now))
    }

    /// Somebody who took a command has spoken.
    public mutating func returned(_ outcome: DetourOutcome, at now: Instant) -> SessionOutput {
        switch outcome {
        case .spooled(_, let outcome): return inOrder(spooled(outcome, at: now))
        case .carried(let number, let outcome):
            if number >= Guarding.firstOrder { return inOrder(carriedToSecondary(number, outcome, at: now)) }
            carried(number, outcome, at: now)
            return inOrder(goOnWithRequests(at: now))
        }
    }

    /// Takes up what the client has sent while it was not read.
    mutating func goOnWithRequests(at now: Instant) -> SessionOutput {
        let goesOn = !republishing.hasLostUpstream && (guarding.hold != nil || !republishing.isActive)
        var output = goesOn ? takeHeldRequests(at: now) : SessionOutput()
        output.detours += guarding.takeDetours()
        return output
    }

    private mutating func takeHeldRequests(at now: Instant) -> SessionOutput {
        var buffer = ByteBuffer()
        let start = requests.join(&buffer)
        let isHeld = guarding.hold != nil
        guard isHeld || buffer.readableBytes > 0 else { return .nothing }
        return takeRequests(buffer, from: start, isHeld: isHeld, at: now)
    }

    /// What goes to the client goes behind what it has yet to be told.
    private mutating func inOrder(_ output: SessionOutput) -> SessionOutput {
        guard !republishing.replies.isEmpty else { return output }
        var output = output
        republishing.replies.append(output.toClient)
        if output.endsSession { republishing.replies.end() }
        (output.toClient, output.endsSession) = republishing.replies.takeReady()
        return output
    }

    private mutating func takeRequests(
        _ buffer: ByteBuffer, from start: Int, isHeld: Bool = false, at now: Instant
    ) -> SessionOutput {
        guard opaque == nil else {
            endWait()
            return SessionOutput(toUpstream: buffer)
        }
        do throws(RESPError) {
            try scanRequests(buffer.readableBytesUInt8Span, from: start, isHeld: isHeld, at: now)
        } catch {
            turnOpaque(.malformedRequest, at: now)
        }
        if let position = guarding.hold?.position, opaque == nil {
            requests.hold(buffer, endedAt: position)
            var output = SessionOutput(toUpstream: release(buffer, requests.frameStart), toClient: takeAnswers())
            output.detours = guarding.takeDetours()
            return output
        }
        if opaque == nil, requests.outgrows(buffer, listener.frameBytesMax) {
            counters.uneditedTooLarge.add(1)
            decideUnseen(buffer.readableBytesUInt8Span, at: now)
        }
        if guarding.ends { return endSession() }
        let split = requests.split(buffer, keepAtMost: opaque == nil ? listener.frameBytesMax : nil)
        var output = SessionOutput(
            toUpstream: release(buffer, split.passing), toClient: takeAnswers(), becameOpaque: opaque)
        output.endsSession = guarding.isLeaving || (guarding.absence != nil && opaque != nil)
        return output
    }

    /// Replies and pushes on their way to the client.
    public mutating func receiveFromUpstream(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput {
        endConnection(as: .opened)
        let wasHolding = guarding.hold != nil || republishing.isActive
        var buffer = bytes
        let start = replies.join(&buffer)
        guard opaque == nil else { return inOrder(SessionOutput(toClient: buffer)) }
        do throws(RESPError) {
            try scanReplies(buffer.readableBytesUInt8Span, from: start, at: now)
            while let number = republishing.replacement {
                republishing.replacement = nil
                cutReply(out: &buffer, awaiting: number)
                try scanReplies(buffer.readableBytesUInt8Span, from: 0, at: now)
            }
        } catch {
            turnOpaque(.malformedReply, at: now)
        }
        if guarding.ends { return inOrder(endSession()) }
        let split = replies.split(buffer, keepAtMost: opaque == nil ? listener.frameBytesMax : nil)
        if split.isTooLarge { outgrewReply(buffer.readableBytesUInt8Span, at: now) }
        var output = SessionOutput(toClient: release(buffer, split.passing), becameOpaque: opaque)
        if wasHolding { goOn(&output, at: now) }
        return inOrder(output)
    }

    /// Takes out the reply that was read last, for which another is sought, and leaves what stands behind it.
    private mutating func cutReply(out buffer: inout ByteBuffer, awaiting number: UInt64) {
        republishing.replies.append(release(buffer, replacedReply.lowerBound))
        republishing.replies.append(awaited: number)
        while let answer = pending.popLocal() { republishing.replies.append(ByteBuffer(bytes: answer)) }
        buffer.moveReaderIndex(forwardBy: replacedReply.upperBound)
        replies.endFrame(at: 0)
    }

    /// A reply has come, and with it perhaps the place that a held command waits for.
    private mutating func goOn(_ output: inout SessionOutput, at now: Instant) {
        guard opaque == nil else {
            // Nothing is looked at any more, so nothing waits.
            var held = ByteBuffer()
            _ = requests.join(&held)
            output.toUpstream = held.readableBytes > 0 ? held : nil
            return
        }
        output.append(goOnWithRequests(at: now))
    }

    /// What was kept of an unfinished command.
    public mutating func clientFinished(at now: Instant) -> SessionOutput {
        guard !republishing.hasLostUpstream else { return .nothing }
        if guarding.hold != nil || republishing.isActive {
            // The client has gone; what it had sent is carried out, as a broker does that has received it.
            guarding.isBypassed = true
            let output = inOrder(takeHeldRequests(at: now))
            if output.toUpstream != nil { return output }
        }
        var rest = ByteBuffer()
        _ = requests.join(&rest)
        return SessionOutput(toUpstream: rest.readableBytes > 0 ? rest : nil)
    }

    /// What was kept of an unfinished reply.
    public mutating func upstreamFinished(at now: Instant) -> SessionOutput {
        var rest = ByteBuffer()
        _ = replies.join(&rest)
        return SessionOutput(toClient: rest.readableBytes > 0 ? rest : nil)
    }

    /// Looks for replies that are overdue.
    public mutating func tick(at now: Instant) -> SessionOutput {
        countOverdue(at: now)
        noteLate(at: now)
        noteAbsence(at: now)
        return .nothing
    }

    /// What waits for a reply has failed, as far as the guards are concerned.
    public mutating func upstreamLost(at now: Instant) -> SessionOutput {
        guard !republishing.hasLostUpstream else { return .nothing }
        republishing.hasLostUpstream = true
        endConnection(as: .failed)
        republishLost(at: now)
        var tickets = pending.takeTickets()
        for index in transaction.indices {
            tickets.append(transaction[index].entry.ticket)
            transaction[index].entry.ticket = .none
        }
        for ticket in tickets { lane.completed(ticket, .failed(.connection), latency: nil, listener) }
        return inOrder(SessionOutput())
    }

    /// Publishes are being tried again whose answers the client is still to get.
    public var outlivesUpstream: Bool { !republishing.replies.isEmpty }

    /// Replies wait behind one that is sought elsewhere, as many as may.
    public var holdsReplies: Bool { republishing.isFull }

    /// Ends what still waits for a reply as disconnected.
    public mutating func closed(at now: Instant) {
        endConnection(as: .unknown)
        abandon(as: .disconnected, at: now)
        abandonRepublishing(at: now)
        causality.closed()
    }

    // MARK: Becoming opaque

    mutating func turnOpaque(_ reason: OpaqueReason, at now: Instant) {
        guard opaque == nil else { return }
        opaque = reason
        if dependsOnOrder { guarding.ends = true }
        counters.opaque[reason]?.add(1)
        abandon(as: .unobserved, at: now)
    }

    /// Ends every open operation without knowing how it went. Only what was sent is worth a span.
    private mutating func abandon(as outcome: SpanOutcome, at now: Instant) {
        forget(pending.takeTickets() + transaction.map(\.entry.ticket))
        endWait()
        abandonFallback(at: now)
        forget(CollectionOfOne(guarding.ticket))
        guarding.ticket = .none
        let operations = pending.removeAll() + transaction.compactMap(\.operation)
        transaction = []
        tracedInTransaction = 0
        for case .send(let open) in operations {
            lane.abandoned(open, as: outcome, client: client, at: now)
        }
    }

    /// Replies of ours cannot be kept in order any more: nothing further is said, in either direction.
    private func endSession() -> SessionOutput {
        var output = SessionOutput(becameOpaque: opaque)
        output.endsSession = true
        return output
    }

    /// The first `count` bytes, edited if an edit was noted. The rest stays with its frame, edits and all: an edit is
    /// only ever noted for a complete frame.
    private mutating func release(_ buffer: ByteBuffer, _ count: Int) -> ByteBuffer? {
        guard count > 0 else { return nil }
        if !splices.isEmpty {
            let edited = splices.apply(to: buffer, count: count)
            return edited.readableBytes > 0 ? edited : nil
        }
        if count == buffer.readableBytes { return buffer }
        return buffer.getSlice(at: buffer.readerIndex, length: count)
    }
}
