import Database

/// One event as the table has it.
struct EventRow {
    var row: Int64
    var id: StreamID
    var appendedMilliseconds: Int64
    var flags: Int64
    var fields: EventFields
    var hash: [UInt8]
}

/// Writing events, and finding them by id, offset and time.
extension LogSession {
    /// Writes an event behind the last one of its stream. The id is checked already.
    func insert(
        _ fields: EventFields, id: StreamID, into stream: StreamState, flags: Int64 = 0, now: Int64
    ) throws(SQLiteError) {
        // Bisection by time needs times that never go back, whatever the clock does.
        let appended = max(now, stream.appendedMilliseconds)
        let offset = stream.lastOffset + 1
        let digest = ChainHash.digest(
            offset: offset, id: id, appendedMilliseconds: appended, fields: fields.encoded)
        let hash = ChainHash.link(previous: stream.headHash, digest: digest)
        let position = counters.position + 1
        var flags = Int64(fields.count) << EventFlags.countShift | flags
        var stored = fields.encoded
        if let least = stream.settings?.compressionBytesMin, stored.count >= least,
            let compressed = FieldCompression.compress(stored)
        {
            stored = compressed
            flags |= EventFlags.compressed
        }
        let row = stream.row(offset)
        try statement(.insertEvent).bind(1, row).bind(2, id.milliseconds).bind(3, id.sequence).bind(4, position)
            .bind(5, appended).bind(6, flags).bind(7, hash).bind(8, stored).run()
        try index(fields, row: row, position: position)

        counters.position = position
        stream.lastOffset = offset
        stream.appendedMilliseconds = appended
        stream.headHash = hash
        stream.lastID = id
        stream.entriesAdded += 1
        stream.length += 1
        stream.bytes += Int64(stored.count)
        revise(stream)
        changedKeys.insert(stream.name)
        if !projections.isEmpty { mayFold = true }
    }

    /// What a row of `eventsFrom`, `eventsUpTo` or `event` says.
    func eventRow(_ row: SQLiteStatement) throws(SQLiteError) -> EventRow {
        EventRow(
            row: row.integer(0), id: StreamID(row.unsigned(1), row.unsigned(2)), appendedMilliseconds: row.integer(3),
            flags: row.integer(4), fields: try fields(row), hash: row.blob(6))
    }

    /// The fields alone, of the same row.
    func fields(_ row: SQLiteStatement) throws(SQLiteError) -> EventFields {
        let flags = row.integer(4)
        let stored: [UInt8]? =
            flags & EventFlags.compressed == 0
            ? row.blob(5) : row.withBlob(5, { FieldCompression.decompress($0) })
        guard let stored else {
            // What is on disk is not what was written.
            throw .damaged("the fields of event row \(row.integer(0)) cannot be decompressed")
        }
        return EventFields(trustedEncoded: stored, count: Int(flags >> EventFlags.countShift))
    }

    /// The event in a row, if it is still there.
    func event(row: Int64) throws(SQLiteError) -> EventRow? {
        let found = try statement(.event).bind(1, row)
        guard try found.step() else { return nil }
        defer { found.reset() }
        return try eventRow(found)
    }

    /// Where an event with this id lies, if there is one.
    func row(of id: StreamID, in stream: StreamState) throws(SQLiteError) -> Int64? {
        guard let place = try firstPlace(in: stream, { $0.id >= id }), place.id == id else { return nil }
        return place.row
    }

    /// The entry with this id, if there is one.
    func entry(_ id: StreamID, in stream: StreamState) throws(SQLiteError) -> StreamEntry? {
        guard let row = try row(of: id, in: stream), let event = try event(row: row) else { return nil }
        return StreamEntry(id: id, fields: event.fields)
    }

    /// The oldest and the youngest event of a stream.
    func firstPlace(in stream: StreamState) throws(SQLiteError) -> EventPlace? {
        guard stream.length > 0 else { return nil }
        return try place(.firstEventFrom, stream.rows)
    }

    /// The youngest event of a stream.
    func lastPlace(in stream: StreamState) throws(SQLiteError) -> EventPlace? {
        guard stream.length > 0 else { return nil }
        return try place(.lastEventUpTo, stream.rows)
    }

    /// The youngest event at or before a row.
    func lastPlace(upTo row: Int64, in stream: StreamState) throws(SQLiteError) -> EventPlace? {
        guard row >= stream.rows.lowerBound else { return nil }
        return try place(.lastEventUpTo, stream.rows.lowerBound...min(row, stream.rows.upperBound))
    }

    /// The oldest event for which `isReached` holds, given that it then holds for all younger ones.
    ///
    /// Looks at the oldest, since many reads begin there, then goes back from the youngest in growing steps, since the
    /// others begin near the end, and bisects between.
    func firstPlace(
        in stream: StreamState, _ isReached: (EventPlace) -> Bool
    ) throws(SQLiteError) -> EventPlace? {
        guard let first = try firstPlace(in: stream) else { return nil }
        if isReached(first) { return first }
        guard let last = try lastPlace(in: stream), isReached(last) else { return nil }
        // `below` is not reached, `found` is.
        var below = first.row
        var found = last
        var step: Int64 = 1
        while found.row - below > 1, found.row - step > below {
            guard let probe = try place(.firstEventFrom, (found.row - step)...found.row) else { break }
            if isReached(probe) {
                if probe.row == found.row { step *= 2; continue }
                found = probe
                step *= 2
            } else {
                below = probe.row
                break
            }
        }
        while found.row - below > 1 {
            let middle = below + (found.row - below) / 2
            guard let probe = try place(.firstEventFrom, middle...found.row) else { break }
            if !isReached(probe) {
                below = probe.row
            } else if probe.row == found.row {
                // Nothing lies between the middle and what is found: go on in the lower half.
                guard let lower = try place(.lastEventUpTo, below...(middle - 1)) else { break }
                if isReached(lower) { found = lower } else { return found }
            } else {
                found = probe
            }
        }
        return found
    }

    private func place(_ which: LogStatement, _ rows: ClosedRange<Int64>) throws(SQLiteError) -> EventPlace? {
        let found = try statement(which).bind(1, rows.lowerBound).bind(2, rows.upperBound)
        guard try found.step() else { return nil }
        defer { found.reset() }
        return EventPlace(
            row: found.integer(0), id: StreamID(found.unsigned(1), found.unsigned(2)),
            appendedMilliseconds: found.integer(3))
    }
}

/// Where an event lies, without the event.
struct EventPlace {
    var row: Int64
    var id: StreamID
    var appendedMilliseconds: Int64
}

/// What the column `flags` of an event holds: bits of its own below, the number of fields above.
enum EventFlags {
    static let countShift: Int64 = 8
    /// The fields are compressed (zstd).
    static let compressed: Int64 = 1
    /// The event was written by a replay.
    static let replayed: Int64 = 2
}
