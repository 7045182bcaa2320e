import Database

/// XGROUP and XREADGROUP.
extension LogSession {
    /// XGROUP CREATE.
    func createGroup(_ request: StreamGroupCreation, now: Int64) throws(SQLiteError) -> StreamReply {
        var existing = try stream(request.key, now: now)
        if existing == nil {
            guard request.createsStream else { return .failed(.groupNeedsKey) }
            existing = try createStream(request.key, now: now)
        }
        guard let stream = existing else { return .failed(Self.tooManyStreams) }
        guard try group(request.group, of: stream) == nil else { return .failed(.groupExists) }
        _ = try createGroup(
            request.group, of: stream, lastID: Self.start(request.start, stream), entriesRead: request.entriesRead)
        revise(stream)
        return .done
    }

    private static func start(_ start: GroupStart, _ stream: StreamState) -> StreamID {
        switch start {
        case .last: stream.lastID
        case .after(let id): id
        }
    }

    /// XGROUP SETID.
    func setGroup(
        key: [UInt8], group name: [UInt8], start: GroupStart, entriesRead: Int64?, now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.groupNeedsKey) }
        guard let group = try group(name, of: stream) else { return .failed(.noGroup(key: key, group: name)) }
        let position = Self.start(start, stream)
        if position != group.lastID { revise(stream) }
        group.lastID = position
        group.entriesRead = entriesRead
        touch(group)
        changedKeys.insert(key)
        return .done
    }

    /// XGROUP DESTROY.
    func destroyGroup(key: [UInt8], group name: [UInt8], now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.groupNeedsKey) }
        guard let group = try group(name, of: stream) else { return .count(0) }
        try remove(group)
        revise(stream)
        changedKeys.insert(key)
        return .count(1)
    }

    /// XGROUP CREATECONSUMER.
    func createConsumer(
        key: [UInt8], group name: [UInt8], consumer: [UInt8], now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.groupNeedsKey) }
        guard let group = try group(name, of: stream) else { return .failed(.noGroup(key: key, group: name)) }
        guard try self.consumer(consumer, of: group) == nil else { return .count(0) }
        _ = try createConsumer(consumer, of: group, now: now)
        revise(stream)
        return .count(1)
    }

    /// XGROUP DELCONSUMER.
    func deleteConsumer(
        key: [UInt8], group name: [UInt8], consumer: [UInt8], now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.groupNeedsKey) }
        guard let group = try group(name, of: stream) else { return .failed(.noGroup(key: key, group: name)) }
        guard let consumer = try self.consumer(consumer, of: group) else { return .count(0) }
        let held = try countPending(of: group, consumer)
        try remove(consumer, of: group)
        revise(stream)
        return .count(held)
    }

    /// XREADGROUP without its waiting.
    func readGroup(_ request: StreamGroupRead, now: Int64) throws(SQLiteError) -> StreamReply {
        var groups: [GroupState] = []
        for (key, _) in request.streams {
            guard let stream = try stream(key, now: now), let group = try group(request.group, of: stream) else {
                return .failed(.noKeyOrGroupToRead(key: key, group: request.group))
            }
            groups.append(group)
        }
        var batches: [StreamBatch] = []
        for ((key, position), group) in zip(request.streams, groups) {
            switch position {
            case .undelivered:
                let entries = try deliver(request, group, now: now)
                if !entries.isEmpty { batches.append(StreamBatch(key: key, entries: entries)) }
            case .ownPendingAfter(let id):
                let consumer = try seenConsumer(request.consumer, of: group, now: now)
                batches.append(
                    StreamBatch(key: key, entries: try ownPending(after: id, request, group, consumer, now: now)))
            }
        }
        return .streams(batches, positions: request.streams.map { _ in .zero })
    }

    /// Gives a consumer what nobody in the group was given yet. One that gets nothing is not noted, as in Redis 7.0.
    private func deliver(
        _ request: StreamGroupRead, _ group: GroupState, now: Int64
    ) throws(SQLiteError) -> [StreamEntry] {
        let stream = group.stream
        guard group.lastID < stream.lastID, let lower = group.lastID.next else { return [] }
        guard let start = try firstPlace(in: stream, { $0.id >= lower }) else { return [] }
        let consumer = try seenConsumer(request.consumer, of: group, now: now)
        var entries: [StreamEntry] = []
        let rows = try statement(.eventsFrom).bind(1, start.row).bind(2, stream.rows.upperBound)
        defer { rows.reset() }
        while entries.count < request.count ?? .max, try rows.step() {
            let event = try eventRow(rows)
            try advance(group, to: event.id)
            if !request.acknowledges {
                try write(
                    PendingRow(
                        id: event.id, consumer: consumer.number, deliveredMilliseconds: now, deliveries: 1,
                        row: event.row), of: group)
            }
            entries.append(StreamEntry(id: event.id, fields: event.fields))
        }
        return entries
    }

    /// Moves the group's position over one entry, and counts it while counting is possible.
    func advance(_ group: GroupState, to id: StreamID) throws(SQLiteError) {
        if let read = group.entriesRead, try !hasGap(after: id, in: group.stream) {
            group.entriesRead = read + 1
        } else if group.stream.entriesAdded > 0 {
            group.entriesRead = try entriesRead(upTo: id, in: group.stream)
        }
        group.lastID = id
        touch(group)
    }

    /// What a consumer was given and has not acknowledged, which counts as one more delivery; entries that are gone
    /// come without fields.
    private func ownPending(
        after id: StreamID, _ request: StreamGroupRead, _ group: GroupState, _ consumer: ConsumerState,
        now: Int64
    ) throws(SQLiteError) -> [StreamEntry] {
        guard let lower = id.next else { return [] }
        var entries: [StreamEntry] = []
        for var pending in try pending(of: group, from: lower, limit: request.count, consumer) {
            let event = try event(row: pending.row)
            entries.append(StreamEntry(id: pending.id, fields: event?.fields))
            guard event != nil else { continue }
            pending.deliveredMilliseconds = now
            pending.deliveries += 1
            try write(pending, of: group)
        }
        return entries
    }
}
