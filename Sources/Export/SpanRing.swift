import Telemetry

/// A fixed number of places for span records, first in, first out. Knows nothing of locks or reasons.
///
/// The memory is reserved at once but touched only as far as it is used: the ring starts again at its first place
/// whenever it is empty, so a quiet sidecar keeps a small footprint.
struct SpanRing: ~Copyable {
    let capacity: Int
    private(set) var count = 0
    private var head = 0
    private let places: UnsafeMutablePointer<SpanRecord>

    init(capacity: Int) {
        precondition(capacity > 0, "a ring has at least one place")
        self.capacity = capacity
        places = .allocate(capacity: capacity)
    }

    deinit {
        let first = min(count, capacity - head)
        (places + head).deinitialize(count: first)
        places.deinitialize(count: count - first)
        places.deallocate()
    }

    /// Copies `records` behind the last one. There must be room.
    mutating func append(_ records: Span<SpanRecord>) {
        precondition(records.count <= capacity - count, "the caller makes room first")
        var tail = head + count
        if tail >= capacity { tail -= capacity }
        let first = min(records.count, capacity - tail)
        records.withUnsafeBufferPointer { records in
            guard let source = records.baseAddress else { return }
            (places + tail).initialize(from: source, count: first)
            places.initialize(from: source + first, count: records.count - first)
        }
        count += records.count
    }

    /// Destroys the `amount` oldest records.
    mutating func removeFirst(_ amount: Int) {
        precondition(amount <= count, "no more than there are")
        let first = min(amount, capacity - head)
        (places + head).deinitialize(count: first)
        places.deinitialize(count: amount - first)
        advance(amount)
    }

    /// Moves the `amount` oldest records to the end of `records`.
    mutating func moveFirst(_ amount: Int, to records: inout [SpanRecord]) {
        precondition(amount <= count, "no more than there are")
        let first = min(amount, capacity - head)
        records.append(contentsOf: UnsafeBufferPointer(start: places + head, count: first))
        records.append(contentsOf: UnsafeBufferPointer(start: places, count: amount - first))
        (places + head).deinitialize(count: first)
        places.deinitialize(count: amount - first)
        advance(amount)
    }

    private mutating func advance(_ amount: Int) {
        count -= amount
        head += amount
        if head >= capacity { head -= capacity }
        if count == 0 { head = 0 }
    }
}
