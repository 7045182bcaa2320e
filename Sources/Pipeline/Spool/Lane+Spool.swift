import Resilience
import Telemetry

/// How a spooled message was sent on (`tacho_spool_forwarded_total{outcome}`).
enum SpoolForwarding: String {
    /// Under the id that the client was told.
    case forwarded
    /// Under another one: others had published meanwhile.
    case newID = "new_id"
    /// By an earlier attempt whose reply was lost.
    case alreadyThere = "already_there"
    /// Perhaps a second time: whether an earlier attempt had arrived could not be found out.
    case unverified
    /// The broker will never take it.
    case refused
}

extension Lane {
    func countForwarded(_ destination: Destination, _ outcome: SpoolForwarding, _ listener: ListenerProfile) {
        metrics.counter(
            MetricCatalog.spoolForwarded,
            [listener.name, shared.destinations.text(of: destination.name), outcome.rawValue]
        ).add(1)
    }

    func countSpooled(_ destination: Destination, _ listener: ListenerProfile) {
        metrics.counter(
            MetricCatalog.spoolStored, [listener.name, shared.destinations.text(of: destination.name)]
        ).add(1)
    }

    /// Why a message was not spooled although it would have been wanted.
    func countNotSpooled(_ reason: StaticString, _ listener: ListenerProfile) {
        metrics.counter(MetricCatalog.spoolRefused, [listener.name, "\(reason)"]).add(1)
    }

    /// Whether a call by this route may have a chance: its guard is not open.
    func isAdmitting(_ route: RouteID) -> Bool {
        guard let cell = cell(of: route), case Admission.none = AdmissionWord.decode(cell.word) else { return true }
        return false
    }

    /// The share of its calls that retries to an upstream may add: less the nearer its breaker is to opening.
    func retryShare(_ route: RouteID) -> Double {
        routes.routes[route.index].guarding?.cell.retryShare ?? GuardCell.usualRetryShare
    }

    /// A spooled message has reached the broker: a span under the one that published it tells how long it was kept.
    func forwarded(
        _ message: SpooledMessage, _ destination: Destination, _ arrival: SpoolArrival, since startedAt: Instant,
        _ listener: ListenerProfile, at now: Instant
    ) {
        countForwarded(destination, arrival.outcome, listener)
        let route = route(listener, name("forward"), .send, destination)
        let parent = TraceContext(parsing: Array(message.traceParent.utf8).span)
        let context: TraceContext
        if let parent {
            context = TraceContext(traceID: parent.traceID, spanID: identifiers.spanID(), flags: parent.flags)
        } else {
            context = rootContext(destination.name, at: now)
        }
        let duration = now.nanoseconds(since: startedAt)
        observe(route, duration, context, .succeeded, now)
        if tap.isWatched {
            var event = TapEvent(
                .published, unixNanoseconds: now.unixNanoseconds, listener: listener.number,
                descriptor: routes.routes[route.index].descriptor, traceID: context.traceID,
                isSampled: context.isSampled)
            event.messageID = arrival.messageID
            event.durationNanoseconds = Int64(clamping: duration)
            tap.emit(event)
        }
        guard context.isSampled else { return countNotSampled() }
        var span = SpanRecord(
            descriptor: routes.routes[route.index].descriptor, kind: .client, traceID: context.traceID,
            spanID: context.spanID, flags: context.flags, startUnixNanoseconds: startedAt.unixNanoseconds,
            endUnixNanoseconds: startedAt.unixNanoseconds + duration)
        if let parent { span.parentSpanID = parent.spanID }
        span.messageID = arrival.messageID
        let spooledAt = message.answeredID.milliseconds &* 1_000_000
        let kept = now.unixNanoseconds > spooledAt ? now.unixNanoseconds - spooledAt : 0
        span.detail = SpanDetail(events: [
            SpanEvent(
                unixNanoseconds: now.unixNanoseconds, name: "tacho.spool.forwarded",
                attributes: [
                    ("tacho.spooled.seconds", .double(Double(kept) / 1e9)),
                    ("tacho.spooled.outcome", .string(arrival.outcome.rawValue)),
                    ("tacho.spooled.promised_id", .string(arrival.promised)),
                ])
        ])
        record(span, of: destination.name, because: reason(ofContext: parent))
    }

    /// A publish that was refused: a span and a word for who watches. Refusals may be many, so their spans follow the
    /// sampling and no rule.
    func refused(
        _ open: OpenSend, _ error: NameID, client: NameID, takenBy fallback: SpanFallback = .none, at now: Instant
    ) {
        observe(open.route, now.nanoseconds(since: open.startedAt), open.context, .failed(error), now)
        if tap.isWatched { tellPublished(open, .failed(error), .none, client, .unremarkable, at: now) }
        guard open.context.isSampled else { return countNotSampled() }
        var span = SpanRecord(
            descriptor: routes.routes[open.route.index].descriptor, kind: .client, traceID: open.context.traceID,
            spanID: open.context.spanID, flags: open.context.flags,
            startUnixNanoseconds: open.startedAt.unixNanoseconds,
            endUnixNanoseconds: open.startedAt.unixNanoseconds + now.nanoseconds(since: open.startedAt))
        if let parent = open.parent {
            span.parentSpanID = parent.spanID
            span.link = SpanLink(context: parent, messageID: open.causeID)
            span.causality = open.causality
        }
        span.error = error
        span.fallback = fallback
        span.client = client
        span.bodySize = open.bodySize
        let reason = open.causality == .none ? reason(ofContext: open.parent) : .probability
        record(span, of: open.destination.name, because: reason)
    }
}
