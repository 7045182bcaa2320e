import Database

/// Taking a log back to a moment.
extension LogSession {
    /// Removes in one transaction what came after a moment.
    func goBack(to moment: Int64) throws(SQLiteError) {
        try load()
        try statement(.begin).run()
        for name in try streamNames() {
            guard let stream = try knownStream(name) else { continue }
            if stream.createdMilliseconds > moment {
                try remove(stream)
            } else {
                try goBack(stream, to: moment)
            }
        }
        try statement(.deleteDeadLettersAfter).bind(1, moment).run()
        try flush()
        try statement(.commit).run()
    }

    private func goBack(_ stream: StreamState, to moment: Int64) throws(SQLiteError) {
        guard let later = try firstPlace(in: stream, { $0.appendedMilliseconds > moment }) else { return }
        let gone = later.row...stream.rows.upperBound
        let removed = try count(statement(.countEvents).bind(1, gone.lowerBound).bind(2, gone.upperBound))
        stream.bytes -= try count(statement(.bytesOfEvents).bind(1, gone.lowerBound).bind(2, gone.upperBound))
        try removeRows(gone)
        try statement(.deleteMarksFrom).bind(1, stream.number).bind(2, gone.lowerBound).run()
        try goBackEntities(of: stream, before: gone.lowerBound)
        stream.length -= removed
        stream.entriesAdded = max(stream.entriesAdded - removed, stream.length)
        try endChain(of: stream, before: gone.lowerBound)
        try restartProjections(of: stream.name, beyond: stream.lastOffset, now: moment)
        for group in try groups(of: stream) {
            try statement(.deletePendingFrom).bind(1, group.number).bind(2, gone.lowerBound).run()
            guard group.lastID > stream.lastID else { continue }
            group.lastID = stream.lastID
            group.entriesRead = nil
            touch(group)
        }
        revise(stream)
    }

    /// Makes the last event that is left the head of the chain. Digests of deleted events behind it go: when those were
    /// appended is not known.
    private func endChain(of stream: StreamState, before row: Int64) throws(SQLiteError) {
        if let last = try lastPlace(upTo: row - 1, in: stream), let event = try event(row: last.row) {
            stream.lastOffset = stream.offset(last.row)
            stream.lastID = last.id
            stream.appendedMilliseconds = last.appendedMilliseconds
            stream.headHash = event.hash
        } else {
            stream.lastOffset = stream.anchorOffset
            stream.lastID = stream.maxDeletedID
            stream.headHash = stream.anchorHash
        }
        let beyond = stream.row(stream.lastOffset) + 1
        try statement(.deleteRemovedRange).bind(1, beyond).bind(2, stream.row(StreamState.offsetMax)).run()
    }
}
