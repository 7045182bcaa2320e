/// The spans of recent traces, bounded; the trace that began first gives way first, as a whole.
///
/// A slab of records, chained by trace, and the traces chained by age. Sizes are in units: a span is one, and so are
/// four of its links beyond the first, so that spans of large batches count for the memory they take.
struct TraceStore: Sendable {
    private struct Slot {
        var record: SpanRecord?
        /// The next record of the trace, or the next vacant slot.
        var next: Int32
    }

    private struct Trace {
        var id: TraceID
        var first: Int32
        var last: Int32
        var units: Int
        var leftOut: Int
        /// The trace that began next.
        var newer: Int32
    }

    private static let nowhere: Int32 = -1

    let capacity: Int
    /// One endless trace must not push out all others.
    private let unitsPerTraceMax: Int
    private var slots: [Slot] = []
    private var vacantSlot = nowhere
    private var traces: [Trace] = []
    private var vacantTraces: [Int32] = []
    private var index: [TraceID: Int32] = [:]
    private var oldest = nowhere
    private var newest = nowhere
    private(set) var units = 0

    /// Memory is reserved at once and touched as it fills.
    init(capacity: Int) {
        precondition(capacity > 0 && capacity <= Int(Int32.max), "a store of traces needs room for at least one span")
        self.capacity = capacity
        unitsPerTraceMax = max(1, capacity / 4)
        slots.reserveCapacity(capacity)
    }

    var traceCount: Int { index.count }

    mutating func keep(_ record: SpanRecord) {
        let size = 1 + (record.detail?.moreLinks.count ?? 0) / 4
        while units + size > capacity, oldest != Self.nowhere { evictOldest() }
        guard let number = index[record.traceID] else {
            units += size
            return begin(
                Trace(
                    id: record.traceID, first: store(record), last: Self.nowhere, units: size, leftOut: 0,
                    newer: Self.nowhere))
        }
        let trace = Int(number)
        guard traces[trace].units + size <= unitsPerTraceMax else {
            traces[trace].leftOut += 1
            return
        }
        units += size
        let slot = store(record)
        slots[Int(traces[trace].last)].next = slot
        traces[trace].last = slot
        traces[trace].units += size
    }

    /// The traces of which something is here, the one that began last first.
    func newestFirst() -> [TraceID] {
        var ids: [TraceID] = []
        ids.reserveCapacity(index.count)
        var position = oldest
        while position != Self.nowhere {
            ids.append(traces[Int(position)].id)
            position = traces[Int(position)].newer
        }
        return ids.reversed()
    }

    /// The spans of one trace in the order of their coming; nil when nothing of it is here.
    func spans(of id: TraceID) -> (records: [SpanRecord], leftOut: Int)? {
        guard let number = index[id] else { return nil }
        var records: [SpanRecord] = []
        var slot = traces[Int(number)].first
        while slot != Self.nowhere {
            if let record = slots[Int(slot)].record { records.append(record) }
            slot = slots[Int(slot)].next
        }
        return (records, traces[Int(number)].leftOut)
    }

    private mutating func store(_ record: SpanRecord) -> Int32 {
        guard vacantSlot != Self.nowhere else {
            slots.append(Slot(record: record, next: Self.nowhere))
            return Int32(slots.count - 1)
        }
        let slot = vacantSlot
        vacantSlot = slots[Int(slot)].next
        slots[Int(slot)].record = record
        slots[Int(slot)].next = Self.nowhere
        return slot
    }

    private mutating func begin(_ trace: Trace) {
        var trace = trace
        trace.last = trace.first
        let number: Int32
        if let vacant = vacantTraces.popLast() {
            number = vacant
            traces[Int(vacant)] = trace
        } else {
            number = Int32(traces.count)
            traces.append(trace)
        }
        if newest == Self.nowhere { oldest = number } else { traces[Int(newest)].newer = number }
        newest = number
        index[trace.id] = number
    }

    private mutating func evictOldest() {
        let number = oldest
        let trace = traces[Int(number)]
        var slot = trace.first
        while slot != Self.nowhere {
            let next = slots[Int(slot)].next
            slots[Int(slot)] = Slot(record: nil, next: vacantSlot)
            vacantSlot = slot
            slot = next
        }
        units -= trace.units
        oldest = trace.newer
        if oldest == Self.nowhere { newest = Self.nowhere }
        index[trace.id] = nil
        vacantTraces.append(number)
    }
}
