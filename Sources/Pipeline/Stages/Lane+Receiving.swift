import Telemetry

/// The stages of messages on their way to a consumer.
extension Lane {
    /// A request for messages was answered with nothing, or with an error: measured, and traced only as a failure.
    func receivedNothing(
        _ open: OpenReceive, from destination: Destination, _ outcome: Outcome, client: NameID,
        listener: ListenerProfile, at now: Instant
    ) {
        let route = route(listener, open.operation, .receive, destination, group: open.group)
        guard case .failed(let error) = outcome else {
            return observe(route, now.nanoseconds(since: open.startedAt), unsampled, outcome, now)
        }
        let context = rootContext(destination.name, at: now)
        observe(route, now.nanoseconds(since: open.startedAt), context, outcome, now)
        if tap.isWatched {
            tellFailed(.delivered, open.startedAt, error, context, client, open.consumer, route, at: now)
        }
        guard context.isSampled || holdsUnsampled else { return countNotSampled() }
        var span = receiveSpan(open, context, route, client, now)
        span.error = error
        if context.isSampled {
            record(span, of: destination.name, because: .probability)
        } else {
            holdUnsampled(span, conversation: nil, keptFor: .error, at: now)
        }
    }

    /// Messages of one destination are handed to the consumer.
    func received(
        _ open: OpenReceive, from destination: Destination, _ messages: [Delivered], client: NameID,
        listener: ListenerProfile, causality: inout Causality, at now: Instant
    ) {
        let route = route(listener, open.operation, .receive, destination, group: open.group)
        let context = receiveContext(messages, destination.name, at: now)
        observe(route, now.nanoseconds(since: open.startedAt), context, .succeeded, now)
        let queueTimesMeanSomething: Bool
        switch open.mode {
        case .leased(let firstDelivery):
            queueTimesMeanSomething = firstDelivery
            countMessages(route, messages.count)
        case .unsettled:
            queueTimesMeanSomething = true
            countMessages(route, messages.count)
        case .inspection:
            // Looking at what is stored consumes nothing.
            queueTimesMeanSomething = false
        }
        var first: SpanLink?
        var links: [SpanLink] = []
        var isRedelivery = false
        var (queueTimes, queueLogSum) = (0, 0.0)
        for message in messages {
            let queue = queueTimesMeanSomething ? queueNanoseconds(message, now) : .min
            if queue != .min {
                record(queue: queue, of: message, route, now)
                queueTimes += 1
                queueLogSum += NaturalLogarithm.ofSeconds(nanoseconds: UInt64(max(0, queue)))
            }
            if let creation = message.context {
                let link = SpanLink(context: creation, messageID: message.messageID, queueNanoseconds: queue)
                if first == nil { first = link } else if context.isSampled { links.append(link) }
            }
            switch open.mode {
            case .leased(let firstDelivery):
                if !firstDelivery { countRedelivered(route) }
                isRedelivery = isRedelivery || !firstDelivery
                lease(
                    message, open, destination, queue, route, firstDelivery: firstDelivery, client: client,
                    listener: listener, causality: &causality, at: now)
            case .unsettled:
                if tap.isWatched {
                    tellDelivered(message, context, queue, client, open.consumer, route, at: now)
                }
                guard let cause = message.context ?? (messages.count == 1 ? context : nil) else { continue }
                causality.handed(cause, message.messageID, correlation(of: message))
            case .inspection:
                break
            }
        }
        if !open.isInspection {
            routes.routes[route.index].guarding?.tally.delivered(
                messages.count, areRedelivered: isRedelivery, queueTimes: queueTimes, queueLogSum: queueLogSum)
        }
        guard context.isSampled || holdsUnsampled else { return countNotSampled() }
        var span = receiveSpan(open, context, route, client, now)
        describe(&span, messages, first, links, isSampled: context.isSampled)
        if context.isSampled {
            let creation = messages.first { $0.context?.isSampled == true }?.context
            record(span, of: destination.name, because: reason(ofContext: creation))
        } else {
            let conversation = messages.count == 1 ? messages[0].conversation : nil
            holdUnsampled(span, conversation: conversation, keptFor: isRedelivery ? .redelivery : nil, at: now)
        }
    }

