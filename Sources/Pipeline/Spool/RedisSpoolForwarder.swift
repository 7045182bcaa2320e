public import NIOCore
import Resilience
import Telemetry
import Wire

/// Sends spooled messages on to one Redis, in order and once, on a connection of the sidecar's own.
///
/// One message at a time: an entry that fails must not be overtaken. Each is a call like those of clients: the guards are
/// asked, so these calls are the probes of a breaker that has opened, and failures wait with jitter inside a budget. Once:
/// every XADD carries its id, and Redis refuses an id that is not above the last. So after a crash, or a reply that was
/// lost, the second attempt is refused, and a look (XRANGE) tells whether the entry is there. If it is not, others have
/// published meanwhile with higher ids; then the entry gets a new id, which is noted on disk before it is used.
public struct RedisSpoolForwarder: OutboundMachine {
    /// It asks the spool.
    public typealias Request = SpoolTask
    /// See `Request`.
    public typealias Answer = SpoolTask.Answer

    let lane: Lane
    let listener: ListenerProfile
    private let spool: Spool
    private var exchange: RedisExchange
    private var isConnected = false
    private var permit: ConnectionPermit?
    private var key: SpoolKey?
    private var batch: ArraySlice<SpooledMessage> = []
    /// Sent on, and not yet let go of on disk.
    private var sent: [SpooledMessage] = []
    private var waiting = Waiting.nothing
    private var ticket = GuardTicket.none
    private var askedAt = Instant(monotonicNanoseconds: 0, unixNanoseconds: 0)
    /// Tries of the message at hand, and new ids that were too low again.
    private var attempts = 0
    private var renumberings = 0
    private var budget = RetryBudget()
    private var retryAt: UInt64 = 0
    private var isClosing = false
    private var isFailing = false
    private var events: [OutboundEvent] = []

    private static let pollNanoseconds: UInt64 = 50_000_000
    private static let calmNanoseconds: UInt64 = 1_000_000_000
    /// After a crash so many are in doubt.
    private static let batchMessages = 16
    /// New ids lie at most so far in the future, so that those of others that follow do too.
    private static let leadMillisecondsMax: UInt64 = 256
    private static let purpose = "spool"
    private static let policy = {
        var policy = RetryPolicy()
        policy.attemptsMax = .max
        policy.delayNanosecondsMax = 5_000_000_000
        return policy
    }()

    private enum Waiting {
        case nothing
        case disk(Errand)
        /// XADD.
        case entry
        /// XRANGE.
        case look
        /// XINFO STREAM. `isAbsent`: there is no entry of this id, where otherwise there is somebody else's.
        case top(isAbsent: Bool)

        enum Errand {
            case loading
            case removing
            case renumbering(StreamEntryID)
            case settingAside
        }
    }

    /// For the messages of one listener.
    public init(lane: Lane, listener: ListenerProfile, spool: Spool, credentials: OutboundCredentials?) {
        self.lane = lane
        self.listener = listener
        self.spool = spool
        exchange = RedisExchange(credentials: credentials)
    }

    // MARK: Inputs

    /// Looks whether there is anything to do.
    public mutating func woken(at now: Instant) -> OutboundStep<SpoolTask> {
        if let deadline = exchange.deadline {
            guard now.monotonicNanoseconds >= deadline else { return step(wakesAt: deadline) }
            return giveUp(.timeout, "the broker did not answer in time", at: now)
        }
        return proceed(at: now)
    }

    /// Goes on with the oldest message.
    public mutating func connected(at now: Instant) -> OutboundStep<SpoolTask> {
        tell(.opened)
        isConnected = true
        exchange.reset()
        return proceed(at: now)
    }

