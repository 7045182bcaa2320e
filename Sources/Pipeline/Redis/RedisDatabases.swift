import DequeModule

/// Which database a connection is in: commands that are sent go to the one that was selected last, whether or not that has
/// been answered, and a SELECT that fails, or is never carried out, changes nothing.
struct RedisDatabases {
    /// Where a command that is sent now will be carried out.
    private(set) var current = 0
    /// What the last answered SELECT has led to.
    private var confirmed = 0
    /// Those that wait for their answer, and those of a transaction that wait for its end.
    private var pending = Deque<Int>()
    private var inTransaction = Deque<Int>()

    /// Whether what is queued selects one.
    var areInTransaction: Bool { !inTransaction.isEmpty }

    /// A SELECT goes out. Nil: its argument is no number, and it will fail.
    mutating func sent(_ number: Int?) {
        current = number ?? current
        pending.append(current)
    }

    mutating func answered(_ succeeded: Bool) {
        guard let number = pending.popFirst() else { return }
        if succeeded { confirmed = number }
        settle()
    }

    /// Nobody will answer: it is taken to have succeeded.
    mutating func silenced() {
        guard let number = pending.popLast() else { return }
        if pending.isEmpty, inTransaction.isEmpty { confirmed = number }
    }

    /// The answer is that it was queued.
    mutating func queued() {
        if let number = pending.popFirst() { inTransaction.append(number) }
    }

    /// The next one of a transaction was carried out.
    mutating func executed(_ succeeded: Bool) {
        guard let number = inTransaction.popFirst() else { return }
        if succeeded { confirmed = number }
        settle()
    }

    /// The transaction is over, carried out unseen or not at all.
    mutating func ended(succeeded: Bool) {
        if succeeded, let last = inTransaction.last { confirmed = last }
        inTransaction = []
        settle()
    }

    mutating func reset() {
        confirmed = 0
        inTransaction = []
        settle()
    }

    private mutating func settle() {
        if pending.isEmpty, inTransaction.isEmpty { current = confirmed }
    }
}
