import EventLog
import NIOCore
import Synchronization

/// Tells event loops that something was committed to a stream, for as long as they want to know.
///
/// The log itself has observers for good only, and calls them on its writer's thread: one of them passes the word on. An
/// event loop that has not yet come to the last word is not told again.
final class StreamChanges: Sendable {
    /// To be ended by whoever began it.
    struct Observation: Sendable, Hashable {
        fileprivate let stream: [UInt8]
        fileprivate let number: UInt64
    }

    private final class Observer: Sendable {
        let loop: any EventLoop
        let body: @Sendable () -> Void
        let isTold = Atomic(false)

        init(_ loop: any EventLoop, _ body: @escaping @Sendable () -> Void) {
            self.loop = loop
            self.body = body
        }

        func tell() {
            guard !isTold.exchange(true, ordering: .acquiringAndReleasing) else { return }
            loop.execute {
                // Before the look: what comes during it is told again.
                self.isTold.store(false, ordering: .sequentiallyConsistent)
                self.body()
            }
        }
    }

    private struct State {
        var lastNumber: UInt64 = 0
        var observers: [[UInt8]: [UInt64: Observer]] = [:]
    }

    private let state = Mutex(State())

    init(log: any StreamStore) {
        log.observeChanges { [weak self] keys in self?.changed(keys) }
    }

    /// Has `body` called on the loop after a commit to the stream.
    func observe(
        _ stream: [UInt8], on loop: any EventLoop, _ body: @escaping @Sendable () -> Void
    ) -> Observation {
        state.withLock { state in
            state.lastNumber += 1
            state.observers[stream, default: [:]][state.lastNumber] = Observer(loop, body)
            return Observation(stream: stream, number: state.lastNumber)
        }
    }

    /// Calls it no more, apart from a call that is on its way.
    func end(_ observation: Observation) {
        state.withLock { state in
            state.observers[observation.stream]?[observation.number] = nil
            if state.observers[observation.stream]?.isEmpty == true { state.observers[observation.stream] = nil }
        }
    }

    private func changed(_ streams: [[UInt8]]) {
        let told = state.withLock { state -> [Observer] in
            state.observers.isEmpty ? [] : streams.flatMap { state.observers[$0].map { Array($0.values) } ?? [] }
        }
        for observer in told { observer.tell() }
    }
}
