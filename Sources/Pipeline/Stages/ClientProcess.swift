import DequeModule
import Synchronization
import Telemetry

/// Who is at the other end of a client connection, as far as the IO shell can tell.
public struct ClientPeer: Sendable, Hashable {
    /// Equal for connections of one client; nil when nothing is known, and each connection stands for itself.
    public var key: UInt64?
    /// Whether the client's own name tells apart what has the same key.
    public var isRefinedByName: Bool

    /// Nothing is known: the connection stands for itself.
    public static let unknown = ClientPeer(key: nil, isRefinedByName: false)

    /// A process on this machine: its number and when it began, since numbers are used again.
    public static func process(_ identifier: Int32, startedAt: UInt64) -> ClientPeer {
        ClientPeer(
            key: mix(UInt64(UInt32(bitPattern: identifier)), startedAt), isRefinedByName: false)
    }

    /// A network address without its port: one host, and mostly one application beside the sidecar.
    public static func address(_ address: String) -> ClientPeer {
        let bytes = Array(address.utf8)
        return ClientPeer(key: mix(1 << 40, ByteHash.hash(bytes.span, 0..<bytes.count)), isRefinedByName: true)
    }

    func named(_ hash: UInt64) -> ClientPeer {
        guard isRefinedByName, let key else { return self }
        return ClientPeer(key: Self.mix(key, hash), isRefinedByName: true)
    }

    private static func mix(_ first: UInt64, _ second: UInt64) -> UInt64 {
        var mixed = first ^ (second &* 0x9e37_79b9_7f4a_7c15)
        mixed = (mixed ^ mixed >> 33) &* 0xff51_afd7_ed55_8ccd
        return mixed ^ mixed >> 33
    }
}

/// The clients that are connected, by who they are: what several connections of one client have in common.
///
/// Touched when a connection comes, changes its name, or goes. A client without connections is kept while it holds
/// messages, because it may come back for them; beyond `clientsMax` a client is not told from its connection.
public final class ClientProcesses: Sendable {
    private let known = Mutex<[UInt64: ClientProcess]>([:])

    private static let clientsMax = 4_096

    /// No clients yet.
    public init() {}

    /// A connection has come.
    func join(_ peer: ClientPeer) -> (process: ClientProcess, connection: UInt32) {
        guard let key = peer.key else {
            let alone = ClientProcess()
            return (alone, alone.join())
        }
        return known.withLock { known in
            if let process = known[key] { return (process, process.join()) }
            let made = ClientProcess()
            if known.count >= Self.clientsMax { known = known.filter { !$0.value.isAbandoned } }
            if known.count < Self.clientsMax { known[key] = made }
            return (made, made.join())
        }
    }

    /// A connection has gone.
    func leave(_ peer: ClientPeer, _ process: ClientProcess) {
        process.leave()
        guard let key = peer.key else { return }
        known.withLock { known in
            if known[key] === process, process.isAbandoned { known[key] = nil }
        }
    }
}

/// The messages that one client holds, and what its connections have shown of the way it works.
///
/// Shared by the event loops of its connections. One short lock, taken when a message is handed over or settled, and
/// when a message without a context is published while something is held; otherwise an atomic load says that nothing is.
public final class ClientProcess: Sendable {
    private struct State {
        /// In order of delivery.
        var held = Deque<Cause>()
        var connections = 0
        var latestConnection: UInt32 = 0
        /// A message was settled on another connection than the one that had read it: connections go from hand to hand,
        /// and which of them carries a message says nothing of its cause.
        var sharesConnections = false
        /// Messages settled on the connection that had read them, while there was another to choose.
        var settledOnOwnConnection = 0

        /// Whether a connection belongs to one worker. Of several connections that has to be seen first: a pool that
        /// has just begun looks like workers with connections of their own.
        var keepsConnections: Bool {
            !sharesConnections && (connections <= 1 || settledOnOwnConnection >= ClientProcess.settlementsSeenMin)
        }
    }

    private let state = Mutex(State())
    private let heldCount = Atomic<Int>(0)
    /// It has published with nothing in its hands, or nothing of the connection: not all that it publishes has a cause.
    private let originates = Atomic<Bool>(false)

    /// Messages per client that can be causes; the oldest gives way.
    private static let heldMax = 1_024
    static let linksMax = 32
    private static let settlementsSeenMin = 2

    var holdsNothing: Bool { heldCount.load(ordering: .relaxed) == 0 }
    var isAbandoned: Bool { holdsNothing && state.withLock { $0.connections == 0 } }

    fileprivate func join() -> UInt32 {
        state.withLock {
            $0.connections += 1
            $0.latestConnection &+= 1
            return $0.latestConnection
        }
    }

    fileprivate func leave() {
        state.withLock { $0.connections -= 1 }
    }

    func noteOrigin() {
        if !originates.load(ordering: .relaxed) { originates.store(true, ordering: .relaxed) }
    }

    // MARK: Holding

    /// Returns whether another had to leave: it will be nobody's cause.
    func hold(_ cause: Cause) -> Bool {
        state.withLock { state in
            let isFull = state.held.count >= Self.heldMax
            if isFull { state.held.removeFirst() }
            state.held.append(cause)
            heldCount.store(state.held.count, ordering: .relaxed)
            return isFull
        }
    }

