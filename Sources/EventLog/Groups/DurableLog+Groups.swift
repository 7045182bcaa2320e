import Database

/// Groups with leases and dead letters, for faces other than Redis. All answers come on the writer's thread, after what
/// they say is on disk; `now` is the Unix time in milliseconds.
extension DurableLog {
    /// What is called with the answer.
    public typealias Answer<Value> = @Sendable (Result<Value, LogError>) -> Void

    /// Which group of which stream.
    public struct GroupName: Sendable, Hashable {
        /// The stream.
        public var stream: [UInt8]
        /// The group.
        public var group: [UInt8]

        /// Both names.
        public init(stream: [UInt8], group: [UInt8]) {
            self.stream = stream
            self.group = group
        }
    }

    /// Sets how a group redelivers; false without such a group.
    public func setPolicy(_ policy: LeasePolicy, of group: GroupName, now: Int64, answer: @escaping Answer<Bool>) {
        write(answer) { session throws(SQLiteError) in
            try session.setPolicy(policy, key: group.stream, group: group.group, now: now)
        }
    }

    /// Gives a consumer up to `limit` events, for as long as the lease; nil without such a group. Never waits: who wants
    /// to, asks again when `observeChanges` names the stream, or when `nextDue` has come.
    public func receive(
        from group: GroupName, consumer: [UInt8], limit: Int, leaseMilliseconds: Int64? = nil, now: Int64,
        answer: @escaping Answer<[LeasedEvent]?>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.receive(
                key: group.stream, group: group.group, consumer: consumer, limit: limit,
                leaseMilliseconds: leaseMilliseconds, now: now)
        }
    }

    /// When the next lease or wait of a group ends; nil for none.
    public func nextDue(of group: GroupName, now: Int64, answer: @escaping Answer<Int64?>) {
        write(answer) { session throws(SQLiteError) in
            try session.nextDue(key: group.stream, group: group.group, now: now)
        }
    }

    /// Gives events back: for another attempt after a while (nil: as the group's policy says), or for good as dead
    /// letters. Acknowledging is the stream command of the same name.
    public func reject(
        _ ids: [StreamID], of group: GroupName, delayMilliseconds: Int64? = nil, error: String, isFinal: Bool = false,
        now: Int64, answer: @escaping Answer<Rejection>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.reject(
                key: group.stream, group: group.group, ids: ids, delayMilliseconds: delayMilliseconds, error: error,
                isFinal: isFinal, now: now)
        }
    }

    /// Lets a consumer keep events longer, from now on; how many were in its hands.
    public func extend(
        _ ids: [StreamID], of group: GroupName, consumer: [UInt8], leaseMilliseconds: Int64, now: Int64,
        answer: @escaping Answer<Int>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.extend(
                key: group.stream, group: group.group, consumer: consumer, ids: ids,
                leaseMilliseconds: leaseMilliseconds, now: now)
        }
    }

    /// Dead letters with a higher number that the filter means, the oldest first. Answers on a reader's thread.
    public func deadLetters(
        _ filter: DeadLetterFilter = DeadLetterFilter(), after number: Int64 = 0, limit: Int = 100,
        answer: @escaping Answer<[DeadLetter]>
    ) {
        read(answer) { session throws(SQLiteError) in
            try session.deadLetters(filter, after: number, limit: limit)
        }
    }

    /// Replaces the event in a dead letter; false without such a letter.
    public func edit(deadLetter number: Int64, fields: EventFields, answer: @escaping Answer<Bool>) {
        write(answer) { session throws(SQLiteError) in try session.edit(deadLetter: number, fields) }
    }

    /// Gives dead letters back to their groups, or only says what would happen.
    public func redrive(
        _ filter: DeadLetterFilter, limit: Int = 1_000, isDryRun: Bool = false, now: Int64,
        answer: @escaping Answer<RedriveReport>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.redrive(filter, limit: limit, isDryRun: isDryRun, now: now)
        }
    }

    /// Deletes dead letters for good; how many.
    public func purge(_ filter: DeadLetterFilter, limit: Int = 1_000, answer: @escaping Answer<Int>) {
        write(answer) { session throws(SQLiteError) in try session.purge(filter, limit: limit) }
    }
}
