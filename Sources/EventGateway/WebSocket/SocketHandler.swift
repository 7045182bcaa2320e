import EventLog
import Gateway
import HTTPTypes
import NIOCore
import NIOWebSocket
import Wire

/// One socket's end of the event loop: decodes frames, tells the machine, does what it says.
///
/// Answers of the log come on its threads and are brought here; that is the only thing this class is asked by others.
final class SocketHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private var machine: SocketMachine
    private var assembler: MessageAssembler
    private let stream: [UInt8]
    /// What answers name as their source: the socket's path.
    private let source: String
    private let desk: SocketDesk
    private let filters: GroupFilters
    private let counters: SocketCounters
    private var context: ChannelHandlerContext?
    private var observation: StreamChanges.Observation?
    private var ticking: RepeatedTask?
    private var wakes: [Int: Scheduled<Void>] = [:]
    /// Groups that subscriptions have entered with their filters, by serial.
    private var groups: [Int: DurableLog.GroupName] = [:]
    private var answers = 0
    private var closeReason: SocketCloseReason?
    /// Succeeds when the connection is gone and the log has answered everything, so that nothing comes to this loop any
    /// more.
    private let end: EventLoopPromise<Void>
    private var unanswered = 0
    private var hasEnded = false

    private static let tick = TimeAmount.milliseconds(500)
    /// How long the peer has to answer a closing frame.
    private static let farewell = TimeAmount.seconds(5)
    /// A closing frame's text (RFC 6455 section 5.5: 125 bytes, of which the code takes two).
    private static let closeTextMax = 123

    init(
        stream: [UInt8], source: String, limits: SocketLimits, desk: SocketDesk, filters: GroupFilters,
        counters: SocketCounters, end: EventLoopPromise<Void>
    ) {
        self.end = end
        self.stream = stream
        self.source = source
        self.desk = desk
        self.filters = filters
        self.counters = counters
        machine = SocketMachine(stream: stream, limits: limits, now: Self.monotonicMilliseconds)
        assembler = MessageAssembler(messageBytesMax: limits.messageBytesMax)
    }

    private static var monotonicMilliseconds: Int64 {
        Int64(clamping: NIODeadline.now().uptimeNanoseconds / 1_000_000)
    }

    // MARK: The connection

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        counters.opened()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        observation = desk.changes.observe(stream, on: context.eventLoop) {
            bound.value.perform { $0.changed() }
        }
        ticking = context.eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in
            bound.value.perform { $0.tick(now: Self.monotonicMilliseconds) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        perform { $0.lost() }
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stop()
        self.context = nil
    }

    private func stop() {
        guard !hasEnded else { return }
        hasEnded = true
        observation = nil
        ticking?.cancel()
        for wake in wakes.values { wake.cancel() }
        wakes = [:]
        for group in groups.values { filters.leave(group) }
        groups = [:]
        if closeReason == nil { counters.closed(.lost) }
        closeReason = closeReason ?? .lost
        if unanswered == 0 { end.succeed() }
    }

    private func answered() {
        unanswered -= 1
        if hasEnded, unanswered == 0 { end.succeed() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        perform { $0.writable(isWritable, now: Self.monotonicMilliseconds) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent: perform { $0.draining() }
        // There is no half of a WebSocket: who says no more does not listen either.
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength:
            perform { $0.violated(.tooLarge, "a message has at most \($0.limits.messageBytesMax) bytes") }
        case is NIOWebSocketError: perform { $0.violated(.protocolError, "a malformed control frame") }
        default: context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        let outcome = assembler.take(
            MessageAssembler.Frame(
                opcode: UInt8(webSocketOpcode: frame.opcode), isFinal: frame.fin,
                hasReservedBits: frame.rsv1 || frame.rsv2 || frame.rsv3, isMasked: frame.maskKey != nil,
                payload: Array(buffer: frame.unmaskedData)))
        let now = Self.monotonicMilliseconds
        switch outcome {
        case .nothing: machine.heard(now: now)
        case .text(let message): perform { $0.received(message, now: now) }
        case .ping(let payload):
            machine.heard(now: now)
            write(.pong, payload)
            context.flush()
        case .pong: machine.heard(now: now)
        case .closed: peerClosed()
        case .violation(let reason, let text): perform { $0.violated(reason, text) }
        }
    }

    // MARK: Doing what the machine says

    private func perform(_ input: (inout SocketMachine) -> [SocketAction]) {
        let actions = input(&machine)
        guard !actions.isEmpty else { return }
        var delivered: [SocketDelivery] = []
        for action in actions {
            if case .deliver(let delivery) = action { delivered.append(delivery) } else { perform(action) }
        }
        deliver(delivered)
        context?.flush()
    }

    private func perform(_ action: SocketAction) {
        switch action {
        case .send(let answer):
            answers += 1
            write(.text, answer.encoded(source: source, number: answers))
        case .deliver(let delivery): deliver([delivery])
        case .publish(let token, let event): publish(event, token)
        case .open(let serial, let wish): open(serial, wish)
        case .fetch(let serial, let fetch):
            desk.fetch(fetch, from: stream, answer(serial) { $0.fetched(serial: $1, asked: fetch.limit, $2) })
        case .settle(let token, let group, let consumer, let settlement):
            // Where nobody waits for the answer nothing needs to come back.
            desk.settle(
                settlement, of: DurableLog.GroupName(stream: stream, group: Array(group.utf8)),
                consumer: Array(consumer.utf8),
                token.map { answer($0) { $0.settled(token: $1, $2) } } ?? { _ in })
        case .wake(let serial, let moment): wake(serial, at: moment)
        case .ping: write(.ping, [])
        case .read(let reads): try? context?.channel.syncOptions?.setOption(.autoRead, value: reads)
        case .forget(let serial): forget(serial)
        case .close(let reason, let text): close(reason, text)
        }
    }

    /// Brings an answer from a thread of the log to the machine.
    private func answer<Value: Sendable>(
        _ number: Int,
        _ input: @escaping @Sendable (inout SocketMachine, Int, Result<Value, GatewayProblem>) -> [SocketAction]
    ) -> @Sendable (Result<Value, GatewayProblem>) -> Void {
        let loop = end.futureResult.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        unanswered += 1
        return { result in
            loop.execute {
                bound.value.perform { input(&$0, number, result) }
                bound.value.answered()
            }
        }
    }

    private func publish(_ event: CloudEvent, _ token: Int) {
        counters.published()
        desk.publish(event, to: stream, answer(token) { $0.published(token: $1, $2) })
    }

    private func open(_ serial: Int, _ wish: SocketSubscribe) {
        if case .group(let name, _, _, _) = wish.source {
            let group = DurableLog.GroupName(stream: stream, group: Array(name.utf8))
            guard filters.enter(group, wish.filter) else {
                perform {
                    $0.opened(
                        serial: serial,
                        .failure(
                            GatewayProblem(
                                status: .conflict,
                                detail: "filter: the group is read with another filter, which decides for all of it")))
                }
                return
            }
            groups[serial] = group
        }
        desk.open(wish.source, of: stream, answer(serial) { $0.opened(serial: $1, $2) })
    }

    private func wake(_ serial: Int, at moment: Int64) {
        guard let loop = context?.eventLoop else { return }
        wakes[serial]?.cancel()
        // Never at once: a moment that has passed already would only turn in a circle.
        let delay = max(moment - desk.unixMilliseconds, 10)
        wakes[serial] = loop.assumeIsolated().scheduleTask(in: .milliseconds(delay)) { [weak self] in
            self?.wakes[serial] = nil
            self?.perform { $0.woke(serial: serial) }
        }
    }

    private func forget(_ serial: Int) {
        wakes.removeValue(forKey: serial)?.cancel()
        if let group = groups.removeValue(forKey: serial) { filters.leave(group) }
    }

    private func deliver(_ deliveries: [SocketDelivery]) {
        guard !deliveries.isEmpty, context != nil else { return }
        for delivery in deliveries {
            var record: EventRecord
            switch delivery.event {
            case .stored(let stored): record = EventRecord(stored)
            case .leased(let leased, _, _): record = EventRecord(leased, stream: stream)
            }
            record.event.setExtension("tachosubscription", .text(delivery.subscription))
            write(.text, CloudEventJSON.encode(record.event))
        }
        counters.delivered(UInt64(deliveries.count))
    }

    // MARK: Writing and closing

    private func write(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        guard let context, closeReason == nil else { return }
        let data = context.channel.allocator.buffer(bytes: payload)
        context.write(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
    }

    private func close(_ reason: SocketCloseReason, _ text: String) {
        guard let context, closeReason == nil else { return }
        var data = context.channel.allocator.buffer(capacity: Self.closeTextMax + 2)
        data.writeInteger(reason.code)
        data.writeString(String(decoding: text.utf8.prefix(Self.closeTextMax), as: UTF8.self))
        context.write(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, data: data)), promise: nil)
        closeReason = reason
        counters.closed(reason)
        // A peer that is not read from could not say goodbye.
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.farewell) { [weak self] in
            self?.context?.close(promise: nil)
        }
    }

    /// Answers a goodbye, or has got the answer to its own; either way the server closes first (section 7.1.1).
    private func peerClosed() {
        perform { $0.peerClosed() }
        context?.close(promise: nil)
    }
}

extension SocketFetch {
    fileprivate var limit: Int {
        switch self {
        case .follow(_, let limit), .group(_, _, _, let limit): limit
        }
    }
}
