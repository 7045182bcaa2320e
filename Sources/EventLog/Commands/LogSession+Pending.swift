import Database

/// One delivery that waits for its acknowledgement, as the table has it.
struct PendingRow {
    var id: StreamID
    /// The number of the consumer.
    var consumer: Int64
    var deliveredMilliseconds: Int64
    var deliveries: Int64
    /// The event's row, which may be gone.
    var row: Int64
    /// When the lease ends, or the delay of a nack; nil for ever.
    var dueMilliseconds: Int64?
    /// Given back, and waiting to be due; not in anybody's hands.
    var isWaiting = false
    /// Given to the group once more by a replay.
    var isReplay = false
}

/// The pending lists of groups, and the commands that only look at them.
extension LogSession {
    /// The delivery of one entry in a group.
    func pending(_ id: StreamID, of group: GroupState) throws(SQLiteError) -> PendingRow? {
        let row = try statement(.findPending).bind(1, group.number)
            .bind(2, ordered(id.milliseconds)).bind(3, ordered(id.sequence))
        guard try row.step() else { return nil }
        defer { row.reset() }
        return pendingRow(row)
    }

    /// Deliveries of a group, or of one consumer, by id.
    func pending(
        of group: GroupState, from lower: StreamID, limit: Int?, _ consumer: ConsumerState? = nil
    ) throws(SQLiteError) -> [PendingRow] {
        let rows = try statement(consumer == nil ? .pendingFrom : .pendingOfConsumerFrom).bind(1, group.number)
            .bind(2, ordered(lower.milliseconds)).bind(3, ordered(lower.sequence)).bind(4, limit.map(Int64.init) ?? -1)
        if let consumer { rows.bind(5, consumer.number) }
        var found: [PendingRow] = []
        while try rows.step() { found.append(pendingRow(rows)) }
        return found
    }

    /// What a row of the statements on `pending` says.
    func pendingRow(_ row: SQLiteStatement) -> PendingRow {
        PendingRow(
            id: StreamID(unordered(row.integer(0)), unordered(row.integer(1))), consumer: row.integer(2),
            deliveredMilliseconds: row.integer(3), deliveries: row.integer(4), row: row.integer(5),
            dueMilliseconds: row.optionalInteger(6), isWaiting: row.integer(7) & 1 != 0,
            isReplay: row.integer(7) & 2 != 0)
    }

    /// Writes a delivery, new or changed.
    func write(_ pending: PendingRow, of group: GroupState) throws(SQLiteError) {
        try statement(.upsertPending).bind(1, group.number)
            .bind(2, ordered(pending.id.milliseconds)).bind(3, ordered(pending.id.sequence))
            .bind(4, pending.consumer).bind(5, pending.deliveredMilliseconds).bind(6, pending.deliveries)
            .bind(7, pending.row).bind(8, pending.dueMilliseconds)
            .bind(9, Int64((pending.isWaiting ? 1 : 0) | (pending.isReplay ? 2 : 0))).run()
    }

    /// Takes a delivery away; false when there was none.
    func removePending(_ id: StreamID, of group: GroupState) throws(SQLiteError) -> Bool {
        try statement(.deletePending).bind(1, group.number)
            .bind(2, ordered(id.milliseconds)).bind(3, ordered(id.sequence)).run()
        return connection.changes > 0
    }

    func countPending(of group: GroupState, _ consumer: ConsumerState) throws(SQLiteError) -> Int64 {
        try count(statement(.countPendingOfConsumer).bind(1, group.number).bind(2, consumer.number))
    }

    /// XACK.
    func acknowledge(key: [UInt8], group name: [UInt8], ids: [StreamID], now: Int64) throws(SQLiteError) -> StreamReply
    {
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream) else { return .count(0) }
        var acknowledged: Int64 = 0
        for id in ids where try removePending(id, of: group) { acknowledged += 1 }
        if acknowledged > 0 { revise(stream) }
        return .count(acknowledged)
    }

    /// XACKDEL.
    func acknowledgeAndDelete(
        key: [UInt8], group name: [UInt8], ids: [StreamID], references: ReferencePolicy, now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream) else {
            return .perID(ids.map { _ in -1 })
        }
        var replies: [Int64] = []
        for id in ids {
            guard try removePending(id, of: group) else {
                replies.append(-1)
                continue
            }
            revise(stream)
            let removed = try removeEntry(id, from: stream, references)
            // The entry may be gone already: it was pending, and now it is neither.
            replies.append(removed == 2 ? 2 : 1)
        }
        return .perID(replies)
    }

    /// XPENDING key group.
    func pendingSummary(key: [UInt8], group name: [UInt8], now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream) else {
            return .failed(.noKeyOrGroup(key: key, group: name))
        }
        var summary = PendingSummary(count: 0, lowest: nil, highest: nil, consumers: [])
        let rows = try statement(.pendingPerConsumer).bind(1, group.number)
        while try rows.step() {
            summary.consumers.append((name: rows.blob(0), count: rows.integer(1)))
            summary.count += rows.integer(1)
        }
        summary.lowest = try boundary(.lowestPending, group)
        summary.highest = try boundary(.highestPending, group)
        return .pendingSummary(summary)
    }

    private func boundary(_ which: LogStatement, _ group: GroupState) throws(SQLiteError) -> StreamID? {
        let row = try statement(which).bind(1, group.number)
        guard try row.step() else { return nil }
        defer { row.reset() }
        return StreamID(unordered(row.integer(0)), unordered(row.integer(1)))
    }

    /// XPENDING with a range.
    func pending(_ request: StreamPendingRange, now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(request.key, now: now), let group = try group(request.group, of: stream) else {
            return .failed(.noKeyOrGroup(key: request.key, group: request.group))
        }
        var owner: ConsumerState?
        if let name = request.consumer {
            owner = try consumer(name, of: group)
            if owner == nil { return .pending([]) }
        }
        let names = try consumerNames(of: group)
        var found: [PendingEntry] = []
        let rows = try statement(owner == nil ? .pendingFrom : .pendingOfConsumerFrom).bind(1, group.number)
            .bind(2, ordered(request.lower.milliseconds)).bind(3, ordered(request.lower.sequence)).bind(4, Int64(-1))
        if let owner { rows.bind(5, owner.number) }
        defer { rows.reset() }
        while found.count < request.count, try rows.step() {
            let row = pendingRow(rows)
            guard row.id <= request.upper else { break }
            let idle = now - row.deliveredMilliseconds
            if request.minimumIdleMilliseconds > 0, idle < request.minimumIdleMilliseconds { continue }
            found.append(
                PendingEntry(
                    id: row.id, consumer: names[row.consumer] ?? [], idleMilliseconds: max(idle, 0),
                    deliveries: row.deliveries))
        }
        return .pending(found)
    }

    /// Consumers' names by their numbers.
    func consumerNames(of group: GroupState) throws(SQLiteError) -> [Int64: [UInt8]] {
        Dictionary(uniqueKeysWithValues: try consumers(of: group).map { ($0.number, $0.name) })
    }
}
