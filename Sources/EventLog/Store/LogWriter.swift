import Database

/// One piece of work for the writer: part of a transaction with whatever else waits.
enum WriteJob: Sendable {
    /// Units of stream commands, answered together.
    case units([StreamUnit], @Sendable ([StreamOutcome]) -> Void)
    /// Units that found the queue full: answered in their turn, so that the replies of their lanes stay in order.
    case refused(LogError, count: Int, @Sendable ([StreamOutcome]) -> Void)
    /// Anything else. `perform` runs inside the transaction, perhaps more than once, and returns what to call after the
    /// commit; `fail` is called instead when there is none.
    case call(
        perform: @Sendable (LogSession) throws(SQLiteError) -> @Sendable () -> Void,
        fail: @Sendable (LogError) -> Void)
}

/// The one thread that writes: takes all that waits into one transaction, and answers when it is on disk.
///
/// The more waits, the more one flush of the disk is shared by: throughput grows with load, and a lone request waits for
/// one flush only. A transaction that fails changes nothing; when the reason may lie in one of its jobs, they are tried
/// one by one.
final class LogWriter: Sendable {
    private let queue: WorkQueue<WriteJob>
    private let thread: LogThread

    /// The most units and other jobs of one transaction, so that none takes long.
    static let batchMax = 2_048

    init(
        database: LogDatabase, queue: WorkQueue<WriteJob>, clock: @escaping @Sendable () -> Int64,
        observers: ChangeObservers, projections: ProjectionBoard
    ) throws(LogError) {
        let connection = try database.openWriter()
        do throws(SQLiteError) {
            let state = try WriterState(connection, database.path, clock, observers, projections)
            self.queue = queue
            let start = UncheckedHandover(state)
            thread = LogThread { start.value.run(queue) }
        } catch {
            throw LogError(error, path: database.path)
        }
    }

    /// Finishes what waits and ends the thread.
    func close() {
        queue.close()
        thread.join()
    }
}

/// Carries a value that belongs to one thread to the thread it is made for.
///
/// Sendable because the giver keeps no reference: the value is made, put in, and never touched again on that side.
private struct UncheckedHandover<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}

/// What the writer's thread works with.
private final class WriterState {
    private let session: LogSession
    private let path: String
    private let clock: @Sendable () -> Int64
    private let observers: ChangeObservers
    private let projections: ProjectionBoard
    private var completions: [Completion] = []
    /// What is in memory may not be what is on disk: it has to be read again before anything is written.
    private var isStale = false
    /// When retention and compaction are looked at again.
    private var nextInspection: Int64 = 0

    private enum Completion {
        case units([StreamOutcome], @Sendable ([StreamOutcome]) -> Void)
        case call(@Sendable () -> Void)
    }

    init(
        _ connection: SQLiteConnection, _ path: String, _ clock: @escaping @Sendable () -> Int64,
        _ observers: ChangeObservers, _ projections: ProjectionBoard
    ) throws(SQLiteError) {
        session = LogSession(connection)
        self.path = path
        self.clock = clock
        self.observers = observers
        self.projections = projections
        try session.load()
        showProjections()
    }

    func run(_ queue: WorkQueue<WriteJob>) {
        while let batch = queue.take(upTo: LogWriter.batchMax, waitingMilliseconds: hasWork ? 0 : 1_000) {
            if batch.isEmpty { maintain() } else { perform(batch) }
        }
    }

    private func perform(_ batch: [WriteJob]) {
        do throws(SQLiteError) {
            try transact(batch)
        } catch {
            abandon()
            // A full or failing disk is nobody's fault: trying again one by one would only take longer.
            let reason = LogError(error, path: path)
            guard batch.count > 1, case .inputOutput = reason else { return fail(batch, reason) }
            for job in batch { performAlone(job) }
        }
    }

    /// One job, and of units each one, in transactions of their own.
    private func performAlone(_ job: WriteJob) {
        guard case .units(let units, let completion) = job, units.count > 1 else {
            do throws(SQLiteError) {
                try transact([job])
            } catch {
                abandon()
                fail([job], LogError(error, path: path))
            }
            return
        }
        var outcomes: [StreamOutcome] = []
        for unit in units {
            do throws(SQLiteError) {
                var outcome = StreamOutcome.conditionFailed
                try commit { () throws(SQLiteError) in outcome = try perform(unit) }
                outcomes.append(outcome)
            } catch {
                abandon()
                outcomes.append(.unavailable(LogError(error, path: path)))
            }
        }
        completion(outcomes)
    }

