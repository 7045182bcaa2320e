import Database

/// Looking at dead letters, and giving them another chance.
extension LogSession {
    /// Dead letters behind a number that the filter means, the oldest first.
    func deadLetters(_ filter: DeadLetterFilter, after number: Int64, limit: Int) throws(SQLiteError) -> [DeadLetter] {
        var letters: [DeadLetter] = []
        let rows = try statement(.deadLettersAfter).bind(1, number)
        defer { rows.reset() }
        while letters.count < limit, try rows.step() {
            let letter = deadLetter(rows)
            if filter.matches(letter) { letters.append(letter) }
        }
        return letters
    }

    /// One dead letter.
    func deadLetter(_ number: Int64) throws(SQLiteError) -> DeadLetter? {
        try deadLetters(DeadLetterFilter(numbers: [number]), after: number - 1, limit: 1).first
    }

    private func deadLetter(_ row: SQLiteStatement) -> DeadLetter {
        let attempts = DeliveryAttempt.story(row.blob(9))
        return DeadLetter(
            number: row.integer(0), stream: row.blob(1), group: row.blob(2),
            id: StreamID(row.unsigned(3), row.unsigned(4)),
            fields: EventFields(trustedEncoded: row.blob(10), count: Int(row.integer(11))),
            isEdited: row.integer(12) != 0,
            reason: DeadLetterReason(rawValue: row.text(6) ?? "") ?? .rejected, error: attempts.last?.error ?? "",
            deliveries: row.integer(7), deadAtUnixMilliseconds: row.integer(8), attempts: attempts)
    }

    /// Replaces the event in a dead letter, so that a redrive sends it corrected. False without such a letter.
    func edit(deadLetter number: Int64, _ fields: EventFields) throws(SQLiteError) -> Bool {
        try statement(.editDeadLetter).bind(1, number).bind(2, fields.encoded).bind(3, Int64(fields.count)).run()
        return connection.changes > 0
    }

    /// Gives dead letters back. One that is still in its stream as it was goes to its own group alone, with its
    /// attempts counted anew; one that was edited, or whose event is gone, is appended to its stream.
    func redrive(
        _ filter: DeadLetterFilter, limit: Int, isDryRun: Bool, now: Int64
    ) throws(SQLiteError) -> RedriveReport {
        var report = RedriveReport(returned: 0, appended: 0, skipped: 0)
        for letter in try deadLetters(filter, after: 0, limit: limit) {
            guard let stream = try stream(letter.stream, now: now), let group = try group(letter.group, of: stream)
            else {
                report.skipped += 1
                continue
            }
            if !letter.isEdited, let row = try row(of: letter.id, in: stream) {
                report.returned += 1
                if !isDryRun { try giveBack(letter, row, group, now: now) }
            } else {
                guard case .success(let id) = Self.nextID(.automatic, after: stream.lastID, now: now) else {
                    report.skipped += 1
                    continue
                }
                report.appended += 1
                if !isDryRun { try insert(letter.fields, id: id, into: stream, now: now) }
            }
            if !isDryRun { try statement(.deleteDeadLetter).bind(1, letter.number).run() }
        }
        return report
    }

    private func giveBack(_ letter: DeadLetter, _ row: Int64, _ group: GroupState, now: Int64) throws(SQLiteError) {
        // Who had it last still stands for it until somebody takes it.
        let owner = try seenConsumer(letter.attempts.last?.consumer ?? Array("redrive".utf8), of: group, now: now)
        try write(
            PendingRow(
                id: letter.id, consumer: owner.number, deliveredMilliseconds: now, deliveries: 0,
                row: row, dueMilliseconds: now, isWaiting: true), of: group)
        revise(group.stream)
        changedKeys.insert(group.stream.name)
    }

    /// Deletes dead letters for good; how many.
    func purge(_ filter: DeadLetterFilter, limit: Int) throws(SQLiteError) -> Int {
        let letters = try deadLetters(filter, after: 0, limit: limit)
        for letter in letters { try statement(.deleteDeadLetter).bind(1, letter.number).run() }
        return letters.count
    }
}
