import Synchronization

/// One measured duration together with the span that it belongs to.
struct Exemplar: Sendable, Equatable {
    var traceID: TraceID
    var spanID: SpanID
    var nanoseconds: UInt64
    var unixNanoseconds: UInt64

    /// An empty slot.
    static let none = Exemplar(traceID: .none, spanID: .none, nanoseconds: 0, unixNanoseconds: 0)

    var isPresent: Bool { traceID.isValid }
}

/// The last exemplar of each bucket of one histogram, in cells of the histogram's shard.
///
/// A sequence lock for each bucket: its first cell is odd while the one writer changes the other five, and even, but
/// another number, afterwards. So the writer never waits and never fails; a reader that was overtaken looks again.
struct ExemplarSlots: Sendable {
    private let cells: CellRun

    /// Sequence, trace id (2), span id, value, time.
    private static let cellsPerSlot = 6
    /// A writer would have to be quick and the reader unlucky this many times before a scrape goes without.
    private static let attemptsMax = 16

    static func cellCount(buckets: Int) -> Int { buckets * cellsPerSlot }

    init(cells: CellRun) {
        self.cells = cells
    }

    func write(_ exemplar: Exemplar, bucket: Int) {
        let slot = cells.first + bucket * Self.cellsPerSlot
        let sequence = slot[0].load(ordering: .relaxed)
        slot[0].store(sequence &+ 1, ordering: .relaxed)
        // Releasing: who sees one of the new words also sees the odd sequence before it.
        slot[1].store(exemplar.traceID.high, ordering: .releasing)
        slot[2].store(exemplar.traceID.low, ordering: .releasing)
        slot[3].store(exemplar.spanID.value, ordering: .releasing)
        slot[4].store(exemplar.nanoseconds, ordering: .releasing)
        slot[5].store(exemplar.unixNanoseconds, ordering: .releasing)
        slot[0].store(sequence &+ 2, ordering: .releasing)
    }

    /// The bucket's exemplar, whole; nil when the writer was always in between.
    func read(bucket: Int) -> Exemplar? {
        let slot = cells.first + bucket * Self.cellsPerSlot
        for _ in 0..<Self.attemptsMax {
            let before = slot[0].load(ordering: .acquiring)
            guard before & 1 == 0 else { continue }
            // Acquiring: the second look at the sequence cannot move before these.
            let exemplar = Exemplar(
                traceID: TraceID(
                    high: slot[1].load(ordering: .acquiring), low: slot[2].load(ordering: .acquiring)),
                spanID: SpanID(slot[3].load(ordering: .acquiring)),
                nanoseconds: slot[4].load(ordering: .acquiring),
                unixNanoseconds: slot[5].load(ordering: .acquiring))
            if slot[0].load(ordering: .relaxed) == before { return exemplar }
        }
        return nil
    }
}
