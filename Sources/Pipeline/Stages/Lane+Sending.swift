import Telemetry

/// The stages of a message that a client publishes.
extension Lane {
    /// A message is about to pass: decides its context, and whether that context is written into it. `mentions` tells
    /// how its content names a message that may have caused it.
    func publishing(
        _ publication: Publication, operation: NameID, listener: ListenerProfile, causality: Causality,
        at now: Instant, mentions: (Cause) -> Cause.Mention
    ) -> (open: OpenSend, injection: Injection, obstacle: InjectionObstacle?) {
        let route = route(listener, operation, .send, publication.destination)
        var open = OpenSend(
            destination: publication.destination, operation: operation, startedAt: now, kind: .client,
            context: TraceContext(traceID: .none, spanID: .none, flags: []), parent: publication.context,
            bodySize: publication.bodySize, route: route)
        if let parent = publication.context {
            // Whoever set a context has decided; it is neither altered nor overruled.
            open.context = TraceContext(
                traceID: parent.traceID, spanID: identifiers.spanID(),
                flags: flags(sampled: shared.sampler.keeps(childOf: parent), random: parent.flags.contains(.random)))
            open.detail = SendDetail.ifAny(conversation: publication.conversation, traceState: publication.traceState)
            return (open, .none, .ownContext)
        }
        let told = publication.origin.map { Inference.given($0.causes) } ?? .nothing
        let inference = told.cause == nil ? causality.infer(at: now, mentions: mentions) : told
        var traceState = publication.traceState
        if inference.cause == nil, let origin = publication.origin, let caller = origin.caller {
            begin(&open, caller)
            traceState = origin.callerState ?? traceState
        } else if let state = begin(&open, inference, at: now) {
            traceState = state
        }
        var candidates: (links: [SpanLink], leftOut: Int) = ([], 0)
        if open.context.isSampled {
            if let causes = publication.origin?.causes, causes.count > 1 {
                candidates = Self.links(to: causes)
            } else if inference.candidates != .none {
                candidates = causality.links(of: inference, at: now, mentions: mentions)
            }
        }
        if let obstacle = obstacle(publication, listener.inject, open.context.isSampled) {
            open.detail = SendDetail.ifAny(
                conversation: publication.conversation, traceState: traceState, candidates: candidates)
            return (open, .none, obstacle)
        }
        // The span whose context travels in the message is the creation span: a producer.
        open.kind = .producer
        countInjected(route, listener)
        var correlation = Correlation.none
        var conversation = publication.conversation
        if conversation == nil {
            correlation = inference.cause?.correlation ?? .none
            if correlation == .none { correlation = .traceID(open.context.traceID) }
            conversation = name(&open, correlation)
        }
        open.detail = SendDetail.ifAny(conversation: conversation, traceState: traceState, candidates: candidates)
        let causation = publication.hasCausation || !open.causeID.isShown ? .none : open.causeID
        let stated = publication.hasTraceStateField ? nil : traceState
        return (open, .add(open.context, traceState: stated, correlation: correlation, causation: causation), nil)
    }

    /// A message with a known cause continues its trace; any other begins one. Returns what is to be stated of it.
    private func begin(_ open: inout OpenSend, _ inference: Inference, at now: Instant) -> String? {
        guard let cause = inference.cause else {
            let traceID = identifiers.traceID()
            let sampled = keepsRoot(traceID, open.destination.name, at: now)
            open.context = TraceContext(
                traceID: traceID, spanID: identifiers.markedSpanID(in: traceID),
                flags: flags(sampled: sampled, random: true))
            return sampled ? probabilityState(open.destination.name) : nil
        }
        let traceID = cause.context.traceID
        open.context = TraceContext(
            traceID: traceID, spanID: identifiers.markedSpanID(in: traceID),
            flags: flags(
                sampled: shared.sampler.keeps(childOf: cause.context), random: cause.context.flags.contains(.random)))
        open.parent = cause.context
        open.causeID = cause.messageID
        open.causality = inference.causality
        return nil
    }

    /// A message continues the trace of the request that brings it.
    private func begin(_ open: inout OpenSend, _ caller: TraceContext) {
        open.context = TraceContext(
            traceID: caller.traceID, spanID: identifiers.markedSpanID(in: caller.traceID),
            flags: flags(sampled: shared.sampler.keeps(childOf: caller), random: caller.flags.contains(.random)))
        open.parent = caller
    }

    /// Links to all deliveries that one message was made from.
    private static func links(to causes: [Cause]) -> (links: [SpanLink], leftOut: Int) {
        let kept = causes.prefix(linksMax)
        return (kept.map { SpanLink(context: $0.context, messageID: $0.messageID) }, causes.count - kept.count)
    }

