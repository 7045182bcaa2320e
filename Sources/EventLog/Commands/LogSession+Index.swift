/// What events can be found by, apart from their stream.
public enum EventKey: Int64, Sendable, CaseIterable {
    /// The field `correlationid`.
    case correlationID = 1
    /// The trace id in the field `traceparent`.
    case traceID = 2
    /// The field `ce_type`, the CloudEvents attribute.
    case type = 3
}

/// Finding events by correlation id, trace id and type. The events themselves say them, in fields with the names that
/// the sidecar injects and, for CloudEvents attributes, the prefix `ce_`.
extension LogSession {
    /// Events of one bucket: 2^17, so that three keys of each are about ten megabytes of index.
    static let bucketShift: Int64 = 17

    /// Enters an event under what it says.
    func index(_ fields: EventFields, row: Int64, position: Int64) throws(SQLiteError) {
        let bucket = position >> Self.bucketShift
        bucketChanges[bucket, default: 0] += 1
        let keys = IndexedKeys(fields)
        if let hash = keys.correlationID { try enter(bucket, .correlationID, hash, row) }
        if let hash = keys.traceID { try enter(bucket, .traceID, hash, row) }
        if let hash = keys.type { try enter(bucket, .type, hash, row) }
    }

    private func enter(_ bucket: Int64, _ key: EventKey, _ hash: UInt64, _ row: Int64) throws(SQLiteError) {
        try statement(.insertIndex).bind(1, bucket).bind(2, key.rawValue).bind(3, hash).bind(4, row).run()
    }

    /// Notes that an event has gone; its index goes with its bucket.
    func unindex(position: Int64) {
        bucketChanges[position >> Self.bucketShift, default: 0] -= 1
    }
}

/// Hashes of what an event can be found by.
struct IndexedKeys: Equatable {
    var correlationID: UInt64?
    var traceID: UInt64?
    var type: UInt64?

    private static let traceparent = Array("traceparent".utf8)
    private static let correlation = Array("correlationid".utf8)
    private static let cloudEventType = Array("ce_type".utf8)

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
