import Synchronization

/// Who wants to know that something has changed in a stream: long polls, followers and sockets.
///
/// A change is told to everybody who observes the stream; of those who observe it for one group only to the one that has
/// waited longest, and when that has gone to the next, so that one event does not wake a crowd.
final class StreamChanges: Sendable {
    private struct Observer {
        let number: UInt64
        let group: [UInt8]?
        let tell: @Sendable () -> Void
    }

    private struct State {
        var lastNumber: UInt64 = 0
        /// In the order in which they came.
        var observers: [[UInt8]: [Observer]] = [:]
    }

    private let state = Mutex(State())

    /// Has `tell` called after each commit to the stream, on a thread of the log's; it must not wait.
    func observe(
        _ stream: [UInt8], group: [UInt8]? = nil, _ tell: @escaping @Sendable () -> Void
    ) -> Observation {
        let number = state.withLock { state in
            state.lastNumber += 1
            state.observers[stream, default: []].append(
                Observer(number: state.lastNumber, group: group, tell: tell))
            return state.lastNumber
        }
        return Observation(changes: self, stream: stream, number: number)
    }

    /// Something has changed in these streams.
    func changed(_ streams: [[UInt8]]) {
        let told = state.withLock { state -> [Observer] in
            state.observers.isEmpty ? [] : streams.flatMap { Self.told(of: state.observers[$0] ?? []) }
        }
        for observer in told { observer.tell() }
    }

    private static func told(of observers: [Observer]) -> [Observer] {
        var groups: Set<[UInt8]> = []
        return observers.filter { observer in observer.group.map { groups.insert($0).inserted } ?? true }
    }

    private func end(_ number: UInt64, of stream: [UInt8]) {
        let (ended, next) = state.withLock { state -> (Observer?, Observer?) in
            guard var observers = state.observers.removeValue(forKey: stream),
                let place = observers.firstIndex(where: { $0.number == number })
            else { return (nil, nil) }
            let ended = observers.remove(at: place)
            let next = ended.group.flatMap { group in observers.first { $0.group == group } }
            if !observers.isEmpty { state.observers[stream] = observers }
            return (ended, next)
        }
        // Whatever it was told, the next in its group may find something too. What it held goes outside of the lock.
        withExtendedLifetime(ended) { next?.tell() }
    }

    /// Lasts for as long as somebody keeps it. A call that is on its way may come afterwards.
    final class Observation: Sendable {
        private let changes: StreamChanges
        private let stream: [UInt8]
        private let number: UInt64

        fileprivate init(changes: StreamChanges, stream: [UInt8], number: UInt64) {
            self.changes = changes
            self.stream = stream
            self.number = number
        }

        deinit { changes.end(number, of: stream) }
    }
}
