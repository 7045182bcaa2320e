import EventLog

/// What groups do with the entries of a stream. The caller has made sure that the group is there.
extension ModelStream {
    /// Entries for one consumer; nil when there is nothing to answer for this stream.
    mutating func read(
        _ name: [UInt8], _ consumer: [UInt8], _ position: StreamGroupRead.Position, count: Int?, acknowledges: Bool,
        now: Int64
    ) -> [StreamEntry]? {
        guard var group = groups[name] else { return nil }
        defer { groups[name] = group }
        switch position {
        case .ownPendingAfter(let id):
            group.consumers[consumer] = now
            let ids = group.pendingIDs(of: consumer).filter { $0 > id }.prefix(count ?? .max)
            return ids.map { id in
                guard let entry = entry(id) else { return StreamEntry(id: id, fields: nil) }
                group.pending[id]?.deliveredAt = now
                group.pending[id]?.deliveries += 1
                return entry
            }
        case .undelivered:
            let last = group.lastDelivered
            let found = entries.filter { $0.id > last }.prefix(count ?? .max)
            guard !found.isEmpty else { return nil }
            group.consumers[consumer] = now
            for entry in found {
                advance(&group, to: entry.id)
                if !acknowledges {
                    group.pending[entry.id] = Delivery(consumer: consumer, deliveredAt: now, deliveries: 1)
                }
            }
            return Array(found)
        }
    }

    mutating func claim(_ claim: StreamClaim, now: Int64) -> StreamReply {
        guard var group = groups[claim.group] else { return .none }
        defer { groups[claim.group] = group }
        if let lastID = claim.lastID { group.lastDelivered = max(group.lastDelivered, lastID) }
        let given = claim.deliveredAtUnixMilliseconds ?? now
        let deliveredAt = given < 0 || given > now ? now : given
        var claimed: [StreamEntry] = []
        for id in claim.ids {
            guard let entry = entry(id) else {
                group.pending[id] = nil
                continue
            }
            let known = group.pending[id]
            guard known != nil || claim.createsPending else { continue }
            if let known, now - known.deliveredAt < max(0, claim.minimumIdleMilliseconds) { continue }
            group.consumers[claim.consumer] = now
            var deliveries = known?.deliveries ?? 1
            if let wanted = claim.deliveries { deliveries = wanted } else if !claim.idsOnly { deliveries += 1 }
            group.pending[id] = Delivery(consumer: claim.consumer, deliveredAt: deliveredAt, deliveries: deliveries)
            claimed.append(entry)
        }
        return claim.idsOnly ? .ids(claimed.map(\.id)) : .entries(claimed)
    }

    mutating func autoClaim(_ claim: StreamAutoClaim, now: Int64) -> StreamReply {
        guard var group = groups[claim.group] else { return .none }
        defer { groups[claim.group] = group }
        var looks = claim.count * 10
        var count = claim.count
        var claimed: [StreamEntry] = []
        var deleted: [StreamID] = []
        var candidates = group.pendingIDs().filter { $0 >= claim.start }[...]
        while looks > 0, count > 0, let id = candidates.popFirst() {
            looks -= 1
            guard let known = group.pending[id] else { continue }
            guard let entry = entry(id) else {
                group.pending[id] = nil
                deleted.append(id)
                count -= 1
                continue
            }
            if now - known.deliveredAt < max(0, claim.minimumIdleMilliseconds) { continue }
            group.consumers[claim.consumer] = now
            group.pending[id] = Delivery(
                consumer: claim.consumer, deliveredAt: now,
                deliveries: known.deliveries + (claim.idsOnly ? 0 : 1))
            claimed.append(claim.idsOnly ? StreamEntry(id: id, fields: nil) : entry)
            count -= 1
        }
        return .autoClaimed(next: candidates.first ?? .zero, entries: claimed, deleted: deleted)
    }

    func summary(_ name: [UInt8]) -> PendingSummary {
        let group = groups[name]
        let ids = group?.pendingIDs() ?? []
        var counts: [[UInt8]: Int64] = [:]
        for delivery in group?.pending.values.map({ $0 }) ?? [] { counts[delivery.consumer, default: 0] += 1 }
        return PendingSummary(
            count: Int64(ids.count), lowest: ids.first, highest: ids.last,
            consumers: counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) })
    }

    func pending(_ range: StreamPendingRange, now: Int64) -> [PendingEntry] {
        guard let group = groups[range.group] else { return [] }
        return Array(
            group.pendingIDs(of: range.consumer).filter { $0 >= range.lower && $0 <= range.upper }.compactMap { id in
                group.pending[id].map { delivery in
                    PendingEntry(
                        id: id, consumer: delivery.consumer, idleMilliseconds: max(0, now - delivery.deliveredAt),
                        deliveries: delivery.deliveries)
                }
            }.filter { range.minimumIdleMilliseconds == 0 || $0.idleMilliseconds >= range.minimumIdleMilliseconds }
                .prefix(range.count))
    }

    // MARK: XINFO

    var info: StreamInfo {
        StreamInfo(
            length: Int64(entries.count), lastID: lastID, maxDeletedID: maxDeletedID, entriesAdded: entriesAdded,
            recordedFirstID: firstID, groups: Int64(groups.count), first: entries.first, last: entries.last)
    }

    var groupInfos: [GroupInfo] {
        groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { name, group in
            GroupInfo(
                name: name, consumers: Int64(group.consumers.count), pending: Int64(group.pending.count),
                lastDelivered: group.lastDelivered, entriesRead: group.entriesRead, lag: lag(of: group))
        }
    }

    func consumerInfos(_ name: [UInt8], now: Int64) -> [ConsumerInfo] {
        guard let group = groups[name] else { return [] }
        return group.consumers.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { name, seenAt in
            ConsumerInfo(
                name: name, pending: Int64(group.pendingIDs(of: name).count), idleMilliseconds: max(0, now - seenAt))
        }
    }

    func fullInfo(count: Int?) -> StreamFullInfo {
        func rows(_ group: Group, _ consumer: [UInt8]?) -> [PendingDelivery] {
            group.pendingIDs(of: consumer).prefix(count ?? .max).compactMap { id in
                group.pending[id].map {
                    PendingDelivery(
                        id: id, consumer: $0.consumer, deliveredAtUnixMilliseconds: $0.deliveredAt,
                        deliveries: $0.deliveries)
                }
            }
        }
        let full = groupInfos.compactMap { info -> GroupFullInfo? in
            guard let group = groups[info.name] else { return nil }
            let consumers = group.consumers.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { name, seenAt in
                ConsumerFullInfo(
                    name: name, seenAtUnixMilliseconds: seenAt,
                    pendingCount: Int64(group.pendingIDs(of: name).count), pending: rows(group, name))
            }
            return GroupFullInfo(group: info, pending: rows(group, nil), consumers: consumers)
        }
        return StreamFullInfo(stream: info, entries: Array(entries.prefix(count ?? .max)), groups: full)
    }
}
