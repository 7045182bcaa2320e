import Synchronization

@testable import Telemetry

/// Tables, records and events for tests of what people look at.
struct WatchWorld {
    let names = NameTable(capacity: 100)
    let catalog = SpanCatalog()

    /// 2026-01-02T03:04:05.123456Z
    static let start: UInt64 = 1_767_323_045_123_456_000

    func descriptor(
        _ operation: String, _ type: OperationType, _ destination: String, group: String = "", template: String = "",
        service: String = "shop"
    ) -> SpanDescriptorID {
        catalog.intern(
            SpanDescriptor(
                service: service, system: "redis", operation: operation, operationType: type, destination: destination,
                template: template, group: group, broker: BrokerAddress(server: "127.0.0.1", port: 6379)))
    }

    func record(
        trace: UInt64, span: UInt64, parent: UInt64 = 0, at offset: UInt64 = 0, took: UInt64 = 1_000,
        kind: SpanKind = .producer, _ descriptor: SpanDescriptorID? = nil
    ) -> SpanRecord {
        var record = SpanRecord(
            descriptor: descriptor ?? self.descriptor("xadd", .send, "orders"), kind: kind,
            traceID: TraceID(high: 0, low: trace), spanID: SpanID(span), flags: [.sampled, .random],
            startUnixNanoseconds: Self.start + offset, endUnixNanoseconds: Self.start + offset + took)
        record.parentSpanID = SpanID(parent)
        return record
    }

    func event(
        _ stage: TapEvent.Stage = .published, seconds: UInt64 = 0, _ destination: String = "orders",
        template: String = ""
    ) -> TapEvent {
        TapEvent(
            stage, unixNanoseconds: Self.start + seconds * 1_000_000_000, listener: 0,
            descriptor: descriptor("xadd", .send, destination, template: template),
            traceID: TraceID(high: 0, low: 0xabc), isSampled: false)
    }

    static func link(_ trace: UInt64, _ span: UInt64) -> SpanLink {
        SpanLink(
            context: TraceContext(traceID: TraceID(high: 0, low: trace), spanID: SpanID(span), flags: [.sampled]))
    }
}

/// Collects what comes by.
final class CollectingSink: SpanSink {
    let records = Mutex<[SpanRecord]>([])

    func offer(_ batch: inout [SpanRecord]) {
        let taken = batch
        batch.removeAll(keepingCapacity: true)
        records.withLock { $0 += taken }
    }
}
