import Telemetry

/// Deliveries that have ended without an acknowledgement, for as long as the broker may yet say of their messages that they
/// are given up. Bounded in number and age. Not shared: `OpenDeliveries` is.
struct ClosedDeliveries: Sendable {
    private struct Closed: Sendable {
        var delivery: OpenDelivery
        var endedAt: UInt64
        /// It was already said that its message is given up.
        var isGivenUp: Bool
    }

    static let countMax = 4_096
    /// A message that was given back may wait for its turn before the broker finds that there is no further one.
    static let keptNanoseconds: UInt64 = 900_000_000_000
    private var closed = KeyedQueue<DeliveryKey, Closed>()

    mutating func remember(_ delivery: OpenDelivery, _ key: DeliveryKey, isGivenUp: Bool, at now: Instant) {
        var delivery = delivery
        delivery.holder = nil
        let entry = Closed(delivery: delivery, endedAt: now.monotonicNanoseconds, isGivenUp: isGivenUp)
        _ = closed.append(entry, for: key)
        if closed.count > Self.countMax { _ = closed.popOldest() }
    }

    /// The message is given up. Returns its last delivery, once, and not if that was known.
    mutating func giveUp(_ key: DeliveryKey) -> OpenDelivery? {
        guard let entry = closed.remove(key) else { return nil }
        return entry.isGivenUp ? nil : entry.delivery
    }

    mutating func expire(at now: Instant) {
        while closed.lookAtOldest({ $0.endedAt + Self.keptNanoseconds < now.monotonicNanoseconds }) ?? false {
            _ = closed.popOldest()
        }
    }
}

/// Deliveries of which there will be no further one, with the time until which the broker waits for them. Bounded. Not
/// shared: `OpenDeliveries` is.
struct LastDeliveries: Sendable {
    private struct Watch: Sendable {
        var overdueAt: UInt64
        var waitNanoseconds: UInt64
    }

    static let countMax = 16_384
    /// The broker looks at what is overdue now and then only, and its word, should it come, is better than ours.
    private static let graceNanoseconds: UInt64 = 1_000_000_000
    private var watched = KeyedQueue<DeliveryKey, Watch>()

    mutating func watch(_ key: DeliveryKey, _ waitNanoseconds: UInt64, at now: Instant) {
        // Some years are for ever; sums must not overflow.
        let wait = min(waitNanoseconds, 1 << 60) + Self.graceNanoseconds
        _ = watched.append(
            Watch(overdueAt: now.monotonicNanoseconds &+ wait, waitNanoseconds: wait), for: key)
        if watched.count > Self.countMax { _ = watched.popOldest() }
    }

    mutating func extend(_ key: DeliveryKey, at now: Instant) {
        guard !watched.isEmpty, var watch = watched.remove(key) else { return }
        watch.overdueAt = now.monotonicNanoseconds &+ watch.waitNanoseconds
        _ = watched.append(watch, for: key)
    }

    mutating func forget(_ key: DeliveryKey) { _ = watched.remove(key) }

    /// Consumers wait for different times, so the order tells nothing: all are looked at, once a second.
    mutating func takeOverdue(at now: Instant) -> [DeliveryKey] {
        var overdue: [DeliveryKey] = []
        watched.forEach { key, watch in
            if watch.overdueAt < now.monotonicNanoseconds { overdue.append(key) }
            return true
        }
        for key in overdue { _ = watched.remove(key) }
        return overdue
    }
}

/// Open deliveries of consumers that acknowledge a message together with all that came before it, in order. Bounded. Not
/// shared: `OpenDeliveries` is.
struct CumulativeDeliveries: Sendable {
    private struct Consumer: Hashable, Sendable {
        var stream: UInt64
        var group: UInt64
    }

    static let consumersMax = 1_024
    static let sequencesMax = 16_384
    /// By consumer, in rising order.
    private var open: [Consumer: [UInt64]] = [:]

    mutating func note(_ sequence: UInt64, stream: UInt64, group: UInt64) {
        let consumer = Consumer(stream: stream, group: group)
        if open[consumer] == nil, open.count >= Self.consumersMax { return }
        var sequences = open[consumer, default: []]
        open[consumer] = nil
        let place = Self.place(of: sequence, in: sequences)
        if place == sequences.count || sequences[place] != sequence { sequences.insert(sequence, at: place) }
        // The oldest gives way; its span ends by its own time limit.
        if sequences.count > Self.sequencesMax { sequences.removeFirst() }
        open[consumer] = sequences
    }

    /// Takes the messages that an acknowledgement of `sequence` covers, at most `most`, the oldest first.
    mutating func take(through sequence: UInt64, stream: UInt64, group: UInt64, most: Int) -> [UInt64] {
        let consumer = Consumer(stream: stream, group: group)
        guard var sequences = open.removeValue(forKey: consumer) else { return [] }
        let end = sequence == .max ? sequences.count : Self.place(of: sequence + 1, in: sequences)
        let covered = Array(sequences.prefix(min(end, most)))
        sequences.removeFirst(covered.count)
        if !sequences.isEmpty { open[consumer] = sequences }
        return covered
    }

    /// The message is settled in another way.
    mutating func forget(_ sequence: UInt64, stream: UInt64, group: UInt64) {
        let consumer = Consumer(stream: stream, group: group)
        guard var sequences = open[consumer] else { return }
        let place = Self.place(of: sequence, in: sequences)
        guard place < sequences.count, sequences[place] == sequence else { return }
        sequences.remove(at: place)
        open[consumer] = sequences.isEmpty ? nil : sequences
    }

    /// Where it stands, or would: most are newer than all that are there.
    private static func place(of sequence: UInt64, in sequences: [UInt64]) -> Int {
        guard let last = sequences.last, last >= sequence else { return sequences.count }
        var (low, high) = (0, sequences.count)
        while low < high {
            let middle = (low + high) / 2
            if sequences[middle] < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
