import GuardStore
import Logging
import NIOCore
import NIOPosix
import Pipeline
import Proxy
import Resilience
import ServiceLifecycle

/// Beats the guards ten times a second, on a thread of its own, so that a busy event loop delays no decision and no
/// decision delays a message.
final class GuardService: Service {
    private let board: GuardBoard
    private let logger: Logger

    init(board: GuardBoard, logger: Logger) {
        self.board = board
        self.logger = logger
    }

    func run() async throws {
        board.remember()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let interval = TimeAmount.nanoseconds(Int64(KeyGuard.beatNanoseconds))
        let beating = group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { [self] _ in
            beat()
        }
        try? await gracefulShutdown()
        let ended = group.next().makePromise(of: Void.self)
        beating.cancel(promise: ended)
        try? await ended.futureResult.get()
        board.save(unixNanoseconds: SystemClock.unixNanoseconds())
        try await group.shutdownGracefully()
    }

    private func beat() {
        let now = SystemClock.now()
        let records = board.beat(now: now.monotonicNanoseconds, unixNanoseconds: now.unixNanoseconds)
        for record in records { logger.log(record) }
    }
}

extension Logger {
    /// What has become of the disk that learned thresholds are kept on.
    func log(_ event: ThresholdStore.Event) {
        switch event {
        case .failed(let failure):
            warning("what breakers learn is not kept", metadata: ["reason": "\(failure)"])
        case .recovered:
            notice("what breakers learn is kept again")
        case .setAside(let path):
            warning(
                "the file of learned thresholds was damaged; learning begins anew", metadata: ["set_aside": "\(path)"])
        case .unreadable(let count):
            notice("learned thresholds of another version are not used", metadata: ["breakers": "\(count)"])
        }
    }

    /// States and warnings are for people; changed thresholds are many, and in the audit trail.
    func log(_ record: GuardRecord) {
        var metadata: Logger.Metadata = ["listener": "\(record.key.listenerName)", "breaker": "\(record.key.name)"]
        switch record.what {
        case .state(let transition, let isShadow):
            metadata["from"] = "\(transition.from.text)"
            metadata["to"] = "\(transition.to.text)"
            metadata["reason"] = "\(transition.reason.rawValue)"
            metadata["calls"] = "\(transition.calls)"
            metadata["failures"] = "\(transition.failures)"
            metadata["slow"] = "\(transition.slow)"
            if isShadow {
                notice("a breaker in shadow would have changed its state", metadata: metadata)
            } else if transition.to == .open {
                warning("a breaker has opened, calls get an error at once", metadata: metadata)
            } else {
                notice("a breaker has changed its state", metadata: metadata)
            }
        case .threshold(let change):
            metadata["parameter"] = "\(change.parameter.name)"
            debug("a threshold was changed, or a change refused", metadata: metadata)
        case .warning(let text):
            metadata["reason"] = "\(text)"
            notice("a guard warns", metadata: metadata)
        }
    }
}
