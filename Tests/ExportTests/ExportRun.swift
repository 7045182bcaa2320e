import Export
import Foundation
import Logging
import Synchronization
import Telemetry

/// One run of the export worker on the test's own thread: spans in, until all of them are settled.
final class ExportRun {
    let world = SpanWorld()
    let log = CollectedLog()
    private let configuration: ExportConfiguration
    private let queue = SpanQueue(capacity: 65_536)
    private let seen = Mutex<[ExportObservation]>([])
    private let time = FakeClock()

    init(_ endpoint: String, configure: (inout ExportConfiguration) -> Void = { _ in }) {
        var configuration = ExportConfiguration(endpoint: endpoint)
        configure(&configuration)
        self.configuration = configuration
    }

    var ledger: SpanLedger { queue.snapshot() }
    var observations: [ExportObservation] { seen.withLock { $0 } }
    var outcomes: [ExportOutcome] { observations.map(\.outcome) }

    /// Milliseconds of each pause between attempts, without jitter.
    var retryDelays: [UInt64] { time.waits.map { $0 / 1_000_000 } }

    func export(_ count: Int) {
        export(world.records(count))
    }

    func export(_ records: [SpanRecord]) {
        var records = records
        queue.offer(&records)
        // The first batch must not wait for the schedule, which would count as a pause.
        queue.flush()
        let queue = queue
        let recorder = Recorder()
        var worker = ExportWorker(
            configuration: configuration, queue: queue, names: world.names, catalog: world.catalog,
            clock: time.clock(), logger: log.logger,
            observe: { observation in
                recorder.add(observation)
                // Once the first request is settled there is nothing to repeat, and the worker may end.
                if case .retried = observation.outcome { return }
                queue.beginDrain(deadline: .max)
            })
        worker.run()
        seen.withLock { $0 = recorder.observations }
    }

    private final class Recorder: Sendable {
        private let state = Mutex<[ExportObservation]>([])

        var observations: [ExportObservation] { state.withLock { $0 } }

        func add(_ observation: ExportObservation) {
            state.withLock { $0.append(observation) }
        }
    }
}

/// Log lines as text, with their metadata.
final class CollectedLog: Sendable {
    private let state = Mutex<[String]>([])

    var lines: [String] { state.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "export") { _ in Handler(log: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let log: CollectedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(separator: " ")
            log.state.withLock { $0.append("\(event.level) \(event.message) \(fields)") }
        }
    }
}

enum HTTPDate {
    /// The form of RFC 9110, section 5.6.7.
    static func text(secondsFromNow seconds: Int) -> String {
        var time = time_t(Date().timeIntervalSince1970) + seconds
        var parts = tm()
        gmtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 64)
        strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
