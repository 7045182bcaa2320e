import Synchronization
import Telemetry

/// The stages of an acknowledgement.
extension Lane {
    /// The broker has answered an acknowledgement or a deletion: the deliveries it names have ended.
    func settled(
        _ open: OpenSettle, _ outcome: Outcome, client: NameID, listener: ListenerProfile, causality: inout Causality,
        at now: Instant
    ) {
        var ended = endedDeliveries
        endedDeliveries = []
        defer {
            ended.removeAll(keepingCapacity: true)
            endedDeliveries = ended
        }
        if outcome == .succeeded {
            let stream = streamKey(open.destination, listener)
            for message in open.messages { end(message, open, stream, &ended, now) }
            if !causality.isOff, !ended.isEmpty { causality.settled(ended.lazy.map(\.holder)) }
        }
        let route = route(listener, open.operation, .settle, open.destination, group: open.group)
        let context = settleContext(ended, open.destination.name, at: now)
        observe(route, now.nanoseconds(since: open.startedAt), context, outcome, now)
        if tap.isWatched, case .failed(let error) = outcome {
            tellFailed(.settled, open.startedAt, error, context, client, .none, route, at: now)
        }
        guard !open.deletes else { return }
        guard context.isSampled || holdsUnsampled else { return countNotSampled() }
        var span = SpanRecord(
            descriptor: routes.routes[route.index].descriptor, kind: .client, traceID: context.traceID,
            spanID: context.spanID, flags: context.flags, startUnixNanoseconds: open.startedAt.unixNanoseconds,
            endUnixNanoseconds: open.startedAt.unixNanoseconds + now.nanoseconds(since: open.startedAt))
        span.client = client
        span.redeliveryDelayMilliseconds = open.ending.redeliveryDelayMilliseconds
        if case .failed(let error) = outcome { span.error = error }
        describe(&span, open, ended, isSampled: context.isSampled)
        if context.isSampled {
            record(span, of: open.destination.name, because: reason(ofContext: ended.first?.creation))
        } else {
            holdUnsampled(span, conversation: nil, keptFor: span.error == .none ? nil : .error, at: now)
        }
    }

    /// A delivery has ended otherwise than by a settlement of its own: it was answered, or the broker has given it up.
    /// Returns it, if it was open.
    @discardableResult
    func ended(
        _ id: MessageID, of destination: Destination, _ group: Destination, _ ending: Ending,
        listener: ListenerProfile, causality: inout Causality, at now: Instant
    ) -> OpenDelivery? {
        let key = DeliveryKey(stream: streamKey(destination, listener), group: group.hash, messageID: id)
        guard let delivery = shared.deliveries.remove(key) else { return nil }
        close(delivery, key, ending, at: now)
        if !causality.isOff { causality.settled(CollectionOfOne(delivery.holder)) }
        return delivery
    }

    /// The consumer is still at work: the delivery counts as the newest, and its time limit begins anew.
    func extended(
        _ id: MessageID, of destination: Destination, _ group: Destination, listener: ListenerProfile, at now: Instant
    ) {
        let key = DeliveryKey(stream: streamKey(destination, listener), group: group.hash, messageID: id)
        guard let delivery = shared.deliveries.remove(key) else { return }
        _ = shared.deliveries.insert(delivery, for: key)
        shared.deliveries.lastOnes.withLock { $0.extend(key, at: now) }
    }

    private func end(
        _ id: MessageID, _ open: OpenSettle, _ stream: UInt64, _ ended: inout [OpenDelivery], _ now: Instant
    ) {
        if open.deletes {
            for delivery in shared.deliveries.removeAll(stream: stream, messageID: id) {
                finish(delivery, id, as: .deleted, at: now)
            }
            return
        }
        let key = DeliveryKey(stream: stream, group: open.group.hash, messageID: id)
        guard let delivery = shared.deliveries.remove(key) else { return }
        close(delivery, key, open.exhausted.contains(id) ? Ending(deadLetter: .maxDeliveries) : open.ending, at: now)
        ended.append(delivery)
    }

    /// One message: under its process span. Several: a trace of their own, kept if any of theirs is.
    private func settleContext(_ ended: [OpenDelivery], _ destination: NameID, at now: Instant) -> TraceContext {
        guard let first = ended.first else { return rootContext(destination, at: now) }
        if ended.count == 1 {
            return TraceContext(
                traceID: first.process.traceID, spanID: identifiers.spanID(), flags: first.process.flags)
        }
        return TraceContext(
            traceID: identifiers.traceID(), spanID: identifiers.spanID(),
            flags: flags(sampled: ended.contains { $0.process.isSampled }, random: true))
    }

    private func describe(
        _ span: inout SpanRecord, _ open: OpenSettle, _ ended: [OpenDelivery], isSampled: Bool
    ) {
        let count = open.messages.count + open.leftOut
        if count > 1 { span.batchCount = UInt32(clamping: count) }
        if count == 1, let message = open.messages.first {
            span.messageID = message
        }
        if ended.count == 1 { span.parentSpanID = ended[0].process.spanID }
        guard isSampled else {
            span.link = ended.first?.creation.map { SpanLink(context: $0) }
            return
        }
        let links = ended.compactMap(\.creation).map { SpanLink(context: $0) }
        span.link = links.first
        let traceState = ended.count == 1 ? ended[0].traceState : nil
        if links.count > 1 || traceState != nil {
            span.detail = SpanDetail(moreLinks: Array(links.dropFirst()), traceState: traceState)
        }
    }
}
