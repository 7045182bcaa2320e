import NIOCore
import NIOTLS
import Pipeline

/// One side of a relay in a channel's pipeline: hands every event to the relay, decides nothing.
final class RelayHandler<Machine: SessionMachine>: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let relay: Relay<Machine>
    private let side: Side

    init(_ relay: Relay<Machine>, _ side: Side) {
        self.relay = relay
        self.side = side
    }

    func handlerAdded(context: ChannelHandlerContext) {
        relay.attach(context, side)
    }

    func channelActive(context: ChannelHandlerContext) {
        if side == .client { relay.clientBecameActive() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        relay.received(unwrapInboundIn(data), from: side)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        relay.readComplete(side)
    }

    func read(context: ChannelHandlerContext) {
        if relay.mayRead(side) { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { relay.becameWritable(side) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { relay.finished(side) }
        if case .handshakeCompleted = event as? TLSUserEvent { relay.handshakeCompleted(side) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        relay.closed(side)
    }

    /// A reset, mostly. The channel closes by itself, and `channelInactive` does the rest.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        relay.failed(side, error)
    }
}
