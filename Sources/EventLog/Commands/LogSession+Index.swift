import Database

/// What events can be found by, apart from their stream.
public enum EventKey: Int64, Sendable, CaseIterable {
    /// The field `correlationid`.
    case correlationID = 1
    /// The trace id in the field `traceparent`.
    case traceID = 2
    /// The field `ce_type`, the CloudEvents attribute.
    case type = 3

    /// What an event says under this key.
    func value(in fields: EventFields) -> ArraySlice<UInt8>? {
        switch self {
        case .correlationID: fields.value(of: IndexedKeys.correlation)
        case .traceID: fields.value(of: IndexedKeys.traceparent).flatMap { IndexedKeys.traceID(in: $0) }
        case .type: fields.value(of: IndexedKeys.cloudEventType)
        }
    }
}

/// Finding events by correlation id, trace id and type. The events themselves say them, in fields with the names that
/// the sidecar injects and, for CloudEvents attributes, the prefix `ce_`.
extension LogSession {
    /// Events of one bucket: 2^15. More would make the tail longer to look through, fewer the number of descents larger.
    static let bucketShift: Int64 = 15

    /// Enters an event under what it says.
    func index(_ fields: EventFields, row: Int64, position: Int64) throws(SQLiteError) {
        let bucket = position >> Self.bucketShift
        bucketChanges[bucket, default: 0] += 1
        let keys = IndexedKeys(fields)
        guard !keys.isEmpty else { return }
        try statement(.insertTail).bind(1, position).bind(2, row).bind(3, keys.correlationID)
            .bind(4, keys.traceID).bind(5, keys.type).run()
        if tailBucket == nil { tailBucket = bucket }
    }

    /// Notes that an event has gone; its index goes with its bucket.
    func unindex(position: Int64) {
        bucketChanges[position >> Self.bucketShift, default: 0] -= 1
    }

    /// Whether a bucket is full and not sorted into the index yet, or an empty one may have entries.
    var hasIndexWork: Bool { hasEmptyBuckets || hasFullBucketInTail }

    private var hasFullBucketInTail: Bool {
        tailBucket.map { $0 < counters.position >> Self.bucketShift } ?? false
    }

    /// Does a piece of the work on the index, in a transaction of the caller's.
    func workOnIndex() throws(SQLiteError) {
        if hasFullBucketInTail {
            try sortTail()
        } else if hasEmptyBuckets {
            hasEmptyBuckets = try removeEmptyBucket()
        }
    }

    /// Writes the next few entries of the oldest full bucket into the index; the tail keeps them until all are there.
    private func sortTail() throws(SQLiteError) {
        guard let bucket = tailBucket else { return }
        var sorted: SortedBucket
        if let sorting { sorted = sorting } else { sorted = try sortedTail(bucket) }
        for entry in sorted.next(Self.entriesAtOnce) {
            try statement(.insertIndex).bind(1, bucket).bind(2, entry.kind).bind(3, entry.hash).bind(4, entry.row)
                .run()
        }
        sorting = sorted
        guard sorted.isFinished else { return }
        sorting = nil
        let positions = Self.positions(of: bucket)
        try statement(.deleteTailOfBucket).bind(1, positions.lowerBound).bind(2, positions.upperBound).run()
        let lowest = try statement(.lowestTail)
        tailBucket = try lowest.step() ? lowest.optionalInteger(0).map { $0 >> Self.bucketShift } : nil
        lowest.reset()
    }

    /// Entries written in one piece of work: about a millisecond.
    private static let entriesAtOnce = 1_024

    private static func positions(of bucket: Int64) -> ClosedRange<Int64> {
        bucket << bucketShift...(bucket + 1) << bucketShift - 1
    }

    private func sortedTail(_ bucket: Int64) throws(SQLiteError) -> SortedBucket {
        var sorted = SortedBucket()
        let positions = Self.positions(of: bucket)
        let rows = try statement(.tailOfBucket).bind(1, positions.lowerBound).bind(2, positions.upperBound)
        while try rows.step() {
            for (column, key) in [(Int32(1), EventKey.correlationID), (2, .traceID), (3, .type)] {
                guard let hash = rows.optionalInteger(column) else { continue }
                sorted.add(kind: key.rawValue, hash: hash, row: rows.integer(0))
            }
        }
        sorted.sort()
        return sorted
    }

    /// Deletes a piece of the entries of a bucket that has no events. True while there may be more.
    private func removeEmptyBucket() throws(SQLiteError) -> Bool {
        // The last bucket still gets events, and what is in the tail is not in the index.
        let limit = min(counters.position >> Self.bucketShift, tailBucket ?? .max)
        let empty = try statement(.emptyBucket).bind(1, limit)
        guard try empty.step() else { return false }
        let bucket = empty.integer(0)
        empty.reset()
        let beyond = try statement(.indexSlice).bind(1, bucket).bind(2, Int64(Self.entriesAtOnce))
        if try beyond.step() {
            let (kind, hash, row) = (beyond.integer(0), beyond.integer(1), beyond.integer(2))
            beyond.reset()
            try statement(.deleteIndexSlice).bind(1, bucket).bind(2, kind).bind(3, hash).bind(4, row).run()
        } else {
            try statement(.deleteIndexSlice).bind(1, bucket).bind(2, Int64.max).bind(3, Int64.max).bind(4, Int64.max)
                .run()
            try statement(.deleteBucket).bind(1, bucket).run()
        }
        return true
    }

