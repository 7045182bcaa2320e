public import NIOCore
import Resilience
import Telemetry
import Wire

/// Moves messages that were delivered too often without effect from the streams of one Redis to streams of dead letters,
/// on a connection of its own.
///
/// About once a second each group is asked for a page of what it has pending (XPENDING tells the broker's own count of
/// deliveries, whoever read). A dead one is written to the stream of dead letters first and acknowledged then, so that
/// no failure in between loses it. If the acknowledgement finds nothing to acknowledge, a consumer was faster, and the
/// dead letter is taken back. If the process dies in between, the next one finds the letter at the end of its stream and
/// only acknowledges. Which deliveries count is for `DeliveryLedger` and `DeadLetterRule` to say.
public struct RedisDeadLetters: OutboundMachine {
    /// It asks nobody but the broker.
    public typealias Request = Never
    /// See `Request`.
    public typealias Answer = Never

    let lane: Lane
    let listener: ListenerProfile
    let groups: ConsumerGroups
    private var exchange: RedisExchange
    private var isConnected = false
    private var permit: ConnectionPermit?
    private var states: [ConsumerGroup.Key: GroupState] = [:]
    /// Groups that this round has still to look at.
    private var round: [ConsumerGroup] = []
    private var suspects: [DeadLetterSuspect] = []
    private var errand = Errand.none
    /// Streams of dead letters whose end was looked at on this connection.
    private var knownEnds: Set<[UInt8]> = []
    /// When a breaker was last seen not to be closed, on the monotonic clock.
    private var lastOpenAt: UInt64?
    private var isFailing = false
    private var events: [OutboundEvent] = []

    private static let roundNanoseconds: UInt64 = 1_000_000_000
    private static let pageEntries = 100
    private static let endEntries = 100
    private static let ledgerEntries = 16_384
    private static let purpose = "dead letters"

    struct GroupState {
        var rule: DeadLetterRule
        var ledger = DeliveryLedger<StreamEntryID>(capacity: RedisDeadLetters.ledgerEntries)
        var lookedAt: UInt64 = 0
        var passBeganAt: UInt64 = 0
        /// Where the next page begins; nil at the beginning.
        var next: StreamEntryID?
        var isHeld = false
    }

    private enum Errand {
        case none
        case look(ConsumerGroup)
        case fetch(DeadLetterSuspect)
        case findEnd(DeadLetterSuspect, [RedisReply])
        case write(DeadLetterSuspect, [RedisReply])
        case acknowledge(DeadLetterSuspect, letter: [UInt8], [RedisReply])
        case takeBack(DeadLetterSuspect)
    }

    /// For the groups of one listener.
    public init(lane: Lane, listener: ListenerProfile, groups: ConsumerGroups, credentials: OutboundCredentials?) {
        self.lane = lane
        self.listener = listener
        self.groups = groups
        exchange = RedisExchange(credentials: credentials)
    }

    // MARK: Inputs

    /// Begins a round, or ends one that takes too long.
    public mutating func woken(at now: Instant) -> OutboundStep<Never> {
        noteBreakers(at: now)
        if let deadline = exchange.deadline {
            guard now.monotonicNanoseconds >= deadline else { return step(wakesAt: deadline) }
            return giveUp("the broker did not answer in time", at: now)
        }
        round = groups.groups(of: listener.number)
        guard !round.isEmpty else { return rest(at: now) }
        guard !isConnected else { return proceed(at: now) }
        guard permit == nil else { return rest(at: now) }
        switch lane.admitConnection(listener, at: now) {
        case .refused: return rest(at: now)
        case .passes(let permit):
            self.permit = permit
            var step = rest(at: now)
            step.connection = .open
            return step
        }
    }

    /// Begins with what the round has to look at.
    public mutating func connected(at now: Instant) -> OutboundStep<Never> {
        tell(.opened)
        isConnected = true
        exchange.reset()
        knownEnds = []
        return proceed(at: now)
    }

    /// Whatever was under way will be found again.
    public mutating func disconnected(_ outcome: ConnectionOutcome, at now: Instant) -> OutboundStep<Never> {
        tell(outcome)
        isConnected = false
        exchange.reset()
        errand = .none
        suspects = []
        round = []
        return rest(at: now)
    }

    /// An answer of the broker, or a part of one.
    public mutating func received(_ bytes: ByteBuffer, at now: Instant) -> OutboundStep<Never> {
        do throws(RESPError) {
            switch try exchange.take(bytes) {
            case .nothing: return step(wakesAt: exchange.deadline ?? now.monotonicNanoseconds)
            case .more(let bytes): return asking(bytes)
            case .answer(let reply): return take(reply, at: now)
            }
        } catch {
            return giveUp("an answer was not understood (\(error.rawValue))", at: now)
        }
    }