    /// The delivery has ended, however it did. Mostly it is the oldest, and found at once.
    func release(_ spanID: SpanID) {
        state.withLock { state in
            guard let position = state.held.firstIndex(where: { $0.context.spanID == spanID }) else { return }
            state.held.remove(at: position)
            heldCount.store(state.held.count, ordering: .relaxed)
        }
    }

    func noteSettled(onOwnConnection isOwn: Bool) {
        state.withLock { state in
            if !isOwn { state.sharesConnections = true }
            if isOwn, state.connections > 1 { state.settledOnOwnConnection += 1 }
        }
    }

    /// Whether the connection still holds something that it has read after `read`.
    func holds(after read: UInt32, on connection: UInt32) -> Bool {
        state.withLock { $0.held.contains { $0.connection == connection && $0.read > read } }
    }

    // MARK: Inferring

    /// What a connection shows of the order in which its client works.
    struct Position {
        var connection: UInt32
        /// Its last read, and how many messages that brought.
        var read: UInt32
        var readCount: Int
        /// Since that read, no command was sent while another waited for its reply.
        var isSequential: Bool
        /// It has finished an older message while it held a newer one.
        var isInterleaved: Bool
        /// When the message came from the client, on the monotonic clock.
        var at: UInt64
    }

    /// The cause of a message that is published at `position`, by the first rule that leaves one possibility: the only
    /// message held; the only one that the new message mentions; the only one of the connection; the only one of the
    /// connection's last read, when it works strictly one after the other.
    func infer(at position: Position, mentions: (Cause) -> Cause.Mention) -> Inference {
        state.withLock { state in
            // Between the coming of this message and now another event loop may have handed over one: that is no cause.
            let candidates = state.held.lazy.filter { $0.handedAt <= position.at }
            guard let only = candidates.first else {
                noteOrigin()
                return .nothing
            }
            if candidates.dropFirst().isEmpty {
                return Inference(cause: only, causality: causality(ofOnly: only, position, state))
            }
            var counts = (connection: 0, correlation: 0, messageID: 0)
            var found: (connection: Cause?, correlation: Cause?, messageID: Cause?, read: Cause?)
            for cause in candidates {
                switch mentions(cause) {
                case .nothing: break
                case .correlation: (counts.correlation, found.correlation) = (counts.correlation + 1, cause)
                case .messageID: (counts.messageID, found.messageID) = (counts.messageID + 1, cause)
                }
                guard cause.connection == position.connection else { continue }
                (counts.connection, found.connection) = (counts.connection + 1, cause)
                if cause.read == position.read { found.read = cause }
            }
            if counts.messageID == 1 { return Inference(cause: found.messageID, causality: .contentLikely) }
            if counts.messageID > 1 { return Inference(candidates: .messageID) }
            if counts.correlation == 1 { return Inference(cause: found.correlation, causality: .contentLikely) }
            if state.keepsConnections {
                if counts.connection == 1 { return Inference(cause: found.connection, causality: .connectionLikely) }
                if position.isSequential, !position.isInterleaved, position.readCount == 1, let last = found.read {
                    return Inference(cause: last, causality: .connectionLikely, candidates: .all)
                }
            }
            return Inference(candidates: counts.correlation > 1 ? .correlation : .all)
        }
    }

    /// One connection, one message in its hands, the one it has just read, and never a message out of nothing: only then
    /// no other cause is possible.
    private func causality(
        ofOnly cause: Cause, _ position: Position, _ state: borrowing State
    ) -> SpanCausality {
        guard cause.connection == position.connection else {
            // Nothing that this connection has read explains it: the client may have come back and begin out of nothing.
            noteOrigin()
            return .processLikely
        }
        let isCertain =
            state.connections == 1 && !originates.load(ordering: .relaxed) && position.isSequential
            && cause.read == position.read && position.readCount == 1
        return isCertain ? .connectionCertain : .connectionLikely
    }

    /// Links to the newest candidates but `cause`, in order of delivery, and how many were left out.
    func links(
        _ candidates: Inference.Candidates, besides cause: Cause?, handedBy moment: UInt64,
        mentions: (Cause) -> Cause.Mention
    ) -> (links: [SpanLink], leftOut: Int) {
        state.withLock { state in
            var links: [SpanLink] = []
            var leftOut = 0
            for candidate in state.held.reversed()
            where candidate.context.spanID != cause?.context.spanID && candidate.handedAt <= moment {
                switch (candidates, mentions(candidate)) {
                case (.none, _), (.messageID, .nothing), (.messageID, .correlation), (.correlation, .nothing): continue
                case (.all, _), (.messageID, .messageID), (.correlation, .correlation), (.correlation, .messageID):
                    break
                }
                guard links.count < Self.linksMax else {
                    leftOut += 1
                    continue
                }
                links.append(
                    SpanLink(context: candidate.context, messageID: candidate.messageID, isCandidate: true))
            }
            links.reverse()
            return (links, leftOut)
        }
    }
}
