import NIOCore
import Resilience
import Telemetry
import Wire

/// The single steps: what each is given, and what its answer means.
///
/// Spool and dead letter tell the client an id of their own, which holds for the spool unless others publish to the same
/// stream meanwhile. What cannot be promised they do not take: ids of the client's own, inline commands, and what depends
/// on what the broker has: NOMKSTREAM (it asks whether there is a stream) and IDMP (whose reply may name an older entry).
/// The secondary takes all but the last two, and the client gets its reply. Nobody takes transactions.
extension RedisSession {
    /// What there is to tell of a step.
    enum FallbackAnswer {
        /// To be written to the client.
        case answer([UInt8], MessageID)
        case reason(String)
    }

    /// Whether messages to this stream wait on disk, so that this one has to queue behind them.
    func queuesBehindSpooled(_ arguments: RedisArguments, _ bytes: Span<UInt8>) -> Bool {
        guard let spool = lane.shared.spool, listener.spools, !spool.isEmpty else { return false }
        return spool.isQueueing(spoolKey(arguments, bytes))
    }

    func spoolKey(_ arguments: RedisArguments, _ bytes: Span<UInt8>) -> SpoolKey {
        SpoolKey(
            listener: listener.name, database: database, stream: Array(copying: bytes, arguments.range(1)))
    }

    /// Hands the message to a step.
    mutating func attempt(
        _ step: FallbackStep, _ fallback: Fallback, until deadline: UInt64, at now: Instant
    ) -> FallbackAttempt {
        switch step {
        case .secondary: attemptSecondary(fallback, until: deadline, at: now)
        case .spool: attemptDisk(fallback, .waiting, at: now)
        case .deadLetter: attemptDisk(fallback, .aside(fallback.cause), at: now)
        case .fail: .ended(.refused, "nobody is left to take it")
        }
    }

    /// What the awaited answer means; nil while it may still come.
    mutating func result(
        of waiting: Fallback.Waiting, at now: Instant
    ) -> (outcome: FallbackOutcome, answer: FallbackAnswer)? {
        switch waiting {
        case .nothing: return nil
        case .disk(let ticket, let outcome): return diskResult(ticket, outcome, at: now)
        case .secondary(_, let ticket, let outcome): return secondaryResult(ticket, outcome, at: now)
        }
    }

    // MARK: Our own disk

    private mutating func attemptDisk(
        _ fallback: Fallback, _ place: SpoolRequest.Place, at now: Instant
    ) -> FallbackAttempt {
        guard let spool = lane.shared.spool else { return .ended(.unavailable, "there is no spool") }
        let message = fallback.publish.spooled(base: sequenceBase(spool, isSpool: fallback.chain.current == .spool))
        guard spool.reserve(fallback.key, place, bytes: message.byteCount, at: now) else {
            if case .waiting = place {
                lane.countNotSpooled("full", listener)
                return .ended(.full, "the spool is full")
            }
            return .ended(.full, "no more messages are kept aside")
        }
        let request = SpoolRequest(message, fallback.key, spool, place)
        guarding.fallback?.waiting = .disk(request.ticket, nil)
        guarding.detours.append(.spool(request))
        return .underWay
    }

    /// The ids of the two places are counted apart, so they are told from bases of their own.
    private func sequenceBase(_ spool: Spool, isSpool: Bool) -> UInt64 {
        spool.sequenceBase(of: listener) &+ (isSpool ? 0 : SpooledEntry.sequenceGap / 2)
    }

    /// The disk has answered.
    mutating func spooled(_ outcome: SpoolOutcome, at now: Instant) -> SessionOutput {
        guard case .disk(let ticket, _) = guarding.fallback?.waiting else { return .nothing }
        guarding.fallback?.waiting = .disk(ticket, outcome)
        return goOnWithRequests(at: now)
    }

