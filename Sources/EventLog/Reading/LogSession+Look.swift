import Database

/// Reading events with all that is known of them: by offset, id and time in a stream, and by what they say.
extension LogSession {
    /// Up to `limit` events of a range, the oldest first.
    func events(in range: EventRange, limit: Int) throws(SQLiteError) -> [StoredEvent] {
        guard let stream = try knownStream(range.stream), let start = try firstRow(of: range.start, in: stream) else {
            return []
        }
        var last = stream.rows.upperBound
        if let offset = range.lastOffset { last = min(last, stream.row(min(max(offset, 0), StreamState.offsetMax))) }
        guard start <= last else { return [] }
        var events: [StoredEvent] = []
        let rows = try statement(.eventsFrom).bind(1, start).bind(2, last)
        defer { rows.reset() }
        while events.count < limit, try rows.step() {
            let event = try eventRow(rows)
            if let until = range.untilUnixMilliseconds, event.appendedMilliseconds > until { break }
            events.append(stored(event, stream.name))
        }
        return events
    }

    func firstRow(of start: EventRange.Start, in stream: StreamState) throws(SQLiteError) -> Int64? {
        switch start {
        case .first: stream.rows.lowerBound
        case .offset(let offset): stream.row(min(max(offset, stream.anchorOffset), StreamState.offsetMax))
        case .id(let id): try firstPlace(in: stream) { $0.id >= id }?.row
        case .time(let moment): try firstPlace(in: stream) { $0.appendedMilliseconds >= moment }?.row
        }
    }

    /// Events of all streams that say this under a key, in the order of appending.
    func storedEvents(with key: EventKey, _ value: [UInt8], limit: Int) throws(SQLiteError) -> [StoredEvent] {
        var names: [Int64: [UInt8]] = [:]
        let streams = try statement(.streamNamesAfter).bind(1, Int64(0)).bind(2, Int64.min).bind(3, Int64(-1))
        while try streams.step() { names[streams.integer(0)] = streams.blob(1) }
        var events: [StoredEvent] = []
        for event in try self.events(with: key, value, limit: limit) {
            // A stream that was deleted and is not purged yet has no name any more.
            guard let name = names[event.row >> StreamState.offsetBits] else { continue }
            events.append(stored(event, name))
        }
        return events
    }

    func stored(_ event: EventRow, _ stream: [UInt8]) -> StoredEvent {
        StoredEvent(
            stream: stream, id: event.id, offset: event.row & StreamState.offsetMax, fields: event.fields,
            appendedAtUnixMilliseconds: event.appendedMilliseconds, hash: event.hash,
            isReplay: event.flags & EventFlags.replayed != 0)
    }
}
