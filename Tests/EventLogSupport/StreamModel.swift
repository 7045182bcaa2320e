public import EventLog

/// What every store of streams must do, said in the plainest way: in memory, one command at a time.
public struct StreamModel: Sendable {
    private var streams: [[UInt8]: ModelStream] = [:]
    private var lastNumber: UInt64 = 0
    private var lastRevision: UInt64 = 0

    /// An empty one.
    public init() {}

    /// Does a unit, as if nobody else was there.
    public mutating func apply(_ unit: StreamUnit) -> StreamOutcome {
        let now = unit.nowUnixMilliseconds
        expire(now)
        for (key, revision) in unit.requiredRevisions where self.revision(key) != revision { return .conditionFailed }
        var replies: [StreamReply] = []
        for command in unit.commands {
            replies.append(apply(command, now: now))
            if unit.stopsAtRefusal, case .failed? = replies.last { break }
        }
        return .replies(replies)
    }

    private mutating func expire(_ now: UInt64) {
        streams = streams.filter { $0.value.expiresAt.map { $0 > Int64(now) } ?? true }
    }

    private func revision(_ key: [UInt8]) -> UInt64 { streams[key]?.revision ?? 0 }

    /// Does one command at a moment in milliseconds of the Unix time.
    public mutating func apply(_ command: StreamCommand, now: UInt64) -> StreamReply {
        let before = streams[Self.key(command) ?? []]
        defer {
            if let key = Self.key(command), let after = streams[key], Self.differs(before, after) {
                lastRevision += 1
                streams[key]?.revision = lastRevision
            }
        }
        do throws(StreamError) {
            return try perform(command, now: now)
        } catch {
            return .failed(error)
        }
    }

    private mutating func perform(_ command: StreamCommand, now: UInt64) throws(StreamError) -> StreamReply {
        switch command {
        case .append(let append):
            return try self.append(append, now: now)
        case .length(let key):
            return .count(Int64(streams[key]?.entries.count ?? 0))
        case .range(let range):
            return self.range(range)
        case .read(let read):
            return self.read(read)
        case .readGroup(let read):
            return try self.read(read, now: Int64(now))
        case .createGroup, .setGroup, .destroyGroup, .createConsumer, .deleteConsumer:
            return try manage(command, now: now)
        case .acknowledge(let key, let group, let ids):
            return .count(acknowledge(key, group, ids))
        case .acknowledgeAndDelete(let key, let group, let ids, let references):
            return .perID(acknowledge(key, group, ids, references))
        case .pendingSummary(let key, let group):
            return .pendingSummary(try stream(key, group).summary(group))
        case .pending(let range):
            return .pending(try stream(range.key, range.group).pending(range, now: Int64(now)))
        case .claim(let claim):
            var stream = try stream(claim.key, claim.group)
            defer { streams[claim.key] = stream }
            return stream.claim(claim, now: Int64(now))
        case .autoClaim(let claim):
            var stream = try stream(claim.key, claim.group)
            defer { streams[claim.key] = stream }
            return stream.autoClaim(claim, now: Int64(now))
        case .delete(let key, let ids):
            return .count(streams[key]?.delete(ids) ?? 0)
        case .deleteWithReferences(let key, let ids, let references):
            return .perID(streams[key]?.delete(ids, references) ?? ids.map { _ in -1 })
        case .trim(let key, let trim, let references):
            return .count(streams[key]?.trim(trim, references) ?? 0)
        case .setID(let key, let id, let entriesAdded, let maxDeletedID):
            return try setID(key, id, entriesAdded, maxDeletedID)
        case .configureIdempotency(let key, let seconds, let sizeMax):
            guard streams[key] != nil else { throw .noSuchKey }
            if let seconds { streams[key]?.markSeconds = seconds }
            if let sizeMax { streams[key]?.markSizeMax = sizeMax }
            streams[key]?.marks = [:]
            return .done
        case .streamInfo, .fullInfo, .groupsInfo, .consumersInfo:
            return try inform(command, now: Int64(now))
        case .keys(let command):
            return perform(command, now: Int64(now))
        }
    }

    private func stream(_ key: [UInt8], _ group: [UInt8]) throws(StreamError) -> ModelStream {
        guard let stream = streams[key], stream.groups[group] != nil else {
            throw .noKeyOrGroup(key: key, group: group)
        }
        return stream
    }

    private mutating func made(_ key: [UInt8]) -> ModelStream {
        if let stream = streams[key] { return stream }
        lastNumber += 1
        return ModelStream(number: lastNumber, revision: 0)
    }

    // MARK: Entries

    private mutating func append(_ append: StreamAppend, now: UInt64) throws(StreamError) -> StreamReply {
        if append.id == .explicit(.zero) { throw .idZero }
        if !append.createsStream, streams[append.key] == nil { return .none }
        var stream = made(append.key)
        let reply = try stream.append(append, now: now)
        streams[append.key] = stream
        return reply
    }

