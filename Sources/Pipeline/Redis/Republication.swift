import Resilience
import Telemetry

/// A publish with an idempotency key that waits for its reply, whole, so that it can be published again.
struct KeyedPublish {
    /// As it was sent, with what was added to it.
    var command: [UInt8]
    var database: Int
    /// How many publishes with keys this connection had sent before it.
    var ordinal: UInt64
    /// The `Republication` that was begun although the upstream may yet reply.
    var republication: UInt64?
}

/// A publish that has failed and is tried again, or will be.
struct Republication {
    enum State {
        case waits(until: UInt64)
        /// A courier has it.
        case carried(GuardTicket, since: Instant)
        /// It is not tried again, but the upstream, where it was sent first, may yet reply.
        case givenUp
    }

    let number: UInt64
    let publish: KeyedPublish
    var open: OpenSend
    /// On the monotonic clock: from then on the client is told.
    let deadline: UInt64
    /// Its first reply may yet come.
    let isStillAwaited: Bool
    var attempts = 1
    /// Why the last try failed.
    var failure: FailureClass
    /// The same as `error.type` has it.
    var error: NameID
    /// What the client is told if there is no better; nil while nobody knows whether the publish was carried out.
    var reply: (frame: [UInt8], error: NameID)?
    var state: State

    /// Where its next turn comes from the clock.
    var wakesAt: UInt64 {
        switch state {
        case .waits(let moment): moment
        // A courier keeps the deadline; this is for the case that it cannot.
        case .carried: deadline &+ Self.graceNanoseconds
        case .givenUp: .max
        }
    }

    private static let graceNanoseconds: UInt64 = 1_000_000_000

    var isActive: Bool { if case .givenUp = state { false } else { true } }
}

/// What a session keeps of publishes that carry an idempotency key.
struct Republishing {
    /// Sent on this connection.
    var keyedCount: UInt64 = 0
    /// Kept: those that wait for their reply, and those that are tried again.
    private(set) var keptCount = 0
    private(set) var keptBytes = 0
    private(set) var republications: [Republication] = []
    private var lastNumber: UInt64 = 0
    /// Something is tried again: meanwhile the client is not read.
    private(set) var isActive = false
    /// What the client will read.
    var replies = OrderedReplies()
    /// The reply that has just been read is not the last word: this one takes its place.
    var replacement: UInt64?
    var hasLostUpstream = false

    mutating func keep(_ bytes: Int) {
        keptCount += 1
        keptBytes += bytes
    }

    mutating func letGo(_ publish: KeyedPublish) {
        keptCount -= 1
        keptBytes -= publish.command.count
    }

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    mutating func add(_ republication: Republication) {
        republications.append(republication)
        isActive = true
    }

    subscript(number: UInt64) -> Republication? { republications.first { $0.number == number } }

    mutating func update(_ number: UInt64, _ change: (inout Republication) -> Void) {
        guard let index = republications.firstIndex(where: { $0.number == number }) else { return }
        change(&republications[index])
        isActive = republications.contains(where: \.isActive)
    }

    mutating func remove(_ number: UInt64) -> Republication? {
        guard let index = republications.firstIndex(where: { $0.number == number }) else { return nil }
        let removed = republications.remove(at: index)
        letGo(removed.publish)
        isActive = republications.contains(where: \.isActive)
        return removed
    }

    /// The earliest moment at which one of them has to be looked at.
    var wakesAt: UInt64 { republications.reduce(.max) { min($0, $1.wakesAt) } }

    /// Replies that wait behind one that is sought are so many that no more are read.
    var isFull: Bool { replies.byteCount >= Self.heldBytesMax }

    private static let heldBytesMax = 1 << 20
}
