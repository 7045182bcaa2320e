import NIOCore
import Resilience
import Telemetry
import Wire

/// Publishes that may not pass and that somebody else may take: the steps of the listener's plan, one after the other.
///
/// The client waits for each step as it would for the broker: the command and all that follows it are held back meanwhile,
/// so replies stay in order. `FallbackChain` says which step is next; what a step is given and what its answer means is in
/// `RedisSession+FallbackSteps`.
extension RedisSession {
    /// A publish on its way through the steps.
    struct Fallback {
        var open: OpenSend
        var chain: FallbackChain
        let publish: DetainedPublish
        let key: SpoolKey
        /// Why the upstream does not get it.
        let cause: CustodyCause
        /// Why the message is not taken: the upstream first, then each step that did not.
        var reasons: [String]
        var waiting = Waiting.nothing

        /// Whose answer is awaited.
        enum Waiting {
            case nothing
            case disk(SpoolTicket, SpoolOutcome?)
            case secondary(number: UInt64, SecondaryTicket, CourierOutcome?)
        }
    }

    /// What a step did with the message, at once.
    enum FallbackAttempt {
        /// Its answer will come.
        case underWay
        case ended(FallbackOutcome, String)
    }

    /// Begins with the publish at hand, if any step may have it. False: it is refused.
    mutating func fallBack(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ entry: RedisEntryCommand?, _ publication: Publication,
        isBehind: Bool, at now: Instant
    ) -> Bool {
        guard listener.fallback.hasSteps else { return false }
        let key = spoolKey(arguments, bytes)
        let plan = listener.fallback.plan(for: key.stream)
        guard !plan.steps.isEmpty else { return false }
        let impossible = impossibleSteps(of: plan, arguments, bytes, entry, publication, isBehind: isBehind)
        for step in impossible { noteImpossible(step) }
        guard let entry, plan.steps.contains(where: { !impossible.contains($0) }) else { return false }
        let (open, injection, obstacle) = lane.publishing(
            publication, operation: operationName, listener: listener, causality: causality, at: now,
            mentions: { entry.mention(of: $0, arguments, bytes) })
        if let obstacle { counters.notInjected[obstacle]?.add(1) }
        var chain = FallbackChain(plan, deadlines: listener.fallback.deadlines, skipping: impossible)
        let move = chain.begin(at: now.monotonicNanoseconds)
        guarding.fallback = Fallback(
            open: open, chain: chain,
            publish: DetainedPublish(arguments, bytes, entry.idArgument, injection, publication.context, open),
            key: key, cause: isBehind ? .spoolOrder : guarding.absence == nil ? .breakerOpen : .upstreamAway,
            reasons: [guarding.refusalReason])
        guarding.refusal = nil
        guarding.isLeaving = false
        follow(move, at: now)
        return true
    }

    /// Steps that this message is nothing for, or that would let it overtake.
    private func impossibleSteps(
        of plan: FallbackPlan, _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ entry: RedisEntryCommand?,
        _ publication: Publication, isBehind: Bool
    ) -> Set<FallbackStep> {
        guard let entry, !guarding.isQueueing else { return Set(plan.steps) }
        var impossible: Set<FallbackStep> = []
        // What waits for the upstream is older; on another broker this message would come first.
        if isBehind || entry.dependsOnBroker { impossible.insert(.secondary) }
        let isStorable = entry.isSpoolable(arguments, bytes) && publication.obstacle != .inline
        if lane.shared.spool == nil || !isStorable { impossible.formUnion([.spool, .deadLetter]) }
        return impossible.intersection(plan.steps)
    }

    private func noteImpossible(_ step: FallbackStep) {
        lane.countFallback(step, Lane.notPossible, listener)
        if step == .spool { lane.countNotSpooled("not_spoolable", listener) }
    }

    // MARK: From step to step

    /// The held command again: goes on if the step has answered, or can be waited for no longer.
    mutating func continueFallback(at now: Instant) {
        guard let waiting = guarding.fallback?.waiting else { return }
        if let (outcome, reason) = result(of: waiting, at: now) {
            guarding.fallback?.waiting = .nothing
            end(outcome, reason, at: now)
        } else if guarding.isBypassed {
            leaveFallback(at: now)
        } else {
            guarding.hold?.position = guarding.position
            // Past the deadline the answer is on its way here.
            let soon = now.monotonicNanoseconds &+ HeldCall.lookNanoseconds
            let deadline = guarding.hold?.deadline ?? 0
            guarding.hold?.looksAgainAt = max(deadline, soon)
        }
    }

