import DequeModule
import Telemetry

/// The published messages of one connection whose publisher waits for an answer, by a hash of the reply subject.
struct NATSOpenRequests {
    private var waiting: [UInt64: OpenSend] = [:]
    private var order = Deque<UInt64>()

    var isEmpty: Bool { waiting.isEmpty }

    /// Adds a request. Returns the oldest if there are too many, or an earlier one with the same reply subject.
    mutating func add(_ open: OpenSend, reply: UInt64, most: Int) -> [OpenSend] {
        var displaced: [OpenSend] = []
        if let earlier = waiting.updateValue(open, forKey: reply) { displaced.append(earlier) }
        order.append(reply)
        while waiting.count > most, let oldest = order.popFirst() {
            if let open = waiting.removeValue(forKey: oldest) { displaced.append(open) }
        }
        // Answered requests leave their place in the order behind.
        if order.count > 64, order.count > waiting.count * 2 { order.removeAll { waiting[$0] == nil } }
        return displaced
    }

    /// Whether a message to this subject is an answer.
    @inline(__always)
    func contains(_ reply: UInt64) -> Bool { !waiting.isEmpty && waiting[reply] != nil }

    mutating func remove(_ reply: UInt64) -> OpenSend? { waiting.removeValue(forKey: reply) }

    /// What has waited since before `limit` on the monotonic clock.
    mutating func expire(startedBefore limit: UInt64) -> [OpenSend] {
        var expired: [OpenSend] = []
        while let oldest = order.first {
            if let open = waiting[oldest] {
                guard open.startedAt.monotonicNanoseconds < limit else { break }
                waiting[oldest] = nil
                expired.append(open)
            }
            order.removeFirst()
        }
        return expired
    }

    /// Every request whose message went to this destination.
    mutating func removeAll(to destination: UInt64) -> [OpenSend] {
        let found = waiting.filter { $0.value.destination.hash == destination }
        for reply in found.keys { waiting[reply] = nil }
        return Array(found.values)
    }

    mutating func removeAll() -> [OpenSend] {
        defer {
            waiting = [:]
            order = []
        }
        return order.compactMap { waiting.removeValue(forKey: $0) }
    }
}
