public import Telemetry

/// Takes events that come as values, and not as bytes of a protocol, through the stages of a lane: what a session is for
/// Redis, for faces that speak of events (HTTP, WebSocket).
///
/// Confined like its lane. Nothing is inferred from what a client holds: clients of these faces come and go by request,
/// and carry context in the events; only a transaction that settles and publishes names a cause.
public final class EventFlow {
    private let lane: Lane
    private let listener: ListenerProfile
    private var causality: Causality
    private let notInjected: [InjectionObstacle: Counter]
    private var lastTickAt: UInt64 = 0

    /// Flow through `lane`, which has `listener` among its own.
    public init(lane: Lane, listener: ListenerProfile) {
        self.lane = lane
        self.listener = listener
        causality = Causality(.off, .unknown, lane.shared.clients)
        notInjected = Dictionary(
            uniqueKeysWithValues: InjectionObstacle.allCases.map {
                ($0, lane.metrics.counter(MetricCatalog.notInjectedMessages, [listener.name, $0.rawValue]))
            })
    }

    /// Hands finished spans over, and about once a second brings up to date what depends on time.
    public func flush(at now: Instant) {
        lane.flush()
        guard now.monotonicNanoseconds > lastTickAt &+ 1_000_000_000 else { return }
        lastTickAt = now.monotonicNanoseconds
        lane.tick(at: now)
    }

    // MARK: Publishing

    /// An event is about to be appended. Returns the attributes that it is to be given.
    public func publishing(
        _ event: EventToPublish, at now: Instant
    ) -> (open: OpenPublication, attributes: [(name: String, value: String)]) {
        let destination = lane.destination(event.stream.span, event.stream.indices)
        let context = event.context.trace
        var publication = Publication(
            destination: destination, context: context,
            hasForeignContextField: context == nil && event.context.traceParent != nil,
            traceState: context == nil ? nil : event.context.traceState,
            hasTraceStateField: event.context.traceState != nil, conversation: event.context.correlationID,
            hasCausation: event.context.hasCausation, bodySize: Int64(event.bodySize))
        if context == nil {
            let caller = event.callerParent.flatMap { TraceContext(text: $0) }
            publication.origin = PublicationOrigin(
                caller: caller, callerState: caller == nil ? nil : event.callerState, causes: causes(event.causes))
        }
        let (open, injection, obstacle) = lane.publishing(
            publication, operation: lane.name("publish"), listener: listener, causality: causality, at: now,
            mentions: { _ in .nothing })
        if let obstacle { notInjected[obstacle]?.add(1) }
        return (OpenPublication(open: open), Self.attributes(injection))
    }

    /// The log has answered. `id` is where the event went.
    public func published(_ publication: OpenPublication, _ outcome: EventOutcome, id: MessageID, at now: Instant) {
        lane.published(publication.open, lane.outcome(outcome), messageID: id, client: .none, at: now)
    }

    /// The event was there already: nothing new was written, and its trace is another one.
    public func publishedBefore(_ publication: OpenPublication, id: MessageID, at now: Instant) {
        lane.published(
            publication.open, .succeeded, messageID: id, client: .none, endedAs: .duplicate, at: now)
    }

    private func causes(_ selection: EventSelection?) -> [Cause] {
        guard let selection else { return [] }
        let (stream, group) = names(selection.stream, selection.group)
        return selection.ids.compactMap { id in
            let key = DeliveryKey(stream: lane.streamKey(stream, listener), group: group.hash, messageID: id)
            guard let delivery = lane.shared.deliveries.find(key) else { return nil }
            let conversation =
                delivery.conversation.map(Correlation.text)
                ?? (delivery.conversationIsTraceID ? .traceID(delivery.process.traceID) : .none)
            return Cause(
                context: delivery.process, messageID: id, correlation: conversation, connection: 0, read: 0,
                handedAt: delivery.deliveredAt.monotonicNanoseconds)
        }
    }

