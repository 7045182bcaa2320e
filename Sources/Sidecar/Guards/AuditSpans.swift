import Pipeline
import Resilience
import Telemetry

/// Tells the trail of the guards as traces: one span for everything that a guard changed or refused in one beat, a
/// trace of its own, with an event for each change.
///
/// The spans have no parent and no link: the exemplar is the trace of a call of that time, not the cause. They are
/// offered like all others, and counted like them. What is learned in shadow does not act and is told by the store and
/// the admin API alone.
struct AuditSpans: Sendable {
    /// More than all parameters of a guard and its transitions in one beat.
    private static let eventsMax = 32

    private let catalog: SpanCatalog
    private let sink: any SpanSink
    private let service: String
    /// System and broker of each listener, by its number.
    private let listeners: [(system: String, broker: BrokerAddress)]

    init(
        catalog: SpanCatalog, sink: any SpanSink, service: String, listeners: [(system: String, broker: BrokerAddress)]
    ) {
        self.catalog = catalog
        self.sink = sink
        self.service = service
        self.listeners = listeners
    }

    /// Offers the spans of one beat's records.
    func offer(_ records: [GuardRecord]) {
        guard !records.isEmpty else { return }
        var random = SystemRandomNumberGenerator()
        var spans = spans(records, using: &random)
        if !spans.isEmpty { sink.offer(&spans) }
    }

    /// One span for each guard, in the order in which they first appear.
    func spans(_ records: [GuardRecord], using random: inout some RandomNumberGenerator) -> [SpanRecord] {
        var keys: [GuardKey] = []
        var byKey: [GuardKey: [GuardRecord]] = [:]
        for record in records where !record.isShadowThreshold {
            if byKey[record.key] == nil { keys.append(record.key) }
            byKey[record.key, default: []].append(record)
        }
        return keys.map { span($0, byKey[$0] ?? [], using: &random) }
    }

    private func span(
        _ key: GuardKey, _ records: [GuardRecord], using random: inout some RandomNumberGenerator
    ) -> SpanRecord {
        let listener = Int(key.listener)
        let (system, broker) =
            listener < listeners.count ? listeners[listener] : ("", BrokerAddress(server: "", port: 0))
        let descriptor = catalog.intern(
            SpanDescriptor(
                service: service, system: system, operation: "tune", operationType: nil,
                destination: key.destination, group: key.group, broker: broker))
        let times = records.map(\.unixNanoseconds)
        var span = SpanRecord(
            descriptor: descriptor, kind: .internal,
            traceID: TraceID(
                high: .random(in: 1...(.max), using: &random), low: .random(in: 1...(.max), using: &random)),
            spanID: SpanID(.random(in: 1...(.max), using: &random)), flags: [.sampled, .random],
            startUnixNanoseconds: times.min() ?? 0, endUnixNanoseconds: times.max() ?? 0)
        span.detail = SpanDetail(
            events: records.prefix(Self.eventsMax).map(\.spanEvent),
            droppedEventCount: UInt32(clamping: records.count - Self.eventsMax))
        return span
    }
}

extension GuardRecord {
    fileprivate var isShadowThreshold: Bool {
        if case .threshold(let change) = what { return change.isShadow }
        return false
    }

    /// What happened, with everything that is needed to judge it.
    var spanEvent: SpanEvent {
        var pairs: [(key: StaticString, value: AttributeValue)] = [
            ("tacho.guard.listener", .string(key.listenerName)), ("tacho.guard.key", .string(key.name)),
        ]
        switch what {
        case .threshold(let change):
            pairs += change.spanAttributes
            return SpanEvent(
                unixNanoseconds: unixNanoseconds,
                name: change.isRefused ? "tacho.threshold.refused" : "tacho.threshold.changed", attributes: pairs)
        case .state(let transition, let isShadow):
            pairs += [
                ("tacho.breaker.from", .string(transition.from.text)),
                ("tacho.breaker.to", .string(transition.to.text)),
                ("tacho.breaker.reason", .string(transition.reason.rawValue)),
                ("tacho.breaker.shadow", .string("\(isShadow)")),
                ("tacho.evidence.calls", .integer(Int64(transition.calls))),
                ("tacho.evidence.failures", .integer(Int64(transition.failures))),
                ("tacho.evidence.slow", .integer(Int64(transition.slow))),
            ]
            return SpanEvent(unixNanoseconds: unixNanoseconds, name: "tacho.breaker.state", attributes: pairs)
        case .warning(let text):
            pairs.append(("tacho.guard.warning", .string(text)))
            return SpanEvent(unixNanoseconds: unixNanoseconds, name: "tacho.guard.warning", attributes: pairs)
        }
    }
}

extension ThresholdChange {
    fileprivate var spanAttributes: [(key: StaticString, value: AttributeValue)] {
        var pairs: [(key: StaticString, value: AttributeValue)] = [
            ("tacho.threshold.parameter", .string(parameter.name)), ("tacho.threshold.old", .double(old)),
            ("tacho.threshold.proposed", .double(proposed)), ("tacho.threshold.applied", .double(applied)),
            ("tacho.threshold.limited_by", .string(limitedBy.rawValue)),
            ("tacho.threshold.actor", .string(actor.rawValue)),
            ("tacho.threshold.direction", .string(direction.rawValue)),
            ("tacho.threshold.shadow", .string("\(isShadow)")),
            ("tacho.threshold.version", .integer(Int64(version))),
            ("tacho.threshold.detector", .string(detectorVersion)),
            ("tacho.evidence.calls", .double(evidence.calls)),
            ("tacho.evidence.calls_per_second", .double(evidence.callsPerSecond)),
            ("tacho.evidence.failure_share", .double(evidence.failureShare)),
            ("tacho.evidence.overdispersion", .double(evidence.overdispersion)),
            ("tacho.evidence.log_latency_variance", .double(evidence.logLatencyVariance)),
            ("tacho.evidence.slow_share", .double(evidence.slowShare)),
            ("tacho.evidence.deviations", .double(evidence.deviations)),
            ("tacho.evidence.window_seconds", .double(evidence.windowSeconds)),
        ]
        if let mean = evidence.logLatencyMean { pairs.append(("tacho.evidence.log_latency_mean", .double(mean))) }
        if let quantile = evidence.slowQuantile { pairs.append(("tacho.evidence.slow_quantile", .double(quantile))) }
        if let outage = evidence.outageSeconds { pairs.append(("tacho.evidence.outage_seconds", .double(outage))) }
        if let id = exemplarTraceID {
            let text = TraceID(high: UInt64(truncatingIfNeeded: id >> 64), low: UInt64(truncatingIfNeeded: id))
            pairs.append(("tacho.exemplar.trace_id", .string(text.description)))
        }
        return pairs
    }
}
