import GuardStore
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
        /// What was learned before the process began, by stored key; taken when the key shows itself.
        /// When the first beat was, by the wall clock.
        var beganUnixSeconds: Double?
        var remembered: [String: LearnedState] = [:]
    }

    let table: GuardTable
    let policy: GuardPolicy
    let state = Mutex(State())
    /// Where the audit trail is kept beyond memory; nil where nothing is kept.
    let store: ThresholdStore?
    /// Tells the audit trail as traces; nil where nobody wants spans.
    let audit: AuditSpans?

    private static let beatsBetweenSaves: UInt64 = 600

    init(table: GuardTable, policy: GuardPolicy, store: ThresholdStore?, audit: AuditSpans? = nil) {
        self.store = store
        self.audit = audit
        self.table = table
        self.policy = policy
    }

    /// Takes up what was learned before; called once, before there is traffic. Waits for the disk.
    func remember() {
        guard let store else { return }
        let stored = store.load()
        state.withLock { state in
            for key in stored { state.remembered[key.key] = key.state }
        }
    }

    /// When the first beat was, by the wall clock; nil before it.
    var beganUnixSeconds: Double? { state.withLock { $0.beganUnixSeconds } }

    /// Has what was learned written soon.
    func save(unixNanoseconds: UInt64) {
        guard let store, policy.mode != .fixed else { return }
        let unixSeconds = Double(unixNanoseconds) / 1e9
        store.save(
            state.withLock { state in
                state.entries.map { entry in
                    StoredKey(
                        key: entry.cell.key.storedName,
                        state: entry.keyGuard.learning.state(savedUnixSeconds: unixSeconds))
                }
            })
    }

    /// One beat of all guards. Returns what people may want to read.
    func beat(now: UInt64, unixNanoseconds: UInt64) -> [GuardRecord] {
        let cells = table.cells
        let unixSeconds = Double(unixNanoseconds) / 1e9
        let (records, mustSave) = state.withLock { state in
            if state.beganUnixSeconds == nil { state.beganUnixSeconds = unixSeconds }
            for cell in cells.dropFirst(state.entries.count) {
                let parent = state.parents[cell.key.parent].flatMap { ParentBaseline($0.baseline) }
                state.entries.append(
                    GuardEntry(
                        cell: cell, policy: policy, parent: parent,
                        resuming: state.remembered.removeValue(forKey: cell.key.storedName), now: now,
                        unixNanoseconds: unixNanoseconds))
            }
            var records: [GuardRecord] = []
            for index in state.entries.indices {
                let tally = cells[index].collect()
                let events = state.entries[index].beat(
                    tally, now: now, unixSeconds: unixSeconds, using: &state.random)
                state.parents[cells[index].key.parent, default: ParentWatch()].add(tally)
                let told = events.compactMap { state.entries[index].take($0, unixNanoseconds: unixNanoseconds) }
                for record in told { state.history.append(record) }
                records += told
            }
            state.beats += 1
            if state.beats.isMultiple(of: UInt64(KeyGuard.beatsPerSecond)) {
                for key in state.parents.keys { state.parents[key]?.endSecond(now: now) }
            }
            return (records, state.beats.isMultiple(of: Self.beatsBetweenSaves))
        }
        store?.record(records.compactMap(\.audit))
        audit?.offer(records)
        if mustSave { save(unixNanoseconds: unixNanoseconds) }
        return records
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
        let (view, records) = try outcome.get()
        audit?.offer(records)
        return (view, records)
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

extension GuardKey {
    /// By what the guard is found again after a restart.
    var storedName: String { "\(listenerName) \(name)" }
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
