/// What is due, earliest first; of two at the same time, the one that was entered first. A binary heap.
struct EventHeap<Payload: Sendable>: Sendable {
    struct Event: Sendable {
        var time: UInt64
        var order: UInt64
        var payload: Payload

        @inline(__always)
        func comes(before other: Event) -> Bool {
            time < other.time || (time == other.time && order < other.order)
        }
    }

    private var events: [Event] = []
    private var entered: UInt64 = 0

    var count: Int { events.count }
    /// When the next one is due; never if there is none.
    var nextTime: UInt64 { events.first?.time ?? .max }

    mutating func add(_ payload: Payload, at time: UInt64) {
        entered += 1
        events.append(Event(time: time, order: entered, payload: payload))
        var child = events.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard events[child].comes(before: events[parent]) else { break }
            events.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() -> Event? {
        guard let first = events.first, let last = events.popLast() else { return nil }
        guard !events.isEmpty else { return first }
        events[0] = last
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < events.count else { break }
            let right = left + 1
            let child = right < events.count && events[right].comes(before: events[left]) ? right : left
            guard events[child].comes(before: events[parent]) else { break }
            events.swapAt(child, parent)
            parent = child
        }
        return first
    }
}
