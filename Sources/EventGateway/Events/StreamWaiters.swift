import Synchronization

/// Lets tasks wait for something new in a stream, so many at once: long polls and followers.
final class StreamWaiters: Sendable {
    private let changes: StreamChanges
    /// More are refused.
    private let limit: Int
    private let count = Atomic(0)

    /// - Parameter limit: how many may wait at once.
    init(_ changes: StreamChanges, limit: Int) {
        self.changes = changes
        self.limit = limit
    }

    /// Begins to wait; nil when too many do. What changes from now on is noticed, also before `Ticket.wait`.
    func enter(_ stream: [UInt8], group: [UInt8]? = nil) -> Ticket? {
        guard count.add(1, ordering: .relaxed).newValue <= limit else {
            count.subtract(1, ordering: .relaxed)
            return nil
        }
        let signal = Signal()
        return Ticket(self, signal, changes.observe(stream, group: group) { signal.give() })
    }

    /// One who waits, until nobody keeps it: an answer whose body is never written, as to HEAD or to a client that has
    /// gone, must not take a place for good.
    final class Ticket: Sendable {
        private let waiters: StreamWaiters
        private let signal: Signal
        private let observation: StreamChanges.Observation

        fileprivate init(_ waiters: StreamWaiters, _ signal: Signal, _ observation: StreamChanges.Observation) {
            self.waiters = waiters
            self.signal = signal
            self.observation = observation
        }

        deinit { waiters.count.subtract(1, ordering: .relaxed) }

        /// Waits for something to change; true when something has since the last time, false when the time is up or the
        /// task is cancelled.
        @discardableResult
        func wait(milliseconds: Int64) async -> Bool {
            guard milliseconds > 0 else { return false }
            return await withTaskGroup(of: Bool.self) { [signal] tasks in
                tasks.addTask { await signal.taken() }
                tasks.addTask {
                    try? await Task.sleep(for: .milliseconds(milliseconds))
                    return false
                }
                defer { tasks.cancelAll() }
                return await tasks.next() ?? false
            }
        }
    }
}

/// A flag that one task waits for and others set.
private final class Signal: Sendable {
    private struct State {
        var isGiven = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func give() {
        let waiting = state.withLock { state in
            state.isGiven = true
            return state.waiting.take()
        }
        waiting?.resume()
    }

    /// Waits until the flag is set, and takes it back. False at once when the task is cancelled.
    func taken() async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isGiven || Task.isCancelled { return true }
                    state.waiting = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
            return state.withLock { state in
                defer { state.isGiven = false }
                return state.isGiven
            }
        } onCancel: {
            let waiting = state.withLock { $0.waiting.take() }
            waiting?.resume()
        }
    }
}
