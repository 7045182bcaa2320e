/// How many deliveries of each pending message happened while a breaker was not closed, learned from looks at the
/// broker's own counts.
///
/// A look knows how often a message was delivered, not when. So whatever was added between two looks counts as not
/// counted if any breaker was open in between, and likewise all of a message that is seen for the first time then: too
/// lenient rather than too hard. Bounded: beyond `capacity` messages nothing more is remembered, and all deliveries of
/// the others count.
public struct DeliveryLedger<ID: Hashable & Sendable>: Sendable {
    private struct Entry {
        var count: Int
        var uncounted: Int
        var lookedAt: UInt64
    }

    private let capacity: Int
    private var entries: [ID: Entry] = [:]

    /// An empty ledger.
    public init(capacity: Int) { self.capacity = capacity }

    /// Messages that are remembered.
    public var count: Int { entries.count }

    /// A look at a message that was delivered `count` times. `wasOpen` says whether a breaker was open after a moment.
    ///
    /// - Parameter lastLook: when the group was looked at before, for messages that were not there then.
    /// - Returns: how many of the deliveries do not count.
    public mutating func look(
        at id: ID, count: Int, lastLook: UInt64, now: UInt64, wasOpen: (UInt64) -> Bool
    ) -> Int {
        let known = entries[id]
        var entry = known ?? Entry(count: 0, uncounted: 0, lookedAt: lastLook)
        let added = count - entry.count
        if added > 0, wasOpen(entry.lookedAt) { entry.uncounted += added }
        // Claimed with another count (XCLAIM RETRYCOUNT): what did not count cannot be more than there is.
        entry.uncounted = min(entry.uncounted, max(0, count))
        entry.count = count
        entry.lookedAt = now
        if known != nil || entries.count < capacity { entries[id] = entry }
        return entry.uncounted
    }

    /// Forgets what was not looked at since `moment`: it was acknowledged, or is gone.
    public mutating func forget(notSeenSince moment: UInt64) {
        entries = entries.filter { $0.value.lookedAt >= moment }
    }
}
