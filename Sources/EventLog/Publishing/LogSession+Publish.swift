import Database

/// Everything that could refuse a publication is looked at before anything is written.
extension LogSession {
    /// Publishes all, or nothing.
    func publish(_ publication: Publication, now: Int64) throws(SQLiteError) -> PublicationOutcome {
        try removeExpired(now: now)
        if let settlement = publication.settlement {
            guard let stream = try stream(settlement.group.stream, now: now),
                let group = try group(settlement.group.group, of: stream)
            else { return .noGroup }
            let lost = try notHeld(settlement, group, now: now)
            guard lost.isEmpty else { return .notHeld(lost) }
        }
        // A repeated request is answered as the first one was, though the version has moved on since.
        let isRepeated = publication.deduplicates ? try self.isRepeated(publication.events, now: now) : false
        if let condition = publication.condition, !isRepeated {
            let actual = try version(condition, now: now)
            guard condition.expected.allows(actual) else {
                return .conflict(expected: condition.expected, actual: actual)
            }
        }
        if let refusal = try refusal(publication.events, now: now) { return .refused(refusal) }
        if let settlement = publication.settlement {
            _ = try acknowledge(
                key: settlement.group.stream, group: settlement.group.group, ids: settlement.ids, now: now)
        }
        var appended: [AppendedEvent] = []
        appended.reserveCapacity(publication.events.count)
        for event in publication.events { appended.append(try append(event, of: publication, now: now)) }
        guard let condition = publication.condition else { return .published(appended, version: nil) }
        return .published(appended, version: try version(condition, now: now))
    }

    private func append(
        _ event: Publication.Event, of publication: Publication, now: Int64
    ) throws(SQLiteError) -> AppendedEvent {
        guard let stream = try stream(event.stream, now: now) else {
            // `refusal` has made it.
            throw SQLiteError(code: 1, message: "a stream is gone in the transaction that made it")
        }
        let mark: DuplicateMark? =
            publication.deduplicates
            ? DuplicateMark(cloudEvent: event.fields, in: stream)
            : DuplicateMark(StreamAppend(key: event.stream, fields: event.fields), in: stream)
        if let mark, let id = try original(mark, in: stream, now: now) {
            let offset = try row(of: id, in: stream).map { stream.offset($0) } ?? 0
            return AppendedEvent(id: id, offset: offset, isDuplicate: true)
        }
        guard case .success(let id) = Self.nextID(.automatic, after: stream.lastID, now: now) else {
            throw SQLiteError(code: 1, message: "a stream is full in the transaction that found it not to be")
        }
        try insert(event.fields, id: id, into: stream, now: now)
        if let mark { try remember(mark, id: id, in: stream, now: now) }
        if let condition = publication.condition, condition.stream == event.stream, let entity = condition.entity {
            try addToEntity(entity, of: stream)
        }
        return AppendedEvent(id: id, offset: stream.lastOffset, isDuplicate: false)
    }

    /// Makes the streams that are missing. Why a stream could not take all of its events; nil when it can.
    private func refusal(_ events: [Publication.Event], now: Int64) throws(SQLiteError) -> StreamError? {
        var counts: [[UInt8]: Int64] = [:]
        for event in events { counts[event.stream, default: 0] += 1 }
        for (name, count) in counts {
            var existing = try stream(name, now: now)
            if existing == nil { existing = try createStream(name, now: now) }
            guard let stream = existing else { return Self.tooManyStreams }
            guard StreamState.offsetMax - stream.lastOffset >= count,
                stream.lastID.milliseconds < .max || stream.lastID.sequence <= .max - UInt64(count)
            else { return .idsExhausted }
        }
        return nil
    }

    /// Whether all of these are known as duplicates.
    private func isRepeated(_ events: [Publication.Event], now: Int64) throws(SQLiteError) -> Bool {
        for event in events {
            guard let stream = try stream(event.stream, now: now),
                let mark = DuplicateMark(cloudEvent: event.fields, in: stream),
                try isKnown(mark, in: stream, now: now)
            else { return false }
        }
        return !events.isEmpty
    }

    private func version(_ condition: Publication.Condition, now: Int64) throws(SQLiteError) -> Int64 {
        guard let stream = try stream(condition.stream, now: now) else { return 0 }
        guard let entity = condition.entity else { return stream.lastOffset }
        return try version(of: entity, in: condition.stream)
    }

    private func notHeld(
        _ settlement: Publication.Settlement, _ group: GroupState, now: Int64
    ) throws(SQLiteError) -> [StreamID] {
        var holder: Int64?
        if let name = settlement.consumer {
            guard let consumer = try consumer(name, of: group) else { return settlement.ids }
            holder = consumer.number
        }
        var lost: [StreamID] = []
        for id in settlement.ids {
            let pending = try pending(id, of: group)
            let isHeld = pending.map { !$0.isWaiting && $0.consumer == holder ?? $0.consumer } ?? false
            if !isHeld { lost.append(id) }
        }
        return lost
    }
}
