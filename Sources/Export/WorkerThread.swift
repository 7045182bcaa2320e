import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A thread of its own for work that blocks, and its end for a task to wait for.
final class WorkerThread: Sendable {
    private enum State {
        case running
        case awaited(CheckedContinuation<Void, Never>)
        case ended
    }

    private let state = Mutex(State.running)
    private let thread = Mutex(pthread_t())

    /// Starts `work` on a new thread.
    init(_ work: @escaping @Sendable () -> Void) {
        let start = Start {
            work()
            self.end()
        }
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Start>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(start).toOpaque())
        precondition(status == 0, "the system has no thread left for the exporter")
        self.thread.withLock { $0 = thread }
    }

    /// Waits until the work is done and the thread is gone, whatever becomes of the task. To be called once.
    ///
    /// The thread is joined, not only its work awaited: on its way out it runs the destructors of the TLS library, and
    /// those must not meet the ones that the library runs when the process exits.
    func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if case .ended = state { return true }
                state = .awaited(continuation)
                return false
            }
            if hasEnded { continuation.resume() }
        }
        // The work is done, so this takes no longer than a thread takes to end.
        pthread_join(thread.withLock { $0 }, nil)
    }

    private func end() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            defer { state = .ended }
            if case .awaited(let continuation) = state { return continuation }
            return nil
        }
        waiter?.resume()
    }

    private final class Start: Sendable {
        let work: @Sendable () -> Void

        init(work: @escaping @Sendable () -> Void) {
            self.work = work
        }

        func run() {
            // A TLS library may write to a connection that the peer has closed; that must stay an error code.
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            work()
        }
    }
}
