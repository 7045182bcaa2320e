import NIOCore

/// The embedded end of one connection: bytes to the session, and what the session wants to the log and to the socket.
///
/// Reads only while the session takes commands and the client takes replies.
final class EmbeddedRedisHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: EmbeddedRedis
    private var session: EmbeddedSession
    private var connection: EmbeddedConnection?
    private var context: ChannelHandlerContext?
    private var wantsToRead = false
    private var hasWritten = false
    /// The client will send no more; the connection ends with the last reply.
    private var inputHasEnded = false
    /// The blocking read that the session is in.
    private var blocked: (reader: UInt64, timer: Scheduled<Void>?)?

    /// A subscriber that lets so many bytes pile up is let go, as Redis does by its default limit for them.
    private static let unreadBytesMax = 32 << 20

    init(server: EmbeddedRedis, client: EmbeddedClient) {
        self.server = server
        session = EmbeddedSession(client: client)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connection = server.opened(session.client, self, context.eventLoop)
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        ended()
    }

    private func ended() {
        context = nil
        if let blocked { unblock(blocked, .unblocked) }
        blocked = nil
        if let connection { server.closed(connection, subscribedTo: session.subscriptions.removeAll()) }
        connection = nil
    }

    // MARK: Bytes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        session.receive(bytes.readableBytesView, now: server.clock())
        perform()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { wantsToRead = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readAgain()
        context.fireChannelWritabilityChanged()
    }

    private var mayRead: Bool { session.wantsInput && context?.channel.isWritable ?? false }

    private func readAgain() {
        guard wantsToRead, mayRead, let context else { return }
        wantsToRead = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            inputHasEnded = true
            // Redis, too, forgets a blocking read whose client has gone.
            if session.isBlocked { context.close(promise: nil) } else { endIfAnswered() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func endIfAnswered() {
        guard inputHasEnded, session.isIdle else { return }
        closeAfterFlush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: From the log

    func receive(_ content: LoopMailbox.Letter.Content) {
        guard context != nil else { return }
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
            closeAfterFlush()
            return
        }
        perform()
    }

    /// Sends what was written since the last time.
    func flush() {
        guard hasWritten, let context else { return }
        hasWritten = false
        context.flush()
        readAgain()
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
        readAgain()
    }

    private func perform(_ effect: EmbeddedEffect) {
        guard let connection else { return }
        switch effect {
        case .submit(let unit, let ticket):
            server.store.submit(unit, lane: connection.id) { connection.answer(.store($0), ticket) }
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
            closeAfterFlush()
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
            : context?.eventLoop.scheduleTask(in: .milliseconds(limit)) {
                server.readers.end(reader, with: EmbeddedRedis.foundNothing)
            }
        blocked = (reader, timer)
    }

    private func unblock(_ blocked: (reader: UInt64, timer: Scheduled<Void>?), _ answer: EmbeddedAnswer) {
        blocked.timer?.cancel()
        server.readers.end(blocked.reader, with: answer)
    }

    private func write() {
        guard let context else { return }
        let output = session.takeOutput()
        guard !output.isEmpty else { return }
        hasWritten = true
        context.write(wrapOutboundOut(context.channel.allocator.buffer(bytes: output)), promise: nil)
        let unread = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        if let unread, unread > Self.unreadBytesMax { context.close(promise: nil) }
    }

    /// What was written before is still delivered.
    private func closeAfterFlush() {
        guard let context else { return }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
    }
}
