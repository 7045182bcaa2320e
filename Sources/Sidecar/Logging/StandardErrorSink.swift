import Glibc
import Synchronization

/// Writes whole lines to a file descriptor and never waits: a reader that has stopped must not stop an event loop.
///
/// A pipe that is ready for writing takes 4,096 bytes (`PIPE_BUF`) without blocking, so each piece of that size is
/// written only after asking. A line that does not fit is lost and counted; the next one begins on a line of its own.
final class StandardErrorSink: Sendable {
    private let descriptor: Int32
    /// Whether the last line stopped in its middle.
    private let torn = Mutex(false)

    init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = descriptor }

    /// Whether a person is probably reading.
    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Writes `line` and a newline; false when it was lost, in whole or in part.
    func write(_ line: String) -> Bool {
        torn.withLock { torn in
            let bytes = Array(((torn ? "\n" : "") + line + "\n").utf8)
            var written = 0
            while written < bytes.count {
                let count = writePiece(bytes[written...].prefix(4096))
                guard count > 0 else {
                    torn = torn || written > 0
                    return false
                }
                written += count
            }
            torn = false
            return true
        }
    }

    /// The bytes that were taken; 0 when none can be taken now, or ever.
    private func writePiece(_ piece: ArraySlice<UInt8>) -> Int {
        while true {
            var question = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&question, 1, 0)
            // Without a reader a pipe is ready too, for a signal that would end the process.
            if ready == 0 || Int32(question.revents) & (POLLERR | POLLNVAL) != 0 { return 0 }
            let count = ready < 0 ? -1 : piece.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            return max(0, count)
        }
    }
}
