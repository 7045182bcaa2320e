import Telemetry

/// Infers, for one connection, which message caused another that is published without a context.
///
/// What is held stands once, in the client's `ClientProcess`, and says which connection read it: so an acknowledgement on
/// any connection, a redelivery or an eviction takes it away, and nothing here can go stale. This value adds what only
/// the connection knows: its last read, and whether it works strictly one command after the other. Explicit context
/// never comes here.
struct Causality {
    private let clients: ClientProcesses
    private var peer: ClientPeer
    private(set) var process: ClientProcess?
    private(set) var connection: UInt32 = 0
    private var read: UInt32 = 0
    private var readCount = 0
    private var isSequential = true
    private var isInterleaved = false
    /// Messages of the last read that nobody settles. They are candidates until the next read begins.
    private var unsettled: ContiguousArray<Cause> = []

    init(_ mode: CausalityMode, _ peer: ClientPeer, _ clients: ClientProcesses) {
        self.clients = clients
        self.peer = peer
        guard mode == .inferred else { return }
        join()
    }

    var isOff: Bool { process == nil }

    private mutating func join() {
        let (process, connection) = clients.join(peer)
        self.process = process
        self.connection = connection
    }

    /// The client has given itself a name.
    mutating func renamed(_ hash: UInt64) {
        guard let process, peer.isRefinedByName else { return }
        clients.leave(peer, process)
        peer = peer.named(hash)
        join()
    }

    /// The connection is gone. What it holds stays open: the client may settle it on another.
    mutating func closed() {
        guard let process else { return }
        clients.leave(peer, process)
        self.process = nil
    }

    // MARK: The order of commands

    /// A command was sent. `overlapping`: one that was sent earlier still waits for its reply.
    mutating func sent(overlapping: Bool) {
        guard overlapping else { return }
        isSequential = false
        unsettled.removeAll(keepingCapacity: true)
    }

    /// A command that asks for messages was sent.
    mutating func readSent() {
        unsettled.removeAll(keepingCapacity: true)
    }

    /// The reply to it has come. `alone`: nothing else waits for a reply.
    mutating func readAnswered(alone: Bool) {
        read &+= 1
        readCount = 0
        isSequential = alone
    }

    /// A message has come without being asked for, or one of several that were. Nothing tells which of those that came
    /// so the client is working on.
    mutating func pushed() {
        read &+= 1
        readCount = 0
        isSequential = false
        unsettled.removeAll(keepingCapacity: true)
    }

    /// A message that somebody has to settle was handed over. Returns who holds it now; `evicted` counts an earlier one
    /// that had to leave.
    mutating func leased(
        _ process: TraceContext, _ id: MessageID, _ correlation: Correlation, evicted: Counter, at now: Instant
    ) -> Holder? {
        guard let client = self.process else { return nil }
        readCount += 1
        let cause = Cause(
            context: process, messageID: id, correlation: correlation, connection: connection, read: read,
            handedAt: now.monotonicNanoseconds)
        if client.hold(cause) { evicted.add(1) }
        return Holder(process: client, connection: connection, read: read)
    }

    /// A message that nobody settles was handed over.
    mutating func handed(_ context: TraceContext, _ id: MessageID, _ correlation: Correlation, at now: Instant) {
        guard process != nil, isSequential, unsettled.count < ClientProcess.linksMax else { return }
        unsettled.append(
            Cause(
                context: context, messageID: id, correlation: correlation, connection: connection, read: read,
                handedAt: now.monotonicNanoseconds))
    }

    /// This connection has settled what these held. Called after they were released.
    mutating func settled(_ holders: some Sequence<Holder?>) {
        guard let process else { return }
        var oldest: UInt32?
        for case let holder? in holders where holder.process === process {
            process.noteSettled(onOwnConnection: holder.connection == connection)
            if holder.connection == connection { oldest = min(oldest ?? .max, holder.read) }
        }
        if !isInterleaved, let oldest, process.holds(after: oldest, on: connection) { isInterleaved = true }
    }

    // MARK: Inferring

    /// The cause of a message that has come from the client at `now`. `mentions` tells how the message names a candidate.
    func infer(at now: Instant, mentions: (Cause) -> Cause.Mention) -> Inference {
        guard let process else { return .nothing }
        if process.holdsNothing {
            guard !unsettled.isEmpty else {
                process.noteOrigin()
                return .nothing
            }
            return inferFromUnsettled(mentions)
        }
        guard unsettled.isEmpty else { return inferFromUnsettled(mentions) }
        let position = ClientProcess.Position(
            connection: connection, read: read, readCount: readCount, isSequential: isSequential,
            isInterleaved: isInterleaved, at: now.monotonicNanoseconds)
        return process.infer(at: position, mentions: mentions)
    }

    /// Nothing says when the work on such a message is over, so this is never certain.
    private func inferFromUnsettled(_ mentions: (Cause) -> Cause.Mention) -> Inference {
        if unsettled.count == 1 { return Inference(cause: unsettled[0], causality: .connectionLikely) }
        var mentioned: Cause?
        for cause in unsettled where mentions(cause) != .nothing {
            guard mentioned == nil else { return Inference(candidates: .all) }
            mentioned = cause
        }
        guard let mentioned else { return Inference(candidates: .all) }
        return Inference(cause: mentioned, causality: .contentLikely)
    }

    /// Links to the candidates, for a span that is kept.
    func links(
        of inference: Inference, at now: Instant, mentions: (Cause) -> Cause.Mention
    ) -> (links: [SpanLink], leftOut: Int) {
        guard unsettled.isEmpty else {
            return (
                unsettled.map { SpanLink(context: $0.context, messageID: $0.messageID, isCandidate: true) }, 0
            )
        }
        return process?.links(
            inference.candidates, besides: inference.cause, handedBy: now.monotonicNanoseconds, mentions: mentions) ?? (
                [], 0
            )
    }
}

/// Who holds a delivery: the client, and the connection and the read by which it came.
struct Holder: Sendable {
    var process: ClientProcess
    var connection: UInt32
    var read: UInt32
}
