import NIOCore

/// Tells a client in its own protocol that there is no upstream, and lets it go.
///
/// The answer waits for the client's first bytes: an answer to nothing would be taken for the reply to a later command.
/// Afterwards bytes are read and thrown away until the client closes, because closing a socket with unread bytes resets
/// it, and the client might never see the answer.
final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: ByteBuffer
    private let patience: TimeAmount
    private var hasAnswered = false

    init(answer: ByteBuffer, patience: TimeAmount = .seconds(5)) {
        self.answer = answer
        self.patience = patience
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.channel.close(afterAtMost: patience)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasAnswered else { return }
        hasAnswered = true
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