    private static func attributes(_ injection: Injection) -> [(name: String, value: String)] {
        guard case .add(let context, let state, let correlation, let causation) = injection else { return [] }
        var attributes = [("traceparent", "\(context)")]
        if let state { attributes.append(("tracestate", state)) }
        switch correlation {
        case .none: break
        case .traceID(let traceID): attributes.append(("correlationid", "\(traceID)"))
        case .text(let text): attributes.append(("correlationid", text))
        }
        if causation.isShown { attributes.append(("causationid", "\(causation)")) }
        return attributes
    }

    // MARK: Receiving

    /// A consumer asks for events; the clock of the request runs from `now`.
    public func receiving(
        _ operation: StaticString, stream: [UInt8], group: [UInt8]? = nil, consumer: [UInt8] = [], at now: Instant
    ) -> OpenReception {
        var open = OpenReceive(
            operation: lane.name("\(operation)"), startedAt: now,
            destination: lane.destination(stream.span, stream.indices), mode: .unsettled)
        if let group {
            open.group = lane.group(group.span, group.indices)
            open.consumer = lane.name(consumer.span, consumer.indices)
            open.mode = .leased(firstDelivery: true)
        }
        return OpenReception(open: open)
    }

    /// The events are the consumer's from now on. Those that were delivered before count as delivered again.
    public func received(_ reception: OpenReception, _ events: [EventDelivery], at now: Instant) {
        var receipt = OpenReceipt(reception.open)
        for event in events {
            lane.received(
                delivered(event), of: &receipt, client: .none, listener: listener, causality: &causality, at: now)
        }
        lane.receivedAll(receipt, .succeeded, client: .none, listener: listener, at: now)
    }

    /// There was nothing, or the log could not answer.
    public func receivedNothing(_ reception: OpenReception, _ outcome: EventOutcome, at now: Instant) {
        lane.receivedNothing(
            reception.open, from: reception.open.destination, lane.outcome(outcome), client: .none, listener: listener,
            at: now)
    }

    private func delivered(_ event: EventDelivery) -> Delivered {
        let context = event.context.trace
        var conversation = event.context.correlationID
        // Ours says no more than the trace id does.
        if let context, InjectionMark.isPresent(in: context), conversation == "\(context.traceID)" {
            conversation = nil
        }
        return Delivered(
            messageID: event.id, storedUnixNanoseconds: event.storedUnixNanoseconds, attempt: event.attempt,
            context: context, conversation: conversation,
            traceState: context?.isSampled == true ? event.context.traceState : nil, bodySize: Int64(event.bodySize))
    }

    // MARK: Settling

    /// The log has answered a consumer that gives events back, in whichever way.
    public func settled(
        _ selection: EventSelection, _ operation: StaticString, as settlement: EventSettlement,
        _ outcome: EventOutcome, startedAt: Instant, at now: Instant
    ) {
        let (stream, group) = names(selection.stream, selection.group)
        var open = OpenSettle(
            destination: stream, group: group, operation: lane.name("\(operation)"), startedAt: startedAt,
            leftOut: max(0, selection.ids.count - Self.settledMax), deletes: false)
        for id in selection.ids.prefix(Self.settledMax) { open.messages.append(id) }
        switch settlement {
        case .acknowledged: open.ending = Ending(.acknowledged)
        case .rejected(let exhausted): (open.ending, open.exhausted) = (Ending(.rejected), exhausted)
        case .deadLettered: open.ending = Ending(deadLetter: .terminated)
        }
        lane.settled(open, lane.outcome(outcome), client: .none, listener: listener, causality: &causality, at: now)
    }

    /// A consumer keeps events longer.
    public func extended(_ selection: EventSelection, at now: Instant) {
        let (stream, group) = names(selection.stream, selection.group)
        for id in selection.ids { lane.extended(id, of: stream, group, listener: listener, at: now) }
    }

    /// Events of one settlement that are followed.
    private static let settledMax = 10_000

    private func names(_ stream: [UInt8], _ group: [UInt8]) -> (stream: Destination, group: Destination) {
        (lane.destination(stream.span, stream.indices), lane.group(group.span, group.indices))
    }
}

extension Lane {
    fileprivate func outcome(_ outcome: EventOutcome) -> Outcome {
        switch outcome {
        case .succeeded: .succeeded
        case .failed(let type): .failed(name(type))
        }
    }
}
