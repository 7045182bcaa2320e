import EventLog

/// One stream of the reference model: everything in plain arrays and dictionaries, searched from end to end.
///
/// The meaning of every step follows the commands of Redis 7.0 as documented at
/// https://redis.io/docs/latest/commands/?group=stream and as observed of a real server.
struct ModelStream {
    struct Delivery: Equatable {
        var consumer: [UInt8]
        var deliveredAt: Int64
        var deliveries: Int64
    }

    struct Group {
        var lastDelivered: StreamID
        /// Nil when it cannot be known.
        var entriesRead: Int64?
        var pending: [StreamID: Delivery] = [:]
        /// Each consumer with the time of its last command.
        var consumers: [[UInt8]: Int64] = [:]

        func pendingIDs(of consumer: [UInt8]? = nil) -> [StreamID] {
            pending.filter { consumer == nil || $0.value.consumer == consumer }.keys.sorted()
        }
    }

    struct Marked {
        var mark: [UInt8]
        var id: StreamID
        var at: UInt64
    }

    var entries: [StreamEntry] = []
    var lastID = StreamID.zero
    var maxDeletedID = StreamID.zero
    var entriesAdded: Int64 = 0
    var groups: [[UInt8]: Group] = [:]
    var expiresAt: Int64?
    var number: UInt64
    var revision: UInt64
    var marks: [[UInt8]: [Marked]] = [:]
    var markSeconds = 100
    var markSizeMax = 100

    var firstID: StreamID { entries.first?.id ?? .zero }

    func index(of id: StreamID) -> Int? { entries.firstIndex { $0.id == id } }

    func entry(_ id: StreamID) -> StreamEntry? { index(of: id).map { entries[$0] } }

    // MARK: Appending

    /// The id of a new entry, or why there is none.
    func nextID(_ wanted: StreamAppend.ID, now: UInt64) throws(StreamError) -> StreamID {
        guard lastID != .max else { throw .idsExhausted }
        let id: StreamID
        switch wanted {
        case .automatic:
            id = now > lastID.milliseconds ? StreamID(now, 0) : lastID.next ?? .max
        case .automaticSequence(let milliseconds):
            if milliseconds == lastID.milliseconds {
                guard lastID.sequence < .max else { throw .idTooLow }
                id = StreamID(milliseconds, lastID.sequence + 1)
            } else {
                id = StreamID(milliseconds, 0)
            }
        case .explicit(let given):
            id = given
        }
        guard id > lastID else { throw .idTooLow }
        return id
    }

    mutating func append(_ append: StreamAppend, now: UInt64) throws(StreamError) -> StreamReply {
        if let duplicate = duplicate(of: append, now: now) { return .appended(duplicate, isDuplicate: true) }
        let id = try nextID(append.id, now: now)
        entries.append(StreamEntry(id: id, fields: append.fields))
        lastID = id
        entriesAdded += 1
        if let idempotency = append.idempotency {
            var known = marks[idempotency.producer] ?? []
            known.append(Marked(mark: Self.mark(idempotency, append.fields), id: id, at: now))
            marks[idempotency.producer] = known.suffix(markSizeMax)
        }
        if let trim = append.trim { _ = self.trim(trim, append.references) }
        return .appended(id, isDuplicate: false)
    }

    private func duplicate(of append: StreamAppend, now: UInt64) -> StreamID? {
        guard let idempotency = append.idempotency else { return nil }
        let mark = Self.mark(idempotency, append.fields)
        return marks[idempotency.producer]?
            .last { $0.mark == mark && now < $0.at + UInt64(markSeconds) * 1000 }?.id
    }

    private static func mark(_ idempotency: StreamAppend.Idempotency, _ fields: EventFields) -> [UInt8] {
        switch idempotency.mark {
        case .given(let id): [0] + id
        case .fields: [1] + fields.encoded
        }
    }

    // MARK: Removing

    mutating func trim(_ trim: StreamTrim, _ references: ReferencePolicy) -> Int64 {
        var excess =
            switch trim.bound {
            case .length(let length): max(0, entries.count - Int(clamping: length))
            case .minimumID(let id): entries.prefix { $0.id < id }.count
            }
        if trim.isApproximate {
            excess = excess / StreamTrim.blockEntries * StreamTrim.blockEntries
            if let limit = trim.limit {
                excess = min(excess, limit / StreamTrim.blockEntries * StreamTrim.blockEntries)
            }
        }
        let removed = entries.prefix(excess).map(\.id).filter { mayRemove($0, references) }
        entries.removeAll { removed.contains($0.id) }
        if references == .delete { forget(removed) }
        return Int64(removed.count)
    }

    mutating func delete(_ ids: [StreamID]) -> Int64 {
        var deleted: Int64 = 0
        for id in ids {
            guard let index = index(of: id) else { continue }
            entries.remove(at: index)
            maxDeletedID = max(maxDeletedID, id)
            deleted += 1
        }
        return deleted
    }

    mutating func delete(_ ids: [StreamID], _ references: ReferencePolicy) -> [Int64] {
        var results: [Int64] = []
        for id in ids {
            if index(of: id) == nil {
                results.append(-1)
            } else if mayRemove(id, references) {
                _ = delete([id])
                if references == .delete { forget([id]) }
                results.append(1)
            } else {
                results.append(2)
            }
        }
        return results
    }

    private func mayRemove(_ id: StreamID, _ references: ReferencePolicy) -> Bool {
        references != .acknowledged || groups.values.allSatisfy { $0.lastDelivered >= id && $0.pending[id] == nil }
    }

    private mutating func forget(_ ids: [StreamID]) {
        for name in groups.keys {
            for id in ids { groups[name]?.pending[id] = nil }
        }
    }

    // MARK: Counting what groups have read

    /// Whether an entry after `id`, or it itself, may have been deleted from the middle.
    private func hasTombstones(from id: StreamID) -> Bool {
        maxDeletedID != .zero && firstID <= maxDeletedID && id <= maxDeletedID && !entries.isEmpty
    }

    /// How many entries were ever appended up to this one, where that follows from what the stream keeps.
    private func position(of id: StreamID) -> Int64? {
        if entriesAdded == 0 { return 0 }
        if entries.isEmpty, id <= lastID { return entriesAdded }
        if id == lastID { return entriesAdded }
        if id > lastID { return nil }
        guard maxDeletedID == .zero || maxDeletedID < firstID else { return nil }
        let before = entriesAdded - Int64(entries.count)
        if id < firstID { return before }
        return id == firstID ? before + 1 : nil
    }

    func lag(of group: Group) -> Int64? {
        if entriesAdded == 0 { return 0 }
        if let read = group.entriesRead, !hasTombstones(from: group.lastDelivered) { return entriesAdded - read }
        return position(of: group.lastDelivered).map { entriesAdded - $0 }
    }

    /// Moves a group on to an entry that it is being given.
    func advance(_ group: inout Group, to id: StreamID) {
        guard id > group.lastDelivered else { return }
        if let read = group.entriesRead, !hasTombstones(from: id) {
            group.entriesRead = read + 1
        } else if entriesAdded > 0 {
            group.entriesRead = position(of: id)
        }
        group.lastDelivered = id
    }
}
