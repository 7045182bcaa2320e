/// What a connection has subscribed to, in the order of subscribing.
struct Subscriptions {
    private var channels: [EmbeddedChannel] = []

    /// Subscriptions of all kinds: a RESP2 connection with any may say little else.
    var count: Int { channels.count }

    func contains(_ channel: EmbeddedChannel) -> Bool { channels.contains(channel) }

    /// What a confirmation counts: channels and patterns together, shard channels apart.
    func counted(_ kind: EmbeddedChannel.Kind) -> Int {
        channels.count { ($0.kind == .shard) == (kind == .shard) }
    }

    mutating func add(_ channel: EmbeddedChannel) -> Bool {
        if channels.contains(channel) { return false }
        channels.append(channel)
        return true
    }

    mutating func remove(_ channel: EmbeddedChannel) -> Bool {
        guard let index = channels.firstIndex(of: channel) else { return false }
        channels.remove(at: index)
        return true
    }

    func all(_ kind: EmbeddedChannel.Kind) -> [EmbeddedChannel] { channels.filter { $0.kind == kind } }

    mutating func removeAll() -> [EmbeddedChannel] {
        defer { channels = [] }
        return channels
    }
}

/// Publish and subscribe: https://redis.io/docs/latest/develop/interact/pubsub/
extension EmbeddedSession {
    /// Subscriptions of one connection; each message is compared with them.
    static let subscriptionsMax = 1_024

    mutating func changeSubscriptions(_ command: RedisCommand, _ words: RedisArguments) {
        let name = command.lowercased
        let kind: EmbeddedChannel.Kind =
            switch command {
            case .PSUBSCRIBE, .PUNSUBSCRIBE: .pattern
            case .SSUBSCRIBE, .SUNSUBSCRIBE: .shard
            default: .name
            }
        let subscribes = command == .SUBSCRIBE || command == .PSUBSCRIBE || command == .SSUBSCRIBE
        var channels = words.arrays(1..<words.count).map { EmbeddedChannel(kind, $0) }
        if subscribes {
            guard subscriptions.count + channels.count <= Self.subscriptionsMax else {
                return replyError("ERR too many subscriptions; the limit is \(Self.subscriptionsMax)")
            }
        } else if channels.isEmpty {
            channels = subscriptions.all(kind)
            if channels.isEmpty { return confirm(name, kind, nil) }
        }
        for channel in channels {
            if subscribes {
                if subscriptions.add(channel) { effects.append(.subscribe(channel)) }
            } else if subscriptions.remove(channel) {
                effects.append(.unsubscribe(channel))
            }
            confirm(name, kind, channel.name)
        }
    }

    private mutating func confirm(_ command: String, _ kind: EmbeddedChannel.Kind, _ channel: [UInt8]?) {
        let count = subscriptions.counted(kind)
        reply { writer in
            writer.push(3)
            writer.bulk(command)
            if let channel { writer.bulk(channel) } else { writer.null() }
            writer.integer(Int64(count))
        }
    }
}
