import Export
import Telemetry
import TestSupport
import Testing

@Suite("OTLP encoder")
struct OTLPEncoderTests {
    let world = SpanWorld()

    @Test("One span says all that is known of it")
    func oneSpan() throws {
        var record = world.record(0x0102)
        record.parentSpanID = SpanID(0xab)
        record.error = world.names.intern("WRONGTYPE")
        record.attempt = 2
        record.queueNanoseconds = 1_500_000_000
        record.outcome = .redelivered
        record.link = SpanLink(
            context: TraceContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), flags: .sampled),
            messageID: .streamEntry(milliseconds: 5, sequence: 0), queueNanoseconds: 250_000_000)
        record.detail = SpanDetail(traceState: "ot=th:8", statusMessage: "wrong kind of value")

        let request = try encoded([record])
        let resource = try #require(request.resources.first)
        #expect(
            resource.attributes == [
                "service.name": .string("checkout"), "host.name": .string("host-1"),
                "service.instance.id": .string("instance-1"), "telemetry.distro.name": .string("tachograph"),
                "telemetry.distro.version": .string("0.1.0"), "telemetry.sdk.name": .string("tachograph"),
                "telemetry.sdk.language": .string("swift"), "telemetry.sdk.version": .string("0.1.0"),
            ])
        #expect(resource.scope == ["tachograph", "0.1.0", "https://opentelemetry.io/schemas/1.44.0"])
        let span = try #require(request.spans.first)
        #expect(span.traceID == "00000000000000070000000000000102")
        #expect(span.spanID == "0000000000000102")
        #expect(span.parentSpanID == "00000000000000ab")
        #expect(span.name == "xadd orders")
        #expect(span.kind == 4)
        #expect(span.end - span.start == 250_000)
        #expect(span.traceState == "ot=th:8")
        #expect(span.flags == 0x303)
        #expect(span.statusCode == 2)
        #expect(span.statusMessage == "wrong kind of value")
        #expect(
            span.attributes == [
                "messaging.system": .string("redis"), "messaging.operation.name": .string("xadd"),
                "messaging.operation.type": .string("send"), "messaging.destination.name": .string("orders"),
                "server.address": .string("redis.internal"), "server.port": .integer(6379),
                "network.peer.address": .string("10.0.0.7"), "network.peer.port": .integer(6379),
                "peer.service": .string("redis"), "service.peer.name": .string("redis"),
                "messaging.message.id": .string("1700000000000-258"),
                "messaging.message.conversation_id": .string("00000000000000070000000000000102"),
                "messaging.client.id": .string("app-1"), "messaging.message.body.size": .integer(142),
                "error.type": .string("WRONGTYPE"), "tacho.delivery.attempt": .integer(2),
                "tacho.queue.seconds": .double(1.5), "tacho.outcome": .string("redelivered"),
            ])
        let link = try #require(span.links.first)
        #expect(link.spanID == "0000000000000003")
        #expect(link.flags == 0x301)
        #expect(
            link.attributes == ["messaging.message.id": .string("5-0"), "tacho.queue.seconds": .double(0.25)])
    }

    @Test("A successful root has no status, no parent and no remote bit")
    func successfulRoot() throws {
        let span = try #require(try encoded([world.record()]).spans.first)
        #expect(span.statusCode == nil)
        #expect(span.parentSpanID.isEmpty)
        #expect(span.flags == 0x103)
    }

    @Test("Any records decode to what a full pack of the same records decodes to", arguments: 0..<25 as Range<UInt64>)
    func equalsFullPack(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var records = (0..<150).map { _ in world.random(&generator) }
        var encoder = OTLPEncoder(configuration: world.configuration, names: world.names, catalog: world.catalog)
        encoder.groupByService(&records)
        let reference = OTLPFullEncoder(
            configuration: world.configuration, names: world.names, catalog: world.catalog)
        var start = 0
        while start < records.count {
            let count = encoder.encode(records, from: start)
            try #require(count > 0)
            let request = try DecodedRequest(Array(encoder.bytes))
            #expect(try request == DecodedRequest(reference.encode(Array(records[start..<start + count]))))
            #expect(Set(request.resources.map { $0.attributes["service.name"] }).count == request.resources.count)
            start += count
        }
    }

    @Test("Services get envelopes of their own with the same host")
    func services() throws {
        let request = try encoded([
            world.record(1, service: "a"), world.record(2, service: "b"), world.record(3, service: "a"),
            world.record(4, service: ""),
        ])
        #expect(
            request.resources.map { $0.attributes["service.name"] } == [
                .string("a"), .string("b"), .string("fallback"),
            ])
        #expect(request.resources.map(\.spans.count) == [2, 1, 1])
        #expect(request.resources.allSatisfy { $0.attributes["host.name"] == .string("host-1") })
    }

    @Test("Configured resource attributes replace ours, but never the service's name")
    func configuredResource() {
        var configuration = world.configuration
        configuration.resourceAttributes = [
            ResourceAttribute(key: "service.name", value: "not this"),
            ResourceAttribute(key: "host.name", value: "node-9"),
            ResourceAttribute(key: "deployment.environment.name", value: "test"),
        ]
        let resource = configuration.resource(ofService: "checkout")
        #expect(resource.filter { $0.key == "service.name" }.map(\.value) == ["checkout"])
        #expect(resource.filter { $0.key == "host.name" }.map(\.value) == ["node-9"])
        #expect(resource.last == ResourceAttribute(key: "deployment.environment.name", value: "test"))
    }

    @Test("A request takes as many spans as its size permits, and no empty envelope")
    func sizeLimit() throws {
        var configuration = world.configuration
        configuration.requestBytesMax = 2_000
        var encoder = OTLPEncoder(configuration: configuration, names: world.names, catalog: world.catalog)
        let records = [world.record(1), world.record(2), world.record(3, service: "b"), world.record(4, service: "b")]
        var start = 0
        var spans: [String] = []
        while start < records.count {
            let count = encoder.encode(records, from: start)
            try #require(count > 0)
            #expect(encoder.bytes.count <= 2_000)
            let request = try DecodedRequest(Array(encoder.bytes))
            #expect(request.resources.allSatisfy { !$0.spans.isEmpty })
            spans += request.spans.map(\.spanID)
            start += count
        }
        #expect(spans == (1...4).map { "000000000000000\($0)" })
    }

    @Test("A span that alone exceeds the limit is refused, and those around it are not")
    func oversize() {
        var configuration = world.configuration
        configuration.requestBytesMax = 2_000
        var encoder = OTLPEncoder(configuration: configuration, names: world.names, catalog: world.catalog)
        var large = world.record(2)
        large.detail = SpanDetail(traceState: String(repeating: "x", count: 3_000))
        let records = [world.record(1), large, world.record(3)]
        #expect(encoder.encode(records, from: 0) == 1)
        #expect(encoder.encode(records, from: 1) == 0)
        #expect(encoder.encode(records, from: 2) == 1)
    }

    @Test("A NUL in a destination cannot cut the name short")
    func nul() throws {
        let descriptor = world.catalog.intern(
            SpanDescriptor(
                service: "s", system: "redis", operation: "xadd", operationType: .send, destination: "a\0b",
                broker: BrokerAddress(server: "h", port: 1)))
        var record = world.record()
        record.descriptor = descriptor
        #expect(try encoded([record]).spans.first?.name == "xadd a\u{fffd}b")
    }

    private func encoded(_ records: [SpanRecord]) throws -> DecodedRequest {
        var records = records
        var encoder = OTLPEncoder(configuration: world.configuration, names: world.names, catalog: world.catalog)
        encoder.groupByService(&records)
        #expect(encoder.encode(records) == records.count)
        return try DecodedRequest(Array(encoder.bytes))
    }
}
