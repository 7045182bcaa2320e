public import NIOCore
import Resilience
import Telemetry

/// Sends spooled messages on to one broker, in order and once, on a connection of the sidecar's own.
///
/// One message at a time: one that fails must not be overtaken by others of its key. Each is a call like those of
/// clients: the guards are asked, so these calls are the probes of a breaker that has opened, and failures wait with
/// jitter inside a budget. While one key cannot get on the others do. How a message reaches the broker once is for its
/// `SpoolDelivery`.
public struct SpoolForwarder: OutboundMachine {
    /// It asks the spool.
    public typealias Request = SpoolTask
    /// See `Request`.
    public typealias Answer = SpoolTask.Answer

    let lane: Lane
    let listener: ListenerProfile
    private let spool: Spool
    private var delivery: any SpoolDelivery
    private var isConnected = false
    private var permit: ConnectionPermit?
    private var key: SpoolKey?
    private var batch: ArraySlice<SpooledMessage> = []
    /// Sent on, and not yet let go of on disk.
    private var sent: [SpooledMessage] = []
    private var waiting = Waiting.nothing
    private var ticket = GuardTicket.none
    private var askedAt = Instant(monotonicNanoseconds: 0, unixNanoseconds: 0)
    /// Failures since the last message that got on.
    private var attempts = 0
    private var budget = RetryBudget()
    private var retryAt: UInt64 = 0
    private var isClosing = false
    private var isFailing = false
    private var hasTriedSigningIn = false
    // What the next step takes along.
    private var events: [OutboundEvent] = []
    private var bytes: [UInt8] = []
    private var startsTLS = false

    private static let pollNanoseconds: UInt64 = 50_000_000
    private static let calmNanoseconds: UInt64 = 1_000_000_000
    private static let answerNanosecondsMax: UInt64 = 30_000_000_000
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
        case broker

