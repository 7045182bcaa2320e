import Export
import Synchronization

/// Time that passes only when somebody waits, and a record of the waits.
final class FakeClock: Sendable {
    private struct State {
        var now: UInt64 = 1_000_000_000
        var waits: [UInt64] = []
    }

    private let state = Mutex(State())

    var now: UInt64 { state.withLock { $0.now } }

    /// Nanoseconds of each wait so far.
    var waits: [UInt64] { state.withLock { $0.waits } }

    func advance(_ nanoseconds: UInt64) {
        state.withLock { $0.now += nanoseconds }
    }

    /// - Parameter waited: Called at each wait, before it ends; stands for what other threads do meanwhile.
    func clock(random: Double = 0.5, waited: @escaping @Sendable (UInt64) -> Void = { _ in }) -> ExportClock {
        ExportClock(
            now: { self.now },
            wait: { _, nanoseconds in
                self.state.withLock { state in
                    state.waits.append(nanoseconds)
                    state.now += nanoseconds
                }
                waited(nanoseconds)
            },
            random: { random })
    }
}