    private func diskResult(
        _ ticket: SpoolTicket, _ outcome: SpoolOutcome?, at now: Instant
    ) -> (outcome: FallbackOutcome, answer: FallbackAnswer)? {
        let isSpool = guarding.fallback?.chain.current == .spool
        switch outcome {
        case .stored(let id):
            guard let fallback = guarding.fallback else { return nil }
            if isSpool { lane.countSpooled(fallback.open.destination, listener) }
            let base = lane.shared.spool.map { sequenceBase($0, isSpool: isSpool) } ?? 0
            let told = SpooledEntry.promisedID(of: id, base: base)
            var answer: [UInt8] = []
            RESPWriter.appendBulk(told.bytes, to: &answer)
            return (.taken, .answer(answer, .streamEntry(milliseconds: told.milliseconds, sequence: told.sequence)))
        case .failed(let reason):
            if isSpool { lane.countNotSpooled("failed", listener) }
            return (.unavailable, .reason("it could not be \(isSpool ? "spooled" : "kept aside"): \(reason)"))
        case nil:
            guard !guarding.isBypassed, now.monotonicNanoseconds >= guarding.hold?.deadline ?? 0, ticket.abandon()
            else { return nil }
            if isSpool { lane.countNotSpooled("late", listener) }
            return (.late, .reason("the disk of the spool did not answer in time"))
        }
    }

    // MARK: The secondary

    private mutating func attemptSecondary(
        _ fallback: Fallback, until deadline: UInt64, at now: Instant
    ) -> FallbackAttempt {
        switch lane.admitSecondary(listener, at: now) {
        case .refused(let text):
            return .ended(.unavailable, text)
        case .passes(let ticket):
            guarding.lastOrder &+= 1
            let order = CourierOrder(
                number: guarding.lastOrder, command: fallback.publish.command, database: fallback.key.database,
                deadline: deadline)
            guarding.fallback?.waiting = .secondary(number: order.number, ticket, nil)
            guarding.detours.append(.courier(order, to: .secondary))
            return .underWay
        }
    }

    /// The secondary has answered, or never will.
    mutating func carriedToSecondary(_ number: UInt64, _ outcome: CourierOutcome, at now: Instant) -> SessionOutput {
        guard case .secondary(number, let ticket, _) = guarding.fallback?.waiting else { return .nothing }
        guarding.fallback?.waiting = .secondary(number: number, ticket, outcome)
        return goOnWithRequests(at: now)
    }

    private func secondaryResult(
        _ ticket: SecondaryTicket, _ outcome: CourierOutcome?, at now: Instant
    ) -> (outcome: FallbackOutcome, answer: FallbackAnswer)? {
        guard let outcome else {
            // A courier keeps to the deadline, so this one is in trouble itself.
            let limit = (guarding.hold?.deadline ?? 0) &+ Self.courierGraceNanoseconds
            guard !guarding.isBypassed, now.monotonicNanoseconds >= limit else { return nil }
            lane.completed(ticket, .failed(.timeout), latency: nil)
            return (.unknown, .reason("the secondary did not answer in time"))
        }
        lane.completed(ticket, outcome.result, latency: now.nanoseconds(since: ticket.askedAt))
        switch outcome {
        case .answered(let reply):
            if let id = reply.entryID {
                let id = MessageID.streamEntry(milliseconds: id.milliseconds, sequence: id.sequence)
                return (.taken, .answer(reply.frame, id))
            }
            let text = reply.failure.map { String(decoding: $0.prefix(200), as: UTF8.self) } ?? "no id"
            return (.refused, .reason("the secondary answers: \(text)"))
        case .undone(let failure):
            return failure.fallback
        case .unknown(.timeout):
            return (.unknown, .reason("the secondary did not answer in time"))
        case .unknown:
            return (.unknown, .reason("the connection to the secondary was lost"))
        }
    }

    private static let courierGraceNanoseconds: UInt64 = 200_000_000
}

extension CourierOutcome {
    /// What it says about the broker.
    fileprivate var result: CallResult {
        switch self {
        case .answered(let reply): reply.result
        case .undone(.full): .unknown
        case .undone(.timeout), .unknown(.timeout): .failed(.timeout)
        case .undone(.refused): .failed(.unavailable)
        case .undone, .unknown: .failed(.connection)
        }
    }
}

extension CourierFailure {
    /// What it means for a message that was never written.
    fileprivate var fallback: (outcome: FallbackOutcome, answer: RedisSession.FallbackAnswer) {
        switch self {
        case .full: (.full, .reason("too many messages are on their way to the secondary"))
        case .guarded(let text): (.unavailable, .reason(text))
        case .connection: (.unavailable, .reason("the secondary cannot be reached"))
        case .timeout: (.late, .reason("the secondary could not be reached in time"))
        case .refused(let text): (.refused, .reason("the secondary answers: \(text)"))
        }
    }
}
