import Telemetry
import Wire

/// What one client has subscribed to, by its own subscription ids.
///
/// Bounded: beyond `countMax` a subscription is not followed, and its messages have no template and no group.
struct NATSSubscriptions {
    /// One subscription: what is asked for with each message. It counts no reference.
    struct Subscription {
        /// Its subject, when that is a pattern; `.none` otherwise.
        var template = NameID.none
        /// Its queue group.
        var group = Destination.absent
        /// Answers come here: what arrives are no messages to be processed.
        var isInbox = false
        /// Messages that may still come before it ends by itself; 0 for no such limit.
        var remaining = 0
        /// Hash of the subject, to find a plain inbox by.
        var subject: UInt64 = 0
        /// Its subject is a pattern.
        var isPattern = false
        /// Requests that came by it since it last published an answer to one.
        var unanswered: UInt16 = 0

        /// Whether it answers requests. Who only listens, say to what is published to JetStream, never will.
        var answers: Bool { unanswered < NATSSubscriptions.unansweredMax }
    }

    /// The words of one subscription, as the client wrote them.
    struct Words {
        /// Its id.
        var sid: [UInt8]
        /// Its subject, when that is a pattern; empty otherwise.
        var pattern: [UInt8] = []
    }

    static let countMax = 65_536
    /// Requests without an answer after which a subscription counts as one that only listens.
    static let unansweredMax: UInt16 = 256
    /// Patterns that are compared with a reply subject, one after the other.
    private static let patternsMax = 64

    private var bySID: [UInt64: Subscription] = [:]
    private var words: [UInt64: Words] = [:]
    private var plain: [UInt64: UInt64] = [:]
    private var patterns: [UInt64] = []

    var count: Int { bySID.count }

    subscript(sid: UInt64) -> Subscription? { bySID[sid] }

    /// The subscription's id, as the client wrote it.
    func name(of sid: UInt64) -> [UInt8] { words[sid]?.sid ?? [] }

    mutating func add(_ subscription: Subscription, _ words: Words, sid: UInt64) {
        remove(sid)
        guard bySID.count < Self.countMax else { return }
        bySID[sid] = subscription
        self.words[sid] = words
        if !subscription.isPattern {
            plain[subscription.subject] = sid
        } else if patterns.count < Self.patternsMax {
            patterns.append(sid)
        }
    }

    mutating func remove(_ sid: UInt64) {
        guard let gone = bySID.removeValue(forKey: sid) else { return }
        words[sid] = nil
        if !gone.isPattern {
            if plain[gone.subject] == sid { plain[gone.subject] = nil }
        } else {
            patterns.removeAll { $0 == sid }
        }
    }

    /// UNSUB with a number: so many messages more. What has come already counts for the server, which tells nobody.
    mutating func limit(_ sid: UInt64, to remaining: Int) {
        bySID[sid]?.remaining = remaining
    }

    /// A message has come by this subscription.
    @inline(__always)
    mutating func count(_ sid: UInt64, _ subscription: Subscription) {
        guard subscription.remaining > 0 else { return }
        if subscription.remaining == 1 { remove(sid) } else { bySID[sid]?.remaining -= 1 }
    }

    /// A request has come by this subscription.
    mutating func noteRequest(_ sid: UInt64) {
        bySID[sid]?.unanswered &+= 1
    }

    /// A request that had come by this subscription was answered.
    mutating func noteAnswer(_ sid: UInt64) {
        bySID[sid]?.unanswered = 0
    }

    /// Marks the subscription by which an answer to `subject` would come. Nil when there is none.
    mutating func markInbox(_ subject: UInt64, _ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        if let sid = plain[subject] {
            if bySID[sid]?.isInbox == false { bySID[sid]?.isInbox = true }
            return sid
        }
        for sid in patterns {
            guard let pattern = words[sid]?.pattern, NATSSubject.matches(bytes, range, pattern) else { continue }
            if bySID[sid]?.isInbox == false { bySID[sid]?.isInbox = true }
            return sid
        }
        return nil
    }
}
