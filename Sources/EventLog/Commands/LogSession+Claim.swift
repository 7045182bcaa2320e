import Database

/// XCLAIM and XAUTOCLAIM.
extension LogSession {
    /// XCLAIM.
    func claim(_ request: StreamClaim, now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(request.key, now: now), let group = try group(request.group, of: stream) else {
            return .failed(.noKeyOrGroup(key: request.key, group: request.group))
        }
        if let lastID = request.lastID, lastID > group.lastID {
            group.lastID = lastID
            touch(group)
            revise(stream)
        }
        var claimed: [StreamEntry] = []
        for id in request.ids {
            guard let entry = try claim(id, request, group, now: now) else { continue }
            claimed.append(entry)
        }
        return request.idsOnly ? .ids(claimed.map(\.id)) : .entries(claimed)
    }

    /// Hands one entry over; nil when it stays where it is.
    private func claim(
        _ id: StreamID, _ request: StreamClaim, _ group: GroupState, now: Int64
    ) throws(SQLiteError) -> StreamEntry? {
        let held = try pending(id, of: group)
        guard let row = try row(of: id, in: group.stream), let event = try event(row: row) else {
            if held != nil, try removePending(id, of: group) { revise(group.stream) }
            return nil
        }
        var pending: PendingRow
        if let held {
            let idle = now - held.deliveredMilliseconds
            if request.minimumIdleMilliseconds > 0, idle < request.minimumIdleMilliseconds { return nil }
            pending = held
        } else {
            guard request.createsPending else { return nil }
            pending = PendingRow(id: id, consumer: 0, deliveredMilliseconds: now, deliveries: 1, row: row)
        }
        pending.consumer = try seenConsumer(request.consumer, of: group, now: now).number
        let given = request.deliveredAtUnixMilliseconds ?? now
        pending.deliveredMilliseconds = (0...now).contains(given) ? given : now
        pending.dueMilliseconds = nil
        pending.isWaiting = false
        if let deliveries = request.deliveries {
            pending.deliveries = deliveries
        } else if !request.idsOnly {
            pending.deliveries += 1
        }
        try write(pending, of: group)
        revise(group.stream)
        return StreamEntry(id: id, fields: request.idsOnly ? nil : event.fields)
    }

    /// XAUTOCLAIM.
    func autoClaim(_ request: StreamAutoClaim, now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(request.key, now: now), let group = try group(request.group, of: stream) else {
            return .failed(.noKeyOrGroup(key: request.key, group: request.group))
        }
        // One more than is looked at: it is where the next call begins.
        let attempts = request.count * 10
        let candidates = try pending(of: group, from: request.start, limit: attempts + 1)
        var entries: [StreamEntry] = []
        var deleted: [StreamID] = []
        var looked = 0
        for var pending in candidates.prefix(attempts) {
            guard entries.count + deleted.count < request.count else { break }
            looked += 1
            guard let event = try event(row: pending.row) else {
                if try removePending(pending.id, of: group) { revise(stream) }
                deleted.append(pending.id)
                continue
            }
            let idle = now - pending.deliveredMilliseconds
            if request.minimumIdleMilliseconds > 0, idle < request.minimumIdleMilliseconds { continue }
            pending.consumer = try seenConsumer(request.consumer, of: group, now: now).number
            pending.deliveredMilliseconds = now
            pending.dueMilliseconds = nil
            pending.isWaiting = false
            if !request.idsOnly { pending.deliveries += 1 }
            try write(pending, of: group)
            revise(stream)
            entries.append(StreamEntry(id: pending.id, fields: request.idsOnly ? nil : event.fields))
        }
        let next = looked < candidates.count ? candidates[looked].id : .zero
        return .autoClaimed(next: next, entries: entries, deleted: deleted)
    }
}
