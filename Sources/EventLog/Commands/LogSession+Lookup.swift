import Database

/// Finding and making streams, groups and consumers.
extension LogSession {
    /// The stream with this name; nil when there is none, or its time is over.
    func stream(_ name: [UInt8], now: Int64) throws(SQLiteError) -> StreamState? {
        guard let stream = try knownStream(name) else { return nil }
        if let expires = stream.expiresMilliseconds, expires <= now { return nil }
        return stream
    }

    /// As `stream`, whether its time is over or not.
    func knownStream(_ name: [UInt8]) throws(SQLiteError) -> StreamState? {
        if let stream = streams[name] { return stream }
        let row = try statement(.findStream).bind(1, name)
        guard try row.step() else { return nil }
        defer { row.reset() }
        let stream = StreamState(number: row.integer(0), name: name, createdMilliseconds: row.integer(1))
        stream.revision = row.unsigned(2)
        stream.expiresMilliseconds = row.optionalInteger(3)
        stream.lastID = StreamID(row.unsigned(4), row.unsigned(5))
        stream.maxDeletedID = StreamID(row.unsigned(6), row.unsigned(7))
        stream.entriesAdded = row.integer(8)
        stream.length = row.integer(9)
        stream.bytes = row.integer(10)
        stream.lastOffset = row.integer(11)
        stream.appendedMilliseconds = row.integer(12)
        stream.headHash = row.blob(13)
        stream.anchorOffset = row.integer(14)
        stream.anchorHash = row.blob(15)
        stream.idempotencySeconds = Int(row.integer(16))
        stream.idempotencySize = Int(row.integer(17))
        stream.duplicates = row.integer(18)
        stream.settings = row.optionalBlob(19).map { StreamSettings(encoded: $0) }
        streams[name] = stream
        return stream
    }

    /// A new stream without entries; nil when there are as many as there can be.
    func createStream(_ name: [UInt8], now: Int64) throws(SQLiteError) -> StreamState? {
        guard let number = try freeStreamNumber() else { return nil }
        let stream = StreamState(number: number, name: name, createdMilliseconds: now)
        stream.headHash = ChainHash.beginning(name: name, createdMilliseconds: now)
        stream.anchorHash = stream.headHash
        counters.revision += 1
        stream.revision = counters.revision
        try statement(.insertStream).bind(1, number).bind(2, name).bind(3, now).bind(4, stream.revision)
            .bind(5, stream.headHash).bind(6, Int64(stream.idempotencySeconds))
            .bind(7, Int64(stream.idempotencySize)).run()
        streams[name] = stream
        return stream
    }

    private func freeStreamNumber() throws(SQLiteError) -> Int64? {
        let highest = try statement(.highestStream)
        _ = try highest.step()
        let next = highest.integer(0) + 1
        highest.reset()
        if next <= StreamState.numberMax { return next }
        let gap = try statement(.freeStreamNumber)
        guard try gap.step() else { return nil }
        defer { gap.reset() }
        return gap.integer(0) <= StreamState.numberMax ? gap.integer(0) : nil
    }

    /// The group of a stream, if there is one.
    func group(_ name: [UInt8], of stream: StreamState) throws(SQLiteError) -> GroupState? {
        let key = GroupKey(owner: stream.number, name: name)
        if let group = groups[key] { return group }
        let row = try statement(.findGroup).bind(1, stream.number).bind(2, name)
        guard try row.step() else { return nil }
        defer { row.reset() }
        let group = GroupState(
            number: row.integer(0), stream: stream, name: name, lastID: StreamID(row.unsigned(1), row.unsigned(2)),
            entriesRead: row.optionalInteger(3))
        group.policy = row.optionalBlob(4)
        groups[key] = group
        return group
    }

    /// All groups of a stream, by name.
    func groups(of stream: StreamState) throws(SQLiteError) -> [GroupState] {
        let names = try blobs(statement(.groupsOfStream).bind(1, stream.number))
        var found: [GroupState] = []
        for name in names {
            if let group = try group(name, of: stream) { found.append(group) }
        }
        return found
    }