    /// The message that was under way is in doubt; its id will tell.
    public mutating func disconnected(_ outcome: ConnectionOutcome, at now: Instant) -> OutboundStep<SpoolTask> {
        tell(outcome)
        isConnected = false
        exchange.reset()
        if isClosing {
            isClosing = false
            return proceed(at: now)
        }
        if case .disk = waiting { return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds) }
        waiting = .nothing
        complete(.failed(.connection), at: now)
        return backOff(.connection, "the connection was lost, or cannot be opened", at: now)
    }

    /// An answer of the broker, or a part of one.
    public mutating func received(_ bytes: ByteBuffer, at now: Instant) -> OutboundStep<SpoolTask> {
        do throws(RESPError) {
            switch try exchange.take(bytes) {
            case .nothing: return step(wakesAt: exchange.deadline ?? now.monotonicNanoseconds)
            case .more(let bytes): return asking(bytes)
            case .answer(let reply): return take(reply, at: now)
            }
        } catch {
            return giveUp(.connection, "an answer was not understood (\(error.rawValue))", at: now)
        }
    }

    /// What the disk says.
    public mutating func answered(_ answer: SpoolTask.Answer, at now: Instant) -> OutboundStep<SpoolTask> {
        guard case .disk(let errand) = waiting else { return proceed(at: now) }
        waiting = .nothing
        if case .failed(let reason) = answer {
            note(failure: reason)
            retryAt = now.monotonicNanoseconds &+ Self.calmNanoseconds
            // What was not let go of is looked at again: Redis refuses it, and it is there.
            if case .removing = errand { (sent, batch) = ([], []) }
            return proceed(at: now)
        }
        switch errand {
        case .loading:
            if case .loaded(let messages) = answer { batch = messages[...] }
            if batch.isEmpty { retryAt = now.monotonicNanoseconds &+ Self.calmNanoseconds }
        case .removing: sent = []
        case .renumbering(let id): batch[batch.startIndex].newID = id
        case .settingAside:
            batch.removeFirst()
            (attempts, renumberings) = (0, 0)
        }
        return proceed(at: now)
    }

    // MARK: One message after the other

    private mutating func proceed(at now: Instant) -> OutboundStep<SpoolTask> {
        guard case .nothing = waiting, !isClosing else {
            return step(wakesAt: now.monotonicNanoseconds &+ Self.calmNanoseconds)
        }
        if let key, let last = sent.last, batch.isEmpty || sent.count >= Self.batchMessages {
            let bytes = sent.reduce(0) { $0 + $1.byteCount }
            return ask(.remove(key, through: last.id, messages: sent.count, bytes: bytes), .removing, at: now)
        }
        guard now.monotonicNanoseconds >= retryAt else { return step(wakesAt: retryAt) }
        guard let message = batch.first, let key else { return load(at: now) }
        guard isConnected else { return connect(at: now) }
        let destination = destination(of: key)
        let route = lane.route(listener, lane.name("forward"), .send, destination)
        guard case .passes(let ticket) = lane.admit(route, listener, at: now) else {
            // What has been sent need not wait for the breaker to be let go of.
            if !sent.isEmpty { batch = [] }
            return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
        }
        self.ticket = ticket
        askedAt = now
        return send(.entry, message.command, at: now)
    }

    /// The oldest messages of the next key that has any.
    private mutating func load(at now: Instant) -> OutboundStep<SpoolTask> {
        guard !spool.isEmpty(listener.name) else {
            return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
        }
        let keys = spool.keys(of: listener.name)
        let position = key.flatMap { last in keys.firstIndex { $0 == last } }.map { $0 + 1 } ?? 0
        guard !keys.isEmpty else { return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds) }
        let next = keys[position % keys.count]
        key = next
        return ask(.load(next, most: Self.batchMessages), .loading, at: now)
    }

    private mutating func connect(at now: Instant) -> OutboundStep<SpoolTask> {
        var step = step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
        guard permit == nil, case .passes(let permit) = lane.admitConnection(listener, at: now) else { return step }
        self.permit = permit
        step.connection = .open
        return step
    }

    private mutating func take(_ reply: RedisReply, at now: Instant) -> OutboundStep<SpoolTask> {
        let question = waiting
        waiting = .nothing
        guard let message = batch.first, let key else { return proceed(at: now) }
        if case .failure(let text) = reply { return refused(question, text, message, key, at: now) }
        switch question {
        case .nothing, .disk:
            return giveUp(.connection, "an answer came that nothing was asked for", at: now)
        case .entry:
            complete(.succeeded, at: now)
            return sentOn(message, message.newID == nil ? .forwarded : .newID, at: now)
        case .look:
            let found = reply.array?.first?.array?.last?.array?.map { $0.text ?? [] }
            if found == message.fields { return sentOn(message, .alreadyThere, at: now) }
            let words = [Array("XINFO".utf8), Array("STREAM".utf8), key.stream]
            return send(.top(isAbsent: found == nil), RedisExchange.encode(words), at: now)
        case .top(let isAbsent):
            return renumber(reply, message, key, isAbsent: isAbsent, at: now)
        }
    }

    /// Others have published with higher ids. A new one must be above the last at the moment at which it arrives; the
    /// more others publish, the further ahead it is chosen.
    private mutating func renumber(
        _ reply: RedisReply, _ message: SpooledMessage, _ key: SpoolKey, isAbsent: Bool, at now: Instant
    ) -> OutboundStep<SpoolTask> {
        let pairs = reply.array ?? []
        let position = pairs.firstIndex { $0.text == Array("last-generated-id".utf8) }
        guard let position, position + 1 < pairs.count,
            let top = pairs[position + 1].text.flatMap({ StreamEntryID($0) })
        else { return giveUp(.connection, "XINFO STREAM tells no last id", at: now) }
        // The last entry of the stream was ours, and somebody has deleted it since: nobody else comes to have this id.
        if isAbsent, top == message.entryID { return sentOn(message, .alreadyThere, at: now) }
        var id = StreamEntryID(milliseconds: top.milliseconds, sequence: top.sequence)
        let (sequence, overflows) = top.sequence.addingReportingOverflow(SpooledMessage.sequenceGap)
        if renumberings == 0, !overflows {
            id.sequence = sequence
        } else {
            let lead = min(1 << UInt64(min(renumberings, 16)), Self.leadMillisecondsMax)
            id = StreamEntryID(milliseconds: top.milliseconds &+ lead, sequence: message.sequenceBase)
        }
        renumberings += 1
        return ask(.renumber(key, message.id, as: id), .renumbering(id), at: now)
    }

    private mutating func sentOn(
        _ message: SpooledMessage, _ outcome: SpoolForwarding, at now: Instant
    ) -> OutboundStep<SpoolTask> {
        if let key {
            lane.forwarded(message, destination(of: key), outcome, since: askedAt, listener, at: now)
        }
        if isFailing {
            isFailing = false
            events.append(.recovered(purpose: Self.purpose))
        }
        budget.succeeded(now: now.monotonicNanoseconds)
        (attempts, renumberings) = (0, 0)
        sent.append(message)
        batch.removeFirst()
        return proceed(at: now)
    }

    // MARK: Refusals and failures

    /// Errors that are about us or the way to the broker, not about the message.
    private static let conditions: Set<String> = [
        "NOAUTH", "WRONGPASS", "NOPERM", "MOVED", "ASK", "UNKILLABLE", "NOTBUSY", "NOPROTO",
    ]

    private mutating func refused(
        _ question: Waiting, _ text: [UInt8], _ message: SpooledMessage, _ key: SpoolKey, at now: Instant
    ) -> OutboundStep<SpoolTask> {
        let code = String(decoding: text.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
        let result = RedisErrorClass.result(text.span, 0..<text.count)
        complete(result, at: now)
        if case .failed(let failure) = result { return backOff(failure, "the broker refuses: \(code)", at: now) }
        guard case .entry = question, !Self.conditions.contains(code) else {
            return backOff(.unavailable, "the broker refuses: \(code.prefix(32))", at: now)
        }
        if String(decoding: text, as: UTF8.self).contains("equal or smaller") {
            let id = message.entryID.bytes
            return send(.look, RedisExchange.encode([Array("XRANGE".utf8), key.stream, id, id]), at: now)
        }
        events.append(.spooledRefused(stream: String(decoding: key.stream, as: UTF8.self), reason: code))
        lane.countForwarded(destination(of: key), .refused, listener)
        return ask(.setAside(key, message, reason: code), .settingAside, at: now)
    }

    /// Full jitter, growing, inside the budget; a spooled message is never given up.
    private mutating func backOff(
        _ failure: FailureClass, _ reason: String, at now: Instant
    ) -> OutboundStep<SpoolTask> {
        note(failure: reason)
        attempts += 1
        budget.failed(now: now.monotonicNanoseconds)
        let moment = now.monotonicNanoseconds
        let call = RetryPolicy.FailedCall(
            failure, attempts: attempts, isIdempotent: true, isCertainlyUndone: failure == .throttled)
        let share =
            key.map { lane.retryShare(lane.route(listener, lane.name("forward"), .send, destination(of: $0))) } ?? 0
        switch Self.policy.decide(
            call, &budget, share: share, isAdmitted: true, deadline: .max, now: moment, using: &lane.identifiers)
        {
        case .retry(let delay):
            lane.countRetry(listener, "forward", "retried")
            retryAt = moment &+ delay
        case .refuse(let refusal):
            lane.countRetry(listener, "forward", refusal.rawValue)
            retryAt = moment &+ Self.calmNanoseconds
        }
        return proceed(at: now)
    }

    private mutating func giveUp(
        _ failure: FailureClass, _ reason: String, at now: Instant
    ) -> OutboundStep<SpoolTask> {
        complete(.failed(failure), at: now)
        waiting = .nothing
        exchange.reset()
        isClosing = true
        var step = backOff(failure, reason, at: now)
        // The end of this connection is on its way here; until then no other is opened.
        step.connection = .close
        return step
    }

    private mutating func note(failure reason: String) {
        guard !isFailing else { return }
        isFailing = true
        events.append(.failing(purpose: Self.purpose, reason: reason))
    }

    private mutating func complete(_ result: CallResult, at now: Instant) {
        guard !ticket.isNone else { return }
        lane.completed(ticket, result, latency: now.nanoseconds(since: askedAt), listener)
        ticket = .none
    }

    private mutating func tell(_ outcome: ConnectionOutcome) {
        guard let permit else { return }
        self.permit = nil
        lane.connected(permit, listener, outcome)
    }

    // MARK: Steps

    private mutating func ask(
        _ task: SpoolTask, _ errand: Waiting.Errand, at now: Instant
    ) -> OutboundStep<SpoolTask> {
        waiting = .disk(errand)
        var step = step(wakesAt: now.monotonicNanoseconds &+ Self.calmNanoseconds)
        step.request = task
        return step
    }

    private mutating func send(_ question: Waiting, _ command: [UInt8], at now: Instant) -> OutboundStep<SpoolTask> {
        waiting = question
        return asking(
            exchange.ask(
                command, database: key?.database ?? 0,
                until: now.monotonicNanoseconds &+ min(lane.callTimeoutNanoseconds, 30_000_000_000)))
    }

    private mutating func asking(_ bytes: [UInt8]) -> OutboundStep<SpoolTask> {
        var step = step(wakesAt: exchange.deadline ?? 0)
        step.bytes = bytes
        return step
    }

    private mutating func step(wakesAt: UInt64) -> OutboundStep<SpoolTask> {
        var step = OutboundStep<SpoolTask>(wakesAt: wakesAt)
        step.events = events
        events = []
        return step
    }

    private func destination(of key: SpoolKey) -> Destination {
        var destination = lane.destination(key.stream.span, 0..<key.stream.count)
        destination.hash ^= RedisSession.mark(ofDatabase: key.database)
        return destination
    }
}
