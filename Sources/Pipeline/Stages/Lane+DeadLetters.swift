import Synchronization
import Telemetry

/// Messages that a broker gives up, also where it says so late, or not at all.
extension Lane {
    /// Ends a delivery, and remembers it where its message may yet be given up.
    func close(_ delivery: OpenDelivery, _ key: DeliveryKey, _ ending: Ending, at now: Instant) {
        finish(delivery, key.messageID, ending, at: now)
        guard ending.isRemembered, case .sequence = key.messageID else { return }
        shared.deliveries.closed.withLock {
            $0.remember(delivery, key, isGivenUp: ending.deadLetter != .none, at: now)
        }
    }

    /// The broker says that a message is given up. If its last delivery is open, this ends it; if that has ended already,
    /// a span of its own under it says so; and if it was ended as given up, everything is said.
    func givenUp(
        _ id: MessageID, of destination: Destination, _ group: Destination, _ reason: DeadLetterReason,
        listener: ListenerProfile, causality: inout Causality, at now: Instant
    ) {
        let ending = Ending(deadLetter: reason)
        guard
            ended(id, of: destination, group, ending, listener: listener, causality: &causality, at: now) == nil
        else { return }
        let key = DeliveryKey(stream: streamKey(destination, listener), group: group.hash, messageID: id)
        guard let closed = shared.deliveries.closed.withLock({ $0.giveUp(key) }) else { return }
        countDeadLetter(processRoute(closed), reason)
        record(closed, id, ending, at: now)
    }

    /// This is the last time that the broker delivers the message: without an acknowledgement within `waitNanoseconds` it
    /// counts as given up.
    func watchLast(
        _ id: MessageID, of destination: Destination, _ group: Destination, waitNanoseconds: UInt64,
        listener: ListenerProfile, at now: Instant
    ) {
        let key = DeliveryKey(stream: streamKey(destination, listener), group: group.hash, messageID: id)
        shared.deliveries.lastOnes.withLock { $0.watch(key, waitNanoseconds, at: now) }
    }

    /// The last delivery of the message has been settled.
    func settledLast(_ id: MessageID, of destination: Destination, _ group: Destination, listener: ListenerProfile) {
        let key = DeliveryKey(stream: streamKey(destination, listener), group: group.hash, messageID: id)
        shared.deliveries.lastOnes.withLock { $0.forget(key) }
    }

    /// Called with each tick.
    func giveUpLastDeliveries(at now: Instant) {
        for key in shared.deliveries.lastOnes.withLock({ $0.takeOverdue(at: now) }) {
            guard let delivery = shared.deliveries.remove(key) else { continue }
            close(delivery, key, Ending(deadLetter: .inferred), at: now)
        }
        shared.deliveries.closed.withLock { $0.expire(at: now) }
    }

    /// A moment under the process span that ended before.
    private func record(_ closed: OpenDelivery, _ id: MessageID, _ ending: Ending, at now: Instant) {
        guard closed.process.isSampled || holdsUnsampled else { return countNotSampled() }
        let listener = listeners[Int(closed.listener)]
        let descriptor = shared.catalog.intern(
            SpanDescriptor(
                service: listener.service, system: listener.system, operation: "dead_letter", operationType: nil,
                destination: shared.destinations.text(of: closed.destination),
                group: shared.groups.text(of: closed.group), broker: listener.broker))
        var span = SpanRecord(
            descriptor: descriptor, kind: .internal, traceID: closed.process.traceID, spanID: identifiers.spanID(),
            flags: closed.process.flags, startUnixNanoseconds: now.unixNanoseconds,
            endUnixNanoseconds: now.unixNanoseconds)
        span.parentSpanID = closed.process.spanID
        span.link = closed.creation.map { SpanLink(context: $0) }
        span.messageID = id
        span.attempt = closed.attempt
        span.outcome = ending.outcome
        span.deadLetter = ending.deadLetter
        span.conversationIsTraceID = closed.conversationIsTraceID
        guard closed.process.isSampled else {
            return holdUnsampled(span, conversation: closed.conversation, keptFor: .deadLetter, at: now)
        }
        if closed.conversation != nil || closed.traceState != nil {
            span.detail = SpanDetail(conversationID: closed.conversation, traceState: closed.traceState)
        }
        record(span, of: closed.destination, because: reason(ofContext: closed.creation))
    }
}
