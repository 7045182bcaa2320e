import Database

/// What makes two appends the same event, shortened to what is stored.
struct DuplicateMark {
    /// Marks of one scope push each other out when there are too many: a producer, all CloudEvents, one field.
    var scope: UInt64
    /// 128 bits of SHA-256 over the scope's name and the mark, so that neither can be chosen to meet another's.
    var key: [UInt8]
    /// For how long.
    var window = DuplicateWindow(milliseconds: 0, sizeMax: 0)

    /// Who gives the marks.
    enum Scope: UInt8 {
        /// A producer of Redis 8.6, with its own ids.
        case producer = 1
        /// The same producer, with marks made of the fields.
        case producerFields = 2
        /// `source` and `id` of CloudEvents.
        case cloudEvent = 3
        /// A field that the stream's options name.
        case field = 4
    }

    private init(_ kind: Scope, name: [UInt8], mark: [UInt8]) {
        // Own ids and made marks of one producer share its window, as they share Redis's.
        let window: Scope = kind == .producerFields ? .producer : kind
        scope = IndexedKeys.hash([window.rawValue] + name)
        var hash = SHA256()
        hash.update(data: [kind.rawValue])
        withUnsafeBytes(of: UInt64(name.count).bigEndian) { hash.update(bufferPointer: $0) }
        hash.update(data: name)
        hash.update(data: mark)
        key = Array(hash.finalize().prefix(16))
    }

    /// The mark of an append: the producer's own, or what the stream's settings look at; nil when it has none.
    init?(_ append: StreamAppend, in stream: StreamState) {
        if let idempotency = append.idempotency {
            switch idempotency.mark {
            case .given(let mark): self.init(.producer, name: idempotency.producer, mark: mark)
            case .fields: self.init(.producerFields, name: idempotency.producer, mark: append.fields.encoded)
            }
            window = stream.idempotencyWindow
            return
        }
        guard let settings = stream.settings else { return nil }
        switch settings.deduplication {
        case .none: return nil
        case .cloudEvents:
            self.init(cloudEvent: append.fields, in: stream)
            return
        case .field(let name):
            guard let value = append.fields.value(of: name) else { return nil }
            self.init(.field, name: name, mark: Array(value))
        }
        window = DuplicateWindow(
            milliseconds: settings.deduplicationMilliseconds, sizeMax: settings.deduplicationSizeMax)
    }

    /// The mark that a CloudEvent has in every stream: its source and its id together. Nil for what is none.
    init?(cloudEvent fields: EventFields, in stream: StreamState) {
        guard let source = fields.value(of: Self.source), let id = fields.value(of: Self.id) else { return nil }
        // The length of the source goes in too, so that no other pair of texts reads the same.
        self.init(.cloudEvent, name: [], mark: Array("\(source.count) ".utf8) + source + id)
        let settings = stream.settings ?? StreamSettings()
        window = DuplicateWindow(
            milliseconds: settings.deduplicationMilliseconds, sizeMax: settings.deduplicationSizeMax)
    }

    private static let source = Array("ce_source".utf8)
    private static let id = Array("ce_id".utf8)
}

/// How long and how many marks are remembered; the number is the stronger.
struct DuplicateWindow: Equatable {
    var milliseconds: Int64
    var sizeMax: Int64
}

/// Recognising repeated appends.
extension LogSession {
    /// Where the first event with this mark went, if that is still known.
    func original(
        _ mark: DuplicateMark, in stream: StreamState, now: Int64
    ) throws(SQLiteError) -> StreamID? {
        let window = mark.window
        let row = try statement(.findMark).bind(1, stream.number).bind(2, mark.scope).bind(3, mark.key)
        guard try row.step() else { return nil }
        defer { row.reset() }
        guard now - row.integer(2) < window.milliseconds else { return nil }
        stream.duplicates += 1
        touch(stream)
        return StreamID(row.unsigned(0), row.unsigned(1))
    }

