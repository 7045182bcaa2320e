import Database

/// Event sourcing: events of one entity among those of a stream, appended only if nobody else did meanwhile.
extension LogSession {
    /// Appends events to an entity if it has the version that is expected, all or none.
    func append(
        _ events: [EventFields], to entity: [UInt8], of key: [UInt8], expecting expected: ExpectedVersion, now: Int64
    ) throws(SQLiteError) -> EntityOutcome {
        var existing = try stream(key, now: now)
        if existing == nil {
            // Nothing is made for an append that is then refused.
            guard expected.allows(0) else { return .conflict(expected: expected, actual: 0) }
            existing = try createStream(key, now: now)
        }
        guard let stream = existing else { return .refused(Self.tooManyStreams) }
        let known = try entityRow(entity, of: stream)
        let version = known?.version ?? 0
        guard expected.allows(version) else { return .conflict(expected: expected, actual: version) }
        guard StreamState.offsetMax - stream.lastOffset >= Int64(events.count) else { return .refused(.idsExhausted) }
        // The ids are all found first, so that a refusal leaves nothing half done.
        var ids: [StreamID] = []
        for _ in events {
            switch Self.nextID(.automatic, after: ids.last ?? stream.lastID, now: now) {
            case .success(let id): ids.append(id)
            case .failure(let error): return .refused(error)
            }
        }
        let number: Int64
        if let known { number = known.number } else { number = try createEntity(entity, of: stream) }
        for (index, fields) in events.enumerated() {
            try insert(fields, id: ids[index], into: stream, now: now)
            try statement(.insertEntityEvent).bind(1, number).bind(2, version + Int64(index) + 1)
                .bind(3, stream.row(stream.lastOffset)).run()
        }
        let reached = version + Int64(events.count)
        try statement(.updateEntity).bind(1, number).bind(2, reached).run()
        return .appended(version: reached, ids: ids)
    }

    /// Events of one entity from a version on, the oldest first. Those that were deleted or trimmed are left out.
    func events(
        of entity: [UInt8], in key: [UInt8], from version: Int64, limit: Int
    ) throws(SQLiteError) -> [EntityEvent] {
        guard let stream = try knownStream(key), let known = try entityRow(entity, of: stream) else { return [] }
        var events: [EntityEvent] = []
        let rows = try statement(.entityEvents).bind(1, known.number).bind(2, version)
        defer { rows.reset() }
        while events.count < limit, try rows.step() {
            guard let event = try event(row: rows.integer(1)) else { continue }
            events.append(EntityEvent(version: rows.integer(0), event: stored(event, key)))
        }
        return events
    }

    /// The version of an entity; 0 when it has no events.
    func version(of entity: [UInt8], in key: [UInt8]) throws(SQLiteError) -> Int64 {
        guard let stream = try knownStream(key) else { return 0 }
        return try entityRow(entity, of: stream)?.version ?? 0
    }

    /// Keeps the state of an entity in place of an older one. False when it shows a version that the entity does not
    /// have, or an older one than is kept.
    func keep(_ snapshot: EntitySnapshot, of entity: [UInt8], in key: [UInt8], now: Int64) throws(SQLiteError) -> Bool {
        guard let stream = try stream(key, now: now), let known = try entityRow(entity, of: stream),
            (1...max(known.version, 1)).contains(snapshot.version), known.version >= snapshot.version
        else { return false }
        try statement(.keepSnapshot).bind(1, known.number).bind(2, snapshot.version).bind(3, snapshot.state).run()
        return connection.changes > 0
    }

    /// The state of an entity that was kept last.
    func snapshot(of entity: [UInt8], in key: [UInt8]) throws(SQLiteError) -> EntitySnapshot? {
        guard let stream = try knownStream(key), let known = try entityRow(entity, of: stream) else { return nil }
        let row = try statement(.snapshot).bind(1, known.number)
        defer { row.reset() }
        return try row.step() ? EntitySnapshot(version: row.integer(0), state: row.blob(1)) : nil
    }

    /// Counts the last event of a stream among those of an entity.
    func addToEntity(_ entity: [UInt8], of stream: StreamState) throws(SQLiteError) {
        let known = try entityRow(entity, of: stream)
        let number: Int64
        if let known { number = known.number } else { number = try createEntity(entity, of: stream) }
        let version = (known?.version ?? 0) + 1
        try statement(.insertEntityEvent).bind(1, number).bind(2, version).bind(3, stream.row(stream.lastOffset)).run()
        try statement(.updateEntity).bind(1, number).bind(2, version).run()
    }

    private func entityRow(
        _ name: [UInt8], of stream: StreamState
    ) throws(SQLiteError) -> (number: Int64, version: Int64)? {
        let row = try statement(.findEntity).bind(1, stream.number).bind(2, name)
        defer { row.reset() }
        return try row.step() ? (row.integer(0), row.integer(1)) : nil
    }

    private func createEntity(_ name: [UInt8], of stream: StreamState) throws(SQLiteError) -> Int64 {
        let row = try statement(.insertEntity).bind(1, stream.number).bind(2, name)
        defer { row.reset() }
        _ = try row.step()
        return row.integer(0)
    }

    /// Forgets the entities of a stream that is deleted.
    func removeEntities(of stream: StreamState) throws(SQLiteError) {
        try statement(.deleteEntityEvents).bind(1, stream.number).run()
        try statement(.deleteSnapshots).bind(1, stream.number).run()
        try statement(.deleteEntities).bind(1, stream.number).run()
    }

    /// Takes the entities of a stream back to before an event row.
    func goBackEntities(of stream: StreamState, before row: Int64) throws(SQLiteError) {
        try statement(.deleteEntityEventsFrom).bind(1, stream.number).bind(2, row).run()
        try statement(.recountEntities).bind(1, stream.number).run()
        try statement(.deleteFutureSnapshots).bind(1, stream.number).run()
    }
}
