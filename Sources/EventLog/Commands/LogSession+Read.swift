import Database

/// XLEN, XRANGE, XREVRANGE, XREAD, XINFO STREAM.
extension LogSession {
    /// XRANGE and XREVRANGE.
    func range(_ request: StreamRange, now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(request.key, now: now) else { return .entries([]) }
        if request.count == 0 { return .none }
        guard request.lower <= request.upper else { return .entries([]) }
        return .entries(
            request.isReversed
                ? try entriesDown(from: request.upper, to: request.lower, in: stream, limit: request.count)
                : try entries(from: request.lower, to: request.upper, in: stream, limit: request.count))
    }

    /// Entries with these ids, the oldest first.
    func entries(
        from lower: StreamID, to upper: StreamID, in stream: StreamState, limit: Int?
    ) throws(SQLiteError) -> [StreamEntry] {
        guard lower <= stream.lastID, let start = try firstPlace(in: stream, { $0.id >= lower }) else { return [] }
        var entries: [StreamEntry] = []
        let rows = try statement(.eventsFrom).bind(1, start.row).bind(2, stream.rows.upperBound)
        defer { rows.reset() }
        while entries.count < limit ?? .max, try rows.step() {
            let id = StreamID(rows.unsigned(1), rows.unsigned(2))
            guard id <= upper else { break }
            entries.append(StreamEntry(id: id, fields: try fields(rows)))
        }
        return entries
    }

    private func entriesDown(
        from upper: StreamID, to lower: StreamID, in stream: StreamState, limit: Int?
    ) throws(SQLiteError) -> [StreamEntry] {
        var start = stream.rows.upperBound
        if let beyond = try firstPlace(in: stream, { $0.id > upper }) { start = beyond.row - 1 }
        var entries: [StreamEntry] = []
        let rows = try statement(.eventsUpTo).bind(1, stream.rows.lowerBound).bind(2, start)
        defer { rows.reset() }
        while entries.count < limit ?? .max, try rows.step() {
            let id = StreamID(rows.unsigned(1), rows.unsigned(2))
            guard id >= lower else { break }
            entries.append(StreamEntry(id: id, fields: try fields(rows)))
        }
        return entries
    }

    /// XREAD without its waiting.
    func read(_ request: StreamRead, now: Int64) throws(SQLiteError) -> StreamReply {
        var batches: [StreamBatch] = []
        var positions: [StreamID] = []
        for (key, position) in request.streams {
            let stream = try stream(key, now: now)
            let after: StreamID
            switch position {
            case .after(let id): after = id
            case .last: after = stream?.lastID ?? .zero
            }
            positions.append(after)
            guard let stream, let lower = after.next else { continue }
            let entries = try entries(from: lower, to: .max, in: stream, limit: request.count)
            if !entries.isEmpty { batches.append(StreamBatch(key: key, entries: entries)) }
        }
        return .streams(batches, positions: positions)
    }

    /// XINFO STREAM.
    func info(key: [UInt8], now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.noSuchKey) }
        return .streamInfo(try info(stream))
    }

    private func info(_ stream: StreamState) throws(SQLiteError) -> StreamInfo {
        var first: StreamEntry?
        var last: StreamEntry?
        if let place = try firstPlace(in: stream), let event = try event(row: place.row) {
            first = StreamEntry(id: place.id, fields: event.fields)
        }
        if let place = try lastPlace(in: stream), let event = try event(row: place.row) {
            last = StreamEntry(id: place.id, fields: event.fields)
        }
        return StreamInfo(
            length: stream.length, lastID: stream.lastID, maxDeletedID: stream.maxDeletedID,
            entriesAdded: stream.entriesAdded, recordedFirstID: first?.id ?? .zero,
            groups: try count(statement(.countGroups).bind(1, stream.number)), first: first, last: last)
    }

    /// XINFO STREAM FULL.
    func fullInfo(key: [UInt8], limit: Int?, now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.noSuchKey) }
        var groups: [GroupFullInfo] = []
        for group in try self.groups(of: stream) { groups.append(try fullInfo(group, limit: limit)) }
        return .fullInfo(
            StreamFullInfo(
                stream: try info(stream),
                entries: try entries(from: .zero, to: .max, in: stream, limit: limit), groups: groups))
    }

    private func fullInfo(_ group: GroupState, limit: Int?) throws(SQLiteError) -> GroupFullInfo {
        let known = try consumers(of: group)
        let names = Dictionary(uniqueKeysWithValues: known.map { ($0.number, $0.name) })
        let deliveries = { (rows: [PendingRow]) in
            rows.map { row in
                PendingDelivery(
                    id: row.id, consumer: names[row.consumer] ?? [],
                    deliveredAtUnixMilliseconds: row.deliveredMilliseconds, deliveries: row.deliveries)
            }
        }
        var consumers: [ConsumerFullInfo] = []
        for consumer in known {
            consumers.append(
                ConsumerFullInfo(
                    name: consumer.name, seenAtUnixMilliseconds: consumer.seenMilliseconds,
                    pendingCount: try countPending(of: group, consumer),
                    pending: deliveries(try pending(of: group, from: .zero, limit: limit, consumer))))
        }
        return GroupFullInfo(
            group: try info(group), pending: deliveries(try pending(of: group, from: .zero, limit: limit)),
            consumers: consumers)
    }

    /// XINFO GROUPS.
    func groupsInfo(key: [UInt8], now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.noSuchKey) }
        var infos: [GroupInfo] = []
        for group in try groups(of: stream) { infos.append(try info(group)) }
        return .groups(infos)
    }

    func info(_ group: GroupState) throws(SQLiteError) -> GroupInfo {
        GroupInfo(
            name: group.name, consumers: try count(statement(.countConsumers).bind(1, group.number)),
            pending: try count(statement(.countPending).bind(1, group.number)), lastDelivered: group.lastID,
            entriesRead: group.entriesRead, lag: try lag(of: group))
    }

    /// XINFO CONSUMERS.
    func consumersInfo(key: [UInt8], group name: [UInt8], now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.noSuchKey) }
        guard let group = try group(name, of: stream) else { return .failed(.noGroup(key: key, group: name)) }
        var infos: [ConsumerInfo] = []
        for consumer in try consumers(of: group) {
            infos.append(
                ConsumerInfo(
                    name: consumer.name, pending: try countPending(of: group, consumer),
                    idleMilliseconds: max(now - consumer.seenMilliseconds, 0)))
        }
        return .consumers(infos)
    }
}