    /// Events that say this, over all streams, in the order in which they were appended; at most `limit`.
    ///
    /// The hash brings candidates, and the event itself decides.
    /// - Parameter rowsOfStream: only events in these rows, which is to say of one stream; nil for all.
    func events(
        with key: EventKey, _ value: [UInt8], in rowsOfStream: ClosedRange<Int64>? = nil, limit: Int,
        where isWanted: (EventRow) -> Bool = { _ in true }
    ) throws(SQLiteError) -> [EventRow] {
        let hash = IndexedKeys.hash(value)
        // A correlation id that is the trace's id stands under that only.
        let second = (key == .correlationID ? EventKey.traceID : key).rawValue
        var found: [EventRow] = []
        var seen: Set<Int64> = []
        var buckets: [Int64] = []
        let all = try statement(.bucketsFrom).bind(1, Int64(0))
        while try all.step() { buckets.append(all.integer(0)) }
        for bucket in buckets {
            let rows = try statement(.findInIndex).bind(1, bucket).bind(2, key.rawValue).bind(3, second).bind(4, hash)
            try take(rows, key, value, rowsOfStream, limit, isWanted, &seen, &found)
            if found.count == limit { return found }
        }
        let rows = try statement(.findInTail).bind(1, Int64(0)).bind(2, key.rawValue).bind(3, second).bind(4, hash)
        try take(rows, key, value, rowsOfStream, limit, isWanted, &seen, &found)
        return found
    }

    private func take(
        _ rows: SQLiteStatement, _ key: EventKey, _ value: [UInt8], _ rowsOfStream: ClosedRange<Int64>?,
        _ limit: Int, _ isWanted: (EventRow) -> Bool, _ seen: inout Set<Int64>, _ found: inout [EventRow]
    ) throws(SQLiteError) {
        var candidates: [Int64] = []
        while try rows.step() {
            let row = rows.integer(0)
            if rowsOfStream?.contains(row) ?? true { candidates.append(row) }
        }
        for row in candidates where found.count < limit && seen.insert(row).inserted {
            guard let event = try event(row: row), key.value(in: event.fields)?.elementsEqual(value) == true,
                isWanted(event)
            else { continue }
            found.append(event)
        }
    }
}

/// The entries of one bucket in the order of the index, and how far they are written.
struct SortedBucket {
    private var entries: [(kind: Int64, hash: Int64, row: Int64)] = []
    private var written = 0

    mutating func add(kind: Int64, hash: Int64, row: Int64) {
        entries.append((kind, hash, row))
    }

    mutating func sort() {
        entries.sort { $0 < $1 }
    }

    /// The next entries to write.
    mutating func next(_ count: Int) -> ArraySlice<(kind: Int64, hash: Int64, row: Int64)> {
        let slice = entries[written..<min(written + count, entries.count)]
        written = slice.endIndex
        return slice
    }

    var isFinished: Bool { written == entries.count }
}

/// Hashes of what an event can be found by.
struct IndexedKeys: Equatable {
    var correlationID: UInt64?
    var traceID: UInt64?
    var type: UInt64?

    var isEmpty: Bool { correlationID == nil && traceID == nil && type == nil }

    static let traceparent = Array("traceparent".utf8)
    static let correlation = Array("correlationid".utf8)
    static let cloudEventType = Array("ce_type".utf8)

    /// Looks through the names once. The last field of a name counts, as `EventFields.value(of:)` has it.
    init(_ fields: EventFields) {
        var wanted: EventKey?
        var isName = true
        fields.forEachItem { item in
            if isName {
                wanted = Self.key(named: item)
            } else if let key = wanted {
                take(key, item)
            }
            isName.toggle()
        }
        // The sidecar gives the trace's id to what has no correlation id of its own: one entry serves both look-ups.
        if correlationID == traceID { correlationID = nil }
    }

    private mutating func take(_ key: EventKey, _ value: ArraySlice<UInt8>) {
        switch key {
        case .correlationID: correlationID = Self.hash(value)
        case .traceID: traceID = Self.traceID(in: value).map { Self.hash($0) }
        case .type: type = Self.hash(value)
        }
    }

    private static func key(named name: ArraySlice<UInt8>) -> EventKey? {
        // Lengths first: most names of most events end here.
        switch name.count {
        case traceparent.count where name.elementsEqual(traceparent): .traceID
        case correlation.count where name.elementsEqual(correlation): .correlationID
        case cloudEventType.count where name.elementsEqual(cloudEventType): .type
        default: nil
        }
    }

    /// The 32 hexadecimal digits in the middle of a `traceparent`
    /// (https://www.w3.org/TR/trace-context/#traceparent-header-field-values).
    static func traceID(in traceparent: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard traceparent.count >= 55 else { return nil }
        let start = traceparent.startIndex
        guard traceparent[start + 2] == 0x2D, traceparent[start + 35] == 0x2D else { return nil }
        return traceparent[start + 3..<start + 35]
    }

    /// FNV-1a, 64 bits (RFC 9923): stable between runs, as the standard library's hash is not.
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return hash
    }
}
