import Export
import Telemetry
import TestSupport

/// Tables and random records for tests of everything behind the span sink.
struct SpanWorld {
    let names = NameTable(capacity: 200)
    let catalog = SpanCatalog()
    var configuration = ExportConfiguration(endpoint: OTLPEndpoint.standard)

    init() {
        configuration.hostName = "host-1"
        configuration.instanceID = "instance-1"
        configuration.serviceName = "fallback"
    }

    /// A plain XADD span, unlike all others by its number.
    func record(_ number: UInt64 = 1, service: String = "checkout") -> SpanRecord {
        let descriptor = catalog.intern(
            SpanDescriptor(
                service: service, system: "redis", operation: "xadd", operationType: .send, destination: "orders",
                broker: BrokerAddress(server: "redis.internal", port: 6379, peer: "10.0.0.7", peerPort: 6379)))
        var record = SpanRecord(
            descriptor: descriptor, kind: .producer, traceID: TraceID(high: 7, low: number), spanID: SpanID(number),
            flags: [.sampled, .random], startUnixNanoseconds: 1_700_000_000_000_000_000,
            endUnixNanoseconds: 1_700_000_000_000_250_000)
        record.messageID = .streamEntry(milliseconds: 1_700_000_000_000, sequence: number)
        record.client = names.intern("app-1")
        record.bodySize = 142
        record.conversationIsTraceID = true
        return record
    }

    func records(_ count: Int) -> [SpanRecord] {
        (0..<count).map { record(UInt64($0) + 1) }
    }

    func random(_ generator: inout SeededGenerator) -> SpanRecord {
        let descriptor = catalog.intern(randomDescriptor(&generator))
        func maybe(_ share: Int = 2) -> Bool { Int.random(in: 0..<share, using: &generator) == 0 }
        let start = UInt64.random(in: 0...(.max), using: &generator)
        var record = SpanRecord(
            descriptor: descriptor,
            kind: [.internal, .client, .producer, .consumer].randomElement(using: &generator) ?? .client,
            traceID: TraceID(high: generator.next(), low: generator.next()), spanID: SpanID(generator.next()),
            flags: TraceFlags(rawValue: UInt8.random(in: 0...3, using: &generator)), startUnixNanoseconds: start,
            endUnixNanoseconds: maybe(10) ? start &- 5 : start &+ generator.next() % 1_000_000_000)
        if maybe() { record.parentSpanID = SpanID(generator.next()) }
        if maybe(3) { record.error = names.intern(randomText(&generator, words: 20)) }
        if maybe() { record.consumer = names.intern(randomText(&generator, words: 20)) }
        if maybe() { record.client = names.intern(randomText(&generator, words: 20)) }
        if maybe() { record.messageID = randomMessageID(&generator) }
        record.outcome = SpanOutcome.allCases.randomElement(using: &generator) ?? .unremarkable
        record.fallback = SpanFallback.allCases.randomElement(using: &generator) ?? .none
        record.deadLetter = DeadLetterReason.allCases.randomElement(using: &generator) ?? .none
        if maybe() { record.redeliveryDelayMilliseconds = UInt32.random(in: 0...(.max), using: &generator) }
        if maybe() { record.attempt = UInt32.random(in: 0...(.max), using: &generator) }
        if maybe() { record.batchCount = UInt32.random(in: 0...300, using: &generator) }
        if maybe() { record.bodySize = Int64.random(in: -1...(.max), using: &generator) }
        if maybe() { record.queueNanoseconds = Int64.random(in: (.min)...(.max), using: &generator) }
        record.conversationIsTraceID = maybe()
        record.causality = SpanCausality.allCases.randomElement(using: &generator) ?? .none
        if maybe() { record.link = randomLink(&generator) }
        if maybe(4) { record.detail = randomDetail(&generator) }
        return record
    }

