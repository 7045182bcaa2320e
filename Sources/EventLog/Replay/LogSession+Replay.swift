import Database

/// Replays of a range, a piece at a time. They look at no marks of deduplication and leave none: what was one event then
/// is one event now, and a publisher's retry is still recognised.
extension LogSession {
    /// The field that tells readers of a replayed event where it comes from: `stream/id`.
    static let replayField = Array("replay_of".utf8)

    /// Appends up to `limit` events of a range to a stream, marked as replay. Nil when there are too many
    /// streams, or when this one takes no more.
    func replay(_ range: EventRange, to key: [UInt8], limit: Int, now: Int64) throws(SQLiteError) -> ReplayReport? {
        var report = ReplayReport(replayed: 0, skipped: 0)
        let events = try events(in: range, limit: limit)
        guard !events.isEmpty else { return report }
        var existing = try stream(key, now: now)
        if existing == nil { existing = try createStream(key, now: now) }
        guard let stream = existing else { return nil }
        for event in events {
            guard stream.lastOffset < StreamState.offsetMax,
                case .success(let id) = Self.nextID(.automatic, after: stream.lastID, now: now)
            else { return report.replayed > 0 ? report : nil }
            var fields = event.fields
            fields.append(name: Self.replayField, value: range.stream + Array("/\(event.id)".utf8))
            try insert(fields, id: id, into: stream, flags: EventFlags.replayed, now: now)
            report.replayed += 1
            report.lastOffset = event.offset
        }
        return report
    }

    /// Gives up to `limit` events of a range to a group once more, at a pace: each waits until it is due, as after a
    /// nack, and then goes to whoever asks. `first` is the append time of the replay's first event, `start` the moment
    /// it began; both are the same for all pieces. Nil without such a group.
    func replay(
        _ range: EventRange, toGroup name: [UInt8], pace: ReplayPace, first: Int64, start: Int64, limit: Int, now: Int64
    ) throws(SQLiteError) -> ReplayReport? {
        guard let stream = try stream(range.stream, now: now), let group = try group(name, of: stream) else {
            return nil
        }
        var report = ReplayReport(replayed: 0, skipped: 0)
        // Nobody has them: they are noted for a consumer of this name until somebody asks.
        let consumer = try seenConsumer(Array("replay".utf8), of: group, now: now)
        for event in try events(in: range, limit: limit) {
            report.lastOffset = event.offset
            // What is still to be read comes by itself, and what is in somebody's hands is not torn from them.
            guard event.id <= group.lastID, try pending(event.id, of: group) == nil else {
                report.skipped += 1
                continue
            }
            try write(
                PendingRow(
                    id: event.id, consumer: consumer.number, deliveredMilliseconds: now, deliveries: 0,
                    row: stream.row(event.offset),
                    dueMilliseconds: pace.due(
                        appendedAt: event.appendedAtUnixMilliseconds, first: first, start: start),
                    isWaiting: true, isReplay: true), of: group)
            report.replayed += 1
        }
        changedKeys.insert(stream.name)
        return report
    }
}
