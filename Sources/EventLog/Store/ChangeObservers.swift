import Synchronization

/// Who wants to know of commits.
final class ChangeObservers: Sendable {
    private let observers = Mutex<[@Sendable ([[UInt8]]) -> Void]>([])

    func add(_ observer: @escaping @Sendable ([[UInt8]]) -> Void) {
        observers.withLock { $0.append(observer) }
    }

    func notify(_ keys: [[UInt8]]) {
        let all = observers.withLock { $0 }
        for observer in all { observer(keys) }
    }
}
