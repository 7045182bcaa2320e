import Synchronization

/// Every guard of the process. Lanes come here once for each route; the beat goes through all of them.
///
/// The number of guards is bounded: keys beyond it share the guard of their operation, as do the destinations that have
/// no name of their own.
public final class GuardTable: Sendable {
    private struct State {
        var cells: [GuardCell] = []
        var numbers: [GuardKey: Int] = [:]
        var ownKeys = 0
    }

    /// Keys that get a guard of their own.
    public let capacity: Int
    /// After how long a reply that has not come counts as a timeout.
    public let callTimeoutNanoseconds: UInt64
    /// Nil where any number of calls may be under way.
    public let bulkhead: BulkheadPolicy?
    private let state = Mutex(State())

    /// A table without guards.
    public init(capacity: Int, callTimeoutNanoseconds: UInt64, bulkhead: BulkheadPolicy? = nil) {
        self.bulkhead = bulkhead
        self.capacity = capacity
        self.callTimeoutNanoseconds = callTimeoutNanoseconds
    }

    /// The guard of `key`, or of what it shares with others.
    public func cell(for key: GuardKey, overflow: Bool = false) -> GuardCell {
        state.withLock { state in
            if let number = state.numbers[key] { return state.cells[number] }
            var key = key
            if !key.isParent {
                if overflow || state.ownKeys >= capacity {
                    key = key.parent
                    if let number = state.numbers[key] { return state.cells[number] }
                } else {
                    state.ownKeys += 1
                }
            }
            let cell = GuardCell(key: key)
            state.numbers[key] = state.cells.count
            state.cells.append(cell)
            return cell
        }
    }

    /// All guards, in the order in which they were made; none is ever removed.
    public var cells: [GuardCell] { state.withLock { $0.cells } }
}
