import Database

/// One connection's work on the log: statements, and what is known of streams, groups and consumers.
///
/// Belongs to one thread. The writer keeps the states between transactions, changes them in memory and writes each
/// changed row once per commit; a reader forgets them when its transaction ends. What the commands mean is in
/// extensions, in the folder `Commands`.
final class LogSession {
    let connection: SQLiteConnection
    private var statements: [SQLiteStatement?]

    var streams: [[UInt8]: StreamState] = [:]
    var groups: [GroupKey: GroupState] = [:]
    var consumers: [GroupKey: ConsumerState] = [:]
    /// The same objects again, those of them that differ from their rows.
    private var dirtyStreams: [StreamState] = []
    private var dirtyGroups: [GroupState] = []
    private var dirtyConsumers: [ConsumerState] = []

    /// Counters of the whole log; the writer's alone.
    var counters = LogCounters()
    /// Streams in which a waiting reader may find something new since the last commit.
    var changedKeys: Set<[UInt8]> = []
    /// All projections; the writer's alone.
    var projections: [ProjectionState] = []
    /// Projections differ from what others were last shown.
    var areProjectionsNews = false
    /// A projection may be behind its stream.
    var mayFold = false
    /// Tables of projections that were begun anew have rows left to be deleted.
    var hasRetiredRows = false
    /// Large deleted streams have events left to be deleted.
    var hasRetiredStreams = false
    /// The next moment at which a stream's time is over; nil for none.
    var earliestExpiry: Int64?
    /// Buckets without events may have index entries to be deleted.
    var hasEmptyBuckets = false
    /// The first bucket that has entries in the tail.
    var tailBucket: Int64?
    /// The bucket whose entries are on their way from the tail to the index.
    var sorting: SortedBucket?
    /// The mark that the sweep looked at last; nil when it begins anew.
    var sweptMark: MarkPlace?
    /// Change of the number of events in each bucket since the last flush.
    var bucketChanges: [Int64: Int64] = [:]

    /// A name below an owner: a group of a stream, a consumer of a group.
    struct GroupKey: Hashable {
        var owner: Int64
        var name: [UInt8]
    }

    /// States that may be remembered between transactions. Beyond, all are forgotten: they are in the tables.
    static let statesMax = 20_000

    init(_ connection: SQLiteConnection) {
        self.connection = connection
        statements = Array(repeating: nil, count: LogStatement.allCases.count)
    }

    /// Reads what the writer must know from the start.
    func load() throws(SQLiteError) {
        counters = try LogCounters(self)
        let retired = try statement(.retiredStream)
        hasRetiredStreams = try retired.step()
        retired.reset()
        let earliest = try statement(.earliestExpiry)
        earliestExpiry = try earliest.step() ? earliest.optionalInteger(0) : nil
        earliest.reset()
        hasEmptyBuckets = true
        let lowest = try statement(.lowestTail)
        tailBucket = try lowest.step() ? lowest.optionalInteger(0).map { $0 >> Self.bucketShift } : nil
        lowest.reset()
        try loadProjections()
        hasRetiredRows = true
    }

    /// The statement, compiled on its first use and kept.
    func statement(_ which: LogStatement) throws(SQLiteError) -> SQLiteStatement {
        if let statement = statements[which.index] { return statement }
        let statement = try connection.prepare(which.text)
        statements[which.index] = statement
        return statement
    }

    /// Notes that the row of a stream must be written.
    func touch(_ stream: StreamState) {
        if !stream.isDirty {
            stream.isDirty = true
            dirtyStreams.append(stream)
        }
    }

    /// The same for a group.
    func touch(_ group: GroupState) {
        if !group.isDirty {
            group.isDirty = true
            dirtyGroups.append(group)
        }
    }

    /// The same for a consumer.
    func touch(_ consumer: ConsumerState) {
        if !consumer.isDirty {
            consumer.isDirty = true
            dirtyConsumers.append(consumer)
        }
    }

