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
            // Where the broker counts deliveries of each message, that says better what the command says of all.
            let isFirst = message.attempt > 0 ? message.attempt == 1 : open.mode.isFirstDelivery
            let queue =
                queueTimesMeanSomething && message.attempt <= 1 ? queueNanoseconds(message, now) : .min
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
            case .leased:
                if !isFirst { countRedelivered(route) }
                isRedelivery = isRedelivery || !isFirst
                lease(
                    message, open, destination, queue, route, firstDelivery: isFirst, client: client,
                    listener: listener, causality: &causality, at: now)
            case .unsettled:
                if tap.isWatched {
                    tellDelivered(message, context, queue, client, open.consumer, route, at: now)
                }
                guard let cause = message.context ?? (messages.count == 1 ? context : nil) else { continue }
                causality.handed(cause, message.messageID, correlation(of: message), at: now)
            case .inspection:
                break
            }
        }
        if !open.isInspection {
            if let tally = routes.routes[route.index].guarding?.tally {
                tally.delivered(
                    messages.count, areRedelivered: isRedelivery, queueTimes: queueTimes, queueLogSum: queueLogSum)
                for message in messages { tally.sized(message.bodySize) }
            }
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
        _ message: Delivered, from destination: Destination, group: Destination = .absent, client: NameID,
        listener: ListenerProfile, at now: Instant
    ) {
        let route = route(listener, processOperation, .process, destination, group: group)
        countMessages(route, 1)
        var delivery = delivery(of: message, destination, group, client, listener, at: now)
        delivery.queueNanoseconds = queueNanoseconds(message, now)
        if delivery.queueNanoseconds != .min { record(queue: delivery.queueNanoseconds, of: message, route, now) }
        if tap.isWatched { tellPushed(message.bodySize, delivery.process, client, route, at: now) }
        recordProcess(delivery, message.messageID, Ending(.unremarkable), route, keptFor: nil, at: now)
    }

    /// A message pushed to a subscriber who is to settle it, or to answer it, which comes to the same: `message` is
    /// known by its id among those of `destination` and `group`.
    func pushedToSettle(
        _ message: Delivered, from destination: Destination, group: Destination, consumer: NameID = .none,
        client: NameID, listener: ListenerProfile, causality: inout Causality, at now: Instant
    ) {
        let open = OpenReceive(
            operation: processOperation, startedAt: now, destination: destination, group: group, consumer: consumer,
            mode: .leased(firstDelivery: message.attempt <= 1))
        let route = route(listener, processOperation, .process, destination, group: group)
        countMessages(route, 1)
        handOver(message, open, route, client: client, listener: listener, causality: &causality, at: now)
    }

    /// Counts the time in the queue of one message that is to be settled, and opens its process span. Returns that time.
    @discardableResult
    func handOver(
        _ message: Delivered, _ open: OpenReceive, _ route: RouteID, client: NameID, listener: ListenerProfile,
        causality: inout Causality, at now: Instant
    ) -> Int64 {
        let isFirst = message.attempt > 0 ? message.attempt == 1 : open.mode.isFirstDelivery
        let queue = isFirst ? queueNanoseconds(message, now) : .min
        if queue != .min { record(queue: queue, of: message, route, now) }
        if !isFirst { countRedelivered(route) }
        noteFlow(of: message, queue, isFirst: isFirst, route)
        lease(
            message, open, open.destination, queue, route, firstDelivery: isFirst, client: client, listener: listener,
            causality: &causality, at: now)
        return queue
    }

    // MARK: Messages that come one after the other

    /// One more message of a request for messages that is not yet fulfilled: it is the consumer's from now on.
    func received(
        _ message: Delivered, of receipt: inout OpenReceipt, client: NameID, listener: ListenerProfile,
        causality: inout Causality, at now: Instant
    ) {
        let open = receipt.open
        let route = route(listener, open.operation, .receive, open.destination, group: open.group)
        countMessages(route, 1)
        var queue = Int64.min
        switch open.mode {
        case .leased:
            queue = handOver(message, open, route, client: client, listener: listener, causality: &causality, at: now)
        case .unsettled, .inspection:
            queue = queueNanoseconds(message, now)
            if queue != .min { record(queue: queue, of: message, route, now) }
            if tap.isWatched {
                let context = message.context ?? TraceContext(traceID: .none, spanID: .none, flags: [])
                tellDelivered(message, context, queue, client, open.consumer, route, at: now)
            }
        }
        receipt.note(message, queue, isSampled: message.context.map { shared.sampler.keeps(childOf: $0) } ?? false)
        receipt.lastAt = now
    }

    /// A request for messages has ended: all have come, or no more will. Its span ends with the last message.
    func receivedAll(
        _ receipt: OpenReceipt, _ outcome: Outcome, client: NameID, listener: ListenerProfile, at now: Instant
    ) {
        let open = receipt.open
        guard receipt.count > 0 else {
            return receivedNothing(open, from: open.destination, outcome, client: client, listener: listener, at: now)
        }
        let end = receipt.lastAt
        let route = route(listener, open.operation, .receive, open.destination, group: open.group)
        let context = receiveContext(
            receipt.single, known: receipt.known, sampled: receipt.isAnySampled, open.destination.name, at: now)
        observe(route, end.nanoseconds(since: open.startedAt), context, .succeeded, end)
        guard context.isSampled || holdsUnsampled else { return countNotSampled() }
        var span = receiveSpan(open, context, route, client, end)
        if let single = receipt.single {
            describe(&span, [single], receipt.links.first, [], isSampled: context.isSampled)
        } else {
            span.link = receipt.links.first
            span.batchCount = UInt32(clamping: receipt.count)
            if context.isSampled, receipt.links.count > 1 || receipt.linksLeftOut > 0 {
                span.detail = SpanDetail(
                    moreLinks: Array(receipt.links.dropFirst()),
                    droppedLinkCount: UInt32(clamping: receipt.linksLeftOut))
            }
        }
        if context.isSampled {
            record(span, of: open.destination.name, because: reason(ofContext: receipt.firstSampled))
        } else {
            let keep: KeepReason? = receipt.hasRedelivery ? .redelivery : nil
            holdUnsampled(span, conversation: receipt.single?.conversation, keptFor: keep, at: now)
        }
    }

    // MARK: Parts

    /// What the guard of the consumers hears of a message that came by itself.
    private func noteFlow(of message: Delivered, _ queue: Int64, isFirst: Bool, _ route: RouteID) {
        guard let own = routes.routes[route.index].guarding else { return }
        let isKnown = queue != .min
        own.tally.delivered(
            1, areRedelivered: !isFirst, queueTimes: isKnown ? 1 : 0,
            queueLogSum: isKnown ? NaturalLogarithm.ofSeconds(nanoseconds: UInt64(max(0, queue))) : 0)
        own.tally.sized(message.bodySize)
        if let pending = message.position?.pending { own.cell.noteLag(pending) }
    }

    private func record(queue: Int64, of message: Delivered, _ route: RouteID, _ now: Instant) {
        let histogram = queueHistogram(route)
        // Clocks of two machines may disagree; a negative wait counts as none, and is counted apart.
        let nanoseconds = UInt64(max(0, queue))
        if queue < 0 { skewHistogram(route).record(nanoseconds: queue.magnitude) }
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
            stream: streamKey(destination, listener), group: open.group.hash, messageID: message.messageID)
        var delivery = delivery(of: message, destination, open.group, client, listener, at: now)
        delivery.consumer = open.consumer
        delivery.queueNanoseconds = queue
        // A first delivery is the first attempt. Of any other we know at least that there was one before.
        if message.attempt == 0, message.messageID.isShown { delivery.attempt = firstDelivery ? 1 : 2 }
        delivery.dwell = dwell(message, queue, delivery.process, destination, listener, at: now)
        if !firstDelivery {
            if let earlier = shared.deliveries.remove(key) {
                if message.attempt == 0 { delivery.attempt = earlier.attempt &+ 1 }
                finish(earlier, message.messageID, as: .redelivered, at: now)
            }
        }
        if tap.isWatched { tellDelivered(delivery, message.messageID, route, at: now) }
        delivery.holder = causality.leased(
            delivery.process, message.messageID, correlation(of: message), evicted: causesEvicted, at: now)
        guard let displaced = shared.deliveries.insert(delivery, for: key) else { return }
        if let earlier = displaced.earlier { finish(earlier, message.messageID, as: .redelivered, at: now) }
        if let evicted = displaced.evicted { close(evicted.delivery, evicted.key, Ending(.evicted), at: now) }
    }

    /// The stream's part of a delivery's key.
    @inline(__always)
    func streamKey(_ destination: Destination, _ listener: ListenerProfile) -> UInt64 {
        destination.hash ^ UInt64(listener.deliveryScope) &* 0x9e37_79b9_7f4a_7c15
    }

    /// What the process span of a message will need, the context that it is to have included.
    private func delivery(
        of message: Delivered, _ destination: Destination, _ group: Destination, _ client: NameID,
        _ listener: ListenerProfile, at now: Instant
    ) -> OpenDelivery {
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
        return OpenDelivery(
            listener: listener.number, destination: destination.name, group: group.name, consumer: .none,
            client: client, template: destination.template, deliveredAt: now, creation: message.context,
            process: process, attempt: message.attempt, position: message.position, bodySize: message.bodySize,
            queueNanoseconds: .min, conversationIsTraceID: isOurs, conversation: message.conversation,
            traceState: traceState)
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
        return receiveContext(
            messages.count == 1 ? messages[0] : nil, known: known, sampled: sampled, destination, at: now)
    }

    private func receiveContext(
        _ single: Delivered?, known: Int, sampled: Bool, _ destination: NameID, at now: Instant
    ) -> TraceContext {
        guard known > 0 else { return rootContext(destination, at: now) }
        if shared.consumerRelation == .parent, let creation = single?.context {
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
    static let linksMax = 128

    /// From the time that the broker told to now. Times that an application made up are mostly no times at all.
    private func queueNanoseconds(_ message: Delivered, _ now: Instant) -> Int64 {
        guard message.storedUnixNanoseconds >= Self.earliestPlausibleNanoseconds,
            message.storedUnixNanoseconds <= now.unixNanoseconds + Self.clockSkewNanoseconds
        else { return .min }
        return Int64(now.unixNanoseconds) - Int64(message.storedUnixNanoseconds)
    }

    /// 2010-01-01: no stored message is older than the brokers themselves.
    private static let earliestPlausibleNanoseconds: UInt64 = 1_262_304_000_000_000_000
    private static let clockSkewNanoseconds: UInt64 = 86_400_000_000_000

    private var unsampled: TraceContext { TraceContext(traceID: .none, spanID: .none, flags: []) }
}
