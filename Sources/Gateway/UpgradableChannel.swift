import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// HTTP/1.1 and WebSocket on one port: the first request of a connection decides what it is.
///
/// What becomes HTTP is set up as the library's own channel does it.
struct UpgradableChannel: HTTPChannelHandler {
    let responder: Responder
    let endpoints: [any SocketEndpoint]
    let idleTimeout: TimeAmount

    /// A connection, and what it will be.
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let decision: EventLoopFuture<Decision>
    }

    enum Decision: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        /// It is over when this is.
        case socket(EventLoopFuture<Void>)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [upgrader]
                ) { channel in becomeHTTP(channel, logger) })
            // As in the library: its channel keeps requests in order itself, and its types validate headers.
            configuration.enablePipelining = false
            configuration.enableErrorHandling = false
            configuration.enableResponseHeaderValidation = false
            let decision = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: configuration)
            let wish = UpgradeWish()
            try channel.pipeline.syncOperations.addHandler(
                wish,
                position: .before(
                    channel.pipeline.syncOperations.handler(type: NIOTypedHTTPServerUpgradeHandler<Decision>.self)))
            try channel.pipeline.syncOperations.addHandler(UndecidedHandler(patience: idleTimeout, wish))
            return Value(channel: channel, decision: decision)
        }
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.decision.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .socket(let end): try await end.get()
            }
        } catch {
            // It ended before it had decided.
            try? await value.channel.close()
        }
    }

    private var upgrader: NIOTypedWebSocketServerUpgrader<Decision> {
        // A frame may not be larger than the largest that any endpoint takes; each checks its own limit again.
        NIOTypedWebSocketServerUpgrader(
            maxFrameSize: endpoints.map(\.frameBytesMax).max() ?? 1, enableAutomaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                let request = SocketRequest(head)
                guard request.isUpgrade, let endpoint = endpoint(of: request), endpoint.refusal(of: request) == nil
                else { return channel.eventLoop.makeSucceededFuture(nil) }
                return channel.eventLoop.makeSucceededFuture(
                    HTTPHeaders([("Sec-WebSocket-Protocol", endpoint.subprotocol)]))
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    let request = SocketRequest(head)
                    guard let endpoint = endpoint(of: request) else {
                        throw ChannelError.inappropriateOperationForState
                    }
                    try UndecidedHandler.find(in: channel).leave(nil)
                    return .socket(try endpoint.configure(channel, for: request))
                }
            })
    }

    private func endpoint(of request: SocketRequest) -> (any SocketEndpoint)? {
        endpoints.first { $0.serves(path: request.path) }
    }

    private func becomeHTTP(_ channel: any Channel, _ logger: Logger) -> EventLoopFuture<Decision> {
        channel.eventLoop.makeCompletedFuture {
            let undecided = try UndecidedHandler.find(in: channel)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(
                HTTPConnectionStateHandler(idleTimeout: Duration(idleTimeout), logger: logger))
            let requests = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(
                wrappingChannelSynchronously: channel,
                configuration: NIOAsyncChannel.Configuration(isOutboundHalfClosureEnabled: true))
            undecided.leave(undecided.wish.head)
            return .http(requests)
        }
    }
}

/// Stands at the end of a connection that has not decided what it is: ends it when nothing comes, when the server stops,
/// and, with a 400, when what comes is no HTTP.
private final class UndecidedHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let wish: UpgradeWish
    private let patience: TimeAmount
    private var deadline: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(patience: TimeAmount, _ wish: UpgradeWish) {
        self.patience = patience
        self.wish = wish
    }

    static func find(in channel: any Channel) throws -> UndecidedHandler {
        try channel.pipeline.syncOperations.handler(type: UndecidedHandler.self)
    }

    /// Makes way for what follows, after telling it what it has missed.
    func leave(_ head: HTTPRequestHead?) {
        guard let context else { return }
        if var head {
            // The decoder expects another protocol from here on, so there can be no further request.
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            context.fireChannelRead(wrapInboundOut(.head(head)))
        }
        context.pipeline.syncOperations.removeHandler(wish, promise: nil)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: patience) { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent, ChannelEvent.inputClosed: context.close(promise: nil)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A request that is not granted passes through here as an error, and goes on as an ordinary one.
        guard error is HTTPParserError else { return }
        let head = HTTPResponseHead(
            version: .http1_1, status: .badRequest, headers: ["Connection": "close", "Content-Length": "0"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.close(promise: nil)
    }
}

/// Remembers a request that asks for another protocol: the upgrade handler drops it when it does not upgrade.
private final class UpgradeWish: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    private(set) var head: HTTPRequestHead?
    private var hasSeenFirst = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Only the first part: later there may be bytes of another protocol.
        if !hasSeenFirst, case .head(let head) = unwrapInboundIn(data), head.headers.contains(name: "Upgrade") {
            self.head = head
        }
        hasSeenFirst = true
        context.fireChannelRead(data)
    }
}
