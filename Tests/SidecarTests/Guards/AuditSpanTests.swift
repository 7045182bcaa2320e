import Pipeline
import Resilience
import Synchronization
import Telemetry
import Testing

@testable import Sidecar

/// The trail of the guards as traces.
@Suite struct AuditSpanTests {
    private struct Counter: RandomNumberGenerator {
        var number: UInt64 = 0

        mutating func next() -> UInt64 {
            number += 0x0101_0101_0101_0101
            return number
        }
    }

    /// Keeps what it is offered.
    private final class Basket: SpanSink {
        let spans = Mutex<[SpanRecord]>([])

        func offer(_ batch: inout [SpanRecord]) {
            let taken = batch
            spans.withLock { $0 += taken }
            batch.removeAll(keepingCapacity: true)
        }
    }

    private static func change(_ parameter: BreakerParameter, applied: Double) -> ThresholdChange {
        var evidence = ThresholdEvidence()
        evidence.calls = 10_000
        evidence.logLatencyMean = -4.6
        return ThresholdChange(
            unixSeconds: 1_767_225_600, parameter: parameter, old: 0.5, proposed: 0.08, applied: applied,
            limitedBy: applied == 0.5 ? .freeze : .step, actor: .auto, evidence: evidence, isShadow: false, version: 3,
            exemplarTraceID: 0xABC)
    }

    @Test("one span for each guard, a trace of its own, with an event for each change or refusal")
    func session() throws {
        let catalog = SpanCatalog()
        let basket = Basket()
        let broker = BrokerAddress(server: "redis.internal", port: 6379)
        let audit = AuditSpans(
            catalog: catalog, sink: basket, service: "checkout", listeners: [(system: "redis", broker: broker)])
        let orders = GuardKey(listener: 0, listenerName: "redis", operation: .publish, destination: "orders")
        let mails = GuardKey(listener: 0, listenerName: "redis", operation: .receive, destination: "mails", group: "g")
        audit.offer(
            [
                GuardRecord(
                    unixNanoseconds: 10, key: orders, what: .threshold(Self.change(.failureRate, applied: 0.35))),
                GuardRecord(unixNanoseconds: 10, key: mails, what: .warning("latency")),
                GuardRecord(
                    unixNanoseconds: 12, key: orders, what: .threshold(Self.change(.slowCallRate, applied: 0.5))),
            ])
        audit.offer([])
        let spans = basket.spans.withLock { $0 }
        #expect(spans.count == 2)
        let span = try #require(spans.first)
        let descriptor = catalog.descriptor(span.descriptor)
        #expect(
            descriptor.spanName == "tune orders" && descriptor.service == "checkout" && descriptor.system == "redis")
        #expect(span.kind == .internal && !span.parentSpanID.isValid && span.link == nil)
        #expect(span.flags.contains(.sampled) && span.spanID.isValid)
        #expect(span.startUnixNanoseconds == 10 && span.endUnixNanoseconds == 12)
        #expect(spans[1].traceID != span.traceID)
        let events = try #require(span.detail?.events)
        #expect(events.map(\.name.description) == ["tacho.threshold.changed", "tacho.threshold.refused"])
        let said = Dictionary(uniqueKeysWithValues: events[0].attributes.map { ($0.key.description, $0.value) })
        #expect(said["tacho.guard.key"] == .string("orders publish"))
        #expect(said["tacho.threshold.parameter"] == .string("failure_rate"))
        #expect(said["tacho.threshold.old"] == .double(0.5))
        #expect(said["tacho.threshold.proposed"] == .double(0.08))
        #expect(said["tacho.threshold.applied"] == .double(0.35))
        #expect(said["tacho.threshold.limited_by"] == .string("step"))
        #expect(said["tacho.threshold.direction"] == .string("tighten"))
        #expect(said["tacho.threshold.version"] == .integer(3))
        #expect(said["tacho.evidence.calls"] == .double(10_000))
        #expect(said["tacho.evidence.log_latency_mean"] == .double(-4.6))
        #expect(said["tacho.evidence.slow_quantile"] == nil)
        #expect(said["tacho.exemplar.trace_id"] == .string("00000000000000000000000000000abc"))
        #expect(spans[1].detail?.events.first?.name.description == "tacho.guard.warning")
    }

    @Test("what is learned in shadow is not told as a trace")
    func shadow() {
        let basket = Basket()
        let audit = AuditSpans(catalog: SpanCatalog(), sink: basket, service: "", listeners: [])
        var change = Self.change(.window, applied: 15)
        change.isShadow = true
        audit.offer([
            GuardRecord(
                unixNanoseconds: 1, key: GuardKey(listener: 0, listenerName: "x", operation: .upstream),
                what: .threshold(change))
        ])
        #expect(basket.spans.withLock { $0.isEmpty })
    }

    @Test("events are bounded, and those left out are counted")
    func bounded() {
        let audit = AuditSpans(catalog: SpanCatalog(), sink: Basket(), service: "", listeners: [])
        let key = GuardKey(listener: 4, listenerName: "x", operation: .upstream)
        let record = GuardRecord(
            unixNanoseconds: 1, key: key, what: .threshold(Self.change(.window, applied: 15)))
        var random = Counter()
        let spans = audit.spans(Array(repeating: record, count: 50), using: &random)
        #expect(spans.count == 1)
        #expect(spans[0].detail?.events.count == 32 && spans[0].detail?.droppedEventCount == 18)
    }
}