    /// A message pushed to a subscriber. Nobody settles it, so the span covers our own passage only.
    func pushed(
        _ destination: Destination, bodySize: Int64, client: NameID, listener: ListenerProfile, at now: Instant
    ) {
        let route = route(listener, processOperation, .process, destination)
        countMessages(route, 1)
        let context = rootContext(destination.name, at: now)
        if tap.isWatched { tellPushed(bodySize, context, client, route, at: now) }
        guard context.isSampled || holdsUnsampled else { return countNotSampled() }
        var span = SpanRecord(
            descriptor: routes.routes[route.index].descriptor, kind: .consumer, traceID: context.traceID,
            spanID: context.spanID, flags: context.flags, startUnixNanoseconds: now.unixNanoseconds,
            endUnixNanoseconds: now.unixNanoseconds)
        span.client = client
        span.bodySize = bodySize
        if context.isSampled {
            if let state = probabilityState(destination.name) { span.detail = SpanDetail(traceState: state) }
            record(span, of: destination.name, because: .probability)
        } else {
            holdUnsampled(span, conversation: nil, keptFor: nil, at: now)
        }
    }

    // MARK: Parts

    private func record(queue: Int64, of message: Delivered, _ route: RouteID, _ now: Instant) {
        let histogram = queueHistogram(route)
        // Clocks of two machines may disagree; a negative wait counts as none.
        let nanoseconds = UInt64(max(0, queue))
        if let creation = message.context, shared.sampler.keeps(childOf: creation) {
            histogram.record(nanoseconds: nanoseconds, exemplar: creation, atUnixNanoseconds: now.unixNanoseconds)
        } else {
            histogram.record(nanoseconds: nanoseconds)
        }
    }

    /// Opens the process span of one message that somebody has to acknowledge.
    private func lease(
        _ message: Delivered, _ open: OpenReceive, _ destination: Destination, _ queue: Int64, _ route: RouteID,
        firstDelivery: Bool, client: NameID, listener: ListenerProfile, causality: inout Causality, at now: Instant
    ) {
        let key = DeliveryKey(
            stream: destination.hash ^ UInt64(listener.number) &* 0x9e37_79b9_7f4a_7c15, group: open.group.hash,
            milliseconds: message.milliseconds, sequence: message.sequence)
        let process: TraceContext
        // Of another trace the threshold would say nothing.
        var traceState = shared.consumerRelation == .parent ? message.traceState : nil
        if let creation = message.context, shared.consumerRelation == .parent {
            process = TraceContext(
                traceID: creation.traceID, spanID: identifiers.spanID(),
                flags: flags(
                    sampled: shared.sampler.keeps(childOf: creation), random: creation.flags.contains(.random)))
        } else if let creation = message.context {
            process = TraceContext(
                traceID: identifiers.traceID(), spanID: identifiers.spanID(),
                flags: flags(sampled: shared.sampler.keeps(childOf: creation), random: true))
        } else {
            process = rootContext(destination.name, at: now)
            if process.isSampled { traceState = probabilityState(destination.name) }
        }
        let isOurs = message.context.map { message.conversation == nil && InjectionMark.isPresent(in: $0) } ?? false
        // A first delivery is the first attempt. Of any other we know at least that there was one before.
        var delivery = OpenDelivery(
            listener: listener.number, destination: destination.name, group: open.group.name, consumer: open.consumer,
            client: client, deliveredAt: now, creation: message.context, process: process,
            attempt: firstDelivery ? 1 : 2, bodySize: message.bodySize, queueNanoseconds: queue,
            conversationIsTraceID: isOurs, conversation: message.conversation, traceState: traceState)
        delivery.dwell = dwell(message, queue, process, destination, listener, at: now)
        if !firstDelivery {
            if let earlier = shared.deliveries.remove(key) {
                delivery.attempt = earlier.attempt &+ 1
                finish(earlier, message.messageID, as: .redelivered, at: now)
            }
        }
        if tap.isWatched { tellDelivered(delivery, message.messageID, route, at: now) }
        delivery.holder = causality.leased(process, message.messageID, correlation(of: message))
        let displaced = shared.deliveries.insert(delivery, for: key)
        if let earlier = displaced.earlier { finish(earlier, message.messageID, as: .redelivered, at: now) }
        if let evicted = displaced.evicted { finish(evicted.delivery, evicted.key.messageID, as: .evicted, at: now) }
    }

