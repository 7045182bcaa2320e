import Database

/// Answers queries about one stream, on a reader's thread.
extension LogSession {
    /// Up to `limit` events that a query means. Looks at no more than `lookedMax`, so that a search for what is rare
    /// does not hold a thread: the page then says where to go on, and may be empty.
    func page(_ query: EventQuery, limit: Int, lookedMax: Int = 100_000) throws(SQLiteError) -> EventPage {
        var page = EventPage(events: [], versions: [], next: nil)
        guard let stream = try knownStream(query.stream) else { return page }
        if let entity = query.entity { return try self.page(query, of: entity, stream, limit: limit) }
        guard let start = try firstRow(of: query, in: stream) else { return page }
        let rows = start...max(start, stream.rows.upperBound)
        if let (key, value) = query.sharpestKey {
            let found = try events(with: key, value, in: rows, limit: limit + 1) { event in
                query.matches(event.fields)
                    && query.matches(event.id, stream.offset(event.row), event.appendedMilliseconds)
            }
            page.events = found.prefix(limit).map { stored($0, stream.name) }
            if found.count > limit { page.next = stream.offset(found[limit].row) }
            return page
        }
        let found = try statement(.eventsFrom).bind(1, rows.lowerBound).bind(2, rows.upperBound)
        defer { found.reset() }
        var looked = 0
        while try found.step() {
            let event = try eventRow(found)
            let offset = stream.offset(event.row)
            // Offsets, ids and times only grow: behind the first that is beyond an end, all are.
            if offset > query.lastOffset ?? .max || event.id > query.lastID ?? .max
                || event.appendedMilliseconds > query.untilUnixMilliseconds ?? .max
            {
                break
            }
            guard page.events.count < limit, looked < lookedMax else {
                page.next = offset
                break
            }
            looked += 1
            guard query.matches(event.id, offset, event.appendedMilliseconds) else { continue }
            page.events.append(stored(event, stream.name))
        }
        return page
    }

    private func page(
        _ query: EventQuery, of entity: [UInt8], _ stream: StreamState, limit: Int
    ) throws(SQLiteError) -> EventPage {
        var page = EventPage(events: [], versions: [], next: nil)
        var version: Int64 = 1
        if case .offset(let first) = query.start { version = first }
        while true {
            let events = try events(of: entity, in: stream.name, from: version, limit: 256)
            for event in events {
                if event.version > query.lastOffset ?? .max { return page }
                guard page.events.count < limit else {
                    page.next = event.version
                    return page
                }
                version = event.version + 1
                guard query.matches(event.event.fields),
                    query.matches(event.event.id, 0, event.event.appendedAtUnixMilliseconds)
                else { continue }
                page.events.append(event.event)
                page.versions.append(event.version)
            }
            if events.count < 256 { return page }
        }
    }

    private func firstRow(of query: EventQuery, in stream: StreamState) throws(SQLiteError) -> Int64? {
        guard let start = try firstRow(of: query.start, in: stream) else { return nil }
        guard let since = query.sinceUnixMilliseconds else { return start }
        guard let first = try firstRow(of: .time(unixMilliseconds: since), in: stream) else { return nil }
        return max(start, first)
    }

    /// How a stream stands; nil without one.
    func overview(of name: [UInt8], now: Int64) throws(SQLiteError) -> StreamOverview? {
        guard let stream = try stream(name, now: now) else { return nil }
        var overview = StreamOverview(
            name: name, createdAtUnixMilliseconds: stream.createdMilliseconds, length: stream.length,
            bytes: stream.bytes, firstID: try firstPlace(in: stream)?.id,
            lastID: stream.lastID == .zero ? nil : stream.lastID, lastOffset: stream.lastOffset,
            duplicates: stream.duplicates, settings: stream.settings ?? StreamSettings(), groups: [])
        for group in try groups(of: stream) {
            overview.groups.append(GroupOverview(info: try info(group), policy: policy(of: group)))
        }
        return overview
    }

    /// How up to `limit` streams stand, in the order in which they were made, behind a cursor of an earlier call (0 at
    /// the beginning). `next` is nil at the end.
    func overviews(
        after cursor: Int64, limit: Int, now: Int64
    ) throws(SQLiteError) -> (streams: [StreamOverview], next: Int64?) {
        var names: [(number: Int64, name: [UInt8])] = []
        let rows = try statement(.streamNamesAfter).bind(1, cursor).bind(2, now).bind(3, Int64(limit) + 1)
        while try rows.step() { names.append((rows.integer(0), rows.blob(1))) }
        var streams: [StreamOverview] = []
        for (_, name) in names.prefix(limit) {
            if let overview = try overview(of: name, now: now) { streams.append(overview) }
        }
        return (streams, names.count > limit ? names[limit - 1].number : nil)
    }
}
