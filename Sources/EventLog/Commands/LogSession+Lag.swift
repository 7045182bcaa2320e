import Database

/// How far a group has come, in numbers of entries. Numbers are known only while no entry was deleted from the middle:
/// then, and only then, counting can stand for looking. The rules are those of Redis
/// (https://redis.io/docs/latest/commands/xinfo-groups/, "Consumer group lag").
extension LogSession {
    /// Entries that the group has not read yet; nil when not known.
    func lag(of group: GroupState) throws(SQLiteError) -> Int64? {
        let stream = group.stream
        if stream.entriesAdded == 0 { return 0 }
        if let read = group.entriesRead, try !hasGap(after: group.lastID, in: stream) {
            return stream.entriesAdded - read
        }
        return try entriesRead(upTo: group.lastID, in: stream).map { stream.entriesAdded - $0 }
    }

    /// Whether an entry from this id on may have been deleted by name, as far as is remembered.
    func hasGap(after id: StreamID, in stream: StreamState) throws(SQLiteError) -> Bool {
        guard stream.length > 0, stream.maxDeletedID != .zero, id <= stream.maxDeletedID else { return false }
        // What was deleted before the first entry that is left makes no gap between entries.
        return try firstPlace(in: stream).map { $0.id <= stream.maxDeletedID } ?? false
    }

    /// How many entries the stream had seen when this one was its last; nil when not known.
    func entriesRead(upTo id: StreamID, in stream: StreamState) throws(SQLiteError) -> Int64? {
        if stream.entriesAdded == 0 { return 0 }
        if stream.length == 0, id <= stream.lastID { return stream.entriesAdded }
        if id == stream.lastID { return stream.entriesAdded }
        if id > stream.lastID { return nil }
        guard let first = try firstPlace(in: stream) else { return nil }
        if stream.maxDeletedID == .zero || stream.maxDeletedID < first.id {
            if id < first.id { return stream.entriesAdded - stream.length }
            if id == first.id { return stream.entriesAdded - stream.length + 1 }
        }
        return nil
    }
}
