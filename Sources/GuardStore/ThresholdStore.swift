import Database
import Dispatch
import Resilience
public import ServiceLifecycle
import Synchronization

/// Keeps what guards have learned, and the trail of what they changed, in `thresholds.db` of the data directory.
///
/// One serial queue writes, off every event loop. `record` and `save` never wait: they leave what is to be written in a
/// bounded place, newest state per key, and records that find no room are counted as lost. A disk that is full or
/// read-only loses records, is told once, and is tried again after a while; traffic does not notice.
public final class ThresholdStore: Service {
    /// How much is kept.
    public struct Limits: Sendable, Hashable {
        /// Records of the trail; the oldest give way.
        public var auditRecords = 100_000
        /// Keys with learned state; those saved longest ago give way.
        public var keys = 10_000
        /// Parameter sets of each key.
        public var parameterSetsPerKey = 32
        /// Records that wait to be written.
        public var waitingRecords = 8_192
        /// How long after a failure the disk is left alone.
        public var retryAfterSeconds = 30.0

        /// The default limits.
        public init() {}
    }

    /// What has become of what was to be kept.
    public struct Statistics: Sendable, Hashable {
        /// Audit records that are stored.
        public var recordsWritten: UInt64 = 0
        /// States that are stored.
        public var statesWritten: UInt64 = 0
        /// Audit records that were lost because too many waited.
        public var recordsOverflowed: UInt64 = 0
        /// Audit records that were lost because they could not be written.
        public var recordsLost: [StoreFailure.Reason: UInt64] = [:]
        /// Nothing can be written at present, and why.
        public var failing: StoreFailure.Reason?
    }

    /// What is worth a line in the log, once each.
    public enum Event: Sendable, Hashable {
        /// From now on nothing is kept.
        case failed(StoreFailure)
        /// Everything is kept again.
        case recovered
        /// The database was damaged; it lies there now, and learning begins anew.
        case setAside(path: String)
        /// So many states were from another version, or damaged, and are not used.
        case unreadable(Int)
    }

    private struct Waiting {
        var states: [String: LearnedState] = [:]
        var records: [AuditRecord] = []
        var isScheduled = false
        var statistics = Statistics()
    }

    /// What only the queue touches.
    private struct Disk {
        var database: ThresholdDatabase?
        var retryAt: UInt64 = 0
    }

    private let directory: String
    private let limits: Limits
    private let observe: @Sendable (Event) -> Void
    private let now: @Sendable () -> UInt64
    private let waiting = Mutex(Waiting())
    private let queue = DispatchQueue(label: "thresholds")
    private let disk: QueueConfined<Disk>

    /// A store in the directory, which is made when it is needed. `observe` is called on the store's queue.
    public convenience init(
        directory: String, limits: Limits = Limits(), observe: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.init(
            directory: directory, limits: limits, observe: observe,
            now: { DispatchTime.now().uptimeNanoseconds })
    }

    package init(
        directory: String, limits: Limits, observe: @escaping @Sendable (Event) -> Void,
        now: @escaping @Sendable () -> UInt64
    ) {
        self.directory = directory
        self.limits = limits
        self.observe = observe
        self.now = now
        disk = QueueConfined(Disk(), queue: queue)
    }

    /// What was learned before, the newest first: to be called once, before there is traffic. Waits for the disk; where
    /// nothing can be read, nothing was learned.
    public func load() -> [StoredKey] {
        disk.sync { disk in
            guard let database = open(&disk) else { return [] }
            do throws(StoreFailure) {
                let (keys, unreadable) = try database.load()
                if unreadable > 0 { observe(.unreadable(unreadable)) }
                return keys
            } catch {
                fail(error, &disk)
                return []
            }
        }
    }

    /// Has records written soon. Never waits.
    public func record(_ records: [AuditRecord]) {
        guard !records.isEmpty else { return }
        schedule { waiting in
            let room = max(0, limits.waitingRecords - waiting.records.count)
            waiting.records.append(contentsOf: records.prefix(room))
            waiting.statistics.recordsOverflowed += UInt64(max(0, records.count - room))
        }
    }

    /// Has states written soon, each in place of what waited for its key. Never waits.
    public func save(_ keys: [StoredKey]) {
        guard !keys.isEmpty else { return }
        schedule { waiting in
            for key in keys where waiting.states[key.key] != nil || waiting.states.count < limits.keys {
                waiting.states[key.key] = key.state
            }
        }
    }

    /// What has become of everything so far.
    public var statistics: Statistics { waiting.withLock { $0.statistics } }

    /// Writes what waits, and returns when that is done.
    public func flush() { disk.sync { write(&$0, isLast: true) } }

    /// Stays until the service group shuts down, then writes what waits.
    public func run() async throws {
        try? await gracefulShutdown()
        flush()
    }

    // MARK: Reading

