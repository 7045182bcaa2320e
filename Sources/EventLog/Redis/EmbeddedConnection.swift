import NIOCore

/// What the rest of the embedded log knows of one connection. May be used from any thread.
final class EmbeddedConnection: Sendable {
    let id: UInt64
    private let peer: NIOLoopBound<EmbeddedRedisPeer>
    private let mailbox: LoopMailbox

    init(id: UInt64, peer: EmbeddedRedisPeer, loop: any EventLoop, mailbox: LoopMailbox) {
        self.id = id
        self.peer = NIOLoopBound(peer, eventLoop: loop)
        self.mailbox = mailbox
    }

    func answer(_ answer: EmbeddedAnswer, _ ticket: EmbeddedTicket) {
        mailbox.put(LoopMailbox.Letter(peer: peer, content: .answer(answer, ticket)))
    }

    func deliver(_ message: EmbeddedMessage) {
        mailbox.put(LoopMailbox.Letter(peer: peer, content: .message(message)))
    }

    /// Ends the connection.
    func close() { mailbox.put(LoopMailbox.Letter(peer: peer, content: .close)) }

    /// Ends its blocking read, if it is in one. Only asked from its own event loop or for a guess from another one.
    func unblock(_ answer: EmbeddedAnswer) {
        mailbox.put(LoopMailbox.Letter(peer: peer, content: .unblock(answer)))
    }
}