    private func range(_ range: StreamRange) -> StreamReply {
        guard let stream = streams[range.key] else { return .entries([]) }
        if range.count == 0 { return .none }
        let found = stream.entries.filter { $0.id >= range.lower && $0.id <= range.upper }
        return .entries(Array((range.isReversed ? found.reversed() : found).prefix(range.count ?? .max)))
    }

    private func read(_ read: StreamRead) -> StreamReply {
        var batches: [StreamBatch] = []
        var positions: [StreamID] = []
        for (key, position) in read.streams {
            let stream = streams[key]
            let after: StreamID
            switch position {
            case .after(let id): after = id
            case .last: after = stream?.lastID ?? .zero
            }
            positions.append(after)
            let found = stream?.entries.filter { $0.id > after }.prefix(read.count ?? .max) ?? []
            if !found.isEmpty { batches.append(StreamBatch(key: key, entries: Array(found))) }
        }
        return .streams(batches, positions: positions)
    }

    private mutating func read(_ read: StreamGroupRead, now: Int64) throws(StreamError) -> StreamReply {
        for (key, _) in read.streams where streams[key]?.groups[read.group] == nil {
            throw .noKeyOrGroupToRead(key: key, group: read.group)
        }
        var batches: [StreamBatch] = []
        for (key, position) in read.streams {
            let found = streams[key]?.read(
                read.group, read.consumer, position, count: read.count, acknowledges: read.acknowledges, now: now)
            if let found { batches.append(StreamBatch(key: key, entries: found)) }
        }
        return .streams(batches, positions: read.streams.map { _ in .zero })
    }

    private mutating func setID(
        _ key: [UInt8], _ id: StreamID, _ entriesAdded: Int64?, _ maxDeletedID: StreamID?
    ) throws(StreamError) -> StreamReply {
        if let maxDeletedID, id < maxDeletedID { throw .setIDBelowMaxDeleted }
        guard var stream = streams[key] else { throw .noSuchKey }
        if let last = stream.entries.last {
            if id < last.id { throw .setIDTooLow }
            if let entriesAdded, Int64(stream.entries.count) > entriesAdded { throw .entriesAddedTooLow }
        }
        stream.lastID = id
        if let entriesAdded { stream.entriesAdded = entriesAdded }
        if let maxDeletedID, maxDeletedID != .zero { stream.maxDeletedID = maxDeletedID }
        streams[key] = stream
        return .done
    }

    // MARK: Groups

    private mutating func manage(_ command: StreamCommand, now: UInt64) throws(StreamError) -> StreamReply {
        switch command {
        case .createGroup(let creation):
            guard creation.createsStream || streams[creation.key] != nil else { throw .groupNeedsKey }
            var stream = made(creation.key)
            guard stream.groups[creation.group] == nil else { throw .groupExists }
            stream.groups[creation.group] = ModelStream.Group(
                lastDelivered: Self.start(creation.start, stream), entriesRead: creation.entriesRead)
            streams[creation.key] = stream
            return .done
        case .setGroup(let key, let group, let start, let entriesRead):
            var stream = try existing(key, group)
            let position = Self.start(start, stream)
            stream.groups[group]?.lastDelivered = position
            stream.groups[group]?.entriesRead = entriesRead
            streams[key] = stream
            return .done
        case .destroyGroup(let key, let group):
            guard streams[key] != nil else { throw .groupNeedsKey }
            return .count(streams[key]?.groups.removeValue(forKey: group) == nil ? 0 : 1)
        case .createConsumer(let key, let group, let consumer):
            guard try existing(key, group).groups[group]?.consumers[consumer] == nil else { return .count(0) }
            streams[key]?.groups[group]?.consumers[consumer] = Int64(now)
            return .count(1)
        case .deleteConsumer(let key, let group, let consumer):
            let held = try existing(key, group).groups[group]?.pendingIDs(of: consumer) ?? []
            for id in held { streams[key]?.groups[group]?.pending[id] = nil }
            streams[key]?.groups[group]?.consumers[consumer] = nil
            return .count(Int64(held.count))
        default:
            preconditionFailure("not about groups")
        }
    }

    private func existing(_ key: [UInt8], _ group: [UInt8]) throws(StreamError) -> ModelStream {
        guard let stream = streams[key] else { throw .groupNeedsKey }
        guard stream.groups[group] != nil else { throw .noGroup(key: key, group: group) }
        return stream
    }

    private static func start(_ start: GroupStart, _ stream: ModelStream) -> StreamID {
        switch start {
        case .last: stream.lastID
        case .after(let id): id
        }
    }

    private mutating func acknowledge(_ key: [UInt8], _ group: [UInt8], _ ids: [StreamID]) -> Int64 {
        Int64(ids.filter { streams[key]?.groups[group]?.pending.removeValue(forKey: $0) != nil }.count)
    }

