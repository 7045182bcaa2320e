import NIOCore

/// What the connections of one event loop ask of the store: gathered until the loop has looked at all its sockets, then
/// handed over in one piece, and answered in one piece.
///
/// So a turn of the loop costs one lock, at most one wake-up of the writer and one of the loop, however many connections
/// had something to say in it; and what came together shares a commit.
final class LoopOutbox {
    private let store: any StreamStore
    private let loop: any EventLoop
    private var units: [StreamUnit] = []
    private var senders: [(peer: EmbeddedRedisPeer, ticket: EmbeddedTicket)] = []

    /// Units handed over at once at most, so that a piece is never much of the store's queue.
    private static let unitsMax = 512

    init(store: any StreamStore, loop: any EventLoop) {
        self.store = store
        self.loop = loop
    }

    /// Asks for a unit, in the order of the calls.
    func submit(_ unit: StreamUnit, for peer: EmbeddedRedisPeer, _ ticket: EmbeddedTicket) {
        units.append(unit)
        senders.append((peer, ticket))
        switch units.count {
        case 1: loop.assumeIsolated().execute { self.handOver() }
        case Self.unitsMax: handOver()
        default: break
        }
    }

    private func handOver() {
        guard !units.isEmpty else { return }
        let bound = NIOLoopBound(senders, eventLoop: loop)
        let batch = units
        units = []
        senders = []
        units.reserveCapacity(batch.count)
        senders.reserveCapacity(batch.count)
        let loop = loop
        store.submit(batch) { outcomes in
            loop.execute { Self.deliver(outcomes, to: bound.value) }
        }
    }

    private static func deliver(
        _ outcomes: [StreamOutcome], to senders: [(peer: EmbeddedRedisPeer, ticket: EmbeddedTicket)]
    ) {
        for (outcome, sender) in zip(outcomes, senders) {
            sender.peer.receive(.answer(.store(outcome), sender.ticket))
        }
        for sender in senders { sender.peer.flush() }
    }
}