    private func randomDescriptor(_ generator: inout SeededGenerator) -> SpanDescriptor {
        func maybe() -> Bool { Bool.random(using: &generator) }
        let types: [OperationType] = [.create, .send, .receive, .process, .settle]
        return SpanDescriptor(
            service: ["", "checkout", "billing"].randomElement(using: &generator) ?? "",
            system: ["redis", "nats"].randomElement(using: &generator) ?? "",
            operation: ["xadd", "xack", "process"].randomElement(using: &generator) ?? "",
            operationType: Bool.random(using: &generator) ? types.randomElement(using: &generator) : nil,
            destination: maybe() ? randomText(&generator, words: 3) : "",
            template: maybe() ? "orders.*" : "", group: maybe() ? randomText(&generator, words: 2) : "",
            broker: BrokerAddress(
                server: maybe() ? "redis.internal" : "/run/redis.sock", port: maybe() ? 6379 : 0,
                peer: maybe() ? "10.0.0.7" : "", peerPort: maybe() ? 6379 : 0))
    }

    private func randomDetail(_ generator: inout SeededGenerator) -> SpanDetail {
        let linkCount = [0, 0, 0, 0, 1, 1, 3, 3, 3, 150].randomElement(using: &generator) ?? 0
        return SpanDetail(
            moreLinks: (0..<linkCount).map { _ in randomLink(&generator) },
            droppedLinkCount: Bool.random(using: &generator) ? UInt32.random(in: 0...(.max), using: &generator) : 0,
            conversationID: Bool.random(using: &generator) ? randomText(&generator, words: 400) : nil,
            traceState: Bool.random(using: &generator) ? "ot=th:8,vendor=\(randomText(&generator, words: 30))" : nil,
            statusMessage: randomText(&generator, words: generator.next() % 10 == 0 ? 9000 : 20),
            events: (0..<([0, 0, 1, 2, 16].randomElement(using: &generator) ?? 0)).map { _ in randomEvent(&generator) },
            droppedEventCount: Bool.random(using: &generator) ? UInt32.random(in: 0...(.max), using: &generator) : 0)
    }

    private func randomEvent(_ generator: inout SeededGenerator) -> SpanEvent {
        let values: [AttributeValue] = [
            .string(randomText(&generator, words: generator.next() % 10 == 0 ? 6000 : 20)),
            .integer(Int64(bitPattern: generator.next())), .integer(-1), .integer(0), .double(0.25),
        ]
        let keys: [StaticString] = ["tacho.threshold.old", "a", "tacho.evidence.log_latency_variance"]
        return SpanEvent(
            unixNanoseconds: generator.next(), name: generator.next() % 2 == 0 ? "tacho.threshold" : "e",
            attributes: (0..<Int(generator.next() % 20)).map { _ in
                (
                    keys[Int(generator.next() % UInt64(keys.count))],
                    values[Int(generator.next() % UInt64(values.count))]
                )
            })
    }

    private func randomLink(_ generator: inout SeededGenerator) -> SpanLink {
        SpanLink(
            context: TraceContext(
                traceID: TraceID(high: generator.next(), low: generator.next()), spanID: SpanID(generator.next()),
                flags: TraceFlags(rawValue: UInt8.random(in: 0...3, using: &generator))),
            messageID: Bool.random(using: &generator) ? randomMessageID(&generator) : .none,
            queueNanoseconds: Bool.random(using: &generator) ? Int64.random(in: 0...(.max), using: &generator) : .min,
            isCandidate: Bool.random(using: &generator))
    }

    private func randomMessageID(_ generator: inout SeededGenerator) -> MessageID {
        let shift = UInt64.random(in: 0...63, using: &generator)
        return .streamEntry(milliseconds: generator.next() >> shift, sequence: generator.next() >> (63 - shift))
    }

    /// Up to `words` pieces of one to four bytes each.
    private func randomText(_ generator: inout SeededGenerator, words: Int) -> String {
        let pieces = ["a", "Z9", "é", "日本", "🦊", " ", ".", "\u{7f}"]
        return (0..<Int.random(in: 0...words, using: &generator))
            .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
    }
}
