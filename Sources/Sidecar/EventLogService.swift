import EventLog
import Glibc
import Proxy
import ServiceLifecycle

/// Holds the embedded event log open while the process runs. It stops after the listeners and the HTTP server: what
/// they have handed over is answered before.
final class EventLogService: Service {
    /// What listeners connect to.
    let redis: EmbeddedRedis
    /// What the HTTP and WebSocket faces speak to.
    let log: DurableLog

    /// Opens the log below the data directory. Throws `LogError`.
    init(dataDirectory: String) throws {
        try Self.makeDirectory(dataDirectory)
        log = try DurableLog(directory: dataDirectory + "/events") { Int64(clamping: Self.unixMilliseconds()) }
        redis = EmbeddedRedis(store: log) { Self.unixMilliseconds() }
    }

    /// The directory may be missing at the first start, and all of its parents with it.
    static func makeDirectory(_ path: String) throws(LogError) {
        var prefix = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            prefix += "/" + part
            guard mkdir(prefix, 0o700) != 0, errno != EEXIST else { continue }
            throw .directoryUnusable(path: path, reason: String(cString: strerror(errno)))
        }
    }

    private static func unixMilliseconds() -> UInt64 { SystemClock.unixNanoseconds() / 1_000_000 }

    func run() async throws {
        // Throws when another service has failed; the log is closed all the same.
        try? await gracefulShutdown()
        log.close()
    }
}
