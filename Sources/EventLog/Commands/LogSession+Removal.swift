import Database

/// XDEL, XDELEX, XACKDEL, XTRIM, and the end of a stream.
extension LogSession {
    /// XDEL.
    func delete(key: [UInt8], ids: [StreamID], now: Int64) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .count(0) }
        var deleted: Int64 = 0
        for id in ids where try removeEntry(id, from: stream) { deleted += 1 }
        return .count(deleted)
    }

    /// XDELEX.
    func delete(
        key: [UInt8], ids: [StreamID], references: ReferencePolicy, now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .perID(ids.map { _ in -1 }) }
        var replies: [Int64] = []
        for id in ids { replies.append(try removeEntry(id, from: stream, references)) }
        return .perID(replies)
    }

    /// One entry of XDELEX: 1 deleted, -1 not there, 2 kept for a group.
    func removeEntry(
        _ id: StreamID, from stream: StreamState, _ references: ReferencePolicy
    ) throws(SQLiteError) -> Int64 {
        if references == .acknowledged, try row(of: id, in: stream) != nil, try isReferenced(id, in: stream) {
            return 2
        }
        guard try removeEntry(id, from: stream) else { return -1 }
        if references == .delete { try removeReferences(to: id, in: stream) }
        return 1
    }

    /// Deletes one entry by name. Its digest stays, so that the chain of hashes can be followed across the gap.
    func removeEntry(_ id: StreamID, from stream: StreamState) throws(SQLiteError) -> Bool {
        guard let row = try row(of: id, in: stream), let event = try event(row: row) else { return false }
        try remove(event, from: stream)
        stream.maxDeletedID = max(stream.maxDeletedID, id)
        revise(stream)
        return true
    }

    private func remove(_ event: EventRow, from stream: StreamState) throws(SQLiteError) {
        let digest = ChainHash.digest(
            offset: stream.offset(event.row), id: event.id, appendedMilliseconds: event.appendedMilliseconds,
            fields: event.fields.encoded)
        let details = try statement(.eventSize).bind(1, event.row)
        if try details.step() {
            unindex(position: details.integer(0))
            stream.bytes -= details.integer(1)
        }
        details.reset()
        try statement(.deleteEvent).bind(1, event.row).run()
        try statement(.insertRemoved).bind(1, event.row).bind(2, digest).run()
        stream.length -= 1
        if stream.offset(event.row) == stream.anchorOffset + 1 { try advanceAnchor(of: stream) }
    }

    /// The chain of hashes begins behind what is gone from the front.
    func advanceAnchor(of stream: StreamState) throws(SQLiteError) {
        let former = stream.anchorOffset
        while stream.anchorOffset < stream.lastOffset {
            let removed = try statement(.findRemoved).bind(1, stream.row(stream.anchorOffset + 1))
            guard try removed.step() else { break }
            stream.anchorHash = ChainHash.link(previous: stream.anchorHash, digest: removed.blob(0))
            removed.reset()
            stream.anchorOffset += 1
        }
        guard stream.anchorOffset > former else { return }
        try statement(.deleteRemovedUpTo).bind(1, stream.row(former)).bind(2, stream.row(stream.anchorOffset)).run()
        touch(stream)
    }

    /// XTRIM.
    func trim(
        key: [UInt8], _ trim: StreamTrim, _ references: ReferencePolicy, now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .count(0) }
        return .count(try self.trim(stream, trim, references))
    }

    /// Cuts a stream down; how many entries went.
    func trim(
        _ stream: StreamState, _ trim: StreamTrim, _ references: ReferencePolicy
    ) throws(SQLiteError) -> Int64 {
        var surplus: Int64
        switch trim.bound {
        case .length(let kept): surplus = stream.length - min(max(kept, 0), stream.length)
        case .minimumID(let minimum): surplus = try entries(below: minimum, in: stream)
        }
        if trim.isApproximate {
            if let limit = trim.limit { surplus = min(surplus, Int64(limit)) }
            surplus -= surplus % Int64(StreamTrim.blockEntries)
        }
        guard surplus > 0 else { return 0 }
        switch references {
        case .keep:
            try removeOldest(surplus, of: stream)
        case .delete:
            for id in try removeOldest(surplus, of: stream, collectingIDs: true) {
                try removeReferences(to: id, in: stream)
            }
        case .acknowledged:
            surplus = try removeAcknowledged(surplus, of: stream)
        }
        if surplus > 0 { revise(stream) }
        return surplus
    }

    private func entries(below minimum: StreamID, in stream: StreamState) throws(SQLiteError) -> Int64 {
        guard let first = try firstPlace(in: stream), first.id < minimum else { return 0 }
        guard let place = try firstPlace(in: stream, { $0.id >= minimum }) else { return stream.length }
        return try count(statement(.countEvents).bind(1, first.row).bind(2, place.row - 1))
    }

    /// Takes away so many of the oldest; the anchor moves to the youngest of them.
    @discardableResult
    func removeOldest(
        _ count: Int64, of stream: StreamState, collectingIDs: Bool = false
    ) throws(SQLiteError) -> [StreamID] {
        var ids: [StreamID] = []
        var last: Int64?
        var removed: Int64 = 0
        let former = stream.rows
        let rows = try statement(.eventsToTrim).bind(1, former.lowerBound).bind(2, former.upperBound).bind(3, count)
        while try rows.step() {
            last = rows.integer(0)
            if collectingIDs { ids.append(StreamID(rows.unsigned(1), rows.unsigned(2))) }
            unindex(position: rows.integer(3))
            stream.bytes -= rows.integer(4)
            removed += 1
        }
        guard let last, let event = try event(row: last) else { return [] }
        stream.anchorHash = event.hash
        stream.anchorOffset = stream.offset(last)
        stream.length -= removed
        try statement(.deleteEventRange).bind(1, former.lowerBound).bind(2, last).run()
        try statement(.deleteRemovedRange).bind(1, former.lowerBound).bind(2, last).run()
        try advanceAnchor(of: stream)
        touch(stream)
        return ids
    }

    /// Of the oldest `count`, takes away what no group waits for.
    private func removeAcknowledged(_ count: Int64, of stream: StreamState) throws(SQLiteError) -> Int64 {
        var ids: [StreamID] = []
        let rows = try statement(.eventsToTrim).bind(1, stream.rows.lowerBound).bind(2, stream.rows.upperBound)
            .bind(3, count)
        while try rows.step() { ids.append(StreamID(rows.unsigned(1), rows.unsigned(2))) }
        var removed: Int64 = 0
        for id in ids where try !isReferenced(id, in: stream) {
            guard let row = try row(of: id, in: stream), let event = try event(row: row) else { continue }
            try remove(event, from: stream)
            removed += 1
        }
        return removed
    }

    /// Whether a group holds an entry as pending, or has still to read it.
    func isReferenced(_ id: StreamID, in stream: StreamState) throws(SQLiteError) -> Bool {
        for group in try groups(of: stream) {
            if group.lastID < id { return true }
            if try pending(id, of: group) != nil { return true }
        }
        return false
    }

    /// Takes an entry out of the pending lists of all groups.
    func removeReferences(to id: StreamID, in stream: StreamState) throws(SQLiteError) {
        for group in try groups(of: stream) { _ = try removePending(id, of: group) }
    }

    /// DEL: the stream, its groups, and what it remembers.
    ///
    /// A large stream loses its name at once and its events piece by piece (`purge`), so that nobody waits for it.
    func remove(_ stream: StreamState) throws(SQLiteError) {
        for group in try groups(of: stream) { try remove(group) }
        try statement(.deleteMarksOfStream).bind(1, stream.number).run()
        try removeEntities(of: stream)
        try restartProjections(of: stream.name, beyond: 0, now: stream.appendedMilliseconds)
        streams[stream.name] = nil
        stream.isDirty = false
        counters.revision += 1
        changedKeys.insert(stream.name)
        if stream.length > Self.purgedAtOnce {
            try statement(.retireStream).bind(1, stream.number).run()
            hasRetiredStreams = true
        } else {
            try removeRows(stream.rows)
            try statement(.deleteStream).bind(1, stream.number).run()
        }
    }

    /// Entries that are deleted in one go.
    static let purgedAtOnce: Int64 = 2_000

    /// Deletes a piece of what large deleted streams have left. True while there is more.
    func purge() throws(SQLiteError) -> Bool {
        let retired = try statement(.retiredStream)
        guard try retired.step() else { return false }
        let number = retired.integer(0)
        retired.reset()
        let all = (number << StreamState.offsetBits)...(number << StreamState.offsetBits | StreamState.offsetMax)
        var last: Int64?
        let rows = try statement(.eventsToTrim).bind(1, all.lowerBound).bind(2, all.upperBound)
            .bind(3, Self.purgedAtOnce)
        while try rows.step() { last = rows.integer(0) }
        try removeRows(all.lowerBound...(last ?? all.upperBound))
        if last == nil { try statement(.deleteStream).bind(1, number).run() }
        return true
    }

    /// Deletes events and digests, and nothing else.
    func removeRows(_ rows: ClosedRange<Int64>) throws(SQLiteError) {
        let positions = try statement(.bucketsOfEvents).bind(1, rows.lowerBound).bind(2, rows.upperBound)
            .bind(3, Self.bucketShift)
        while try positions.step() { bucketChanges[positions.integer(0), default: 0] -= positions.integer(1) }
        try statement(.deleteEventRange).bind(1, rows.lowerBound).bind(2, rows.upperBound).run()
        try statement(.deleteRemovedRange).bind(1, rows.lowerBound).bind(2, rows.upperBound).run()
    }
}
