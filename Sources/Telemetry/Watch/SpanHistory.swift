/// The spans that ended last, in a ring: what is new takes the place of what is oldest.
///
/// Nothing is looked up when a span enters, for that happens on event loops; whoever reads pays for the search. Sizes
/// are in units: a span is one, and so are four of its links beyond the first, so that the spans of large batches count
/// for the memory they take.
struct SpanHistory: Sendable {
    let capacity: Int
    private var slots: [SpanRecord] = []
    private var head = 0
    private(set) var count = 0
    private(set) var units = 0
    /// How many spans have left; the number of the oldest that is here, counted from the first that ever came.
    private(set) var oldest = 0

    /// Memory is reserved at once and touched as it fills.
    init(capacity: Int) {
        precondition(capacity > 0, "a history needs room for at least one span")
        self.capacity = capacity
        slots.reserveCapacity(capacity)
    }

    /// The number that the next span will get.
    var end: Int { oldest + count }

    /// From this number on, a trace that begins has most likely lost nothing: once spans have left, what stands in the
    /// oldest eighth may be the rest of a trace that began earlier.
    var settled: Int { oldest == 0 ? 0 : oldest + count / 8 }

    mutating func append(_ records: Span<SpanRecord>) {
        for index in records.indices { append(records[index]) }
    }

    @inline(__always)
    mutating func append(_ record: borrowing SpanRecord) {
        let size = Self.units(of: record)
        while count > 0, count == capacity || units + size > capacity { removeOldest() }
        let position = wrapped(head + count)
        if position == slots.count { slots.append(copy record) } else { slots[position] = copy record }
        count += 1
        units += size
    }

    /// Hands out up to `most` spans from a number on, with their numbers, and returns the number to go on with.
    func visit(from number: Int, most: Int, _ visitor: (Int, borrowing SpanRecord) -> Void) -> Int {
        let first = max(number, oldest)
        guard first < end else { return end }
        let last = end - first > most ? first + most : end
        for number in first..<last { visitor(number, slots[wrapped(head + number - oldest)]) }
        return last
    }

    private mutating func removeOldest() {
        units -= Self.units(of: slots[head])
        // What a span shares with others is let go now, not when its place is taken.
        slots[head].detail = nil
        head = wrapped(head + 1)
        count -= 1
        oldest += 1
    }

    private func wrapped(_ position: Int) -> Int { position < capacity ? position : position - capacity }

    @inline(__always)
    private static func units(of record: borrowing SpanRecord) -> Int {
        guard let detail = record.detail else { return 1 }
        return 1 + detail.moreLinks.count / 4
    }
}
