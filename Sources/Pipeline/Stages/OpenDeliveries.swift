import Synchronization
import Telemetry

/// The open deliveries of the whole process. The only state that event loops share while messages pass: a consumer may
/// read on one connection and acknowledge on another, and those may live on different loops.
///
/// Sharded by message, one short lock per shard, held for a dictionary operation and never two at once.
public final class OpenDeliveries: Sendable {
    private final class Shard: Sendable {
        let table: Mutex<DeliveryTable>

        init(capacity: Int) {
            table = Mutex(DeliveryTable(capacity: capacity))
        }
    }

    private let shards: [Shard]
    /// What lies beside the shards: few deliveries have anything to do with these.
    let closed = Mutex(ClosedDeliveries())
    let lastOnes = Mutex(LastDeliveries())
    private let cumulative = Mutex(CumulativeDeliveries())
    /// After how long a delivery counts as never to be settled.
    public let unsettledNanoseconds: UInt64

    private static let shardCount = 16

    /// Room for about `capacity` deliveries, each of which may stay open for `unsettledNanoseconds`.
    public init(capacity: Int, unsettledNanoseconds: UInt64) {
        self.unsettledNanoseconds = unsettledNanoseconds
        shards = (0..<Self.shardCount).map { _ in Shard(capacity: max(1, capacity / Self.shardCount)) }
    }

    /// How many deliveries are open now.
    public var count: Int {
        shards.reduce(0) { $0 + $1.table.withLock { $0.count } }
    }

    func insert(_ delivery: OpenDelivery, for key: DeliveryKey) -> DeliveryTable.Displaced? {
        shard(key.stream, key.messageID).table.withLock { $0.insert(delivery, for: key) }
    }

    func find(_ key: DeliveryKey) -> OpenDelivery? {
        shard(key.stream, key.messageID).table.withLock { $0.find(key) }
    }

    func remove(_ key: DeliveryKey) -> OpenDelivery? {
        shard(key.stream, key.messageID).table.withLock { $0.remove(key) }
    }

    func removeAll(stream: UInt64, messageID: MessageID) -> [OpenDelivery] {
        shard(stream, messageID).table.withLock { $0.removeAll(stream: stream, messageID: messageID) }
    }

    // MARK: Consumers that acknowledge all

    func noteCumulative(_ sequence: UInt64, stream: UInt64, group: UInt64) {
        cumulative.withLock { $0.note(sequence, stream: stream, group: group) }
    }

    func takeCumulative(through sequence: UInt64, stream: UInt64, group: UInt64, most: Int) -> [UInt64] {
        cumulative.withLock { $0.take(through: sequence, stream: stream, group: group, most: most) }
    }

    func forgetCumulative(_ sequence: UInt64, stream: UInt64, group: UInt64) {
        cumulative.withLock { $0.forget(sequence, stream: stream, group: group) }
    }

    // MARK: Time

    /// What has been open for longer than the limit, at most `most` per shard so that no lock is held for long.
    func expire(at now: Instant, most: Int) -> [(key: DeliveryKey, delivery: OpenDelivery)] {
        guard now.monotonicNanoseconds > unsettledNanoseconds else { return [] }
        let limit = now.monotonicNanoseconds - unsettledNanoseconds
        return shards.flatMap { $0.table.withLock { $0.expire(deliveredBefore: limit, most: most) } }
    }

    func removeAll() -> [(key: DeliveryKey, delivery: OpenDelivery)] {
        shards.flatMap { $0.table.withLock { $0.expire(deliveredBefore: .max, most: .max) } }
    }

    /// By message, not by stream: one busy stream must be able to use the whole capacity. All groups of a message fall
    /// into one shard.
    private func shard(_ stream: UInt64, _ messageID: MessageID) -> Shard {
        let (milliseconds, sequence): (UInt64, UInt64) =
            switch messageID {
            case .none: (0, 0)
            case .streamEntry(let milliseconds, let sequence): (milliseconds, sequence)
            case .sequence(let sequence): (0, sequence)
            case .anonymous(let hash): (hash, 0)
            }
        let mixed = (stream ^ milliseconds &* 0x9e37_79b9_7f4a_7c15 ^ sequence) &* 0xff51_afd7_ed55_8ccd
        return shards[Int(truncatingIfNeeded: mixed >> 56) & (Self.shardCount - 1)]
    }
}
