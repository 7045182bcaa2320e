import Synchronization
public import Telemetry

/// The provisional spans of the whole process: the spans of one trace may end on different event loops.
///
/// Sharded by trace, one short lock per shard and never two at once. Lanes put in what one read has brought together, so
/// that few shards are enough, and a lock is taken less than once per message.
public final class ProvisionalRing: Sendable {
    private final class Shard: Sendable {
        let table: Mutex<ProvisionalTable>

        init(capacity: Int, ageNanoseconds: UInt64) {
            table = Mutex(ProvisionalTable(capacity: capacity, ageNanoseconds: ageNanoseconds))
        }
    }

    private let shards: [Shard]
    /// Which reasons keep a trace.
    public let rules: KeepRules

    private static let shardCount = 4

    /// `capacity` is the number of spans that wait at most, `ageNanoseconds` for how long.
    public init(capacity: Int, rules: KeepRules = .all, ageNanoseconds: UInt64 = 10_000_000_000) {
        self.rules = rules
        shards = (0..<Self.shardCount).map { _ in
            Shard(capacity: max(1, capacity / Self.shardCount), ageNanoseconds: ageNanoseconds)
        }
    }

    /// Spans that wait now.
    public var count: Int { shards.reduce(0) { $0 + $1.table.withLock { $0.count } } }

    /// Spans that no rule has wanted: they are finally not sampled.
    public var dismissed: UInt64 { shards.reduce(0) { $0 + $1.table.withLock { $0.dismissed } } }

    /// Takes spans in and leaves the batch empty. Returns those whose trace has been kept meanwhile.
    func hold(_ batch: inout UnsampledBatch) -> [SpanRecord] {
        var late: [SpanRecord] = []
        for number in 0..<Self.shardCount where batch.spans.contains(where: { Self.number($0.traceID) == number }) {
            shards[number].table.withLock { table in
                for (position, span) in batch.spans.enumerated() where Self.number(span.traceID) == number {
                    let conversation = batch.conversation(of: position)
                    if let kept = table.hold(span, conversation, at: batch.endedAt) { late.append(kept) }
                }
            }
        }
        batch.removeAll()
        return late
    }

    /// Keeps the span and its trace; returns all that is to be recorded now.
    func keep(_ span: SpanRecord, conversation: String?, for reason: KeepReason, at now: Instant) -> [SpanRecord] {
        shard(span.traceID).table.withLock { $0.keep(span, conversation, reason, at: now.monotonicNanoseconds) }
    }

    func expire(at now: Instant) {
        for shard in shards { shard.table.withLock { $0.expire(at: now.monotonicNanoseconds) } }
    }

    private func shard(_ trace: TraceID) -> Shard { shards[Self.number(trace)] }

    @inline(__always)
    private static func number(_ trace: TraceID) -> Int {
        Int(truncatingIfNeeded: mix(trace) >> 56) & (shardCount - 1)
    }

    /// Foreign trace ids need not be random in every part.
    @inline(__always)
    static func mix(_ trace: TraceID) -> UInt64 {
        var mixed = (trace.high ^ trace.low &* 0x9e37_79b9_7f4a_7c15) &* 0xff51_afd7_ed55_8ccd
        mixed ^= mixed >> 32
        return mixed &* 0xc4ce_b9fe_1a85_ec53
    }
}