    /// The trail, newest first: of one key or of all, older than a record if `before` names one. Waits for the disk; not
    /// to be called on an event loop.
    public func history(key: String? = nil, before: Int64? = nil, limit: Int) throws(StoreFailure) -> [AuditRecord] {
        let sql = """
            SELECT \(AuditRow.columns.joined(separator: ", ")) FROM audit
            WHERE (?1 IS NULL OR key = ?1) AND number < ?2 ORDER BY number DESC LIMIT ?3
            """
        let rows = try read(
            sql, [key.map { .text($0) } ?? .null, .integer(before ?? .max), .integer(Int64(max(0, limit)))])
        return rows.compactMap(AuditRow.record)
    }

    /// The parameter sets that a key had, newest first. Waits for the disk.
    public func parameterSets(key: String) throws(StoreFailure) -> [StoredParameters] {
        let columns = BreakerParameter.allCases.map(\.name).joined(separator: ", ")
        let rows = try read(
            "SELECT version, since, \(columns) FROM parameter_set WHERE key = ? ORDER BY version DESC", [.text(key)])
        return rows.compactMap { row in
            guard case .integer(let version) = row[0], case .real(let since) = row[1] else { return nil }
            var set = BreakerParameters(timeoutNanoseconds: 1)
            for (parameter, value) in zip(BreakerParameter.allCases, row[2...]) {
                guard case .real(let number) = value else { return nil }
                set[parameter] = number
            }
            return StoredParameters(
                version: UInt32(truncatingIfNeeded: version), unixSeconds: since, parameters: set)
        }
    }

    private func read(_ sql: String, _ parameters: [SQLiteValue]) throws(StoreFailure) -> [[SQLiteValue]] {
        let path = ThresholdDatabase.path(in: directory)
        do throws(SQLiteError) {
            return try SQLiteConnection(path: path, .readOnly, patienceMilliseconds: 2_000).query(sql, parameters)
        } catch {
            throw StoreFailure(error, path: path)
        }
    }
}

extension ThresholdStore {
    /// Lets the database grow no further than this, as a full disk would: for tests.
    func limitPages(to pages: Int) { disk.sync { $0.database?.limitPages(to: pages) } }

    // MARK: On the queue

    private func schedule(_ add: (inout Waiting) -> Void) {
        let mustSchedule = waiting.withLock { waiting in
            add(&waiting)
            defer { waiting.isScheduled = true }
            return !waiting.isScheduled
        }
        if mustSchedule { disk.async { [self] disk in write(&disk, isLast: false) } }
    }

    /// Writes what waits. What cannot be written is lost and counted; states come again anyway.
    private func write(_ disk: inout Disk, isLast: Bool) {
        let (states, records) = waiting.withLock { waiting in
            waiting.isScheduled = false
            defer { (waiting.states, waiting.records) = ([:], []) }
            return (waiting.states, waiting.records)
        }
        guard !states.isEmpty || !records.isEmpty else { return }
        if isLast { disk.retryAt = 0 }
        var isWritten = false
        if let database = open(&disk) {
            do throws(StoreFailure) {
                try database.write(states: states.map { StoredKey(key: $0.key, state: $0.value) }, records: records)
                isWritten = true
            } catch {
                fail(error, &disk)
            }
        }
        if count(states: states.count, records: records.count, isWritten) { observe(.recovered) }
    }

    /// Whether a failure has ended.
    private func count(states: Int, records: Int, _ isWritten: Bool) -> Bool {
        waiting.withLock { waiting in
            guard isWritten else {
                waiting.statistics.recordsLost[waiting.statistics.failing ?? .inputOutput, default: 0] += UInt64(
                    records)
                return false
            }
            waiting.statistics.recordsWritten += UInt64(records)
            waiting.statistics.statesWritten += UInt64(states)
            defer { waiting.statistics.failing = nil }
            return waiting.statistics.failing != nil
        }
    }

    private func open(_ disk: inout Disk) -> ThresholdDatabase? {
        if let database = disk.database { return database }
        guard now() >= disk.retryAt else { return nil }
        do throws(StoreFailure) {
            disk.database = try ThresholdDatabase(directory: directory, limits: limits) {
                observe(.setAside(path: $0))
            }
        } catch {
            fail(error, &disk)
        }
        return disk.database
    }

    private func fail(_ failure: StoreFailure, _ disk: inout Disk) {
        disk.database = nil
        disk.retryAt = now() &+ UInt64(limits.retryAfterSeconds * 1e9)
        let isNew = waiting.withLock { waiting in
            defer { waiting.statistics.failing = failure.reason }
            return waiting.statistics.failing != failure.reason
        }
        if isNew { observe(.failed(failure)) }
    }
}

/// A value that only one serial queue touches.
///
/// `@unchecked Sendable`: every access goes through `sync` or `async` of the same serial queue, so no two overlap.
private final class QueueConfined<Value>: @unchecked Sendable {
    private var value: Value
    private let queue: DispatchQueue

    init(_ value: Value, queue: DispatchQueue) {
        self.value = value
        self.queue = queue
    }

    func sync<Result>(_ body: (inout Value) -> Result) -> Result { queue.sync { body(&value) } }

    func async(_ body: @escaping @Sendable (inout Value) -> Void) { queue.async { body(&self.value) } }
}