        enum Errand {
            case loading
            case removing
            case noting(StreamEntryID)
            case settingAside
        }
    }

    /// For the messages of one listener with a Redis behind it.
    public static func redis(
        lane: Lane, listener: ListenerProfile, spool: Spool, credentials: OutboundCredentials?
    ) -> SpoolForwarder {
        SpoolForwarder(lane, listener, spool, RedisSpoolDelivery(credentials: credentials))
    }

    /// The same with a NATS server behind it.
    public static func nats(
        lane: Lane, listener: ListenerProfile, spool: Spool, credentials: OutboundCredentials?
    ) -> SpoolForwarder {
        let delivery = NATSSpoolDelivery(
            credentials: credentials, upstreamTLS: listener.tls.upstream, random: lane.identifiers.next())
        return SpoolForwarder(lane, listener, spool, delivery)
    }

    init(_ lane: Lane, _ listener: ListenerProfile, _ spool: Spool, _ delivery: any SpoolDelivery) {
        self.lane = lane
        self.listener = listener
        self.spool = spool
        self.delivery = delivery
    }

    // MARK: Inputs

    /// Looks whether there is anything to do.
    public mutating func woken(at now: Instant) -> OutboundStep<SpoolTask> {
        if let deadline = delivery.deadline {
            guard now.monotonicNanoseconds >= deadline else { return step(wakesAt: deadline) }
            return giveUp(.timeout, "the broker did not answer in time", at: now)
        }
        return proceed(at: now)
    }

    /// Goes on with the oldest message.
    public mutating func connected(at now: Instant) -> OutboundStep<SpoolTask> {
        tell(.opened)
        isConnected = true
        if case .nothing = waiting { waiting = .broker }
        return take(delivery.opened(until: deadline(at: now)), at: now)
    }

    /// The message that was under way is in doubt; the broker will tell.
    public mutating func disconnected(_ outcome: ConnectionOutcome, at now: Instant) -> OutboundStep<SpoolTask> {
        tell(outcome)
        isConnected = false
        delivery.closed()
        if isClosing {
            isClosing = false
            return proceed(at: now)
        }
        if case .disk = waiting { return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds) }
        waiting = .nothing
        // While nothing is to be sent on, it is missed by nobody.
        guard !(batch.isEmpty && sent.isEmpty && spool.isEmpty(listener.name)) else { return proceed(at: now) }
        complete(.failed(.connection), at: now)
        return backOff(.connection, "the connection was lost, or cannot be opened", at: now)
    }

    /// An answer of the broker, or a part of one.
    public mutating func received(_ bytes: ByteBuffer, at now: Instant) -> OutboundStep<SpoolTask> {
        guard !isClosing else { return step(wakesAt: now.monotonicNanoseconds &+ Self.calmNanoseconds) }
        return take(delivery.received(bytes, until: deadline(at: now)), at: now)
    }

    /// What the disk says.
    public mutating func answered(_ answer: SpoolTask.Answer, at now: Instant) -> OutboundStep<SpoolTask> {
        guard case .disk(let errand) = waiting else { return proceed(at: now) }
        waiting = .nothing
        if case .failed(let reason) = answer {
            note(failure: reason)
            retryAt = now.monotonicNanoseconds &+ Self.calmNanoseconds
            // What was not let go of is looked at again: the broker tells that it is there.
            if case .removing = errand { (sent, batch) = ([], []) }
            return proceed(at: now)
        }
        switch errand {
        case .loading:
            if case .loaded(let messages) = answer { batch = messages[...] }
            if batch.isEmpty { retryAt = now.monotonicNanoseconds &+ Self.calmNanoseconds }
            delivery.loaded()
        case .removing: sent = []
        case .noting(let note): batch[batch.startIndex].note = note
        case .settingAside:
            // The note went with it, so the others begin anew.
            batch = []
            attempts = 0
        }
        return proceed(at: now)
    }

    // MARK: One message after the other

    private mutating func proceed(at now: Instant) -> OutboundStep<SpoolTask> {
        guard case .nothing = waiting, !isClosing else {
            return step(wakesAt: delivery.deadline ?? now.monotonicNanoseconds &+ Self.calmNanoseconds)
        }
        if let key, let last = sent.last, batch.isEmpty || sent.count >= delivery.batchMessages {
            let bytes = sent.reduce(0) { $0 + $1.byteCount }
            return ask(.remove(key, through: last.id, messages: sent.count, bytes: bytes), .removing, at: now)
        }
        guard now.monotonicNanoseconds >= retryAt else { return step(wakesAt: retryAt) }
        guard let message = batch.first, let key else { return load(at: now) }
        guard isConnected else { return connect(at: now) }
        guard case .passes(let ticket) = lane.admit(route(of: key), listener, at: now) else {
            // What has been sent need not wait for the breaker to be let go of, nor do other keys.
            if !delivery.isInDoubt, lane.upstreamIsOpen(listener) { batch = [] }
            return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
        }
        self.ticket = ticket
        askedAt = now
        waiting = .broker
        return take(delivery.deliver(message, key, until: deadline(at: now)), at: now)
    }

    /// The oldest messages of the next key that has any and may send them.
    private mutating func load(at now: Instant) -> OutboundStep<SpoolTask> {
        guard !spool.isEmpty(listener.name) else {
            if delivery.signsInFirst, !hasTriedSigningIn, !isConnected {
                hasTriedSigningIn = true
                return connect(at: now)
            }
            return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
        }
        let keys = spool.keys(of: listener.name)
        let position = key.flatMap { last in keys.firstIndex { $0 == last } }.map { $0 + 1 } ?? 0
        let inTurn = keys.indices.map { keys[(position + $0) % keys.count] }
        guard let next = inTurn.first(where: { lane.isAdmitting(route(of: $0)) }) else {
            return step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
        }
        key = next
        return ask(.load(next, most: delivery.batchMessages), .loading, at: now)
    }

    private mutating func connect(at now: Instant) -> OutboundStep<SpoolTask> {
        var step = step(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
        guard permit == nil, case .passes(let permit) = lane.admitConnection(listener, at: now) else { return step }
        self.permit = permit
        step.connection = .open
        return step
    }

    /// How far the broker's part has come.
    private mutating func take(_ progress: SpoolProgress, at now: Instant) -> OutboundStep<SpoolTask> {
        bytes += progress.bytes
        startsTLS = startsTLS || progress.startsTLS
        if let result = progress.result { complete(result, at: now) }
        if case .broken(let failure, let reason) = progress.next { return giveUp(failure, reason, at: now) }
        guard case .broker = waiting else { return proceed(at: now) }
        if case .waits = progress.next { return proceed(at: now) }
        waiting = .nothing
        guard let message = batch.first, let key else { return proceed(at: now) }
        switch progress.next {
        case .waits, .isReady, .broken: return proceed(at: now)
        case .note(let note):
            // As if nobody had asked: the message itself is still to be sent.
            complete(.unknown, at: now)
            return ask(.note(key, message.id, note), .noting(note), at: now)
        case .delivered(let arrival):
            complete(.unknown, at: now)
            return sentOn(message, arrival, key, at: now)
        case .refused(let reason):
            complete(.mistake, at: now)
            events.append(.spooledRefused(stream: String(decoding: key.stream, as: UTF8.self), reason: reason))
            lane.countForwarded(destination(of: key), .refused, listener)
            return ask(.setAside(key, message, reason: reason), .settingAside, at: now)
        case .failed(let failure, let reason):
            complete(.failed(failure), at: now)
            // The others need not wait for this one.
            if !delivery.isInDoubt { batch = [] }
            return backOff(failure, reason, at: now)
        }
    }

    private mutating func sentOn(
        _ message: SpooledMessage, _ arrival: SpoolArrival, _ key: SpoolKey, at now: Instant
    ) -> OutboundStep<SpoolTask> {
        lane.forwarded(message, destination(of: key), arrival, since: askedAt, listener, at: now)
        if isFailing {
            isFailing = false
            events.append(.recovered(purpose: Self.purpose))
        }
        budget.succeeded(now: now.monotonicNanoseconds)
        attempts = 0
        sent.append(message)
        batch.removeFirst()
        return proceed(at: now)
    }

    // MARK: Failures

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
        let share = key.map { lane.retryShare(route(of: $0)) } ?? 0
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
        delivery.closed()
        // The end of this connection is on its way here; until then no other is opened.
        isClosing = true
        // What the disk was asked it will answer.
        if case .broker = waiting { waiting = .nothing }
        var step = backOff(failure, reason, at: now)
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

    private mutating func step(wakesAt: UInt64) -> OutboundStep<SpoolTask> {
        var step = OutboundStep<SpoolTask>(wakesAt: wakesAt)
        swap(&step.events, &events)
        swap(&step.bytes, &bytes)
        swap(&step.startsTLS, &startsTLS)
        return step
    }

    private func deadline(at now: Instant) -> UInt64 {
        now.monotonicNanoseconds &+ min(lane.callTimeoutNanoseconds, Self.answerNanosecondsMax)
    }

    private func route(of key: SpoolKey) -> RouteID {
        lane.route(listener, lane.name("forward"), .send, destination(of: key))
    }

    private func destination(of key: SpoolKey) -> Destination {
        var destination = lane.destination(key.stream.span, 0..<key.stream.count)
        destination.hash ^= RedisSession.mark(ofDatabase: key.database)
        return destination
    }
}