    /// Notes a change of the content of a stream: conditional units see it by the revision.
    func revise(_ stream: StreamState) {
        counters.revision += 1
        stream.revision = counters.revision
        touch(stream)
    }

    /// Writes what differs from the tables; the last thing before a commit.
    func flush() throws(SQLiteError) {
        for stream in dirtyStreams where stream.isDirty { try write(stream) }
        for group in dirtyGroups where group.isDirty {
            try statement(.updateGroup).bind(1, group.number)
                .bind(2, group.lastID.milliseconds).bind(3, group.lastID.sequence)
                .bind(4, group.entriesRead).bind(5, group.policy).run()
            group.isDirty = false
        }
        for consumer in dirtyConsumers where consumer.isDirty {
            try statement(.updateConsumer).bind(1, consumer.number).bind(2, consumer.seenMilliseconds).run()
            consumer.isDirty = false
        }
        dirtyStreams.removeAll(keepingCapacity: true)
        dirtyGroups.removeAll(keepingCapacity: true)
        dirtyConsumers.removeAll(keepingCapacity: true)
        try flushBuckets()
        try flushProjections()
        try counters.flush(self)
        if streams.count + groups.count + consumers.count > Self.statesMax { forget() }
    }

    /// Forgets all states. What was not flushed is lost, as after a rollback it must be.
    func forget() {
        streams.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        consumers.removeAll(keepingCapacity: true)
        dirtyStreams.removeAll(keepingCapacity: true)
        dirtyGroups.removeAll(keepingCapacity: true)
        dirtyConsumers.removeAll(keepingCapacity: true)
        bucketChanges.removeAll(keepingCapacity: true)
        sorting = nil
    }

    private func write(_ stream: StreamState) throws(SQLiteError) {
        try statement(.updateStream)
            .bind(1, stream.number).bind(2, stream.revision).bind(3, stream.expiresMilliseconds)
            .bind(4, stream.lastID.milliseconds).bind(5, stream.lastID.sequence)
            .bind(6, stream.maxDeletedID.milliseconds).bind(7, stream.maxDeletedID.sequence)
            .bind(8, stream.entriesAdded).bind(9, stream.length).bind(10, stream.bytes)
            .bind(11, stream.lastOffset).bind(12, stream.appendedMilliseconds).bind(13, stream.headHash)
            .bind(14, stream.anchorOffset).bind(15, stream.anchorHash)
            .bind(16, Int64(stream.idempotencySeconds)).bind(17, Int64(stream.idempotencySize))
            .bind(18, stream.duplicates).bind(19, stream.settings?.encoded)
            .run()
        stream.isDirty = false
    }

    private func flushBuckets() throws(SQLiteError) {
        for (bucket, change) in bucketChanges {
            let events = try statement(.changeBucket).bind(1, bucket).bind(2, change)
            if try events.step(), events.integer(0) <= 0 { hasEmptyBuckets = true }
            // The rest of the statement must run, or it stays open.
            try events.run()
        }
        bucketChanges.removeAll(keepingCapacity: true)
    }
}

/// Numbers of the whole log that only grow. In the table `counter`, written once per commit when they changed.
struct LogCounters {
    /// Events ever appended to any stream: the position of the next.
    var position: Int64 = 0
    /// The last revision that was given to a stream.
    var revision: UInt64 = 0
    private var written: (position: Int64, revision: UInt64) = (0, 0)

    init() {}

    /// As the table has them.
    init(_ session: LogSession) throws(SQLiteError) {
        let statement = try session.statement(.counters)
        while try statement.step() {
            switch statement.text(0) {
            case "position": position = statement.integer(1)
            case "revision": revision = statement.unsigned(1)
            default: break
            }
        }
        written = (position, revision)
    }

    mutating func flush(_ session: LogSession) throws(SQLiteError) {
        if position != written.position {
            try session.statement(.setCounter).bind(1, "position").bind(2, position).run()
        }
        if revision != written.revision {
            try session.statement(.setCounter).bind(1, "revision").bind(2, revision).run()
        }
        written = (position, revision)
    }
}
