import Database

/// Performs units of commands: one after the other, each seeing what those before it did.
extension LogSession {
    /// Everything of a unit, or nothing when a key has another revision than it must have.
    func perform(_ unit: StreamUnit) throws(SQLiteError) -> StreamOutcome {
        let now = Int64(clamping: unit.nowUnixMilliseconds)
        for (key, revision) in unit.requiredRevisions {
            guard try stream(key, now: now)?.revision ?? 0 == revision else { return .conditionFailed }
        }
        var replies: [StreamReply] = []
        replies.reserveCapacity(unit.commands.count)
        for command in unit.commands {
            let reply = try perform(command, now: now)
            replies.append(reply)
            if unit.stopsAtRefusal, case .failed = reply { break }
        }
        return .replies(replies)
    }

    /// One command.
    func perform(_ command: StreamCommand, now: Int64) throws(SQLiteError) -> StreamReply {
        switch command {
        case .append(let request): try append(request, now: now)
        case .length(let key): .count(try stream(key, now: now)?.length ?? 0)
        case .range(let request): try range(request, now: now)
        case .read(let request): try read(request, now: now)
        case .readGroup(let request): try readGroup(request, now: now)
        case .createGroup(let request): try createGroup(request, now: now)
        case .setGroup(let key, let group, let start, let entriesRead):
            try setGroup(key: key, group: group, start: start, entriesRead: entriesRead, now: now)
        case .destroyGroup(let key, let group): try destroyGroup(key: key, group: group, now: now)
        case .createConsumer(let key, let group, let consumer):
            try createConsumer(key: key, group: group, consumer: consumer, now: now)
        case .deleteConsumer(let key, let group, let consumer):
            try deleteConsumer(key: key, group: group, consumer: consumer, now: now)
        case .acknowledge(let key, let group, let ids): try acknowledge(key: key, group: group, ids: ids, now: now)
        case .acknowledgeAndDelete(let key, let group, let ids, let references):
            try acknowledgeAndDelete(key: key, group: group, ids: ids, references: references, now: now)
        case .pendingSummary(let key, let group): try pendingSummary(key: key, group: group, now: now)
        case .pending(let request): try pending(request, now: now)
        case .claim(let request): try claim(request, now: now)
        case .autoClaim(let request): try autoClaim(request, now: now)
        case .delete(let key, let ids): try delete(key: key, ids: ids, now: now)
        case .deleteWithReferences(let key, let ids, let references):
            try delete(key: key, ids: ids, references: references, now: now)
        case .trim(let key, let trim, let references): try self.trim(key: key, trim, references, now: now)
        case .setID(let key, let id, let entriesAdded, let maxDeletedID):
            try setID(key: key, id: id, entriesAdded: entriesAdded, maxDeletedID: maxDeletedID, now: now)
        case .configureIdempotency(let key, let seconds, let size):
            try configureIdempotency(key: key, seconds: seconds, size: size, now: now)
        case .streamInfo(let key): try info(key: key, now: now)
        case .fullInfo(let key, let count): try fullInfo(key: key, limit: count, now: now)
        case .groupsInfo(let key): try groupsInfo(key: key, now: now)
        case .consumersInfo(let key, let group): try consumersInfo(key: key, group: group, now: now)
        case .keys(let command): try perform(command, now: now)
        }
    }
}
