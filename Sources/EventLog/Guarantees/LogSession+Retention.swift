import Database

/// Retention: what a stream's settings no longer keep goes, the oldest first, a piece at a time.
extension LogSession {
    /// Removes a piece of what is too old or too much, over all streams. True while there may be more.
    func retain(now: Int64) throws(SQLiteError) -> Bool {
        var hasMore = false
        // What was changed since the last commit is not in the table yet.
        try flush()
        for name in try blobs(statement(.streamsWithSettings)) {
            guard let stream = try stream(name, now: now), let settings = stream.settings, settings.hasRetention else {
                continue
            }
            let surplus = try surplus(of: stream, settings, now: now)
            guard surplus > 0 else { continue }
            try removeOldest(min(surplus, Self.purgedAtOnce), of: stream)
            revise(stream)
            if surplus > Self.purgedAtOnce { hasMore = true }
        }
        return hasMore
    }

    /// How many of the oldest events need not be kept.
    private func surplus(of stream: StreamState, _ settings: StreamSettings, now: Int64) throws(SQLiteError) -> Int64 {
        var surplus: Int64 = 0
        if let most = settings.retentionLengthMax { surplus = max(surplus, stream.length - max(most, 0)) }
        if let age = settings.retentionMilliseconds {
            surplus = max(surplus, try entries(in: stream, before: { $0.appendedMilliseconds >= now - age }))
        }
        if let most = settings.retentionBytesMax, stream.bytes > most {
            surplus = max(surplus, try entries(in: stream, holding: stream.bytes - max(most, 0)))
        }
        guard surplus > 0, !settings.removesUnread else { return surplus }
        if let position = lowestProjection(of: stream) {
            surplus = min(surplus, try entries(in: stream, before: { stream.offset($0.row) > position }))
        }
        guard let needed = try oldestUnread(in: stream) else { return surplus }
        return min(surplus, try entries(in: stream, before: { $0.id >= needed }))
    }

    /// The offset up to which all projections of a stream have looked at it; nil without projections.
    private func lowestProjection(of stream: StreamState) -> Int64? {
        projections.filter { stream.name.elementsEqual($0.definition.stream.utf8) }.map(\.position).min()
    }

    /// Events before the first for which the condition holds.
    private func entries(in stream: StreamState, before isReached: (EventPlace) -> Bool) throws(SQLiteError) -> Int64 {
        guard let first = try firstPlace(in: stream) else { return 0 }
        guard let place = try firstPlace(in: stream, isReached) else { return stream.length }
        guard place.row > first.row else { return 0 }
        return try count(statement(.countEvents).bind(1, first.row).bind(2, place.row - 1))
    }

    /// The oldest events that together hold so many bytes; counted no further than one piece needs.
    private func entries(in stream: StreamState, holding bytes: Int64) throws(SQLiteError) -> Int64 {
        var held: Int64 = 0
        var events: Int64 = 0
        let rows = try statement(.eventsToTrim).bind(1, stream.rows.lowerBound).bind(2, stream.rows.upperBound)
            .bind(3, Self.purgedAtOnce + 1)
        defer { rows.reset() }
        while held < bytes, try rows.step() {
            held += rows.integer(4)
            events += 1
        }
        return events
    }

    /// The lowest id that a group has not read or not acknowledged; nil without groups.
    private func oldestUnread(in stream: StreamState) throws(SQLiteError) -> StreamID? {
        var oldest: StreamID?
        for group in try groups(of: stream) {
            let pending = try pending(of: group, from: .zero, limit: 1).first?.id
            let needed = min(pending ?? .max, group.lastID.next ?? .max)
            oldest = min(oldest ?? .max, needed)
        }
        return oldest
    }

    /// Gives pages that are free back to the file system, a few at a time, once they are a fifth of the file: fewer will
    /// be used again. True while there are more.
    func compact() throws(SQLiteError) -> Bool {
        let free = try connection.integer("PRAGMA freelist_count") ?? 0
        let pages = try connection.integer("PRAGMA page_count") ?? 0
        guard free > Self.pagesAtOnce, free > pages / 5 else { return false }
        try connection.execute("PRAGMA incremental_vacuum(\(Self.pagesAtOnce))")
        return true
    }

    /// Pages given back in one piece: a megabyte.
    private static let pagesAtOnce: Int64 = 256
}
