public import Synchronization

/// The memory behind the metrics of one shard: 64-bit cells side by side, so that what one event loop writes shares
/// cache lines with its own cells and with no other loop's.
///
/// It is never freed: a series lives as long as its shard, shards live as long as the process, and a handle that keeps
/// nothing alive can be copied on the way of a message without counting references.
private struct CellSlab {
    let cells: UnsafeMutablePointer<Atomic<UInt64>>
    let capacity: Int

    private static let cacheLineBytes = 64

    init(capacity: Int) {
        let bytes = capacity * MemoryLayout<Atomic<UInt64>>.stride
        cells = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Self.cacheLineBytes)
            .bindMemory(to: Atomic<UInt64>.self, capacity: capacity)
        for position in 0..<capacity { (cells + position).initialize(to: Atomic(0)) }
        self.capacity = capacity
    }
}

/// The cells of one series.
///
/// One thread writes, any thread reads. Since nobody else writes, a relaxed load and a relaxed store make an addition:
/// two plain moves instead of a locked instruction.
@usableFromInline
struct CellRun: Sendable {
    /// The pointer never changes, what it points to is atomic and never freed.
    @usableFromInline nonisolated(unsafe) let first: UnsafeMutablePointer<Atomic<UInt64>>

    fileprivate init(slab: CellSlab, offset: Int) {
        first = slab.cells + offset
    }

    @inlinable @inline(__always)
    func value(_ position: Int) -> UInt64 {
        first[position].load(ordering: .relaxed)
    }

    @inlinable @inline(__always)
    func add(_ amount: UInt64, _ position: Int) {
        first[position].store(first[position].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    func write(_ value: UInt64, _ position: Int) {
        first[position].store(value, ordering: .relaxed)
    }
}

/// Hands out cells of a shard in order. Cells are never given back: a series lives as long as its shard.
struct CellAllocator {
    private var slab: CellSlab?
    private var used = 0

    private static let slabCells = 1024

    mutating func allocate(_ count: Int) -> CellRun {
        if let slab, slab.capacity - used >= count {
            defer { used += count }
            return CellRun(slab: slab, offset: used)
        }
        let fresh = CellSlab(capacity: max(Self.slabCells, count))
        slab = fresh
        used = count
        return CellRun(slab: fresh, offset: 0)
    }
}
