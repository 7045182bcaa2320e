import Synchronization

/// When a message counts as dead, and where it goes.
public struct DeadLetterPolicy: Sendable, Equatable {
    /// Deliveries without effect after which a message is dead.
    public var deliveriesMax: Int
    /// After how long without an acknowledgement a delivery has had no effect. A delivery that was followed by another
    /// has had none either.
    public var idleMilliseconds: Int
    /// What is put behind the name of a stream for that of its dead letters.
    public var suffix: String

    /// All parts are given.
    public init(deliveriesMax: Int, idleMilliseconds: Int, suffix: String) {
        self.deliveriesMax = deliveriesMax
        self.idleMilliseconds = idleMilliseconds
        self.suffix = suffix
    }
}

/// The consumer groups whose messages passed here, for those who look after them: names as the broker knows them, and
/// how many messages each was given.
///
/// Lanes write, the dead letters of a listener read. Bounded: groups beyond the capacity are not looked after.
public final class ConsumerGroups: Sendable {
    /// What is looked for in them.
    public let policy: DeadLetterPolicy
    private let capacity: Int
    private let groups = Mutex<[ConsumerGroup.Key: ConsumerGroup]>([:])

    /// No group yet.
    public init(policy: DeadLetterPolicy, capacity: Int) {
        self.policy = policy
        self.capacity = capacity
    }

    /// The group of this key, known from now on; nil when there are too many, or it is not one to be looked after.
    func group(_ key: ConsumerGroup.Key, _ destination: Destination, _ group: Destination) -> ConsumerGroup? {
        // Dead letters of dead letters would go round for ever.
        guard !key.stream.elements.reversed().starts(with: policy.suffix.utf8.reversed()) else { return nil }
        return groups.withLock { groups in
            if let known = groups[key] { return known }
            guard groups.count < capacity else { return nil }
            let made = ConsumerGroup(key: key, destination: destination, group: group)
            groups[key] = made
            return made
        }
    }

    /// Those of one listener.
    func groups(of listener: UInt32) -> [ConsumerGroup] {
        groups.withLock { $0.values.filter { $0.key.listener == listener } }
    }

    /// The broker knows no such group any more.
    func forget(_ group: ConsumerGroup) { groups.withLock { $0[group.key] = nil } }
}

/// One consumer group of one stream.
final class ConsumerGroup: Sendable {
    struct Key: Hashable, Sendable {
        var listener: UInt32
        var database: Int
        var stream: Name
        var group: Name
    }

    /// Bytes of a name, whatever they spell.
    struct Name: Hashable, Sendable {
        var elements: [UInt8]
    }

    let key: Key
    let destination: Destination
    let group: Destination
    private let deliveries = Atomic<Int>(0)

    init(key: Key, destination: Destination, group: Destination) {
        self.key = key
        self.destination = destination
        self.group = group
    }

    /// Messages were handed to a consumer of it.
    func delivered(_ count: Int) { deliveries.add(count, ordering: .relaxed) }

    /// How many since the last call.
    func takeDeliveries() -> Int { deliveries.exchange(0, ordering: .relaxed) }
}

extension Lane {
    /// Takes note of a group from which a client reads; `names` gives the bytes of stream and group if it is new here.
    func watchGroup(
        _ destination: Destination, _ group: Destination, _ listener: ListenerProfile, database: Int,
        names: () -> (stream: [UInt8], group: [UInt8])
    ) {
        guard let groups = shared.consumerGroups else { return }
        let hash = streamKey(destination, listener) ^ group.hash
        guard watchedGroups[hash] == nil, watchedGroups.count < Self.watchedGroupsMax else { return }
        let (stream, name) = names()
        let key = ConsumerGroup.Key(
            listener: listener.number, database: database, stream: .init(elements: stream),
            group: .init(elements: name))
        watchedGroups[hash] = groups.group(key, destination, group)
    }

    /// Messages of a group were handed to a consumer.
    func countDeliveries(_ count: Int, _ destination: Destination, _ group: Destination, _ listener: ListenerProfile) {
        guard shared.consumerGroups != nil else { return }
        watchedGroups[streamKey(destination, listener) ^ group.hash]?.delivered(count)
    }

    private static let watchedGroupsMax = 10_000
}