    private mutating func end(_ outcome: FallbackOutcome, _ reason: FallbackAnswer, at now: Instant) {
        guard var fallback = guarding.fallback, let step = fallback.chain.current else { return }
        lane.countFallback(step, outcome.rawValue, listener)
        if case .reason(let text) = reason { fallback.reasons.append(text) }
        let move = fallback.chain.ended(outcome, at: now.monotonicNanoseconds)
        guarding.fallback = fallback
        if case .answer(let step) = move, case .answer(let bytes, let id) = reason {
            return finishFallback(fallback, answer: bytes, takenBy: step, id, at: now)
        }
        follow(move, at: now)
    }

    private mutating func follow(_ move: FallbackChain.Move, at now: Instant) {
        guard let fallback = guarding.fallback else { return }
        switch move {
        case .attempt(let step, let deadline):
            // A step that is over at once leads to the next in the same breath: there are as many as steps.
            switch attempt(step, fallback, until: deadline, at: now) {
            case .underWay:
                let hold = HeldCall(position: guarding.position, deadline: deadline, looksAgainAt: deadline)
                guarding.hold = hold
            case .ended(let outcome, let reason):
                end(outcome, .reason(reason), at: now)
            }
        case .answer, .fail:
            failFallback(fallback, at: now)
        case .reportUnknown(let step):
            let reason = fallback.reasons.last ?? ""
            let text = "TACHO \(reason); whether it has the message is not known"
            finishFallback(fallback, error: text, inDoubtOf: step, at: now)
        }
    }

    // MARK: Ends

    private mutating func finishFallback(
        _ fallback: Fallback, answer: [UInt8], takenBy step: FallbackStep, _ id: MessageID, at now: Instant
    ) {
        endFallback(answer: answer)
        lane.published(
            fallback.open, .succeeded, messageID: id, client: client, endedAs: SpanOutcome(step),
            takenBy: SpanFallback(step), at: now)
    }

    private mutating func finishFallback(
        _ fallback: Fallback, error: String, inDoubtOf step: FallbackStep, at now: Instant
    ) {
        endFallback(answer: RESPWriter.error(error))
        lane.published(
            fallback.open, .failed(lane.name("\(step.rawValue)_unknown")), client: client, takenBy: SpanFallback(step),
            at: now)
    }

    /// Nobody has the message.
    private mutating func failFallback(_ fallback: Fallback, at now: Instant) {
        let text = "TACHO the message was not taken: \(fallback.reasons.joined(separator: "; "))"
        endFallback(answer: RESPWriter.error(text))
        // Without an upstream the client had better try a new connection.
        guarding.isLeaving = guarding.absence != nil
        lane.countFallback(.fail, Lane.failed, listener)
        let failure = fallback.chain.lastFailure
        let name = failure.map { Lane.errorName($0.step, $0.outcome) } ?? "breaker_open"
        lane.refused(fallback.open, lane.name(name), client: client, takenBy: .fail, at: now)
    }

    /// The client has gone; what was handed over stays where it is, as with a broker that has received it.
    private mutating func leaveFallback(at now: Instant) {
        guard let fallback = guarding.fallback, let step = fallback.chain.current else { return }
        endFallback(answer: [])
        if case .secondary(_, let ticket, _) = fallback.waiting {
            lane.completed(ticket, .unknown, latency: nil)
            return lane.abandoned(fallback.open, as: .unobserved, client: client, at: now)
        }
        lane.published(
            fallback.open, .succeeded, client: client, endedAs: SpanOutcome(step), takenBy: SpanFallback(step), at: now)
    }

    private mutating func endFallback(answer: [UInt8]) {
        guarding.fallback = nil
        endWait()
        guarding.refusal = answer
    }

    /// The session cannot follow its command any longer.
    mutating func abandonFallback(at now: Instant) {
        guard let fallback = guarding.fallback else { return }
        guarding.fallback = nil
        if case .secondary(_, let ticket, _) = fallback.waiting {
            lane.completed(ticket, .unknown, latency: nil)
        }
        lane.abandoned(fallback.open, as: .unobserved, client: client, at: now)
    }
}