    /// Nothing is ever asked.
    public mutating func answered(_ answer: Never, at now: Instant) -> OutboundStep<Never> {}

    // MARK: A round

    private mutating func proceed(at now: Instant) -> OutboundStep<Never> {
        if let suspect = suspects.popLast() {
            let words = [
                Array("XRANGE".utf8), suspect.group.key.stream.elements, suspect.id.bytes, suspect.id.bytes,
            ]
            return ask(.fetch(suspect), words, suspect.group, at: now)
        }
        guard let group = round.popLast() else {
            if isFailing {
                isFailing = false
                events.append(.recovered(purpose: Self.purpose))
            }
            return rest(at: now)
        }
        let from = states[group.key]?.next
        return ask(
            .look(group),
            [
                Array("XPENDING".utf8), group.key.stream.elements, group.key.group.elements,
                from.map { Array($0.description.utf8) } ?? Array("-".utf8), Array("+".utf8),
                Array("\(Self.pageEntries)".utf8),
            ], group, at: now)
    }

    private mutating func take(_ reply: RedisReply, at now: Instant) -> OutboundStep<Never> {
        let errand = errand
        self.errand = .none
        if case .failure(let text) = reply { return failed(errand, text, at: now) }
        switch errand {
        case .none:
            return giveUp("an answer came that nothing was asked for", at: now)
        case .look(let group):
            judge(reply, group, at: now)
            return proceed(at: now)
        case .fetch(let suspect):
            // Deleted in the meantime: there is nothing left that could be kept.
            guard let fields = reply.array?.first?.array?.last?.array, !fields.isEmpty else { return proceed(at: now) }
            let stream = suspect.letterStream(groups.policy)
            guard knownEnds.contains(stream) else {
                return ask(
                    .findEnd(suspect, fields),
                    [
                        Array("XREVRANGE".utf8), stream, Array("+".utf8), Array("-".utf8), Array("COUNT".utf8),
                        Array("\(Self.endEntries)".utf8),
                    ], suspect.group, at: now)
            }
            return write(suspect, fields, at: now)
        case .findEnd(let suspect, let fields):
            knownEnds.insert(suspect.letterStream(groups.policy))
            guard let letter = suspect.letter(among: reply) else { return write(suspect, fields, at: now) }
            return acknowledge(suspect, letter, fields, at: now)
        case .write(let suspect, let fields):
            guard let letter = reply.text else { return proceed(at: now) }
            return acknowledge(suspect, letter, fields, at: now)
        case .acknowledge(let suspect, let letter, let fields):
            guard reply.integer == 1 else {
                return ask(
                    .takeBack(suspect), [Array("XDEL".utf8), suspect.letterStream(groups.policy), letter],
                    suspect.group, at: now)
            }
            moved(suspect, letter, fields, at: now)
            return proceed(at: now)
        case .takeBack(let suspect):
            count(suspect.group, "taken_back")
            return proceed(at: now)
        }
    }

    private mutating func write(
        _ suspect: DeadLetterSuspect, _ fields: [RedisReply], at now: Instant
    ) -> OutboundStep<Never> {
        ask(
            .write(suspect, fields), suspect.writing(fields, groups.policy, unixNanoseconds: now.unixNanoseconds),
            suspect.group, at: now)
    }

    private mutating func acknowledge(
        _ suspect: DeadLetterSuspect, _ letter: [UInt8], _ fields: [RedisReply], at now: Instant
    ) -> OutboundStep<Never> {
        let key = suspect.group.key
        return ask(
            .acknowledge(suspect, letter: letter, fields),
            [Array("XACK".utf8), key.stream.elements, key.group.elements, Array(suspect.id.description.utf8)],
            suspect.group, at: now)
    }

    // MARK: Judging

