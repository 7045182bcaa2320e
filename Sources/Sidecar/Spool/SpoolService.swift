import EventLog
import Logging
import Pipeline
import Proxy
import ServiceLifecycle

/// Holds the spool open while the process runs. It stops after the listeners: what they have handed over is answered
/// before.
final class SpoolService: Service {
    /// What sessions and forwarders work with.
    let spool: Spool
    private let log: DurableLog

    /// Opens the spool below the data directory and counts what an earlier process has left in it. Throws `LogError` and
    /// `SpoolFailure`.
    init(configuration: SidecarConfiguration, limits: SpoolLimits, logger: Logger) async throws {
        let directory = configuration.dataDirectory
        try EventLogService.makeDirectory(directory)
        let clock: @Sendable () -> UInt64 = { SystemClock.unixNanoseconds() / 1_000_000 }
        log = try DurableLog(directory: directory + "/spool") { Int64(clamping: clock()) }
        let store = SpoolLog(log: log, clock: clock)
        let left = try await store.contents()
        spool = Spool(
            limits: limits, store: store, left: left.waiting, setAside: left.setAside,
            random: .random(in: 0...UInt64.max), unixNanoseconds: SystemClock.unixNanoseconds())
        let known = Set(configuration.listeners.map(\.name))
        for (key, messages, _) in left.waiting {
            let metadata: Logger.Metadata = [
                "listener": "\(key.listener)", "stream": "\(String(decoding: key.stream, as: UTF8.self))",
                "messages": "\(messages)",
            ]
            if known.contains(key.listener) {
                logger.notice("spooled messages of an earlier run are sent on", metadata: metadata)
            } else {
                logger.warning("spooled messages wait for a listener that is not there", metadata: metadata)
            }
        }
    }

    func run() async throws {
        // Throws when another service has failed; the spool is closed all the same.
        try? await gracefulShutdown()
        log.close()
    }
}
