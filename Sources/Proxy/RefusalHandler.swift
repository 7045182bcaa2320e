import NIOCore
import Pipeline

/// Tells a client in its own protocol that there is no upstream, and lets it go.
///
/// The answer waits for the client's first bytes: an answer to nothing would be taken for the reply to a later command.
/// Where the upstream speaks first, the client waits for it and gets it at once.
/// Afterwards bytes are read and thrown away until the client closes, because closing a socket with unread bytes resets
/// it, and the client might never see the answer.
final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var machine: any RefusalMachine
    private let patience: TimeAmount
    private let waitsForQuestion: Bool
    private var hasAnswered = false

    init(_ machine: any RefusalMachine, waitsForQuestion: Bool = true, patience: TimeAmount = .seconds(5)) {
        self.machine = machine
        self.waitsForQuestion = waitsForQuestion
        self.patience = patience
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.channel.close(afterAtMost: patience)
        if context.channel.isActive, !waitsForQuestion { answer(ByteBuffer(), context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        if !waitsForQuestion { answer(ByteBuffer(), context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { answer(unwrapInboundIn(data), context) }

    private func answer(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !hasAnswered else { return }
        let (answer, isLast) = machine.answer(bytes)
        if let answer { context.writeAndFlush(wrapOutboundOut(answer), promise: nil) }
        guard isLast else { return }
        hasAnswered = true
        context.close(mode: .output, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
