public import Telemetry

/// Which delivery: a message of a stream in the hands of a group. Hashes stand for the names so that a key is flat and
/// stays distinct for destinations beyond the cap of the name table. A message that has no id of its own is known by
/// what its stream's hash stands for.
public struct DeliveryKey: Hashable, Sendable {
    /// Hash of the stream, its database and its listener.
    public var stream: UInt64
    /// Hash of the group.
    public var group: UInt64
    /// The message, by the broker's own id.
    public var messageID: MessageID

    /// The delivery of a message of a stream to a group.
    public init(stream: UInt64, group: UInt64, messageID: MessageID) {
        self.stream = stream
        self.group = group
        self.messageID = messageID
    }

    /// Three of the parts are hashes or numbers that rise: two words of them are enough to choose a place by.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(stream &+ group &* 0x9e37_79b9_7f4a_7c15)
        switch messageID {
        case .none: break
        case .streamEntry(let milliseconds, let sequence):
            hasher.combine(milliseconds &* 0xff51_afd7_ed55_8ccd ^ sequence)
        case .sequence(let sequence): hasher.combine(sequence)
        case .anonymous(let hash): hasher.combine(hash)
        }
    }
}

/// A message that was handed to a consumer and not settled yet: all that its process span will need.
public struct OpenDelivery: Sendable {
    /// Where it was read: number of the listener, for the labels.
    public var listener: UInt32
    /// The stream.
    public var destination: NameID
    /// The group.
    public var group: NameID
    /// The consumer's own name inside its group.
    public var consumer: NameID
    /// The name of the client's connection.
    public var client: NameID
    /// The pattern by which a subscriber came to it.
    public var template: NameID = .none
    /// When its bytes were handed on; the start of the process span.
    public var deliveredAt: Instant
    /// What the message carried; `.none` ids when it carried nothing valid.
    public var creation: TraceContext?
    /// The span of the time in the queue, which then stands between the two.
    public var dwell: SpanID = .none
    /// The process span to be: its id is fixed now, so that what happens meanwhile can name it as parent.
    public var process: TraceContext
    /// 1 for the first delivery, 0 when deliveries are not counted.
    public var attempt: UInt32
    /// Where the broker says that it stands.
    public var position: StreamPosition?
    /// Bytes of all field names and values, without those that were injected.
    public var bodySize: Int64
    /// From publish to delivery; `Int64.min` when unknown.
    public var queueNanoseconds: Int64
    /// The conversation id is the trace id's text form.
    public var conversationIsTraceID: Bool
    /// The application's own correlation id.
    public var conversation: String?
    /// What came with a sampled context, as received.
    public var traceState: String?
    /// The client that has it, where causes are inferred.
    var holder: Holder?
}

/// The open deliveries of some streams, bounded, in order of delivery. Not shared: `OpenDeliveries` is.
///
/// All entries have the same time limit, so the oldest is both the first to expire and the first to be evicted.
struct DeliveryTable: Sendable {
    let capacity: Int
    private var open = KeyedQueue<DeliveryKey, OpenDelivery>()
    /// The groups seen per stream, for what names a message without naming a group (XDEL). Bounded: see `remember`.
    private var groups: [UInt64: [UInt64]] = [:]
    /// The last delivery's, which needs not be remembered again.
    private var lastRemembered: (stream: UInt64, group: UInt64)?

    private static let streamsWithGroupsMax = 4_096
    private static let groupsPerStreamMax = 64

    init(capacity: Int) {
        precondition(capacity > 0, "a table of open deliveries needs room for at least one")
        self.capacity = capacity
    }

    var count: Int { open.count }

    /// What had to leave so that a new delivery could enter.
    struct Displaced {
        /// The same message in the same group, delivered earlier.
        var earlier: OpenDelivery?
        /// The oldest of all, pushed out by the bound.
        var evicted: (key: DeliveryKey, delivery: OpenDelivery)?
    }

    /// Nil when nothing was displaced, as mostly.
    mutating func insert(_ delivery: OpenDelivery, for key: DeliveryKey) -> Displaced? {
        remember(group: key.group, of: key.stream)
        let earlier = open.append(delivery, for: key)
        guard earlier != nil || open.count > capacity else { return nil }
        var displaced = Displaced(earlier: earlier)
        if open.count > capacity, let oldest = open.popOldest() { displaced.evicted = (oldest.key, oldest.value) }
        return displaced
    }

    func find(_ key: DeliveryKey) -> OpenDelivery? { open.look(at: key) { $0 } }

    mutating func remove(_ key: DeliveryKey) -> OpenDelivery? { open.remove(key) }

    /// Removes the message from every group that holds it.
    mutating func removeAll(stream: UInt64, messageID: MessageID) -> [OpenDelivery] {
        (groups[stream] ?? []).compactMap { group in
            remove(DeliveryKey(stream: stream, group: group, messageID: messageID))
        }
    }

    /// Removes what was delivered before `limitNanoseconds` on the monotonic clock, at most `most` of them.
    mutating func expire(
        deliveredBefore limitNanoseconds: UInt64, most: Int
    ) -> [(key: DeliveryKey, delivery: OpenDelivery)] {
        var expired: [(key: DeliveryKey, delivery: OpenDelivery)] = []
        while expired.count < most,
            open.lookAtOldest({ $0.deliveredAt.monotonicNanoseconds < limitNanoseconds }) ?? false,
            let oldest = open.popOldest()
        {
            expired.append((oldest.key, oldest.value))
        }
        return expired
    }

    private mutating func remember(group: UInt64, of stream: UInt64) {
        if let lastRemembered, lastRemembered == (stream, group) { return }
        if let known = groups[stream] {
            if known.contains(group) {
                lastRemembered = (stream, group)
                return
            }
            guard known.count < Self.groupsPerStreamMax else { return }
        } else if groups.count >= Self.streamsWithGroupsMax {
            return
        }
        groups[stream, default: []].append(group)
        lastRemembered = (stream, group)
    }
}
