import Telemetry
import Testing

@testable import Pipeline

@Suite("Sampling, seen from the wire")
struct SamplingTranscriptTests {
    private static let id = "1699999999000-0"

    @Test("an error is kept although nothing else is")
    func error() {
        var wire = SamplingWire(SamplingBudget(spansPerSecond: 0))
        let sent = wire.client("XADD", "orders", "*", "item", "book")
        #expect(SamplingWire.fields(of: sent)[3].hasSuffix("-02"), "not sampled, as everyone downstream is told")
        wire.server("$15\r\n\(Self.id)\r\n")
        #expect(wire.spans().isEmpty)
        wire.client("XADD", "orders", "*", "item", "book")
        wire.server("-OOM command not allowed\r\n")
        let spans = wire.spans()
        #expect(spans.map(\.name) == ["xadd orders"])
        #expect(spans[0].span.reason == .error && spans[0].span.flags.contains(.sampled))
        #expect(spans[0].span.detail?.traceState == nil)
    }

    @Test("a redelivery brings its whole trace, without an orphan")
    func redelivery() {
        var wire = SamplingWire(SamplingBudget(spansPerSecond: 0))
        let sent = wire.client("XADD", "orders", "*", "item", "book")
        wire.server("$15\r\n\(Self.id)\r\n")
        let fields = SamplingWire.fields(of: sent)
        wire.client("XREADGROUP", "GROUP", "g", "alice", "STREAMS", "orders", ">")
        wire.server(SamplingWire.delivery("orders", Self.id, fields))
        wire.pass(milliseconds: 100)
        #expect(wire.spans().isEmpty)
        wire.client("XREADGROUP", "GROUP", "g", "alice", "STREAMS", "orders", "0")
        wire.server(SamplingWire.delivery("orders", Self.id, fields))
        let spans = wire.spans()
        #expect(
            spans.map(\.name) == ["xadd orders", "xreadgroup orders", "process orders", "xreadgroup orders"])
        wire.client("XACK", "orders", "g", Self.id)
        wire.server(":1\r\n")
        let late = wire.spans()
        #expect(late.map(\.name) == ["process orders", "xack orders"])
        let all = (spans + late).map(\.span)
        #expect(Set(all.map(\.traceID)).count == 1)
        #expect(all.allSatisfy { $0.reason == .redelivery })
        let producer = all[0]
        #expect(all.filter { !$0.parentSpanID.isValid }.map(\.spanID) == [producer.spanID])
        #expect(all[5].parentSpanID == all[4].spanID && all[4].parentSpanID == producer.spanID)
    }

    @Test("a delivery whose publication was not seen is a root that links to it")
    func foreignUnsampled() {
        var wire = SamplingWire(SamplingBudget(spansPerSecond: 1_000))
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
        let fields = ["traceparent", context, "tracestate", "ot=th:8"]
        wire.client("XREADGROUP", "GROUP", "g", "alice", "STREAMS", "orders", ">")
        wire.server(SamplingWire.delivery("orders", Self.id, fields))
        wire.client("XCLAIM", "orders", "g", "bob", "0", Self.id)
        wire.server(
            "*1\r\n*2\r\n$15\r\n\(Self.id)\r\n*4\r\n$11\r\ntraceparent\r\n$55\r\n\(context)\r\n"
                + "$1\r\na\r\n$1\r\nb\r\n")
        let all = wire.spans().map(\.span)
        #expect(all.count == 3)
        let present = Set(all.map(\.spanID))
        #expect(all.allSatisfy { !$0.parentSpanID.isValid || present.contains($0.parentSpanID) })
        #expect(all.allSatisfy { $0.link?.context.spanID.value == 0x00f0_67aa_0ba9_02b7 })
        #expect(all.allSatisfy { $0.detail?.traceState == nil })
        #expect(Set(all.map(\.traceID)).count == 3, "three roots are three traces")
    }

    @Test("dead letters are kept, by the name of where they are put")
    func deadLetter() {
        var wire = SamplingWire(SamplingBudget(spansPerSecond: 0))
        wire.client("XADD", "orders:dlq", "*", "item", "book")
        wire.server("$15\r\n\(Self.id)\r\n")
        #expect(wire.spans().map(\.span.reason) == [.deadLetter])
    }

    @Test("what takes longer than the destination's own p99 is kept")
    func slow() {
        var wire = SamplingWire(SamplingBudget(spansPerSecond: 0))
        func send(_ milliseconds: UInt64) {
            wire.client("XADD", "orders", "*", "item", "book")
            wire.pass(milliseconds: milliseconds)
            wire.server("$15\r\n\(Self.id)\r\n")
        }
        for _ in 0..<600 { send(2) }
        wire.lane.tick(at: wire.now)
        send(2)
        #expect(wire.spans().isEmpty)
        send(5)
        #expect(wire.spans().map(\.span.reason) == [.slow])
    }

    @Test("rules that are not wanted keep nothing")
    func rules() {
        var wire = SamplingWire(SamplingBudget(spansPerSecond: 0), rules: [.redelivery])
        wire.client("XADD", "orders:dlq", "*", "item", "book")
        wire.server("-OOM command not allowed\r\n")
        #expect(wire.spans().isEmpty)
    }

    @Test("the probability travels with the message, and strip takes it off again", arguments: [true, false])
    func probability(hasCorrelation: Bool) {
        var wire = SamplingWire(
            SamplingBudget(fixed: Sampler(.ratio(0.5))), rules: nil, deliver: .strip)
        var kept = 0
        for _ in 0..<40 {
            let own = hasCorrelation ? ["correlationid", "order-17"] : []
            let sent =
                hasCorrelation
                ? wire.client("XADD", "orders", "*", "item", "book", "correlationid", "order-17")
                : wire.client("XADD", "orders", "*", "item", "book")
            wire.server("$15\r\n\(Self.id)\r\n")
            let fields = SamplingWire.fields(of: sent)
            let names = stride(from: 0, to: fields.count, by: 2).map { fields[$0] }
            let isSampled = fields[names.firstIndex(of: "traceparent")! * 2 + 1].hasSuffix("3")
            let correlation = hasCorrelation ? [] : ["correlationid"]
            #expect(
                names.dropFirst(1 + own.count / 2)
                    == (["traceparent"] + (isSampled ? ["tracestate"] : []) + correlation)[...])
            let spans = wire.spans()
            #expect(spans.count == (isSampled ? 1 : 0))
            if isSampled {
                kept += 1
                #expect(fields[names.firstIndex(of: "tracestate")! * 2 + 1] == "ot=th:8")
                #expect(spans[0].span.detail?.traceState == "ot=th:8")
                #expect(spans[0].span.reason == .probability)
            }
            wire.client("XREADGROUP", "GROUP", "g", "alice", "STREAMS", "orders", ">")
            let seen = wire.server(SamplingWire.delivery("orders", Self.id, fields))
            #expect(seen == SamplingWire.delivery("orders", Self.id, ["item", "book"] + own))
            wire.client("XACK", "orders", "g", Self.id)
            wire.server(":1\r\n")
            let processed = wire.spans()
            #expect(processed.count == (isSampled ? 3 : 0))
            #expect(processed.allSatisfy { $0.span.detail?.traceState == "ot=th:8" })
        }
        #expect((10...30).contains(kept))
    }

    @Test("an application's tracestate is not doubled")
    func ownTraceState() {
        var wire = SamplingWire(SamplingBudget(fixed: Sampler(.ratio(0.999_999))), rules: nil)
        let sent = wire.client("XADD", "orders", "*", "tracestate", "vendor=1")
        let fields = SamplingWire.fields(of: sent)
        #expect(fields.filter { $0 == "tracestate" }.count == 1)
        #expect(fields[1] == "vendor=1")
    }

    @Test("a span counts once: as sampled when its trace is kept, otherwise when it is given up")
    func ledger() {
        var wire = SamplingWire(SamplingBudget(spansPerSecond: 0))
        for number in 0..<100 {
            wire.client("XADD", "orders", "*", "item", "book")
            wire.server(number % 10 == 0 ? "-ERR no\r\n" : "$15\r\n\(Self.id)\r\n")
        }
        let ring = wire.lane.shared.provisional!
        #expect(wire.spans().count == 10 && ring.count == 90 && ring.dismissed == 0)
        wire.pass(milliseconds: 10_001)
        wire.lane.tick(at: wire.now)
        #expect(wire.spans().isEmpty && ring.count == 0 && ring.dismissed == 90)
        #expect(wire.registry.total(of: MetricCatalog.spansNotSampled) == 0)
        #expect(wire.registry.total(of: MetricCatalog.spansKept) == 10)
    }
}
