import Database

/// TYPE, EXISTS, DEL, KEYS, SCAN, EXPIRE and their like: commands on streams as keys.
extension LogSession {
    func perform(_ command: KeyCommand, now: Int64) throws(SQLiteError) -> StreamReply {
        switch command {
        case .type(let key):
            return .type(isStream: try stream(key, now: now) != nil)
        case .exists(let keys):
            var found: Int64 = 0
            for key in keys where try stream(key, now: now) != nil { found += 1 }
            return .count(found)
        case .delete(let keys):
            var deleted: Int64 = 0
            for key in keys {
                guard let stream = try stream(key, now: now) else { continue }
                try remove(stream)
                deleted += 1
            }
            return .count(deleted)
        case .list(let pattern):
            try flush()
            let names = try blobs(statement(.streamNames).bind(1, now))
            return .names(names.filter { name in pattern.map { RedisGlob.matches($0, name) } ?? true })
        case .scan(let cursor, let count, let pattern):
            return try scan(from: cursor, count: count, pattern, now: now)
        case .count:
            try flush()
            return .count(try count(statement(.countStreams).bind(1, now)))
        case .deleteAll:
            for name in try blobs(statement(.streamNames).bind(1, Int64.min)) {
                if let stream = try knownStream(name) { try remove(stream) }
            }
            return .done
        case .expire(let key, let moment, let condition):
            return try expire(key, at: moment, condition, now: now)
        case .persist(let key):
            guard let stream = try stream(key, now: now), stream.expiresMilliseconds != nil else { return .count(0) }
            stream.expiresMilliseconds = nil
            revise(stream)
            return .count(1)
        case .expiry(let key):
            guard let stream = try stream(key, now: now) else { return .expiry(.noKey) }
            return .expiry(stream.expiresMilliseconds.map { .at(unixMilliseconds: $0) } ?? .never)
        case .revision(let key):
            return .revision(try stream(key, now: now)?.revision ?? 0)
        }
    }

    private func scan(from cursor: UInt64, count: Int, _ pattern: [UInt8]?, now: Int64) throws(SQLiteError)
        -> StreamReply
    {
        try flush()
        var names: [[UInt8]] = []
        var next: Int64 = 0
        var last: Int64 = 0
        var looked = 0
        let limit = max(count, 1)
        let rows = try statement(.streamNamesAfter).bind(1, Int64(clamping: cursor)).bind(2, now)
            .bind(3, Int64(limit) + 1)
        while try rows.step() {
            looked += 1
            if looked > limit { next = last }
            guard looked <= limit else { continue }
            last = rows.integer(0)
            let name = rows.blob(1)
            if pattern.map({ RedisGlob.matches($0, name) }) ?? true { names.append(name) }
        }
        return .scanned(next: UInt64(next), names)
    }

    private func expire(
        _ key: [UInt8], at moment: Int64, _ condition: ExpiryCondition, now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .count(0) }
        let current = stream.expiresMilliseconds
        if condition.contains(.whenUnset), current != nil { return .count(0) }
        if condition.contains(.whenSet), current == nil { return .count(0) }
        if condition.contains(.whenLater), moment <= current ?? .max { return .count(0) }
        if condition.contains(.whenEarlier), let current, moment >= current { return .count(0) }
        if moment <= now {
            try remove(stream)
        } else {
            stream.expiresMilliseconds = moment
            earliestExpiry = min(earliestExpiry ?? .max, moment)
            if moment != current { revise(stream) }
        }
        return .count(1)
    }

    /// Deletes the streams whose time is over.
    func removeExpired(now: Int64) throws(SQLiteError) {
        guard let earliest = earliestExpiry, earliest <= now else { return }
        // What was changed since the last commit is not in the table yet.
        try flush()
        for name in try blobs(statement(.expiredStreams).bind(1, now)) {
            if let stream = try knownStream(name) { try remove(stream) }
        }
        let next = try statement(.earliestExpiry)
        defer { next.reset() }
        earliestExpiry = try next.step() ? next.optionalInteger(0) : nil
    }
}
