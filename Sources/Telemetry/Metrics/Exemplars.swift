import Synchronization

/// One measured duration together with the span that it belongs to.
struct Exemplar: Sendable {
    var traceID: TraceID
    var spanID: SpanID
    var nanoseconds: UInt64
    var unixNanoseconds: UInt64

    /// An empty slot.
    static let none = Exemplar(traceID: .none, spanID: .none, nanoseconds: 0, unixNanoseconds: 0)

    var isPresent: Bool { traceID.isValid }
}

/// The last exemplar of each bucket of one histogram.
///
/// The writer never waits: an exemplar that meets a scrape is let go, the next one will do as well. Memory is taken at
/// the first exemplar, because most histograms of commands never see one.
final class ExemplarSlots: Sendable {
    private let bucketCount: Int
    private let slots = Mutex<[Exemplar]>([])

    init(bucketCount: Int) {
        self.bucketCount = bucketCount
    }

    func offer(_ exemplar: Exemplar, bucket: Int) {
        _ = slots.withLockIfAvailable { slots in
            if slots.isEmpty { slots = Array(repeating: .none, count: bucketCount) }
            slots[bucket] = exemplar
        }
    }

    /// Replaces those of `latest` that are older than ours. Copies element by element: sharing the array's storage
    /// would make the next writer copy it.
    func merge(into latest: inout [Exemplar]) {
        slots.withLock { slots in
            for bucket in slots.indices where slots[bucket].unixNanoseconds >= latest[bucket].unixNanoseconds {
                latest[bucket] = slots[bucket]
            }
        }
    }
}