    /// A new group that has given out nothing.
    func createGroup(
        _ name: [UInt8], of stream: StreamState, lastID: StreamID, entriesRead: Int64?
    ) throws(SQLiteError) -> GroupState {
        let row = try statement(.insertGroup).bind(1, stream.number).bind(2, name)
            .bind(3, lastID.milliseconds).bind(4, lastID.sequence).bind(5, entriesRead)
        _ = try row.step()
        let number = row.integer(0)
        row.reset()
        let group = GroupState(number: number, stream: stream, name: name, lastID: lastID, entriesRead: entriesRead)
        groups[GroupKey(owner: stream.number, name: name)] = group
        return group
    }

    /// Takes a group away with all it has given out.
    func remove(_ group: GroupState) throws(SQLiteError) {
        try statement(.deletePendingOfGroup).bind(1, group.number).run()
        for consumer in try consumers(of: group) { try forgetRow(of: consumer, group) }
        try statement(.deleteGroup).bind(1, group.number).run()
        group.isDirty = false
        groups[GroupKey(owner: group.stream.number, name: group.name)] = nil
    }

    /// The consumer of a group, if it has been seen.
    func consumer(_ name: [UInt8], of group: GroupState) throws(SQLiteError) -> ConsumerState? {
        let key = GroupKey(owner: group.number, name: name)
        if let consumer = consumers[key] { return consumer }
        let row = try statement(.findConsumer).bind(1, group.number).bind(2, name)
        guard try row.step() else { return nil }
        defer { row.reset() }
        let consumer = ConsumerState(number: row.integer(0), name: name, seenMilliseconds: row.integer(1))
        consumers[key] = consumer
        return consumer
    }

    /// The consumer of a group, made on the first sight, and seen now.
    func seenConsumer(_ name: [UInt8], of group: GroupState, now: Int64) throws(SQLiteError) -> ConsumerState {
        guard let consumer = try consumer(name, of: group) else {
            return try createConsumer(name, of: group, now: now)
        }
        if consumer.seenMilliseconds != now {
            consumer.seenMilliseconds = now
            touch(consumer)
        }
        return consumer
    }

    /// A new consumer.
    func createConsumer(_ name: [UInt8], of group: GroupState, now: Int64) throws(SQLiteError) -> ConsumerState {
        let row = try statement(.insertConsumer).bind(1, group.number).bind(2, name).bind(3, now)
        _ = try row.step()
        let number = row.integer(0)
        row.reset()
        let consumer = ConsumerState(number: number, name: name, seenMilliseconds: now)
        consumers[GroupKey(owner: group.number, name: name)] = consumer
        return consumer
    }

    /// All consumers of a group, by name.
    func consumers(of group: GroupState) throws(SQLiteError) -> [ConsumerState] {
        let names = try blobs(statement(.consumersOfGroup).bind(1, group.number))
        var found: [ConsumerState] = []
        for name in names {
            if let consumer = try consumer(name, of: group) { found.append(consumer) }
        }
        return found
    }

    /// Takes a consumer away with what it holds.
    func remove(_ consumer: ConsumerState, of group: GroupState) throws(SQLiteError) {
        try statement(.deletePendingOfConsumer).bind(1, group.number).bind(2, consumer.number).run()
        try forgetRow(of: consumer, group)
    }

    private func forgetRow(of consumer: ConsumerState, _ group: GroupState) throws(SQLiteError) {
        try statement(.deleteConsumer).bind(1, consumer.number).run()
        consumer.isDirty = false
        consumers[GroupKey(owner: group.number, name: consumer.name)] = nil
    }

    /// The first column of all rows.
    func blobs(_ rows: SQLiteStatement) throws(SQLiteError) -> [[UInt8]] {
        var found: [[UInt8]] = []
        while try rows.step() { found.append(rows.blob(0)) }
        return found
    }

    /// The one number that a statement counts.
    func count(_ row: SQLiteStatement) throws(SQLiteError) -> Int64 {
        defer { row.reset() }
        return try row.step() ? row.integer(0) : 0
    }
}
