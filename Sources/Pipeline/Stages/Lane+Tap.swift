import Telemetry

/// What a watcher is told of a message, at each step of its life. Called only while somebody watches, and kept out of
/// the callers' code so that they pay for nothing but the question.
extension Lane {
    @inline(never)
    func tellPublished(
        _ open: OpenSend, _ outcome: Outcome, _ messageID: MessageID, _ client: NameID, _ ending: SpanOutcome,
        at now: Instant
    ) {
        var event = event(.published, open.route, open.context, at: now)
        event.client = client
        event.messageID = messageID
        event.bodySize = open.bodySize
        event.durationNanoseconds = Int64(clamping: now.nanoseconds(since: open.startedAt))
        event.outcome = ending
        if case .failed(let error) = outcome { event.error = error }
        tap.emit(event)
    }

    /// A delivery that nobody will settle.
    @inline(never)
    func tellDelivered(
        _ message: Delivered, _ context: TraceContext, _ queue: Int64, _ client: NameID, _ consumer: NameID,
        _ route: RouteID, at now: Instant
    ) {
        var event = event(.delivered, route, context, at: now)
        if let creation = message.context {
            event.traceID = creation.traceID
            event.isSampled = shared.sampler.keeps(childOf: creation)
        }
        event.client = client
        event.consumer = consumer
        event.messageID = message.messageID
        event.bodySize = message.bodySize
        event.queueNanoseconds = queue
        tap.emit(event)
    }

    /// A delivery that is open from now on.
    @inline(never)
    func tellDelivered(_ delivery: OpenDelivery, _ messageID: MessageID, _ route: RouteID, at now: Instant) {
        tap.emit(event(.delivered, delivery, messageID, route, at: now))
    }

    /// A delivery has ended, in whichever way.
    @inline(never)
    func tellSettled(
        _ delivery: OpenDelivery, _ messageID: MessageID, _ outcome: SpanOutcome, _ route: RouteID, at now: Instant
    ) {
        var event = event(.settled, delivery, messageID, route, at: now)
        event.durationNanoseconds = Int64(clamping: now.nanoseconds(since: delivery.deliveredAt))
        event.outcome = outcome
        tap.emit(event)
    }

    @inline(never)
    func tellPushed(_ bodySize: Int64, _ context: TraceContext, _ client: NameID, _ route: RouteID, at now: Instant) {
        var event = event(.pushed, route, context, at: now)
        event.client = client
        event.bodySize = bodySize
        tap.emit(event)
    }

    /// The broker has refused to hand messages out, or to settle them.
    @inline(never)
    func tellFailed(
        _ stage: TapEvent.Stage, _ startedAt: Instant, _ error: NameID, _ context: TraceContext, _ client: NameID,
        _ consumer: NameID, _ route: RouteID, at now: Instant
    ) {
        var event = event(stage, route, context, at: now)
        event.client = client
        event.consumer = consumer
        event.durationNanoseconds = Int64(clamping: now.nanoseconds(since: startedAt))
        event.error = error
        tap.emit(event)
    }

    private func event(
        _ stage: TapEvent.Stage, _ delivery: OpenDelivery, _ messageID: MessageID, _ route: RouteID, at now: Instant
    ) -> TapEvent {
        var event = event(stage, route, delivery.process, at: now)
        event.client = delivery.client
        event.consumer = delivery.consumer
        event.messageID = messageID
        event.bodySize = delivery.bodySize
        event.queueNanoseconds = delivery.queueNanoseconds
        event.attempt = delivery.attempt
        return event
    }

    private func event(
        _ stage: TapEvent.Stage, _ route: RouteID, _ context: TraceContext, at now: Instant
    ) -> TapEvent {
        let route = routes.routes[route.index]
        return TapEvent(
            stage, unixNanoseconds: now.unixNanoseconds, listener: route.listener, descriptor: route.descriptor,
            traceID: context.traceID, isSampled: context.isSampled)
    }
}
