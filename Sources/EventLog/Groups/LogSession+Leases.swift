import Database

/// Groups with leases: what is not acknowledged in time goes to somebody else, waits between attempts, and in the end
/// becomes a dead letter. They are the same groups that XREADGROUP reads; what Redis clients were given has no lease.
extension LogSession {
    /// How the group redelivers: its own policy, or the usual one.
    func policy(of group: GroupState) -> LeasePolicy {
        group.policy.map { LeasePolicy(encoded: $0) } ?? LeasePolicy()
    }

    /// Sets how a group redelivers; false without such a group.
    func setPolicy(_ policy: LeasePolicy, key: [UInt8], group name: [UInt8], now: Int64) throws(SQLiteError) -> Bool {
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream) else { return false }
        group.policy = policy.encoded
        touch(group)
        return true
    }

    /// Gives a consumer up to `limit` events: first those whose lease or waiting time is over, then new ones.
    /// Nil without such a group.
    func receive(
        key: [UInt8], group name: [UInt8], consumer: [UInt8], limit: Int, leaseMilliseconds: Int64?, now: Int64
    ) throws(SQLiteError) -> [LeasedEvent]? {
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream) else { return nil }
        let policy = policy(of: group)
        let consumer = try seenConsumer(consumer, of: group, now: now)
        let until = now + max(leaseMilliseconds ?? policy.leaseMilliseconds, 1)
        var events = try redeliver(group, policy, to: consumer, limit: limit, until: until, now: now)
        guard events.count < limit, let lower = group.lastID.next,
            let start = try firstPlace(in: stream, { $0.id >= lower })
        else { return events }
        let rows = try statement(.eventsFrom).bind(1, start.row).bind(2, stream.rows.upperBound)
        defer { rows.reset() }
        while events.count < limit, try rows.step() {
            let event = try eventRow(rows)
            try advance(group, to: event.id)
            let pending = PendingRow(
                id: event.id, consumer: consumer.number, deliveredMilliseconds: now, deliveries: 1, row: event.row,
                dueMilliseconds: until)
            try write(pending, of: group)
            events.append(leased(event, pending, in: stream))
        }
        return events
    }

    private func leased(_ event: EventRow, _ pending: PendingRow, in stream: StreamState) -> LeasedEvent {
        LeasedEvent(
            id: event.id, offset: stream.offset(event.row), fields: event.fields,
            appendedAtUnixMilliseconds: event.appendedMilliseconds, deliveries: pending.deliveries,
            leasedUntilUnixMilliseconds: pending.dueMilliseconds ?? 0,
            isReplay: pending.isReplay || event.flags & EventFlags.replayed != 0)
    }

    private func redeliver(
        _ group: GroupState, _ policy: LeasePolicy, to consumer: ConsumerState, limit: Int, until: Int64, now: Int64
    ) throws(SQLiteError) -> [LeasedEvent] {
        var events: [LeasedEvent] = []
        // Those that end as dead letters make room for others, so there may be several rounds; each gets shorter.
        while events.count < limit {
            let due = try duePending(of: group, now: now, limit: limit - events.count)
            if due.isEmpty { break }
            for var pending in due {
                guard let event = try event(row: pending.row) else {
                    _ = try removePending(pending.id, of: group)
                    continue
                }
                if !pending.isWaiting {
                    try tell(
                        attempt(of: pending, group, error: "the lease ended without an answer", now: now), pending,
                        group)
                }
                if let most = policy.deliveriesMax, pending.deliveries >= most {
                    try bury(event, pending, group, .deliveriesExhausted, now: now)
                    continue
                }
                pending.consumer = consumer.number
                pending.deliveredMilliseconds = now
                pending.deliveries += 1
                pending.dueMilliseconds = until
                pending.isWaiting = false
                try write(pending, of: group)
                events.append(leased(event, pending, in: group.stream))
            }
        }
        return events
    }

    /// Gives events back before their time: they wait for `delayMilliseconds`, or as the policy says, or are dead when
    /// their attempts are used up.
    func reject(
        key: [UInt8], group name: [UInt8], ids: [StreamID], delayMilliseconds: Int64?, error: String,
        isFinal: Bool, now: Int64
    ) throws(SQLiteError) -> Rejection {
        var rejection = Rejection()
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream) else { return rejection }
        let policy = policy(of: group)
        for id in ids {
            guard var pending = try pending(id, of: group), !pending.isWaiting else { continue }
            rejection.count += 1
            guard let event = try event(row: pending.row) else {
                _ = try removePending(id, of: group)
                continue
            }
            try tell(attempt(of: pending, group, error: error, now: now), pending, group)
            if isFinal {
                try bury(event, pending, group, .rejected, now: now)
            } else if let most = policy.deliveriesMax, pending.deliveries >= most {
                try bury(event, pending, group, .deliveriesExhausted, now: now)
                rejection.exhausted.append(id)
            } else {
                let delay = delayMilliseconds ?? policy.delayMilliseconds(afterDeliveries: pending.deliveries)
                pending.dueMilliseconds = now + max(delay, 0)
                pending.isWaiting = true
                try write(pending, of: group)
            }
        }
        if rejection.count > 0 { revise(stream) }
        changedKeys.insert(key)
        return rejection
    }

    /// Lets a consumer keep events longer. How many were in its hands, or in nobody else's for the moment.
    func extend(
        key: [UInt8], group name: [UInt8], consumer: [UInt8], ids: [StreamID], leaseMilliseconds: Int64, now: Int64
    ) throws(SQLiteError) -> Int {
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream),
            let consumer = try self.consumer(consumer, of: group)
        else { return 0 }
        var extended = 0
        for id in ids {
            guard var pending = try pending(id, of: group), pending.consumer == consumer.number, !pending.isWaiting
            else { continue }
            pending.dueMilliseconds = now + max(leaseMilliseconds, 1)
            try write(pending, of: group)
            extended += 1
        }
        return extended
    }

    /// When the next event of a group is due again; nil for none. For those who wait.
    func nextDue(key: [UInt8], group name: [UInt8], now: Int64) throws(SQLiteError) -> Int64? {
        guard let stream = try stream(key, now: now), let group = try group(name, of: stream) else { return nil }
        let row = try statement(.nextDue).bind(1, group.number)
        defer { row.reset() }
        return try row.step() ? row.optionalInteger(0) : nil
    }

    private func duePending(of group: GroupState, now: Int64, limit: Int) throws(SQLiteError) -> [PendingRow] {
        let rows = try statement(.duePending).bind(1, group.number).bind(2, now).bind(3, Int64(limit))
        var found: [PendingRow] = []
        while try rows.step() { found.append(pendingRow(rows)) }
        return found
    }

    private func attempt(
        of pending: PendingRow, _ group: GroupState, error: String, now: Int64
    ) throws(SQLiteError) -> DeliveryAttempt {
        DeliveryAttempt(
            deliveredAtUnixMilliseconds: pending.deliveredMilliseconds, endedAtUnixMilliseconds: now,
            consumer: try consumerName(pending.consumer), error: error)
    }

    private func consumerName(_ number: Int64) throws(SQLiteError) -> [UInt8] {
        let row = try statement(.consumerName).bind(1, number)
        defer { row.reset() }
        return try row.step() ? row.blob(0) : []
    }

    /// Adds an attempt to the story of a delivery.
    private func tell(_ attempt: DeliveryAttempt, _ pending: PendingRow, _ group: GroupState) throws(SQLiteError) {
        try statement(.addToStory).bind(1, group.number).bind(2, ordered(pending.id.milliseconds))
            .bind(3, ordered(pending.id.sequence)).bind(4, attempt.encoded)
            .bind(5, Int64(DeliveryAttempt.storyBytesMax)).run()
    }

    /// Turns a delivery into a dead letter.
    private func bury(
        _ event: EventRow, _ pending: PendingRow, _ group: GroupState, _ reason: DeadLetterReason, now: Int64
    ) throws(SQLiteError) {
        try statement(.insertDeadLetter).bind(1, group.stream.name).bind(2, group.name)
            .bind(3, pending.id.milliseconds).bind(4, pending.id.sequence).bind(5, pending.row)
            .bind(6, reason.rawValue).bind(7, pending.deliveries).bind(8, now)
            .bind(9, event.fields.encoded).bind(10, Int64(event.fields.count))
            .bind(11, group.number).bind(12, ordered(pending.id.milliseconds)).bind(13, ordered(pending.id.sequence))
            .run()
        _ = try removePending(pending.id, of: group)
    }
}
