/// Who waits for a place below a bulkhead's limit: bounded in number and in time, first come, first served.
///
/// A value: whoever owns the event loop tells the time, and asks again when a place becomes free or when `nextDeadline`
/// has come. Entering, leaving and giving up cost constant time each.
public struct WaitingRoom<Waiter: Sendable>: Sendable {
    private struct Place: Sendable {
        var waiter: Waiter
        var deadline: UInt64
        var number: UInt64
    }

    /// Waiters above this are turned away.
    public let capacity: Int
    /// How long one may wait.
    public let timeoutNanoseconds: UInt64
    private var places: [Place?] = []
    private var head = 0
    private var nextNumber: UInt64 = 0
    /// Those who wait.
    public private(set) var count = 0

    /// An empty room.
    public init(capacity: Int, timeoutNanoseconds: UInt64) {
        self.capacity = capacity
        self.timeoutNanoseconds = timeoutNanoseconds
    }

    /// The number by which a waiter may leave; nil when the room is full.
    public mutating func enter(_ waiter: Waiter, now: UInt64) -> UInt64? {
        guard count < capacity else { return nil }
        defer { nextNumber &+= 1 }
        places.append(Place(waiter: waiter, deadline: now &+ timeoutNanoseconds, number: nextNumber))
        count += 1
        return nextNumber
    }

    /// A waiter that will not wait any longer, for example because its connection has gone.
    public mutating func leave(_ number: UInt64) {
        // Numbers are handed out in order, and every place behind the head keeps its own.
        let index = places.count - Int(clamping: nextNumber &- number)
        guard index >= head, index < places.count, places[index]?.number == number else { return }
        places[index] = nil
        count -= 1
    }

    /// The first in line, now that a place is free; nil when nobody waits.
    public mutating func next() -> Waiter? {
        while head < places.count {
            let place = places[head]
            places[head] = nil
            head += 1
            compact()
            guard let place else { continue }
            count -= 1
            return place.waiter
        }
        return nil
    }

    /// The first in line if it has waited too long.
    public mutating func expired(now: UInt64) -> Waiter? {
        skipEmpty()
        guard head < places.count, let place = places[head], place.deadline <= now else { return nil }
        return next()
    }

    /// When the first in line gives up.
    public var nextDeadline: UInt64? {
        places[head...].lazy.compactMap { $0?.deadline }.first
    }

    private mutating func skipEmpty() {
        while head < places.count, places[head] == nil { head += 1 }
        compact()
    }

    /// Half of the memory is behind the head: moving the rest has been paid for by those who left.
    private mutating func compact() {
        if head == places.count {
            places.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 32, head > places.count / 2 {
            places.removeFirst(head)
            head = 0
        }
    }
}