    /// Whether an event with this mark was there, without counting it as repeated.
    func isKnown(_ mark: DuplicateMark, in stream: StreamState, now: Int64) throws(SQLiteError) -> Bool {
        let row = try statement(.findMark).bind(1, stream.number).bind(2, mark.scope).bind(3, mark.key)
        defer { row.reset() }
        return try row.step() && now - row.integer(2) < mark.window.milliseconds
    }

    /// Remembers where the first event with this mark went, and forgets what the window no longer holds.
    func remember(
        _ mark: DuplicateMark, id: StreamID, in stream: StreamState, now: Int64
    ) throws(SQLiteError) {
        let window = mark.window
        let newest = try statement(.newestMark).bind(1, stream.number).bind(2, mark.scope)
        let ordinal = try newest.step() ? newest.integer(0) + 1 : 1
        newest.reset()
        try statement(.insertMark).bind(1, stream.number).bind(2, mark.scope).bind(3, mark.key).bind(4, ordinal)
            .bind(5, now).bind(6, id.milliseconds).bind(7, id.sequence).bind(8, stream.row(stream.lastOffset))
            .bind(9, now + window.milliseconds).run()
        try forget(upTo: ordinal - window.sizeMax, mark.scope, stream)
        try forget(addedUpTo: now - window.milliseconds, mark.scope, stream)
    }

    private func forget(upTo ordinal: Int64, _ scope: UInt64, _ stream: StreamState) throws(SQLiteError) {
        guard ordinal > 0 else { return }
        try statement(.deleteMarks).bind(1, stream.number).bind(2, scope).bind(3, ordinal).run()
    }

    /// A few at a time: each new mark pays for more than one old one, so that none stay for long.
    private func forget(addedUpTo moment: Int64, _ scope: UInt64, _ stream: StreamState) throws(SQLiteError) {
        var last: Int64?
        let oldest = try statement(.oldestMarks).bind(1, stream.number).bind(2, scope).bind(3, Int64(4))
        while try oldest.step() {
            guard oldest.integer(1) <= moment else { break }
            last = oldest.integer(0)
        }
        oldest.reset()
        if let last { try forget(upTo: last, scope, stream) }
    }

    /// Deletes marks whose time is over and whose producers may never come back: looks at so many of all marks, and goes
    /// on behind them at the next call.
    func sweepMarks(_ limit: Int64, now: Int64) throws(SQLiteError) {
        var looked: Int64 = 0
        var over: [MarkPlace] = []
        let place = sweptMark ?? MarkPlace(stream: .min, scope: .min, key: [])
        let rows = try statement(.marksAfter).bind(1, place.stream).bind(2, place.scope).bind(3, place.key).bind(
            4, limit)
        while try rows.step() {
            looked += 1
            let place = MarkPlace(stream: rows.integer(0), scope: rows.integer(1), key: rows.blob(2))
            if rows.integer(3) <= now { over.append(place) }
            sweptMark = place
        }
        if looked < limit { sweptMark = nil }
        for place in over {
            try statement(.deleteMark).bind(1, place.stream).bind(2, place.scope).bind(3, place.key).run()
        }
    }

    /// XCFGSET. It forgets what was remembered, as in Redis.
    func configureIdempotency(
        key: [UInt8], seconds: Int?, size: Int?, now: Int64
    ) throws(SQLiteError) -> StreamReply {
        guard let stream = try stream(key, now: now) else { return .failed(.noSuchKey) }
        stream.idempotencySeconds = seconds ?? stream.idempotencySeconds
        stream.idempotencySize = size ?? stream.idempotencySize
        try statement(.deleteMarksOfStream).bind(1, stream.number).run()
        touch(stream)
        return .done
    }
}

/// Where a mark is in its table.
struct MarkPlace {
    var stream: Int64
    var scope: Int64
    var key: [UInt8]
}

extension StreamState {
    /// How long producers' marks are remembered.
    var idempotencyWindow: DuplicateWindow {
        DuplicateWindow(milliseconds: Int64(idempotencySeconds) * 1_000, sizeMax: Int64(idempotencySize))
    }
}
