import Resilience

/// The publishes of one connection that carry an idempotency key and wait for their answer, kept as they were sent so
/// that they can be sent again. Bounded in number and bytes; what finds no room is not kept.
struct NATSKeptPublishes {
    /// One of them.
    struct Publish {
        /// The whole operation, with everything that was added to it.
        let frame: [UInt8]
        let route: RouteID
        /// Hash of the destination.
        let destination: UInt64
        /// The subscription by which the answer comes.
        let sid: UInt64
        /// It names what the stream must be like, and may find its own first arrival in its way.
        let isConditional: Bool
        /// On the monotonic clock, as all moments here.
        let firstSentAt: UInt64
        /// When the newest try was sent; `.max` where none is waited for any more.
        var sentAt: UInt64
        /// The last try is one of a half-open breaker.
        var isProbe: Bool
        var tries = 1
        /// Tries that nobody has answered yet.
        var unanswered = 1
        var timeouts = 0
        /// After it there is no further try; nil until one has failed.
        var deadline: UInt64?
        var failure: Failure?
        /// The answer to the last try that was answered; the client has not seen it.
        var answer: [UInt8] = []
        /// When it is sent again; nil while a try is under way.
        var dueAt: UInt64?
        /// There is no further try: when it is due, the client gets `answer`, and without one the next that comes.
        var isGivenUp = false

        var bytes: Int { frame.count + answer.count }
    }

    /// How a try has failed, as guards and people call it.
    struct Failure {
        var kind: FailureClass
        var name: String
    }

    private var publishes: [UInt64: Publish] = [:]
    private var bytes = 0
    /// Answers that may still come to tries of publishes whose answer the client has.
    private var late = KeyedQueue<UInt64, Int>()
    /// The earliest moment at which one is due.
    private(set) var dueAt: UInt64?

    /// Late answers that are remembered; the client does not mind the others, it has its answer.
    private static let lateMax = 256

    /// Nothing needs to be looked at.
    @inline(__always)
    var isIdle: Bool { publishes.isEmpty && late.isEmpty }
    var isEmpty: Bool { publishes.isEmpty }

    func hasRoom(for count: Int, _ limits: PublishRetryLimits) -> Bool {
        publishes.count < limits.messagesMax && count <= limits.bytesMax - bytes
    }

    subscript(reply: UInt64) -> Publish? { publishes[reply] }

    mutating func put(_ publish: Publish, reply: UInt64) {
        if let earlier = publishes.updateValue(publish, forKey: reply) { bytes -= earlier.bytes }
        bytes += publish.bytes
        if publish.dueAt != nil { noteDue() }
    }

    mutating func remove(_ reply: UInt64) -> Publish? {
        guard let publish = publishes.removeValue(forKey: reply) else { return nil }
        bytes -= publish.bytes
        if publish.dueAt != nil { noteDue() }
        return publish
    }

    /// Those whose moment has come, the earliest first.
    func due(at moment: UInt64) -> [UInt64] {
        publishes.filter { ($0.value.dueAt ?? .max) <= moment }
            .sorted { ($0.value.dueAt ?? 0, $0.value.firstSentAt) < ($1.value.dueAt ?? 0, $1.value.firstSentAt) }
            .map(\.key)
    }

    /// Those of which a try has been under way since before `limit`.
    func overdue(since limit: UInt64) -> [UInt64] {
        publishes.filter { $0.value.dueAt == nil && $0.value.sentAt < limit }
            .sorted { $0.value.sentAt < $1.value.sentAt }.map(\.key)
    }

    mutating func removeAll() -> [Publish] {
        defer { self = NATSKeptPublishes() }
        return publishes.values.sorted { $0.firstSentAt < $1.firstSentAt }
    }

    /// Forgets those whose answer nobody waits for any more.
    mutating func keepOnly(_ isAwaited: (UInt64) -> Bool) {
        for reply in publishes.keys.filter({ !isAwaited($0) }) { _ = remove(reply) }
    }

    // MARK: Late answers

    /// The client has its answer; so many more may come.
    mutating func expectLate(_ count: Int, reply: UInt64) {
        guard count > 0 else { return }
        _ = late.append(count, for: reply)
        if late.count > Self.lateMax { _ = late.popOldest() }
    }

    /// Whether an answer is one of those.
    mutating func takeLate(_ reply: UInt64) -> Bool {
        guard !late.isEmpty, let count = late.remove(reply) else { return false }
        expectLate(count - 1, reply: reply)
        return true
    }

    /// Another question expects its answer there.
    mutating func forgetLate(_ reply: UInt64) {
        if !late.isEmpty { _ = late.remove(reply) }
    }

    private mutating func noteDue() { dueAt = publishes.values.compactMap(\.dueAt).min() }
}
