import NIOCore
import Pipeline

/// One client's connection as a transcript: what goes in on one side, and what came out on the other.
final class Conversation<Session: SessionMachine> {
    let world: World
    private(set) var session: Session
    private(set) var opaque: OpaqueReason?
    /// What the last input led to.
    private(set) var last = SessionOutput()
    /// The session has asked for the end of both connections.
    private(set) var hasEnded = false
    /// What the client was told without a word from the upstream.
    private var answers: [UInt8] = []
    /// What went on to the upstream while the client was silent.
    private var delayed: [UInt8] = []

    init(world: World, session: Session) {
        self.world = world
        self.session = session
    }

    /// What goes on to the upstream when the client sends this.
    @discardableResult
    func client(_ text: String) -> String { Self.text(client(Array(text.utf8))) }

    /// What goes on to the client when the upstream sends this.
    @discardableResult
    func upstream(_ text: String) -> String { Self.text(upstream(Array(text.utf8))) }

    func client(_ bytes: [UInt8]) -> [UInt8] {
        let output = session.receiveFromClient(ByteBuffer(bytes: bytes), at: world.now)
        note(output)
        answers += Self.bytes(output.toClient)
        return Self.bytes(output.toUpstream)
    }

    func upstream(_ bytes: [UInt8]) -> [UInt8] {
        let output = session.receiveFromUpstream(ByteBuffer(bytes: bytes), at: world.now)
        note(output)
        delayed += Self.bytes(output.toUpstream)
        return Self.bytes(output.toClient)
    }

    func clientFinished() -> String { Self.text(clientFinished()) }

    func upstreamFinished() -> String { Self.text(upstreamFinished()) }

    func clientFinished() -> [UInt8] {
        let output = session.clientFinished(at: world.now)
        note(output)
        answers += Self.bytes(output.toClient)
        return Self.bytes(output.toUpstream)
    }

    func upstreamFinished() -> [UInt8] { Self.bytes(session.upstreamFinished(at: world.now).toClient) }

    func close() { session.closed(at: world.now) }

    /// What the client was answered while it was speaking.
    func answered() -> String {
        defer { answers = [] }
        return Self.text(answers)
    }

    /// What was forwarded later than it was sent.
    func forwardedLater() -> String {
        defer { delayed = [] }
        return Self.text(delayed)
    }

    /// The shell calls at the moment that the session has named.
    func resume() {
        let output = session.resume(at: world.now)
        note(output)
        delayed += Self.bytes(output.toUpstream)
        answers += Self.bytes(output.toClient)
    }

    /// The disk has answered.
    func spooled(_ outcome: SpoolOutcome, _ number: UInt64) { returned(.spooled(number: number, outcome)) }

    /// Somebody who took a command tells what came of it.
    func returned(_ outcome: DetourOutcome) {
        let output = session.returned(outcome, at: world.now)
        note(output)
        delayed += Self.bytes(output.toUpstream)
        answers += Self.bytes(output.toClient)
    }

    var isHolding: Bool { session.holdsClient }

    /// When the session wants to be woken, on the monotonic clock.
    var resumesAt: UInt64? { session.resumesAt }

    func take(_ permit: ConnectionPermit) { _ = session.take(permit, at: world.now) }

    func tick() {
        let output = session.tick(at: world.now)
        note(output)
        answers += Self.bytes(output.toClient)
    }

    func loseUpstream() {
        let output = session.upstreamLost(at: world.now)
        note(output)
        answers += Self.bytes(output.toClient)
    }

    var isIdle: Bool { session.isIdle }

    private func note(_ output: SessionOutput) {
        last = output
        if let reason = output.becameOpaque { opaque = reason }
        if output.endsSession { hasEnded = true }
    }

    private static func bytes(_ buffer: ByteBuffer?) -> [UInt8] { buffer.map { Array($0.readableBytesView) } ?? [] }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// A conversation written down, to be run again with its bytes arriving in other pieces.
struct Script {
    enum Step {
        case client(String)
        case upstream(String)
    }

    var steps: [Step]

    /// Everything that one run lets an outsider see.
    struct Recording: Equatable {
        var toUpstream = ""
        var toClient = ""
        var spans: [String] = []
        var opaque: OpaqueReason?
    }

    /// Runs all steps on one connection of a new world, each step cut into pieces by `cut`.
    func run(in world: World, cut: ([UInt8]) -> [ArraySlice<UInt8>]) -> Recording {
        run(in: world, with: { $0.connect() }, cut: cut)
    }

    /// The same with sessions of another protocol.
    func run<Session: SessionMachine>(
        in world: World, with connect: (World) -> Conversation<Session>, cut: ([UInt8]) -> [ArraySlice<UInt8>]
    ) -> Recording {
        var recording = Recording()
        var toUpstream: [UInt8] = []
        var toClient: [UInt8] = []
        let conversation = connect(world)
        for step in steps {
            switch step {
            case .client(let text):
                for piece in cut(Array(text.utf8)) { toUpstream += conversation.client(Array(piece)) }
            case .upstream(let text):
                for piece in cut(Array(text.utf8)) { toClient += conversation.upstream(Array(piece)) }
            }
        }
        recording.toUpstream = String(decoding: toUpstream, as: UTF8.self)
        recording.toClient = String(decoding: toClient, as: UTF8.self)
        recording.spans = world.spans()
        recording.opaque = conversation.opaque
        return recording
    }
}
