public import EventLog
import Synchronization

/// The model behind the interface of a store: units take effect at once, completions come on the caller's thread.
public final class MemoryStreamStore: StreamStore {
    private struct State {
        var model = StreamModel()
        var observers: [@Sendable ([[UInt8]]) -> Void] = []
    }

    private let state = Mutex(State())

    /// An empty one.
    public init() {}

    /// Does the unit and calls `completion` before it returns.
    public func submit(_ unit: StreamUnit, lane: UInt64, completion: @escaping @Sendable (StreamOutcome) -> Void) {
        let (outcome, observers) = state.withLock { state in
            (state.model.apply(unit), state.observers)
        }
        completion(outcome)
        let keys = unit.commands.flatMap(\.changedKeys)
        if !keys.isEmpty { for observer in observers { observer(keys) } }
    }

    /// Does the units one after the other, and calls `completion` before it returns.
    public func submit(_ units: [StreamUnit], completion: @escaping @Sendable ([StreamOutcome]) -> Void) {
        let outcomes = Mutex<[StreamOutcome]>([])
        for unit in units { submit(unit, lane: 0) { outcome in outcomes.withLock { $0.append(outcome) } } }
        completion(outcomes.withLock { $0 })
    }

    /// The same as `submit`.
    public func look(_ unit: StreamUnit, completion: @escaping @Sendable (StreamOutcome) -> Void) {
        submit(unit, lane: 0, completion: completion)
    }

    /// Adds an observer.
    public func observeChanges(_ observer: @escaping @Sendable ([[UInt8]]) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }
}

extension StreamCommand {
    /// Keys that somebody may wait for.
    fileprivate var changedKeys: [[UInt8]] {
        switch self {
        case .append(let append): [append.key]
        case .setGroup(let key, _, _, _), .destroyGroup(let key, _): [key]
        case .keys(.delete(let keys)): keys
        default: []
        }
    }
}