    /// What the span says of the correlation id that the message is given: the text, where it is not the trace's own.
    private func name(_ open: inout OpenSend, _ correlation: Correlation) -> String? {
        switch correlation {
        case .none: return nil
        case .traceID(open.context.traceID):
            open.conversationIsTraceID = true
            return nil
        case .traceID(let other): return open.context.isSampled ? "\(other)" : nil
        case .text(let text): return text
        }
    }

    /// The broker has answered, or never will.
    func published(
        _ open: OpenSend, _ outcome: Outcome, messageID: MessageID = .none, position: StreamPosition? = nil,
        client: NameID, endedAs ending: SpanOutcome = .unremarkable, takenBy fallback: SpanFallback = .none,
        at now: Instant
    ) {
        let duration = now.nanoseconds(since: open.startedAt)
        observe(open.route, duration, open.context, outcome, now)
        countMessages(open.route, 1)
        routes.routes[open.route.index].guarding?.tally.sized(open.bodySize)
        if routes.routes[open.route.index].takesDeadLetters, outcome == .succeeded {
            countDeadLetter(open.route, .published)
        }
        if tap.isWatched { tellPublished(open, outcome, messageID, client, ending, at: now) }
        let isSampled = open.context.isSampled
        let rule = rule(sentTo: open.destination.name, outcome, duration)
        guard isSampled || holdsUnsampled else { return countNotSampled() }
        var span = SpanRecord(
            descriptor: routes.routes[open.route.index].descriptor, kind: open.kind, traceID: open.context.traceID,
            spanID: open.context.spanID, flags: open.context.flags,
            startUnixNanoseconds: open.startedAt.unixNanoseconds,
            endUnixNanoseconds: open.startedAt.unixNanoseconds + duration)
        if let parent = open.parent {
            span.link = SpanLink(context: parent, messageID: open.causeID)
            if parent.isSampled || !isSampled { span.parentSpanID = parent.spanID }
            span.causality = open.causality
        } else {
            span.link = open.detail?.candidates.first
        }
        if case .failed(let error) = outcome { span.error = error }
        span.outcome = ending
        span.fallback = fallback
        if fallback == .secondary { span.descriptor = secondaryDescriptor(open.route) }
        if outcome == .succeeded, routes.routes[open.route.index].takesDeadLetters { span.deadLetter = .published }
        span.client = client
        span.messageID = messageID
        span.bodySize = open.bodySize
        span.conversationIsTraceID = open.conversationIsTraceID
        guard isSampled else {
            return holdUnsampled(span, conversation: open.detail?.conversation, keptFor: rule, at: now)
        }
        if open.detail != nil || position != nil {
            let detail = open.detail
            span.detail = SpanDetail(
                moreLinks: detail.map { Array($0.candidates.dropFirst(open.parent == nil ? 1 : 0)) } ?? [],
                droppedLinkCount: UInt32(clamping: detail?.candidatesLeftOut ?? 0),
                conversationID: detail?.conversation, traceState: detail?.traceState,
                events: detail?.retries ?? [], position: position)
        }
        // A message with an inferred cause shares the fate of a trace that began here.
        let reason = open.causality == .none ? reason(ofContext: open.parent) : .probability
        record(span, of: open.destination.name, because: reason)
    }

    /// What kind of operation it was shows only in the answer.
    func rename(_ open: inout OpenSend, _ operation: NameID, _ listener: ListenerProfile) {
        open.operation = operation
        open.route = route(listener, operation, .send, open.destination)
    }

    /// No answer will come, or none will be understood.
    func abandoned(_ open: OpenSend, as ending: SpanOutcome, client: NameID, at now: Instant) {
        let outcome: Outcome = ending == .disconnected ? .failed(name("connection_lost")) : .succeeded
        published(open, outcome, client: client, endedAs: ending, at: now)
    }

    private func obstacle(
        _ publication: Publication, _ rule: InjectionRule, _ sampled: Bool
    ) -> InjectionObstacle? {
        if let obstacle = publication.obstacle { return obstacle }
        if publication.hasForeignContextField { return .foreignField }
        switch rule {
        case .always: return nil
        case .sampled: return sampled ? nil : .configured
        case .never: return .configured
        }
    }

    func flags(sampled: Bool, random: Bool) -> TraceFlags {
        var flags: TraceFlags = []
        if sampled { flags.insert(.sampled) }
        if random { flags.insert(.random) }
        return flags
    }
}
