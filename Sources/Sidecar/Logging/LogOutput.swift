public import Logging
import Proxy
import Synchronization

/// Where the log lines of the process go, and how many of each kind.
///
/// Every place in the code that logs has a token bucket of its own, for lines of level info and above: whatever a peer
/// does, it causes a burst of lines and then one a second, and the next line says how many were left out. Levels below
/// info are a person's choice and are not limited.
public final class LogOutput: Sendable {
    /// Why a line is not in the log.
    public enum Loss: String, Sendable, CaseIterable {
        /// Too many of its kind.
        case suppressed
        /// The reader of standard error did not keep up.
        case unwritable
    }

    /// A line in the source code that logs.
    private struct CallSite: Hashable {
        let file: String
        let line: UInt
    }

    private let format: LogLine.Format
    private let limiter = Mutex(LogLineLimiter<CallSite>())
    private let onLoss: @Sendable (Loss) -> Void
    private let write: @Sendable (String) -> Bool
    private let wallNanoseconds: @Sendable () -> UInt64
    private let monotonicNanoseconds: @Sendable () -> UInt64

    /// Standard error: text on a terminal, JSON otherwise.
    ///
    /// - Parameter onLoss: called for every lost line, on the thread that logged it.
    public static func standardError(onLoss: @escaping @Sendable (Loss) -> Void = { _ in }) -> LogOutput {
        let sink = StandardErrorSink()
        return LogOutput(
            format: sink.isTerminal ? .text : .json, onLoss: onLoss, write: sink.write,
            wallNanoseconds: { SystemClock.unixNanoseconds() },
            monotonicNanoseconds: { SystemClock.monotonicNanoseconds() })
    }

    /// - Parameter write: takes a line without its newline; false when it was lost.
    init(
        format: LogLine.Format, onLoss: @escaping @Sendable (Loss) -> Void = { _ in },
        write: @escaping @Sendable (String) -> Bool,
        wallNanoseconds: @escaping @Sendable () -> UInt64, monotonicNanoseconds: @escaping @Sendable () -> UInt64
    ) {
        self.format = format
        self.onLoss = onLoss
        self.write = write
        self.wallNanoseconds = wallNanoseconds
        self.monotonicNanoseconds = monotonicNanoseconds
    }

    /// A logger that writes here.
    public func logger(label: String = "tacho", level: Logger.Level) -> Logger {
        Logger(label: label) { _ in LogOutputHandler(output: self, logLevel: level) }
    }

    fileprivate func log(_ event: LogEvent, metadata: Logger.Metadata) {
        var metadata = metadata
        if event.level >= .info {
            let site = CallSite(file: event.file, line: event.line)
            let now = monotonicNanoseconds()
            let permit = limiter.withLock { $0.permits(kind: site, now: now) }
            guard case .write(let suppressed) = permit else { return onLoss(.suppressed) }
            if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        }
        let line = LogLine.render(
            level: event.level, message: event.message.description, metadata: metadata, time: wallNanoseconds(),
            format: format)
        if !write(line) { onLoss(.unwritable) }
    }
}

/// The face of a `LogOutput` towards the logging interface: a value with a level and standing metadata.
struct LogOutputHandler: LogHandler {
    let output: LogOutput
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var merged = metadata
        merged.merge(metadataProvider?.get() ?? [:]) { $1 }
        merged.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error { merged["error"] = "\(error)" }
        output.log(event, metadata: merged)
    }
}
