import Dispatch

/// The time, waiting and chance of the export thread, in one value so that tests bring their own.
package struct ExportClock: Sendable {
    /// Nanoseconds on a clock that only moves forward.
    package var now: @Sendable () -> UInt64
    /// Returns after this many nanoseconds, or earlier when the signal was given.
    package var wait: @Sendable (WakeSignal, UInt64) -> Void
    /// Evenly distributed from 0 up to 1.
    package var random: @Sendable () -> Double

    package init(
        now: @escaping @Sendable () -> UInt64, wait: @escaping @Sendable (WakeSignal, UInt64) -> Void,
        random: @escaping @Sendable () -> Double
    ) {
        self.now = now
        self.wait = wait
        self.random = random
    }

    package static let system = ExportClock(
        now: { DispatchTime.now().uptimeNanoseconds },
        wait: { signal, nanoseconds in signal.wait(nanoseconds: nanoseconds) },
        random: { Double.random(in: 0..<1) })
}

/// Wakes the export thread. Signals are remembered until waited for, so none is lost; a waiter must look again at what
/// it waits for, because a signal may be an old one.
package final class WakeSignal: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    package init() {}

    package func signal() {
        semaphore.signal()
    }

    package func wait(nanoseconds: UInt64) {
        _ = semaphore.wait(timeout: .now() + .nanoseconds(Int(clamping: nanoseconds)))
    }
}