    private func correlation(of message: Delivered) -> Correlation {
        guard message.conversationIsExact else { return .none }
        return Correlation(of: message.context, conversation: message.conversation)
    }

    /// One message: its own trace. Several: a trace of their own, kept if any of theirs is.
    private func receiveContext(_ messages: [Delivered], _ destination: NameID, at now: Instant) -> TraceContext {
        var sampled = false
        var known = 0
        for message in messages {
            guard let creation = message.context else { continue }
            known += 1
            sampled = sampled || shared.sampler.keeps(childOf: creation)
        }
        guard known > 0 else { return rootContext(destination, at: now) }
        if messages.count == 1, shared.consumerRelation == .parent, let creation = messages[0].context {
            return TraceContext(
                traceID: creation.traceID, spanID: identifiers.spanID(),
                flags: flags(sampled: sampled, random: creation.flags.contains(.random)))
        }
        return TraceContext(
            traceID: identifiers.traceID(), spanID: identifiers.spanID(), flags: flags(sampled: sampled, random: true))
    }

    private func receiveSpan(
        _ open: OpenReceive, _ context: TraceContext, _ route: RouteID, _ client: NameID, _ now: Instant
    ) -> SpanRecord {
        var span = SpanRecord(
            descriptor: routes.routes[route.index].descriptor, kind: .client, traceID: context.traceID,
            spanID: context.spanID, flags: context.flags, startUnixNanoseconds: open.startedAt.unixNanoseconds,
            endUnixNanoseconds: open.startedAt.unixNanoseconds + now.nanoseconds(since: open.startedAt))
        span.consumer = open.consumer
        span.client = client
        return span
    }

    /// What is said of the messages: of one, on the span; of several, on the links.
    private func describe(
        _ span: inout SpanRecord, _ messages: [Delivered], _ first: SpanLink?, _ links: [SpanLink], isSampled: Bool
    ) {
        span.link = first
        if messages.count == 1, let message = messages.first {
            span.messageID = message.messageID
            span.bodySize = message.bodySize
            span.queueNanoseconds = first?.queueNanoseconds ?? .min
            if let creation = message.context {
                if shared.consumerRelation == .parent, creation.isSampled || !isSampled {
                    span.parentSpanID = creation.spanID
                }
                span.conversationIsTraceID = message.conversation == nil && InjectionMark.isPresent(in: creation)
            }
            let traceState = shared.consumerRelation == .parent ? message.traceState : nil
            if isSampled, message.conversation != nil || traceState != nil {
                span.detail = SpanDetail(conversationID: message.conversation, traceState: traceState)
            }
            return
        }
        span.batchCount = UInt32(clamping: messages.count)
        if !links.isEmpty {
            let kept = links.prefix(Self.linksMax - 1)
            span.detail = SpanDetail(
                moreLinks: Array(kept), droppedLinkCount: UInt32(clamping: links.count - kept.count))
        }
    }

    /// The OpenTelemetry default of `OTEL_SPAN_LINK_COUNT_LIMIT`.
    private static let linksMax = 128

    /// From the time in the entry id to now. Ids that an application made up are mostly no times at all.
    private func queueNanoseconds(_ message: Delivered, _ now: Instant) -> Int64 {
        let nowMilliseconds = now.unixNanoseconds / 1_000_000
        guard message.milliseconds >= Self.earliestPlausibleMilliseconds,
            message.milliseconds <= nowMilliseconds + Self.clockSkewMilliseconds
        else { return .min }
        return Int64(now.unixNanoseconds) - Int64(message.milliseconds) * 1_000_000
    }

    /// 2010-01-01: no stream entry is older than Redis itself.
    private static let earliestPlausibleMilliseconds: UInt64 = 1_262_304_000_000
    private static let clockSkewMilliseconds: UInt64 = 86_400_000

    private var unsampled: TraceContext { TraceContext(traceID: .none, spanID: .none, flags: []) }
}

extension Delivered {
    var messageID: MessageID { .streamEntry(milliseconds: milliseconds, sequence: sequence) }
}
