import Telemetry

/// What is kept: the decisions of this lane, and the spans that were not sampled but may be wanted yet.
extension Lane {
    /// Whether a trace that begins with this destination is kept.
    @inline(__always)
    func keepsRoot(_ traceID: TraceID, _ destination: NameID, at now: Instant) -> Bool {
        let index = samplingSlot(destination)
        let elapsed = now.monotonicNanoseconds > intervalBeganAt ? now.monotonicNanoseconds &- intervalBeganAt : 0
        return sampling[index].sampler.keeps(traceID, elapsedNanoseconds: elapsed)
    }

    /// What tells others with which probability the last root of this destination was kept; nil for certain ones.
    func probabilityState(_ destination: NameID) -> String? {
        let index = samplingSlot(destination)
        let threshold = sampling[index].sampler.threshold
        guard threshold > 0 else { return nil }
        if sampling[index].statedThreshold != threshold {
            sampling[index].traceState = Sampler.traceState(ofThreshold: threshold)
            sampling[index].statedThreshold = threshold
        }
        return sampling[index].traceState
    }

    /// A root context whose sampled flag is the decision.
    func rootContext(_ destination: NameID, at now: Instant) -> TraceContext {
        let traceID = identifiers.traceID()
        return TraceContext(
            traceID: traceID, spanID: identifiers.spanID(),
            flags: flags(sampled: keepsRoot(traceID, destination, at: now), random: true))
    }

    /// Whose decision a sampled context was: ours, or somebody else's.
    func reason(ofContext context: TraceContext?) -> KeepReason {
        guard let context, !InjectionMark.isPresent(in: context) else { return .probability }
        return .parent
    }

    /// Whether spans that are not sampled are worth making.
    var holdsUnsampled: Bool { keepRules != nil }

    /// Records a sampled span.
    func record(_ span: SpanRecord, of destination: NameID, because reason: KeepReason) {
        var span = span
        span.reason = reason
        if reason == .probability { sampling[samplingSlot(destination)].sampler.countSpan() }
        record(span)
    }

    /// Leaves a span that was not sampled with the others of its trace, or keeps them all for `reason`.
    func holdUnsampled(
        _ span: SpanRecord, conversation: String?, keptFor reason: KeepReason?, at now: Instant
    ) {
        guard let keepRules else { return countNotSampled() }
        guard let reason, keepRules.contains(reason) else {
            unsampledBatch.append(span, conversation: conversation, at: now)
            if unsampledBatch.isFull { holdTogether() }
            return
        }
        // What ended before it may belong to its trace.
        holdTogether()
        guard let ring = shared.provisional else { return }
        for kept in ring.keep(span, conversation: conversation, for: reason, at: now) { record(kept) }
    }

    /// Puts what was not sampled since the last time into the ring. With each flush, hence after the bytes have gone: the ring
    /// is shared by all lanes, and its locks are taken once for the messages of a read.
    func holdTogether() {
        guard !unsampledBatch.isEmpty, let ring = shared.provisional else { return }
        for kept in ring.hold(&unsampledBatch) { record(kept) }
    }

    /// Why a message that was sent is kept in any case.
    func rule(sentTo destination: NameID, _ outcome: Outcome, _ nanoseconds: UInt64) -> KeepReason? {
        guard let keepRules else { return nil }
        let index = samplingSlot(destination)
        var isSlow = false
        if keepRules.contains(.slow) {
            isSlow = nanoseconds > sampling[index].slowSend.nanoseconds
            sampling[index].slowSend.record(nanoseconds)
        }
        if case .failed = outcome { return .error }
        if sampling[index].isDeadLetter, keepRules.contains(.deadLetter) { return .deadLetter }
        return isSlow ? .slow : nil
    }

    /// Why a message that was processed is kept in any case.
    func rule(
        processed delivery: OpenDelivery, _ outcome: SpanOutcome, _ nanoseconds: UInt64
    ) -> KeepReason? {
        guard let keepRules else { return nil }
        if outcome == .deadLettered || outcome == .terminated, keepRules.contains(.deadLetter) { return .deadLetter }
        if outcome == .redelivered || delivery.attempt > 1 { return .redelivery }
        guard outcome == .acknowledged, keepRules.contains(.slow) else { return nil }
        let index = samplingSlot(delivery.destination)
        let isSlow = nanoseconds > sampling[index].slowProcess.nanoseconds
        sampling[index].slowProcess.record(nanoseconds)
        return isSlow ? .slow : nil
    }

    /// The edge between two intervals: counts go to the budget, new thresholds come from it.
    func exchangeSampling(at now: Instant) {
        shared.sampling.exchange(&sampling, at: now)
        intervalBeganAt = now.monotonicNanoseconds
        for index in sampling.indices {
            sampling[index].slowSend.refresh()
            sampling[index].slowProcess.refresh()
        }
        shared.provisional?.expire(at: now)
    }

    /// The place of a destination; destinations are numbered without gaps, so most are there.
    @inline(__always)
    private func samplingSlot(_ destination: NameID) -> Int {
        let index = Int(destination.index)
        if index >= sampling.count { addSamplingSlots(through: index) }
        return index
    }

    private func addSamplingSlots(through index: Int) {
        for number in sampling.count...index {
            let name = shared.destinations.text(of: NameID(index: UInt32(number)))
            sampling.append(
                SamplingSlot(shared.sampling.initial, isDeadLetter: DeadLetterName.matches(name)))
        }
    }
}
