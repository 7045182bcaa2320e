import Foundation
import Synchronization

/// Lets work that goes on for ever end in order when somebody presses Control-C, or the system asks (SIGTERM).
enum Interruption {
    /// All that a signal handler may do is to set this.
    private static let hasCome = Atomic(false)

    /// From now on the two signals end nothing by themselves.
    static func expect() {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in Interruption.hasCome.store(true, ordering: .relaxed) } }
    }

    /// Whether one of them has come.
    static var isThere: Bool { hasCome.load(ordering: .relaxed) }

    /// Waits so long, or until one comes.
    static func wait(seconds: Double) {
        let end = ProcessInfo.processInfo.systemUptime + seconds
        while !isThere {
            let left = end - ProcessInfo.processInfo.systemUptime
            guard left > 0 else { return }
            usleep(UInt32(min(left, 0.05) * 1e6) + 1)
        }
    }
}