    /// A page of what a group has pending: id, consumer, milliseconds since the last delivery, deliveries.
    private mutating func judge(_ reply: RedisReply, _ group: ConsumerGroup, at now: Instant) {
        noteBreakers(at: now)
        var state =
            states[group.key] ?? GroupState(rule: DeadLetterRule(deliveriesMax: groups.policy.deliveriesMax))
        let moment = now.monotonicNanoseconds
        state.rule.delivered(group.takeDeliveries(), now: moment)
        if state.next == nil { state.passBeganAt = moment }
        let rows = reply.array ?? []
        var isHeld = false
        for row in rows {
            guard let suspect = DeadLetterSuspect(row, group) else { continue }
            state.next = suspect.id.next
            let lastOpen = lastOpenAt
            let uncounted = state.ledger.look(
                at: suspect.id, count: suspect.deliveries, lastLook: state.lookedAt, now: moment
            ) { since in lastOpen.map { $0 >= since } ?? false }
            // The last delivery has had no effect once it has lasted for too long.
            let isAtWork = suspect.idleMilliseconds < groups.policy.idleMilliseconds
            let count = suspect.deliveries - (isAtWork ? 1 : 0)
            switch state.rule.judge(count: count, uncounted: uncounted, now: moment) {
            case .deliver: break
            case .deadLetter:
                var suspect = suspect
                suspect.counted = suspect.deliveries - uncounted
                suspects.append(suspect)
            case .brake: isHeld = true
            }
        }
        if rows.count < Self.pageEntries {
            state.next = nil
            state.ledger.forget(notSeenSince: state.passBeganAt)
        }
        state.lookedAt = moment
        if isHeld {
            count(group, "held")
            if !state.isHeld {
                events.append(.deadLettersHeld(stream: text(group.key.stream), group: text(group.key.group)))
            }
        }
        state.isHeld = isHeld
        states[group.key] = state
        // The oldest first.
        suspects.reverse()
    }

    private mutating func noteBreakers(at now: Instant) {
        if lane.isAnyGuardOpen { lastOpenAt = now.monotonicNanoseconds }
    }

    private mutating func moved(
        _ suspect: DeadLetterSuspect, _ letter: [UInt8], _ fields: [RedisReply], at now: Instant
    ) {
        count(suspect.group, "moved")
        lane.deadLettered(suspect, letter, suspect.letterStream(groups.policy), fields, listener, at: now)
        events.append(
            .deadLettered(
                stream: text(suspect.group.key.stream), group: text(suspect.group.key.group),
                id: suspect.id.description, deliveries: suspect.deliveries))
    }

    private func count(_ group: ConsumerGroup, _ outcome: String) {
        lane.metrics.counter(
            MetricCatalog.deadLetterRule,
            [
                listener.name, lane.shared.destinations.text(of: group.destination.name),
                lane.shared.groups.text(of: group.group.name), outcome,
            ]
        ).add(1)
    }

    private func text(_ name: ConsumerGroup.Name) -> String { String(decoding: name.elements, as: UTF8.self) }

    // MARK: Steps

    private mutating func ask(
        _ errand: Errand, _ words: [[UInt8]], _ group: ConsumerGroup, at now: Instant
    ) -> OutboundStep<Never> {
        self.errand = errand
        return asking(
            exchange.ask(
                words, database: group.key.database,
                until: now.monotonicNanoseconds &+ min(lane.callTimeoutNanoseconds, 5_000_000_000)))
    }

    private mutating func asking(_ bytes: [UInt8]) -> OutboundStep<Never> {
        var step = step(wakesAt: exchange.deadline ?? 0)
        step.bytes = bytes
        return step
    }

    /// The broker refuses something. That concerns one group; the others go on.
    private mutating func failed(_ errand: Errand, _ text: [UInt8], at now: Instant) -> OutboundStep<Never> {
        let code = String(decoding: text.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
        switch errand {
        case .look(let group):
            // Destroyed; a client that reads from it makes it known again.
            if code == "NOGROUP" {
                states[group.key] = nil
                return proceed(at: now)
            }
            count(group, "failed")
        case .fetch(let suspect), .findEnd(let suspect, _), .write(let suspect, _), .acknowledge(let suspect, _, _),
            .takeBack(let suspect):
            count(suspect.group, "failed")
        case .none: break
        }
        note(failure: "the broker refuses: \(code.prefix(32))")
        return proceed(at: now)
    }

    private mutating func giveUp(_ reason: String, at now: Instant) -> OutboundStep<Never> {
        note(failure: reason)
        errand = .none
        exchange.reset()
        var step = rest(at: now)
        step.connection = .close
        return step
    }

    private mutating func note(failure reason: String) {
        guard !isFailing else { return }
        isFailing = true
        events.append(.failing(purpose: Self.purpose, reason: reason))
    }

    private mutating func rest(at now: Instant) -> OutboundStep<Never> {
        step(wakesAt: now.monotonicNanoseconds &+ Self.roundNanoseconds)
    }

    private mutating func step(wakesAt: UInt64) -> OutboundStep<Never> {
        var step = OutboundStep<Never>(wakesAt: wakesAt)
        step.events = events
        events = []
        return step
    }

    private mutating func tell(_ outcome: ConnectionOutcome) {
        guard let permit else { return }
        self.permit = nil
        lane.connected(permit, listener, outcome)
    }
}
