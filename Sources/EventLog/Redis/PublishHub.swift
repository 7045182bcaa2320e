import Synchronization

/// Who has subscribed to what, over all connections and event loops. Messages are not kept.
final class PublishHub: Sendable {
    private struct State {
        /// By name for SUBSCRIBE and SSUBSCRIBE.
        var subscribers: [EmbeddedChannel: [UInt64: EmbeddedConnection]] = [:]
    }

    private let state = Mutex(State())

    func subscribe(_ connection: EmbeddedConnection, to channel: EmbeddedChannel) {
        state.withLock { $0.subscribers[channel, default: [:]][connection.id] = connection }
    }

    func unsubscribe(_ connection: EmbeddedConnection, from channel: EmbeddedChannel) {
        state.withLock { state in
            state.subscribers[channel]?[connection.id] = nil
            if state.subscribers[channel]?.isEmpty == true { state.subscribers[channel] = nil }
        }
    }

    /// Gives a message to everybody who wants it, and says how many those are.
    func publish(_ channel: [UInt8], _ payload: [UInt8], isSharded: Bool) -> Int {
        let receivers = state.withLock { state -> [(EmbeddedConnection, EmbeddedChannel)] in
            let named = EmbeddedChannel(isSharded ? .shard : .name, channel)
            var receivers = state.subscribers[named]?.values.map { ($0, named) } ?? []
            guard !isSharded else { return receivers }
            for (pattern, connections) in state.subscribers
            where pattern.kind == .pattern && RedisGlob.matches(pattern.name, channel) {
                receivers.append(contentsOf: connections.values.map { ($0, pattern) })
            }
            return receivers
        }
        for (connection, subscription) in receivers {
            connection.deliver(EmbeddedMessage(subscription: subscription, channel: channel, payload: payload))
        }
        return receivers.count
    }

    func channels(_ kind: EmbeddedChannel.Kind, matching pattern: [UInt8]?) -> [[UInt8]] {
        state.withLock { state in
            state.subscribers.keys.filter { channel in
                channel.kind == kind && (pattern.map { RedisGlob.matches($0, channel.name) } ?? true)
            }.map(\.name)
        }
    }

    func count(_ channel: EmbeddedChannel) -> Int { state.withLock { $0.subscribers[channel]?.count ?? 0 } }

    var patternCount: Int { state.withLock { $0.subscribers.keys.count { $0.kind == .pattern } } }
}
