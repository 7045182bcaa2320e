/// How replies of the store are said, in the shapes of https://redis.io/docs/latest/commands/?group=stream
extension RedisReplyWriter {
    mutating func reply(_ reply: StreamReply, _ form: RedisRequest.Form, now: UInt64) {
        switch reply {
        case .done: simple("OK")
        case .none: nullOf(form)
        case .count(let count): integer(count)
        case .appended(let id, _): self.id(id)
        case .ids(let ids): self.ids(ids)
        case .entries(let entries): self.entries(entries)
        case .streams(let batches, _): streams(batches)
        case .pendingSummary(let summary): self.summary(summary)
        case .pending(let rows): pending(rows)
        case .autoClaimed(let next, let entries, let deleted): autoClaimed(next, entries, deleted, form)
        case .perID(let codes):
            array(codes.count)
            for code in codes { integer(code) }
        case .streamInfo(let info): streamInfo(info)
        case .fullInfo(let info): fullInfo(info)
        case .groups(let groups): self.groups(groups)
        case .consumers(let consumers): self.consumers(consumers)
        case .type(let isStream): if isStream { simple("stream") } else { simple("none") }
        case .names(let names): bulks(names)
        case .scanned(let next, let names):
            array(2)
            bulk("\(next)")
            bulks(form == .noNames ? [] : names)
        case .expiry(let expiry): self.expiry(expiry, form, now)
        case .revision(let revision): integer(Int64(clamping: revision))
        case .failed(let error): self.error(error.message)
        }
    }

    /// XRANGE with COUNT 0 answers an array that is null, XADD with NOMKSTREAM a string that is.
    private mutating func nullOf(_ form: RedisRequest.Form) {
        if form == .array { nullArray() } else { null() }
    }

    private mutating func ids(_ ids: [StreamID]) {
        array(ids.count)
        for id in ids { self.id(id) }
    }

    private mutating func entry(_ entry: StreamEntry) {
        array(2)
        id(entry.id)
        guard let fields = entry.fields else { return nullArray() }
        array(2 * fields.count)
        fields.forEachItem { bulk($0) }
    }

    private mutating func entries(_ entries: [StreamEntry]) {
        if entries.count > 8 {
            // In one piece: a long reply that grows by doubling is copied several times.
            reserve(entries.reduce(0) { $0 + 64 + ($1.fields.map { $0.encoded.count + 16 * $0.count } ?? 0) })
        }
        array(entries.count)
        for entry in entries { self.entry(entry) }
    }

    private mutating func streams(_ batches: [StreamBatch]) {
        guard !batches.isEmpty else { return nullArray() }
        if version == .three { map(batches.count) } else { array(batches.count) }
        for batch in batches {
            if version == .two { array(2) }
            bulk(batch.key)
            entries(batch.entries)
        }
    }

    private mutating func summary(_ summary: PendingSummary) {
        array(4)
        integer(summary.count)
        guard let lowest = summary.lowest, let highest = summary.highest else {
            null()
            null()
            nullArray()
            return
        }
        id(lowest)
        id(highest)
        array(summary.consumers.count)
        for consumer in summary.consumers {
            array(2)
            bulk(consumer.name)
            bulk("\(consumer.count)")
        }
    }

    private mutating func pending(_ rows: [PendingEntry]) {
        array(rows.count)
        for row in rows {
            array(4)
            id(row.id)
            bulk(row.consumer)
            integer(row.idleMilliseconds)
            integer(row.deliveries)
        }
    }

    private mutating func autoClaimed(
        _ next: StreamID, _ entries: [StreamEntry], _ deleted: [StreamID], _ form: RedisRequest.Form
    ) {
        array(3)
        id(next)
        if form == .idsOnly { ids(entries.map(\.id)) } else { self.entries(entries) }
        ids(deleted)
    }