    private mutating func acknowledge(
        _ key: [UInt8], _ group: [UInt8], _ ids: [StreamID], _ references: ReferencePolicy
    ) -> [Int64] {
        ids.map { id in
            guard acknowledge(key, group, [id]) == 1 else { return -1 }
            let result = streams[key]?.delete([id], references).first ?? 1
            return result == -1 ? 1 : result
        }
    }

    // MARK: Information

    private func inform(_ command: StreamCommand, now: Int64) throws(StreamError) -> StreamReply {
        func stream(_ key: [UInt8]) throws(StreamError) -> ModelStream {
            guard let stream = streams[key] else { throw .noSuchKey }
            return stream
        }
        switch command {
        case .streamInfo(let key): return .streamInfo(try stream(key).info)
        case .fullInfo(let key, let count): return .fullInfo(try stream(key).fullInfo(count: count))
        case .groupsInfo(let key): return .groups(try stream(key).groupInfos)
        case .consumersInfo(let key, let group):
            guard try stream(key).groups[group] != nil else { throw .noGroup(key: key, group: group) }
            return .consumers(try stream(key).consumerInfos(group, now: now))
        default: preconditionFailure("asks for no information")
        }
    }

    // MARK: Keys

    private mutating func perform(_ command: KeyCommand, now: Int64) -> StreamReply {
        switch command {
        case .type(let key): return .type(isStream: streams[key] != nil)
        case .exists(let keys): return .count(Int64(keys.filter { streams[$0] != nil }.count))
        case .delete(let keys): return .count(Int64(keys.filter { streams.removeValue(forKey: $0) != nil }.count))
        case .list(let pattern):
            return .names(streams.keys.filter { key in pattern.map { RedisGlob.matches($0, key) } ?? true })
        case .scan(let cursor, let count, let pattern):
            let rest = streams.filter { $0.value.number > cursor }.sorted { $0.value.number < $1.value.number }
            let looked = rest.prefix(max(1, count))
            let names = looked.map(\.key).filter { key in pattern.map { RedisGlob.matches($0, key) } ?? true }
            return .scanned(next: looked.count < rest.count ? looked.last?.value.number ?? 0 : 0, names)
        case .count: return .count(Int64(streams.count))
        case .deleteAll:
            streams = [:]
            return .done
        case .expire(let key, let moment, let condition): return expire(key, moment, condition, now)
        case .persist(let key):
            guard streams[key]?.expiresAt != nil else { return .count(0) }
            streams[key]?.expiresAt = nil
            return .count(1)
        case .expiry(let key):
            guard let stream = streams[key] else { return .expiry(.noKey) }
            return .expiry(stream.expiresAt.map { .at(unixMilliseconds: $0) } ?? .never)
        case .revision(let key): return .revision(revision(key))
        }
    }

    private mutating func expire(
        _ key: [UInt8], _ moment: Int64, _ condition: ExpiryCondition, _ now: Int64
    ) -> StreamReply {
        guard let stream = streams[key] else { return .count(0) }
        let current = stream.expiresAt
        if condition.contains(.whenUnset), current != nil { return .count(0) }
        if condition.contains(.whenSet), current == nil { return .count(0) }
        if condition.contains(.whenLater), moment <= current ?? .max { return .count(0) }
        if condition.contains(.whenEarlier), moment >= current ?? .max { return .count(0) }
        if moment <= now { streams[key] = nil } else { streams[key]?.expiresAt = moment }
        return .count(1)
    }

    // MARK: Revisions

    /// The key whose revision a command may change.
    private static func key(_ command: StreamCommand) -> [UInt8]? {
        switch command {
        case .append(let append): append.key
        case .createGroup(let creation): creation.key
        case .delete(let key, _), .deleteWithReferences(let key, _, _), .trim(let key, _, _),
            .setID(let key, _, _, _), .setGroup(let key, _, _, _), .destroyGroup(let key, _),
            .createConsumer(let key, _, _), .deleteConsumer(let key, _, _), .acknowledge(let key, _, _),
            .acknowledgeAndDelete(let key, _, _, _):
            key
        case .claim(let claim): claim.key
        case .autoClaim(let claim): claim.key
        case .keys(.expire(let key, _, _)), .keys(.persist(let key)): key
        default: nil
        }
    }

    private static func differs(_ before: ModelStream?, _ after: ModelStream) -> Bool {
        guard let before else { return true }
        return before.lastID != after.lastID || before.entries.count != after.entries.count
            || before.expiresAt != after.expiresAt || before.entriesAdded != after.entriesAdded
            || before.groups.count != after.groups.count
            || after.groups.contains { name, group in
                before.groups[name]?.pending != group.pending
                    || before.groups[name]?.lastDelivered != group.lastDelivered
                    || before.groups[name]?.consumers.count != group.consumers.count
            }
    }
}
