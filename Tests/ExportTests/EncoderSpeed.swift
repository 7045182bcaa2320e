import Dispatch
import Export
import Foundation
import Telemetry
import Testing

/// Measures, and asserts nothing. Of use in a release build only:
/// `TACHO_MEASURE=1 swift test -c release -Xswiftc -enable-testing --filter EncoderSpeed`.
@Suite("EncoderSpeed", .enabled(if: ProcessInfo.processInfo.environment["TACHO_MEASURE"] != nil))
struct EncoderSpeed {
    @Test("Nanoseconds for a span of a dozen attributes, a quarter of the spans with a link")
    func nanosecondsPerSpan() {
        let world = SpanWorld()
        var records = world.records(512)
        for index in records.indices {
            records[index].parentSpanID = SpanID(9)
            records[index].queueNanoseconds = 1_234_567
            if index % 4 == 0 {
                records[index].link = SpanLink(
                    context: TraceContext(traceID: records[index].traceID, spanID: SpanID(5), flags: .sampled))
            }
        }
        let attributes = try? DecodedRequest(encoded(world, records)).spans.first?.attributes.count
        var encoder = OTLPEncoder(configuration: world.configuration, names: world.names, catalog: world.catalog)
        var rounds: [Double] = []
        for _ in 0..<2_000 {
            let start = DispatchTime.now().uptimeNanoseconds
            let count = encoder.encode(records)
            let end = DispatchTime.now().uptimeNanoseconds
            rounds.append(Double(end - start) / Double(count))
        }
        rounds.sort()
        let median = rounds[rounds.count / 2]
        print(
            """
            encoder: \(attributes ?? 0) attributes, \(encoder.bytes.count / records.count) bytes a span, \
            median \(median) ns, p99 \(rounds[rounds.count * 99 / 100]) ns, \
            \((1_000 / median * 100).rounded() / 100) million spans a second
            """)
    }

    @Test("Nanoseconds for a span to be offered and taken")
    func nanosecondsOfTheQueue() {
        let world = SpanWorld()
        let queue = SpanQueue(capacity: 65_536)
        let source = world.records(16)
        var taken: [SpanRecord] = []
        var batch: [SpanRecord] = []
        let rounds = 100_000
        let start = DispatchTime.now().uptimeNanoseconds
        for round in 0..<rounds {
            batch.append(contentsOf: source)
            queue.offer(&batch)
            if round % 256 == 255 {
                _ = queue.nextBatch(into: &taken, limit: 4_096, delayNanoseconds: 0, clock: .system)
                queue.settle(exported: taken.count)
                taken.removeAll(keepingCapacity: true)
            }
        }
        let elapsed = DispatchTime.now().uptimeNanoseconds - start
        print(
            "queue: \(Double(elapsed) / Double(rounds * source.count)) ns a span, "
                + "\(MemoryLayout<SpanRecord>.stride) bytes a record")
    }

    @Test(
        "Processor time of the export thread for each span, receiver not included",
        arguments: [.none, .gzip] as [ExportCompression])
    func nanosecondsOfTheExportThread(compression: ExportCompression) async throws {
        try await ScriptedReceiver.with { receiver in
            let run = ExportRun(receiver.endpoint) { $0.compression = compression }
            let records = run.world.records(60_000)
            let start = threadNanoseconds()
            run.export(records)
            let spent = Double(threadNanoseconds() - start) / Double(records.count)
            let bytes = run.observations.map(\.bytes).reduce(0, +) / records.count
            print("export, compression \(compression): \(spent) ns and \(bytes) bytes a span")
        }
    }

    private func threadNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func encoded(_ world: SpanWorld, _ records: [SpanRecord]) -> [UInt8] {
        var encoder = OTLPEncoder(configuration: world.configuration, names: world.names, catalog: world.catalog)
        _ = encoder.encode(records)
        return Array(encoder.bytes)
    }
}
