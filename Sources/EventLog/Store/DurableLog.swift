import Database
import Synchronization

/// The event log: streams on disk, one writer, many readers. What it has answered survives the death of the process.
///
/// Holds its directory for itself until `close`. The texts of its errors are for people; nothing of an event is in them.
public final class DurableLog: StreamStore, Sendable {
    private let lock: DirectoryLock
    private let writer: LogWriter
    private let queue = WorkQueue<WriteJob>()
    private let observers = ChangeObservers()
    let projectionBoard = ProjectionBoard()
    let readers: LogReaders
    let limits: DurableLogLimits

    /// Opens the log in a directory, which is made if it is missing.
    ///
    /// `clock` gives the Unix time in milliseconds; only work that nobody asked for, such as the end of expired
    /// streams, reads it.
    public init(
        directory: String, limits: DurableLogLimits = DurableLogLimits(), clock: @escaping @Sendable () -> Int64
    ) throws(LogError) {
        lock = try DirectoryLock(directory: directory)
        CopyMark(directory: directory).remove()
        self.limits = limits
        writer = try LogWriter(
            database: LogDatabase(directory: directory), queue: queue, clock: clock, observers: observers,
            projections: projectionBoard)
        readers = LogReaders(database: LogDatabase(directory: directory), threads: limits.readers)
    }

    /// Takes a unit; see `StreamStore`. One that finds the queue full is answered `unavailable` in its turn.
    public func submit(
        _ unit: StreamUnit, lane: UInt64, completion: @escaping @Sendable (StreamOutcome) -> Void
    ) {
        submit([unit]) { completion($0[0]) }
    }

    /// Takes units; see `StreamStore`. Those that find the queue full are answered `unavailable` in their turn.
    public func submit(_ units: [StreamUnit], completion: @escaping @Sendable ([StreamOutcome]) -> Void) {
        let refuse = { @Sendable (error: LogError) in
            completion(Array(repeating: .unavailable(error), count: units.count))
        }
        switch queue.offer(.units(units, completion), weight: units.count, limit: limits.waitingMax) {
        case .taken: break
        case .closed: refuse(.closed)
        case .full(let waiting):
            let error = LogError.saturated(waiting: waiting, limit: limits.waitingMax)
            let refused = WriteJob.refused(error, count: units.count, completion)
            if queue.offer(refused, weight: units.count) == .closed { refuse(error) }
        }
    }

    /// Does a unit that only reads, on a reader's thread; see `StreamStore`.
    public func look(_ unit: StreamUnit, completion: @escaping @Sendable (StreamOutcome) -> Void) {
        read({ completion($0.outcome) }) { session throws(SQLiteError) in try session.perform(unit) }
    }

    /// Has `observer` called after every commit that brought something new; see `StreamStore`.
    public func observeChanges(_ observer: @escaping @Sendable (_ keys: [[UInt8]]) -> Void) {
        observers.add(observer)
    }

    /// Does `work` in the next transaction, and answers after it. Refuses at once when the queue is full.
    func write<Value: Sendable>(
        _ answer: @escaping Answer<Value>,
        _ work: @escaping @Sendable (LogSession) throws(SQLiteError) -> Value
    ) {
        let job = WriteJob.call(
            perform: { session throws(SQLiteError) in
                let value = try work(session)
                return { answer(.success(value)) }
            }, fail: { answer(.failure($0)) })
        switch queue.offer(job, limit: limits.waitingMax) {
        case .taken: break
        case .closed: answer(.failure(.closed))
        case .full(let waiting): answer(.failure(.saturated(waiting: waiting, limit: limits.waitingMax)))
        }
    }

    /// Requests that wait for the disk now.
    public var waiting: Int { queue.count }

    /// Answers what waits, and ends. Blocks for as long as that takes.
    public func close() {
        readers.close()
        writer.close()
        lock.release()
    }
}

/// How much the log takes on.
public struct DurableLogLimits: Sendable, Hashable {
    /// Requests that may wait for the disk; more are refused as saturated.
    public var waitingMax: Int
    /// Threads that only read.
    public var readers: Int

    /// Room for a burst, and not for an outage.
    public init(waitingMax: Int = 16_384, readers: Int = 2) {
        self.waitingMax = waitingMax
        self.readers = max(readers, 1)
    }
}

extension Result<StreamOutcome, LogError> {
    /// A failure is an outcome too.
    fileprivate var outcome: StreamOutcome {
        switch self {
        case .success(let outcome): outcome
        case .failure(let error): .unavailable(error)
        }
    }
}
