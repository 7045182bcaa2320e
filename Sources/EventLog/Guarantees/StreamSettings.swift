import Database

/// What a stream does beyond Redis: set per stream, nothing by default.
public struct StreamSettings: Sendable, Hashable {
    /// By what two appends are known to be the same event.
    public enum Deduplication: Sendable, Hashable {
        /// Only by a producer's own mark (IDMP).
        case none
        /// By the CloudEvents attributes `ce_source` and `ce_id`, which together name one event.
        case cloudEvents
        /// By the value of a field.
        case field([UInt8])
    }

    /// By what two appends are known to be the same event.
    public var deduplication: Deduplication
    /// How long that is remembered, in milliseconds.
    public var deduplicationMilliseconds: Int64
    /// For how many events it is remembered.
    public var deduplicationSizeMax: Int64
    /// Fields of at least this many bytes are compressed (zstd); nil for never.
    public var compressionBytesMin: Int?
    /// How long events are kept, in milliseconds; nil for ever.
    public var retentionMilliseconds: Int64?
    /// How many events are kept.
    public var retentionLengthMax: Int64?
    /// How many bytes of fields are kept.
    public var retentionBytesMax: Int64?
    /// Whether retention also removes what a group has not read or not acknowledged.
    public var removesUnread: Bool

    /// Nothing but what Redis does.
    public init(
        deduplication: Deduplication = .none, deduplicationMilliseconds: Int64 = 120_000,
        deduplicationSizeMax: Int64 = 100_000, compressionBytesMin: Int? = nil, retentionMilliseconds: Int64? = nil,
        retentionLengthMax: Int64? = nil, retentionBytesMax: Int64? = nil, removesUnread: Bool = false
    ) {
        self.deduplication = deduplication
        self.deduplicationMilliseconds = deduplicationMilliseconds
        self.deduplicationSizeMax = deduplicationSizeMax
        self.compressionBytesMin = compressionBytesMin
        self.retentionMilliseconds = retentionMilliseconds
        self.retentionLengthMax = retentionLengthMax
        self.retentionBytesMax = retentionBytesMax
        self.removesUnread = removesUnread
    }

    /// Whether old events go by themselves.
    var hasRetention: Bool {
        retentionMilliseconds != nil || retentionLengthMax != nil || retentionBytesMax != nil
    }
}

extension StreamSettings {
    /// As the table keeps them: fields with numbers in decimal.
    var encoded: [UInt8] {
        var fields = EventFields()
        func add(_ name: String, _ value: some Collection<UInt8>) { fields.append(name: name.utf8, value: value) }
        func add(_ name: String, _ number: Int64?) {
            if let number { add(name, String(number).utf8) }
        }
        switch deduplication {
        case .none: break
        case .cloudEvents: add("dedup", "cloudevents".utf8)
        case .field(let name): add("dedup_field", name)
        }
        add("dedup_ms", deduplicationMilliseconds)
        add("dedup_size", deduplicationSizeMax)
        add("compress", compressionBytesMin.map(Int64.init))
        add("keep_ms", retentionMilliseconds)
        add("keep_length", retentionLengthMax)
        add("keep_bytes", retentionBytesMax)
        add("removes_unread", removesUnread ? 1 : nil)
        return fields.encoded
    }

    /// The inverse; names of later versions are ignored.
    init(encoded: [UInt8]) {
        self.init()
        guard let fields = EventFields(encoded: encoded) else { return }
        for (name, value) in fields.pairs {
            let number = Int64(String(decoding: value, as: UTF8.self))
            switch String(decoding: name, as: UTF8.self) {
            case "dedup": deduplication = .cloudEvents
            case "dedup_field": deduplication = .field(value)
            case "dedup_ms": deduplicationMilliseconds = number ?? deduplicationMilliseconds
            case "dedup_size": deduplicationSizeMax = number ?? deduplicationSizeMax
            case "compress": compressionBytesMin = number.map { Int(clamping: $0) }
            case "keep_ms": retentionMilliseconds = number
            case "keep_length": retentionLengthMax = number
            case "keep_bytes": retentionBytesMax = number
            case "removes_unread": removesUnread = number == 1
            default: continue
            }
        }
    }
}

extension LogSession {
    /// Sets what a stream does beyond Redis, making the stream if need be; false when there are too many streams.
    func configure(_ settings: StreamSettings, key: [UInt8], now: Int64) throws(SQLiteError) -> Bool {
        var existing = try stream(key, now: now)
        if existing == nil { existing = try createStream(key, now: now) }
        guard let stream = existing else { return false }
        stream.settings = settings
        touch(stream)
        return true
    }
}
