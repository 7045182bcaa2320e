import Glibc
import Synchronization

/// Draws frames over each other on standard output, without leaving the screen that the user is on: the last frame
/// stays where it is, and what comes after it is written below.
final class LiveTerminal: Sendable {
    private let drawn = Mutex(0)

    /// Columns and rows of the terminal; those of old where it does not say.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Puts these lines where the last ones were. What does not fit the screen is left out, since lines that have
    /// scrolled away can not be drawn over.
    func draw(_ lines: [String]) {
        let lines = lines.prefix(max(1, Self.size.rows - 1))
        let before = drawn.withLock { drawn in
            defer { drawn = lines.count }
            return drawn
        }
        var text = before > 0 ? "\u{1B}[\(before)F" : ""
        for line in lines { text += line + "\u{1B}[K\n" }
        text += "\u{1B}[J"
        print(text, terminator: "")
        fflush(nil)
    }
}
