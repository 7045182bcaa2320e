/// A number that only rises. Held by one event loop; `add` is two moves of memory.
public struct Counter: Sendable {
    @usableFromInline let cells: CellRun

    /// Adds `amount`, on the shard's own thread.
    @inlinable @inline(__always)
    public func add(_ amount: UInt64 = 1) {
        cells.add(amount, 0)
    }

    /// What this shard has counted so far; readable from any thread.
    public var value: UInt64 { cells.value(0) }
}

/// A number that rises and falls. One shard's part may be negative; the sum over the shards is what counts.
public struct Gauge: Sendable {
    @usableFromInline let cells: CellRun

    /// Adds `amount`, which may be negative, on the shard's own thread.
    @inlinable @inline(__always)
    public func add(_ amount: Int) {
        cells.add(UInt64(bitPattern: Int64(amount)), 0)
    }

    /// This shard's part; readable from any thread.
    public var value: Int64 { Int64(bitPattern: cells.value(0)) }
}

/// Counts durations in buckets.
///
/// Its cells are the bounds, then one count per bucket with the infinite one last, then the sum in nanoseconds. There
/// is no cell for the total: it is the sum of the buckets, so that one rendering can never contradict itself.
public struct Histogram: Sendable {
    @usableFromInline let cells: CellRun
    @usableFromInline let boundCount: Int
    let exemplars: ExemplarSlots

    init(bounds: [UInt64], allocator: inout CellAllocator) {
        cells = allocator.allocate(2 * bounds.count + 2)
        boundCount = bounds.count
        exemplars = ExemplarSlots(cells: allocator.allocate(ExemplarSlots.cellCount(buckets: bounds.count + 1)))
        for (position, bound) in bounds.enumerated() { cells.write(bound, position) }
    }

    /// Counts one duration, on the shard's own thread.
    @inlinable @inline(__always)
    public func record(nanoseconds: UInt64) {
        count(nanoseconds, bucket: bucket(of: nanoseconds))
    }

    /// Counts one duration and, if its trace is sampled, remembers it as its bucket's example.
    public func record(nanoseconds: UInt64, exemplar: TraceContext, atUnixNanoseconds: UInt64) {
        let bucket = bucket(of: nanoseconds)
        count(nanoseconds, bucket: bucket)
        guard exemplar.isSampled else { return }
        exemplars.write(
            Exemplar(
                traceID: exemplar.traceID, spanID: exemplar.spanID, nanoseconds: nanoseconds,
                unixNanoseconds: atUnixNanoseconds),
            bucket: bucket)
    }

    /// The counts of the buckets, each alone, the infinite one last; readable from any thread.
    public var bucketCounts: [UInt64] {
        (0...boundCount).map { cells.value(boundCount + $0) }
    }

    /// The sum of all durations in nanoseconds; readable from any thread.
    public var sumNanoseconds: UInt64 { cells.value(2 * boundCount + 1) }

    @inlinable @inline(__always)
    func count(_ nanoseconds: UInt64, bucket: Int) {
        cells.add(1, boundCount &+ bucket)
        cells.add(nanoseconds, 2 &* boundCount &+ 1)
    }

    /// The first bucket whose bound is not below the value.
    @inlinable @inline(__always)
    func bucket(of nanoseconds: UInt64) -> Int {
        var low = 0
        var high = boundCount
        while low < high {
            let middle = (low &+ high) &>> 1
            if cells.value(middle) < nanoseconds { low = middle &+ 1 } else { high = middle }
        }
        return low
    }
}
