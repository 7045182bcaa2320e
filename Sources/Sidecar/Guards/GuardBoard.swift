import Pipeline
import Resilience
import Synchronization
import Telemetry

/// Every guard of the process with what it has learned: beats them, publishes what they decide, and answers who asks.
///
/// The path only meets `GuardCell`; everything here happens a few times a second or when somebody asks, under one lock.
final class GuardBoard: Sendable {
    struct State {
        var entries: [GuardEntry] = []
        /// What is usual for an operation of a listener, lent to its new keys. By the parents' keys.
        var parents: [GuardKey: ParentWatch] = [:]
        var history = GuardHistory()
        var random = SystemRandomNumberGenerator()
        var beats: UInt64 = 0
    }

    let table: GuardTable
    let policy: GuardPolicy
    let state = Mutex(State())

    init(table: GuardTable, policy: GuardPolicy) {
        self.table = table
        self.policy = policy
    }

    /// One beat of all guards. Returns what people may want to read.
    func beat(now: UInt64, unixNanoseconds: UInt64) -> [GuardRecord] {
        let cells = table.cells
        let unixSeconds = Double(unixNanoseconds) / 1e9
        return state.withLock { state in
            for cell in cells.dropFirst(state.entries.count) {
                let parent = state.parents[cell.key.parent].flatMap { ParentBaseline($0.baseline) }
                state.entries.append(
                    GuardEntry(
                        cell: cell, policy: policy, parent: parent, now: now,
                        unixNanoseconds: unixNanoseconds))
            }
            var records: [GuardRecord] = []
            for index in state.entries.indices {
                let tally = cells[index].collect()
                let events = state.entries[index].beat(
                    tally, now: now, unixSeconds: unixSeconds, using: &state.random)
                state.parents[cells[index].key.parent, default: ParentWatch()].add(tally)
                for event in events {
                    guard let record = state.entries[index].take(event, unixNanoseconds: unixNanoseconds) else {
                        continue
                    }
                    state.history.append(record)
                    records.append(record)
                }
            }
            state.beats += 1
            if state.beats.isMultiple(of: UInt64(KeyGuard.beatsPerSecond)) {
                for key in state.parents.keys { state.parents[key]?.endSecond(now: now) }
            }
            return records
        }
    }

    /// An operator's word about one breaker; nil lets it decide again.
    ///
    /// - Returns: the state of the breaker now.
    func setOverride(
        _ override: BreakerOverride?, key: String, listener: String?, now: UInt64, unixNanoseconds: UInt64
    ) throws(GuardLookupError) -> (BreakerView, [GuardRecord]) {
        let outcome: Result<(BreakerView, [GuardRecord]), GuardLookupError> = state.withLock { state in
            do throws(GuardLookupError) {
                let index = try Self.find(key, listener, in: state.entries)
                var records: [GuardRecord] = []
                for event in state.entries[index].setOverride(override, now: now) {
                    guard let record = state.entries[index].take(event, unixNanoseconds: unixNanoseconds) else {
                        continue
                    }
                    state.history.append(record)
                    records.append(record)
                }
                return .success((state.entries[index].view(unixNanoseconds: unixNanoseconds), records))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// The number of the breaker that is called so.
    static func find(
        _ key: String, _ listener: String?, in entries: [GuardEntry]
    ) throws(GuardLookupError) -> Int {
        let found = entries.indices.filter { index in
            let candidate = entries[index].cell.key
            return candidate.name == key && (listener == nil || candidate.listenerName == listener)
        }
        if found.count > 1 { throw .ambiguous(found.map { entries[$0].cell.key.listenerName }) }
        guard let index = found.first else { throw .unknown }
        return index
    }
}

/// What is usual for all keys of one operation together.
struct ParentWatch {
    private(set) var baseline = Baseline()
    private var second = CallTally()

    mutating func add(_ tally: CallTally) { second.add(tally) }

    mutating func endSecond(now: UInt64) {
        _ = baseline.update(CallSecond(second), isClosed: true, now: now)
        second = CallTally()
    }
}

/// Why no breaker was found.
enum GuardLookupError: Error {
    case unknown
    /// Several listeners have one of that name.
    case ambiguous([String])
}
