import Database

/// Replays, a piece at a time: the caller goes on behind the last offset of each report, as fast as it likes.
extension DurableLog {
    /// Appends a piece of a range to another stream, or the same, marked: `StoredEvent.isReplay`, and the field
    /// `replay_of` for readers over Redis. Nil when there are too many streams, or when the target takes no more.
    public func replay(
        _ range: EventRange, to stream: [UInt8], limit: Int = 1_000, now: Int64,
        answer: @escaping Answer<ReplayReport?>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.replay(range, to: stream, limit: limit, now: now)
        }
    }

    /// Gives a piece of a range to a group of the same stream once more; `LeasedEvent.isReplay` tells its consumers.
    ///
    /// Events become due at the pace; `first` is the append time of the replay's first event, `start` the moment it
    /// began. Nil without such a group. A consumer that is connected can be served without a group: read with
    /// `events(in:limit:answer:)`, and send each when `ReplayPace.due` says.
    public func replay(
        _ range: EventRange, toGroup group: [UInt8], pace: ReplayPace, first: Int64, start: Int64, limit: Int = 1_000,
        now: Int64, answer: @escaping Answer<ReplayReport?>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.replay(
                range, toGroup: group, pace: pace, first: first, start: start, limit: limit, now: now)
        }
    }
}
