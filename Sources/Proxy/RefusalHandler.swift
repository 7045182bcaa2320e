import NIOCore

/// Tells a client in its own protocol that there is no upstream, and lets it go.
///
/// The answer waits for the client's first bytes: an answer to nothing would be taken for the reply to a later command.
/// Where the upstream speaks first, the client waits for it and gets it at once.
/// Afterwards bytes are read and thrown away until the client closes, because closing a socket with unread bytes resets
/// it, and the client might never see the answer.
final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: ByteBuffer
    private let patience: TimeAmount
    private let waitsForQuestion: Bool
    private var hasAnswered = false

    init(answer: ByteBuffer, waitsForQuestion: Bool = true, patience: TimeAmount = .seconds(5)) {
        self.answer = answer
        self.waitsForQuestion = waitsForQuestion
        self.patience = patience
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.channel.close(afterAtMost: patience)
        if context.channel.isActive, !waitsForQuestion { refuse(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        if !waitsForQuestion { refuse(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { refuse(context) }

    private func refuse(_ context: ChannelHandlerContext) {
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
