import Synchronization
import Telemetry

/// What has happened, line by line: shown in the live view, or printed as it comes.
final class DemoStory: Sendable {
    struct Line: Sendable {
        var time: String
        var text: String
        var role: TerminalStyle.Role?
    }

    private static let linesMax = 50

    private let lines = Mutex<[Line]>([])
    private let clock: @Sendable () -> UInt64
    private let onLine: @Sendable (Line) -> Void

    /// `clock` gives the Unix time in nanoseconds; `onLine` is called with each line at once.
    init(clock: @escaping @Sendable () -> UInt64, onLine: @escaping @Sendable (Line) -> Void) {
        self.clock = clock
        self.onLine = onLine
    }

    func tell(_ text: String, _ role: TerminalStyle.Role? = nil) {
        let time = String(UTCTime.text(unixNanoseconds: clock(), .milliseconds).dropFirst(11).prefix(8))
        let line = Line(time: time, text: text, role: role)
        lines.withLock { lines in
            lines.append(line)
            if lines.count > Self.linesMax { lines.removeFirst() }
        }
        onLine(line)
    }

    func last(_ count: Int) -> [Line] { lines.withLock { Array($0.suffix(count)) } }
}
