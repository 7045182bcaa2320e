import Database

/// Looking at events without disturbing the writer. Answers come on a reader's thread and show the last commit.
extension DurableLog {
    /// Up to `limit` events of a range, the oldest first. To go on, ask again behind the last offset.
    public func events(in range: EventRange, limit: Int, answer: @escaping Answer<[StoredEvent]>) {
        read(answer) { session throws(SQLiteError) in try session.events(in: range, limit: limit) }
    }

    /// Events of all streams with this correlation id, trace id or type, in the order of appending.
    public func events(with key: EventKey, _ value: [UInt8], limit: Int, answer: @escaping Answer<[StoredEvent]>) {
        read(answer) { session throws(SQLiteError) in
            try session.storedEvents(with: key, value, limit: limit)
        }
    }

    /// Up to `limit` events that a query means.
    public func page(_ query: EventQuery, limit: Int, answer: @escaping Answer<EventPage>) {
        read(answer) { session throws(SQLiteError) in try session.page(query, limit: limit) }
    }

    /// How a stream stands; nil without one.
    public func overview(of stream: [UInt8], now: Int64, answer: @escaping Answer<StreamOverview?>) {
        read(answer) { session throws(SQLiteError) in try session.overview(of: stream, now: now) }
    }

    /// How up to `limit` streams stand, behind the cursor of an earlier call, and where to go on.
    public func overviews(
        after cursor: Int64 = 0, limit: Int, now: Int64,
        answer: @escaping Answer<(streams: [StreamOverview], next: Int64?)>
    ) {
        read(answer) { session throws(SQLiteError) in
            try session.overviews(after: cursor, limit: limit, now: now)
        }
    }

    /// Has a reader do `work` and answers with what it found. Refuses at once when too many wait.
    func read<Value: Sendable>(
        _ answer: @escaping Answer<Value>, _ work: @escaping @Sendable (LogSession) throws(SQLiteError) -> Value
    ) {
        let job = LogReaders.ReadJob(
            perform: { session throws(SQLiteError) in
                let value = try work(session)
                return { answer(.success(value)) }
            }, fail: { answer(.failure($0)) })
        switch readers.offer(job, limit: limits.waitingMax) {
        case .taken: break
        case .closed: answer(.failure(.closed))
        case .full(let waiting): answer(.failure(.saturated(waiting: waiting, limit: limits.waitingMax)))
        }
    }
}