    private func transact(_ batch: [WriteJob]) throws(SQLiteError) {
        try commit { () throws(SQLiteError) in
            for job in batch {
                switch job {
                case .units(let units, let completion):
                    var outcomes: [StreamOutcome] = []
                    outcomes.reserveCapacity(units.count)
                    for unit in units { outcomes.append(try perform(unit)) }
                    completions.append(.units(outcomes, completion))
                case .refused(let reason, let count, let completion):
                    completions.append(.units(Self.unavailable(reason, count), completion))
                case .call(let perform, _):
                    completions.append(.call(try perform(session)))
                }
            }
        }
        for completion in completions {
            switch completion {
            case .units(let outcomes, let call): call(outcomes)
            case .call(let call): call()
            }
        }
        completions.removeAll(keepingCapacity: true)
    }

    private func perform(_ unit: StreamUnit) throws(SQLiteError) -> StreamOutcome {
        try session.removeExpired(now: Int64(clamping: unit.nowUnixMilliseconds))
        return try session.perform(unit)
    }

    /// One transaction. When this returns, what `work` did is on disk.
    private func commit(_ work: () throws(SQLiteError) -> Void) throws(SQLiteError) {
        try session.statement(.begin).run()
        if isStale {
            try session.load()
            isStale = false
        }
        try work()
        try maintainInside()
        try session.flush()
        try session.statement(.commit).run()
        if session.areProjectionsNews { showProjections() }
        guard !session.changedKeys.isEmpty else { return }
        observers.notify(Array(session.changedKeys))
        session.changedKeys.removeAll(keepingCapacity: true)
    }

    private func showProjections() {
        projections.update(session.projectionsInMemory)
        session.areProjectionsNews = false
    }

    /// Back to what is on disk.
    private func abandon() {
        completions.removeAll(keepingCapacity: true)
        if !session.connection.isAutocommit { try? session.statement(.rollback).run() }
        session.forget()
        session.changedKeys.removeAll(keepingCapacity: true)
        do throws(SQLiteError) {
            try session.load()
            isStale = false
        } catch {
            isStale = true
        }
    }

    private func fail(_ batch: [WriteJob], _ reason: LogError) {
        for job in batch {
            switch job {
            case .units(let units, let completion):
                completion(Self.unavailable(reason, units.count))
            case .refused(let reason, let count, let completion): completion(Self.unavailable(reason, count))
            case .call(_, let fail): fail(reason)
            }
        }
    }

    private static func unavailable(_ reason: LogError, _ count: Int) -> [StreamOutcome] {
        Array(repeating: .unavailable(reason), count: count)
    }

    /// Something is due that nobody asked for.
    private var hasWork: Bool {
        if session.hasRetiredStreams || session.hasIndexWork || session.mayFold || session.hasRetiredRows {
            return true
        }
        let now = clock()
        return nextInspection <= now || session.earliestExpiry.map { $0 <= now } ?? false
    }

    private static let inspectionMilliseconds: Int64 = 1_000
    private static let marksPerInspection: Int64 = 1_024

    private func maintain() {
        guard hasWork else { return }
        performAlone(.call(perform: { _ in {} }, fail: { _ in }))
    }

    /// A small piece of it, in the transaction that is open: so it costs no flush of its own while others write.
    private func maintainInside() throws(SQLiteError) {
        guard hasWork else { return }
        let now = clock()
        try session.removeExpired(now: now)
        if nextInspection <= now {
            let hasMore = try session.retain(now: now)
            let isCompacting = try session.compact()
            try session.sweepMarks(Self.marksPerInspection, now: now)
            nextInspection = now + (hasMore || isCompacting ? 0 : Self.inspectionMilliseconds)
        }
        if session.hasRetiredStreams { session.hasRetiredStreams = try session.purge() }
        if session.hasRetiredRows { session.hasRetiredRows = try session.purgeProjections() }
        if session.hasIndexWork { try session.workOnIndex() }
        if session.mayFold { try session.foldProjections() }
    }
}
