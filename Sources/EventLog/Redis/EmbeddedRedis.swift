import Glibc
public import NIOCore
import Synchronization

/// The embedded log as an upstream that speaks the Redis protocol, without a port: each connection is a channel without a
/// socket on the event loop of its client.
public final class EmbeddedRedis: Sendable {
    private struct State {
        var lastID: UInt64 = 0
        var connections: [UInt64: (connection: EmbeddedConnection, client: EmbeddedClient)] = [:]
        var mailboxes: [ObjectIdentifier: LoopMailbox] = [:]
        var outboxes: [ObjectIdentifier: NIOLoopBound<LoopOutbox>] = [:]
    }

    let store: any StreamStore
    let hub = PublishHub()
    let readers: BlockedReaders
    /// The Unix time in milliseconds.
    let clock: @Sendable () -> UInt64
    private let startedAtUnixMilliseconds: UInt64
    private let state = Mutex(State())

    /// What a blocking read is answered when its time is up.
    static let foundNothing = EmbeddedAnswer.store(.replies([.streams([], positions: [])]))

    /// A face of `store`. `clock` gives the Unix time in milliseconds.
    public init(store: any StreamStore, clock: @escaping @Sendable () -> UInt64) {
        self.store = store
        self.clock = clock
        startedAtUnixMilliseconds = clock()
        readers = BlockedReaders(store: store, clock: clock)
        store.observeChanges { [readers] keys in readers.changed(keys) }
    }

    /// Opens a connection: the channel is the client's end, on `loop`, and reads nothing until it is told to.
    public func connect(on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        loop.submit {
            let peer = EmbeddedRedisPeer(server: self, client: self.newClient(), outbox: self.outbox(on: loop))
            let channel = InProcessChannel(eventLoop: loop, peer: peer)
            peer.open(channel)
            return channel
        }
    }

    /// The outbox that the connections of this loop share. Asked on the loop.
    private func outbox(on loop: any EventLoop) -> LoopOutbox {
        state.withLock { state in
            if let outbox = state.outboxes[ObjectIdentifier(loop)] { return outbox }
            let outbox = NIOLoopBound(LoopOutbox(store: store, loop: loop), eventLoop: loop)
            state.outboxes[ObjectIdentifier(loop)] = outbox
            return outbox
        }.value
    }

    /// Returns when the store has answered all that was asked before. Event loops that end must wait for it: an answer that
    /// comes later would find none.
    public func settle() async {
        let nothing = StreamUnit([], nowUnixMilliseconds: clock())
        await withCheckedContinuation { continuation in
            store.submit(nothing, lane: 0) { [store] _ in store.look(nothing) { _ in continuation.resume() } }
        }
    }

    // MARK: Connections

    private func newClient() -> EmbeddedClient {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        return EmbeddedClient(id: id, address: "embedded:\(id)", connectedAtUnixMilliseconds: clock())
    }

    func opened(
        _ client: EmbeddedClient, _ peer: EmbeddedRedisPeer, _ loop: any EventLoop
    ) -> EmbeddedConnection {
        state.withLock { state in
            let mailbox = state.mailboxes[ObjectIdentifier(loop)] ?? LoopMailbox(loop: loop)
            state.mailboxes[ObjectIdentifier(loop)] = mailbox
            let connection = EmbeddedConnection(id: client.id, peer: peer, loop: loop, mailbox: mailbox)
            state.connections[client.id] = (connection, client)
            return connection
        }
    }

    func closed(_ connection: EmbeddedConnection, subscribedTo channels: [EmbeddedChannel]) {
        state.withLock { $0.connections[connection.id] = nil }
        for channel in channels { hub.unsubscribe(connection, from: channel) }
    }

    func named(_ connection: EmbeddedConnection, _ name: [UInt8]) {
        state.withLock { $0.connections[connection.id]?.client.name = name }
    }

    // MARK: Questions

    func answer(_ question: EmbeddedQuestion, from connection: EmbeddedConnection) -> EmbeddedAnswer {
        switch question {
        case .publish(let channel, let message, let isSharded):
            return .count(Int64(hub.publish(channel, message, isSharded: isSharded)))
        case .channels(let pattern, let kind):
            return .names(hub.channels(kind, matching: pattern))
        case .subscribers(let names, let kind):
            return .counts(names.map { ($0, Int64(hub.count(EmbeddedChannel(kind, $0)))) })
        case .patternCount:
            return .count(Int64(hub.patternCount))
        case .clients(let ids):
            let clients = state.withLock { $0.connections.values.map(\.client) }
            return .clients(clients.filter { ids?.contains($0.id) ?? true }.sorted { $0.id < $1.id })
        case .kill(let ids, let addresses, let skippingSelf):
            let found = state.withLock { state in
                state.connections.values.filter { _, client in
                    ids.contains(client.id) || addresses.contains(client.address)
                }.map(\.connection).filter { !skippingSelf || $0.id != connection.id }
            }
            for connection in found { connection.close() }
            return .count(Int64(found.count))
        case .unblock(let id, let withError):
            let other = state.withLock { $0.connections[id]?.connection }
            let isWaiting = other != nil && readers.isWaiting(lane: id)
            if isWaiting { other?.unblock(withError ? .unblocked : Self.foundNothing) }
            return .count(isWaiting ? 1 : 0)
        case .statistics:
            let (count, opened) = state.withLock { ($0.connections.count, $0.lastID) }
            return .statistics(
                EmbeddedStatistics(
                    clients: count, blockedClients: readers.count, connections: opened,
                    uptimeSeconds: (clock() - min(clock(), startedAtUnixMilliseconds)) / 1_000, port: 0,
                    processID: getpid()))
        }
    }
}
