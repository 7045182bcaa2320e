/// Commands that happen together: all of them on disk, or none, and nothing of anybody else's between them.
public struct StreamUnit: Sendable {
    /// In order. A command that is refused does not stop those after it, as in a MULTI, unless `stopsAtRefusal`.
    public var commands: [StreamCommand]
    /// The commands behind one that is refused do not happen, and have no reply: what moves an event deletes it only
    /// where it has arrived.
    public var stopsAtRefusal: Bool
    /// The moment that ids, deliveries and expiry are reckoned by.
    public var nowUnixMilliseconds: UInt64
    /// Keys with the revision they must still have (WATCH), or nothing of the unit happens.
    public var requiredRevisions: [(key: [UInt8], revision: UInt64)]

    /// Usually one command and no conditions.
    public init(
        _ commands: [StreamCommand], nowUnixMilliseconds: UInt64, stopsAtRefusal: Bool = false,
        requiredRevisions: [(key: [UInt8], revision: UInt64)] = []
    ) {
        self.commands = commands
        self.stopsAtRefusal = stopsAtRefusal
        self.nowUnixMilliseconds = nowUnixMilliseconds
        self.requiredRevisions = requiredRevisions
    }
}

/// What came of a unit.
public enum StreamOutcome: Sendable, Equatable {
    /// One reply per command that happened. What they say is on disk.
    case replies([StreamReply])
    /// A required revision was another one; nothing happened.
    case conditionFailed
    /// Nothing happened and nothing can: saturated, disk full, read only, closing.
    case unavailable(LogError)
}

/// A store of streams: the durable one, or the reference in memory.
public protocol StreamStore: Sendable {
    /// Takes a unit and returns at once.
    ///
    /// Units with the same `lane` take effect in the order in which they were handed over, and each sees what those
    /// before it did, also when their replies are still on the way; `lane` is any number of the caller's, one per
    /// connection. `completion` is called once, on a thread of the store's, after what the replies say is on disk; in
    /// order for one lane. It must not wait.
    func submit(_ unit: StreamUnit, lane: UInt64, completion: @escaping @Sendable (StreamOutcome) -> Void)

    /// Takes units of several lanes at once, in their order, as if each had been submitted. `completion` is called once,
    /// with their outcomes in the same order, after what all of them say is on disk. It must not wait.
    func submit(_ units: [StreamUnit], completion: @escaping @Sendable ([StreamOutcome]) -> Void)

    /// Does a unit that only reads, beside the others: it sees everything that was answered before, and of what is under way
    /// all or nothing of each commit. `completion` is called once, on a thread of the store's; it must not wait.
    func look(_ unit: StreamUnit, completion: @escaping @Sendable (StreamOutcome) -> Void)

    /// Has `observer` called after every commit with the keys in which a reader that waits may find something new:
    /// entries appended, a group moved, destroyed, or the stream deleted. Called on a thread of the store's, before the
    /// completions of the same commit or after them; it must not wait. There may be several observers.
    func observeChanges(_ observer: @escaping @Sendable (_ keys: [[UInt8]]) -> Void)
}
