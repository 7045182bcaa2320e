import NIOCore

/// The embedded end of one connection: bytes to the session, and what the session wants to the log and to the client.
///
/// Belongs to the event loop of the client's channel. Takes commands only while the session does and the client takes
/// replies.
final class EmbeddedRedisPeer: InProcessPeer {
    private let server: EmbeddedRedis
    private let outbox: LoopOutbox
    private var session: EmbeddedSession
    private var connection: EmbeddedConnection?
    private var channel: InProcessChannel?
    private var hasWritten = false
    /// The client will send no more; the connection ends with the last reply.
    private var inputHasEnded = false
    /// The blocking read that the session is in.
    private var blocked: (reader: UInt64, timer: Scheduled<Void>?)?

    /// A subscriber that lets so many bytes pile up is let go, as Redis does by its default limit for them.
    private static let unreadBytesMax = 32 << 20

    init(server: EmbeddedRedis, client: EmbeddedClient, outbox: LoopOutbox) {
        self.server = server
        self.outbox = outbox
        session = EmbeddedSession(client: client)
    }

    /// The client's end exists: the connection begins.
    func open(_ channel: InProcessChannel) {
        self.channel = channel
        connection = server.opened(session.client, self, channel.eventLoop)
    }

    func channelClosed() {
        channel = nil
        if let blocked { unblock(blocked, .unblocked) }
        blocked = nil
        if let connection { server.closed(connection, subscribedTo: session.subscriptions.removeAll()) }
        connection = nil
    }

    // MARK: From the client

    var wantsInput: Bool { session.wantsInput }

    func receive(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { session.receive($0, now: server.clock()) }
        perform()
        flush()
    }

    func outputRead() {
        if session.isOutputFull {
            session.outputChanged(isFull: false, now: server.clock())
            perform()
            flush()
        }
        endIfAnswered()
    }

    func inputEnded() {
        inputHasEnded = true
        // Redis, too, forgets a blocking read whose client has gone.
        if session.isBlocked { channel?.close(promise: nil) } else { endIfAnswered() }
    }

    private func endIfAnswered() {
        if inputHasEnded, session.isIdle { channel?.end() }
    }

    // MARK: From the log

    func receive(_ content: LoopMailbox.Letter.Content) {
        guard channel != nil else { return }
        switch content {
        case .answer(let answer, let ticket):
            session.answered(answer, ticket, now: server.clock())
            if let blocked, !session.isBlocked {
                blocked.timer?.cancel()
                self.blocked = nil
            }
        case .message(let message):
            session.delivered(message)
        case .unblock(let answer):
            if let blocked { unblock(blocked, answer) }
        case .close:
            channel?.end()
            return
        }
        perform()
    }

    /// Sends what was written since the last time.
    func flush() {
        guard let channel else { return }
        if hasWritten {
            hasWritten = false
            channel.deliver()
        }
        channel.peerChanged()
        endIfAnswered()
    }

    // MARK: What the session wants

    private func perform() {
        var effects = session.takeEffects()
        while !effects.isEmpty {
            for effect in effects { perform(effect) }
            effects = session.takeEffects()
        }
        write()
    }

    private func perform(_ effect: EmbeddedEffect) {
        guard let connection else { return }
        switch effect {
        case .submit(let unit, let ticket):
            outbox.submit(unit, for: self, ticket)
        case .look(let unit, let ticket):
            server.store.look(unit) { connection.answer(.store($0), ticket) }
        case .wait(let unit, let milliseconds, let ticket):
            wait(unit, milliseconds, ticket, connection)
        case .subscribe(let channel):
            server.hub.subscribe(connection, to: channel)
        case .unsubscribe(let channel):
            server.hub.unsubscribe(connection, from: channel)
        case .ask(let question, let ticket):
            session.answered(server.answer(question, from: connection), ticket, now: server.clock())
        case .named(let name):
            server.named(connection, name)
        case .close:
            write()
            channel?.end()
        }
    }

    private func wait(
        _ unit: StreamUnit, _ milliseconds: UInt64, _ ticket: EmbeddedTicket, _ connection: EmbeddedConnection
    ) {
        let reader = server.readers.wait(unit, lane: connection.id) { connection.answer($0, ticket) }
        let server = server
        // The longest time that a schedule can hold, 292 years, is for ever.
        let limit = Int64(clamping: min(milliseconds, UInt64(Int64.max / 1_000_000)))
        let timer =
            milliseconds == 0
            ? nil
            : channel?.eventLoop.scheduleTask(in: .milliseconds(limit)) {
                server.readers.end(reader, with: EmbeddedRedis.foundNothing)
            }
        blocked = (reader, timer)
    }

    private func unblock(_ blocked: (reader: UInt64, timer: Scheduled<Void>?), _ answer: EmbeddedAnswer) {
        blocked.timer?.cancel()
        server.readers.end(blocked.reader, with: answer)
    }

    private func write() {
        guard let channel else { return }
        let output = session.takeOutput()
        guard !output.isEmpty else { return }
        hasWritten = true
        channel.send(output)
        if channel.unreadBytes >= InProcessChannel.unreadBytesMax {
            session.outputChanged(isFull: true, now: server.clock())
        }
        if channel.unreadBytes > Self.unreadBytesMax, session.subscriptions.count > 0 { channel.close(promise: nil) }
    }
}
