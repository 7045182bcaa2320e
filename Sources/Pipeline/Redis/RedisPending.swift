import DequeModule

/// What a session waits for: one entry per command whose reply has not come, in the order of the commands.
///
/// Most commands need only their number and time. The few that are traced keep their state in a second queue that runs
/// in step with the first, so that a pipeline of a hundred thousand GETs costs little memory.
struct PendingReplies {
    struct Entry {
        var command: RedisCommandTable.Number
        var expectation: Expectation
        var hasOperation: Bool
        /// Commands to a subscription reply once per channel: replies still to come.
        var remaining: UInt32 = 1
        var startedAt: Instant
        /// Which guards hear of the reply.
        var ticket = GuardTicket.none
        /// The reply may come late although nothing is wrong.
        var mayWait = false
        /// It publishes under an idempotency key, and a copy is kept.
        var isKeyed = false
    }

    /// How the reply is to be understood.
    enum Expectation: UInt8 {
        case reply
        /// Replies of SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and of their counterparts with channels named.
        case subscription
        /// UNSUBSCRIBE and the like without channels: as many replies as there are subscriptions, at least one.
        case unsubscribeAll
        case hello
        case select
        case execute
        case discard
        case reset
        case monitor
        /// The command was not sent on; we answer it ourselves when its turn comes.
        case local
        /// DISCARD went out in place of EXEC; the client is told that its transaction was aborted.
        case aborted
    }

    private var entries = Deque<Entry>()
    private var operations = Deque<OpenOperation>()
    /// Our own answers, in the order of their entries.
    private var answers = Deque<[UInt8]>()
    /// Of those entries that have one.
    private var copies = Deque<KeyedPublish>()
    /// Entries at the front that were published again although their replies may yet come.
    private(set) var republishedCount = 0

    /// Entries at the front that were found to be overdue.
    private(set) var examined = 0
    /// Entries at the front that have taken longer than usual, or that nobody watches; at least those.
    private var late = 0

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    var head: Entry? { entries.first }

    mutating func append(_ entry: Entry, _ operation: OpenOperation?, _ copy: KeyedPublish? = nil) {
        entries.append(entry)
        if let copy { copies.append(copy) }
        if let operation { operations.append(operation) }
    }

    /// Takes the first entry. What it has asked for, if anything, is taken next: `popOperation`.
    mutating func popFirst() -> Entry? {
        guard let entry = entries.popFirst() else { return nil }
        if examined > 0 { examined -= 1 }
        if late > 0 { late -= 1 }
        if republishedCount > 0 { republishedCount -= 1 }
        return entry
    }

    /// Takes the copy of the entry that was taken last, which has one.
    mutating func popCopy() -> KeyedPublish? { copies.popFirst() }

    /// What the entry that was taken last has asked for.
    func nextOperation(of entry: Entry) -> OpenOperation? { entry.hasOperation ? operations.first : nil }

    // All at the front that were published again have both, so queues in step with the first are so here.

    /// That of the first entry that was not published again, which has one.
    var firstCopy: KeyedPublish? {
        republishedCount < copies.count ? copies[copies.startIndex + republishedCount] : nil
    }

    /// See `firstCopy`.
    var firstOperation: OpenOperation? {
        republishedCount < operations.count ? operations[operations.startIndex + republishedCount] : nil
    }

    /// The first entry that was not published again has been.
    mutating func noteRepublished(as number: UInt64) {
        copies[copies.startIndex + republishedCount].republication = number
        republishedCount += 1
    }

    /// Takes the operation of the entry that was taken last. Apart from it, since an operation is large and is handed from
    /// hand to hand as seldom as can be.
    mutating func popOperation(of entry: Entry) -> OpenOperation? {
        entry.hasOperation ? operations.popFirst() : nil
    }

    /// The next entry is one that we answer: its bytes.
    mutating func popLocal() -> [UInt8]? {
        guard entries.first?.expectation == .local else { return nil }
        entries.removeFirst()
        if examined > 0 { examined -= 1 }
        if late > 0 { late -= 1 }
        return answers.popFirst()
    }

    mutating func appendLocal(_ answer: [UInt8], _ command: RedisCommandTable.Number, at now: Instant) {
        entries.append(Entry(command: command, expectation: .local, hasOperation: false, startedAt: now))
        answers.append(answer)
    }

    /// Answers of our own that wait for their turn, or a transaction that we have to abort: without this order of
    /// replies the client would be told wrong things.
    var dependsOnOrder: Bool {
        republishedCount > 0 || !answers.isEmpty || entries.contains { $0.expectation == .aborted }
    }

    subscript(position: Int) -> Entry { entries[entries.startIndex + position] }

    /// The next entry that was not overdue is; it counts no more.
    mutating func examineNext() {
        entries[entries.startIndex + examined].ticket = .none
        examined += 1
    }

    /// Shows the tickets of further entries that wait, in their order, as long as `isLate` says so; a bounded number at a
    /// time. An entry that nobody watches is passed over.
    mutating func noteLate(_ isLate: (Entry, inout GuardTicket) -> Bool) {
        late = max(late, examined)
        for _ in 0..<Self.lateAtOnceMax where late < entries.count {
            let index = entries.startIndex + late
            if entries[index].ticket.route != nil {
                var ticket = entries[index].ticket
                guard isLate(entries[index], &ticket) else { return }
                entries[index].ticket = ticket
            } else if entries[index].mayWait {
                return
            }
            late += 1
        }
    }

    private static let lateAtOnceMax = 1_024

    /// Takes the tickets off all entries.
    mutating func takeTickets() -> [GuardTicket] {
        var tickets: [GuardTicket] = []
        for index in entries.indices where !entries[index].ticket.isNone {
            tickets.append(entries[index].ticket)
            entries[index].ticket = .none
        }
        return tickets
    }

    mutating func replaceHead(remaining: UInt32) {
        guard !entries.isEmpty else { return }
        entries[entries.startIndex].remaining = remaining
    }

    mutating func removeAll() -> [OpenOperation] {
        defer {
            entries = []
            operations = []
            answers = []
            copies = []
            (examined, late, republishedCount) = (0, 0, 0)
        }
        return Array(operations.dropFirst(republishedCount))
    }
}

/// A traced command that waits for its reply.
enum OpenOperation {
    case send(OpenSend)
    /// The kind of command tells the shape of the reply; the database is the one that the command was meant for.
    case receive(OpenReceive, RedisCommandKind, database: Int)
    case settle(OpenSettle)
}

/// How many subscriptions a connection has, learnt from the counts that Redis puts into its replies.
struct RedisSubscriptions {
    private(set) var channels = 0
    private(set) var patterns = 0
    private(set) var shards = 0

    enum Family {
        case channel
        case pattern
        case shard
    }

    var isEmpty: Bool { channels == 0 && patterns == 0 && shards == 0 }

    func count(_ family: Family) -> Int {
        switch family {
        case .channel: channels
        case .pattern: patterns
        case .shard: shards
        }
    }

    /// The count in a reply covers channels and patterns together, and shard channels alone.
    mutating func update(_ family: Family, total: Int) {
        switch family {
        case .channel: channels = max(0, total - patterns)
        case .pattern: patterns = max(0, total - channels)
        case .shard: shards = max(0, total)
        }
    }
}