    private mutating func expiry(_ expiry: KeyExpiry, _ form: RedisRequest.Form, _ now: UInt64) {
        switch (expiry, form) {
        case (.noKey, _): integer(-2)
        case (.never, _): integer(-1)
        case (.at(let moment), .timeToLive(let milliseconds)):
            let left = max(0, moment - Int64(clamping: now))
            integer(milliseconds ? left : (left + 500) / 1_000)
        case (.at(let moment), .endTime(milliseconds: false)): integer((moment + 500) / 1_000)
        case (.at(let moment), _): integer(moment)
        }
    }
}

/// XINFO. Redis tells of its radix tree, which is not here: its numbers are those that a tree of full nodes would have.
extension RedisReplyWriter {
    private mutating func infoHead(_ info: StreamInfo) {
        let nodes = (info.length + Int64(StreamTrim.blockEntries) - 1) / Int64(StreamTrim.blockEntries)
        bulk("length")
        integer(info.length)
        bulk("radix-tree-keys")
        integer(nodes)
        bulk("radix-tree-nodes")
        integer(nodes + 1)
        bulk("last-generated-id")
        id(info.lastID)
        bulk("max-deleted-entry-id")
        id(info.maxDeletedID)
        bulk("entries-added")
        integer(info.entriesAdded)
        bulk("recorded-first-entry-id")
        id(info.recordedFirstID)
    }

    fileprivate mutating func streamInfo(_ info: StreamInfo) {
        map(10)
        infoHead(info)
        bulk("groups")
        integer(info.groups)
        for (name, entry) in [("first-entry", info.first), ("last-entry", info.last)] {
            bulk(name)
            if let entry { self.entry(entry) } else { null() }
        }
    }

    fileprivate mutating func fullInfo(_ info: StreamFullInfo) {
        map(9)
        infoHead(info.stream)
        bulk("entries")
        entries(info.entries)
        bulk("groups")
        array(info.groups.count)
        for group in info.groups { fullGroup(group) }
    }

    private mutating func fullGroup(_ full: GroupFullInfo) {
        map(7)
        bulk("name")
        bulk(full.group.name)
        bulk("last-delivered-id")
        id(full.group.lastDelivered)
        bulk("entries-read")
        optional(full.group.entriesRead)
        bulk("lag")
        optional(full.group.lag)
        bulk("pel-count")
        integer(full.group.pending)
        bulk("pending")
        array(full.pending.count)
        for row in full.pending {
            array(4)
            id(row.id)
            bulk(row.consumer)
            integer(row.deliveredAtUnixMilliseconds)
            integer(row.deliveries)
        }
        bulk("consumers")
        array(full.consumers.count)
        for consumer in full.consumers {
            map(4)
            bulk("name")
            bulk(consumer.name)
            bulk("seen-time")
            integer(consumer.seenAtUnixMilliseconds)
            bulk("pel-count")
            integer(consumer.pendingCount)
            bulk("pending")
            array(consumer.pending.count)
            for row in consumer.pending {
                array(3)
                id(row.id)
                integer(row.deliveredAtUnixMilliseconds)
                integer(row.deliveries)
            }
        }
    }

    fileprivate mutating func groups(_ groups: [GroupInfo]) {
        array(groups.count)
        for group in groups {
            map(6)
            bulk("name")
            bulk(group.name)
            bulk("consumers")
            integer(group.consumers)
            bulk("pending")
            integer(group.pending)
            bulk("last-delivered-id")
            id(group.lastDelivered)
            bulk("entries-read")
            optional(group.entriesRead)
            bulk("lag")
            optional(group.lag)
        }
    }

    fileprivate mutating func consumers(_ consumers: [ConsumerInfo]) {
        array(consumers.count)
        for consumer in consumers {
            map(3)
            bulk("name")
            bulk(consumer.name)
            bulk("pending")
            integer(consumer.pending)
            bulk("idle")
            integer(consumer.idleMilliseconds)
        }
    }

    private mutating func optional(_ value: Int64?) {
        if let value { integer(value) } else { null() }
    }
}
