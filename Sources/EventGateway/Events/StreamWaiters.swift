import EventLog
import Synchronization

/// Who waits for something new in a stream: long polls and followers.
///
/// A change wakes all followers of the stream; of those who wait for one group only the one that has waited longest, and
/// after it the next, so that one event does not wake a crowd.
final class StreamWaiters: Sendable {
    private struct State {
        var lastNumber: UInt64 = 0
        /// In the order in which they came.
        var waiters: [[UInt8]: [(number: UInt64, group: [UInt8]?, signal: Signal)]] = [:]
        var count = 0
    }

    private let state = Mutex(State())
    /// More are refused.
    private let limit: Int

    /// - Parameter limit: how many may wait at once.
    init(limit: Int) {
        self.limit = limit
    }

    /// Begins to wait; nil when too many do. What changes from now on is noticed, also before `Ticket.wait`.
    func enter(_ stream: [UInt8], group: [UInt8]? = nil) -> Ticket? {
        let signal = Signal()
        let number = state.withLock { state -> UInt64? in
            guard state.count < limit else { return nil }
            state.count += 1
            state.lastNumber += 1
            state.waiters[stream, default: []].append((state.lastNumber, group, signal))
            return state.lastNumber
        }
        return number.map { Ticket(waiters: self, stream: stream, group: group, number: $0, signal: signal) }
    }

    /// Something has changed in these streams. Called on the log's thread.
    func changed(_ streams: [[UInt8]]) {
        for stream in streams { wake(stream, onlyGroup: nil) }
    }

    fileprivate func wake(_ stream: [UInt8], onlyGroup: [UInt8]?) {
        let signals = state.withLock { state -> [Signal] in
            var groups: Set<[UInt8]> = []
            return (state.waiters[stream] ?? []).compactMap { waiter in
                if let onlyGroup, waiter.group != onlyGroup { return nil }
                if let group = waiter.group, !groups.insert(group).inserted { return nil }
                return waiter.signal
            }
        }
        for signal in signals { signal.give() }
    }

    fileprivate func leave(_ ticket: Ticket) {
        let number = ticket.number
        state.withLock { state in
            guard let place = state.waiters[ticket.stream]?.firstIndex(where: { $0.number == number }) else { return }
            state.count -= 1
            state.waiters[ticket.stream]?.remove(at: place)
            if state.waiters[ticket.stream]?.isEmpty == true { state.waiters[ticket.stream] = nil }
        }
        // Whatever it was woken for, the next in its group may find something too.
        if let group = ticket.group { wake(ticket.stream, onlyGroup: group) }
    }

    /// One who waits. Gone with `leave`.
    struct Ticket: Sendable {
        fileprivate let waiters: StreamWaiters
        fileprivate let stream: [UInt8]
        fileprivate let group: [UInt8]?
        fileprivate let number: UInt64
        fileprivate let signal: Signal

        /// Waits for something to change; true when something has since the last time, false when the time is up or the
        /// task is cancelled.
        @discardableResult
        func wait(milliseconds: Int64) async -> Bool {
            guard milliseconds > 0 else { return false }
            return await withTaskGroup(of: Bool.self) { tasks in
                tasks.addTask { await signal.taken() }
                tasks.addTask {
                    try? await Task.sleep(for: .milliseconds(milliseconds))
                    return false
                }
                defer { tasks.cancelAll() }
                return await tasks.next() ?? false
            }
        }

        /// Ends the waiting.
        func leave() { waiters.leave(self) }
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
