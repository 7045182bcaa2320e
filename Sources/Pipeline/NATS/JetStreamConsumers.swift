/// Some names that something is known of, by their hashes. Bounded: a set that is full begins anew.
struct KnownHashes {
    private static let countMax = 10_000
    private var known: Set<UInt64> = []

    func contains(_ hash: UInt64) -> Bool { known.contains(hash) }

    mutating func note(_ hash: UInt64) {
        guard !known.contains(hash) else { return }
        if known.count >= Self.countMax { known.removeAll(keepingCapacity: true) }
        known.insert(hash)
    }
}

/// What servers have told of JetStream consumers, as far as it changes what their deliveries mean. One per listener and
/// event loop: clients mostly ask for a consumer before they use it, though not always on the same connection.
///
/// Bounded; of a consumer that is not known here, every message is taken to need an acknowledgement, as by default.
struct JetStreamConsumers {
    struct Traits {
        /// It has a name that somebody chose; others are random.
        var isDurable = true
        var needsNoAcknowledgement = false
        /// An acknowledgement stands for all messages before it too.
        var acknowledgesAll = false
        /// How often a message is delivered at most; 0 for no limit.
        var deliveriesMax: UInt64 = 0
        /// How long the server waits for the acknowledgement of a last delivery.
        var waitNanoseconds: UInt64 = 30_000_000_000

        /// Whether there will be no delivery after this one.
        func isLast(_ delivered: UInt64) -> Bool { deliveriesMax > 0 && delivered >= deliveriesMax }
    }

    private struct Key: Hashable {
        var stream: UInt64
        var consumer: UInt64
    }

    private static let countMax = 10_000
    private var known: [Key: Traits] = [:]

    subscript(stream: UInt64, consumer: UInt64) -> Traits {
        known.isEmpty ? Traits() : known[Key(stream: stream, consumer: consumer)] ?? Traits()
    }

    mutating func set(_ traits: Traits, stream: UInt64, consumer: UInt64) {
        // Ephemeral consumers come and go without a word: a table that is full of them begins anew.
        if known.count >= Self.countMax { known.removeAll(keepingCapacity: true) }
        known[Key(stream: stream, consumer: consumer)] = traits
    }
}
