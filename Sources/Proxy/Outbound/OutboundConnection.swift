import NIOCore
import NIOSSL
public import Pipeline

/// What a worker needs of the work that its lane does on connections of its own.
protocol OutboundWork: AnyObject {
    func stop()
}

/// Drives one `OutboundMachine`: opens its connection when it asks for one, carries bytes, and wakes it. All on one
/// event loop.
final class OutboundConnection<Machine: OutboundMachine>: OutboundWork {
    typealias Perform = @Sendable (Machine.Request, @escaping @Sendable (Machine.Answer) -> Void) -> Void

    private var machine: Machine
    private let worker: Worker
    private let loop: any EventLoop
    private let connect: () -> EventLoopFuture<any Channel>
    private let perform: Perform
    private let report: (OutboundEvent) -> Void
    private var channel: (any Channel)?
    private var wake: Scheduled<Void>?
    private var isStopped = false

    init(
        _ machine: Machine, worker: Worker, loop: any EventLoop, connect: @escaping () -> EventLoopFuture<any Channel>,
        perform: @escaping Perform, report: @escaping (OutboundEvent) -> Void
    ) {
        self.machine = machine
        self.worker = worker
        self.loop = loop
        self.connect = connect
        self.perform = perform
        self.report = report
    }

    func start() { take(machine.woken(at: SystemClock.now())) }

    func stop() {
        isStopped = true
        wake?.cancel()
        guard let channel else { return }
        // The loops end next and read nothing any more: a farewell of TLS would be waited for in vain.
        if let tls = try? channel.pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self) {
            tls.close(promise: nil)
        } else {
            channel.close(promise: nil)
        }
    }

    func received(_ bytes: ByteBuffer) { take(machine.received(bytes, at: SystemClock.now())) }

    /// An input of the machine's own, beside those that all have.
    func input(_ step: (inout Machine, Instant) -> OutboundStep<Machine.Request>) {
        guard !isStopped else { return }
        take(step(&machine, SystemClock.now()))
    }

    private func take(_ step: OutboundStep<Machine.Request>) {
        for event in step.events { report(event) }
        worker.lane.flush()
        guard !isStopped else { return }
        if step.startsTLS { encrypt() }
        if !step.bytes.isEmpty { channel?.writeAndFlush(ByteBuffer(bytes: step.bytes), promise: nil) }
        schedule(step.wakesAt)
        switch step.connection {
        case .asItIs: break
        case .open: open()
        case .close:
            // A close that the machine wants is no news to it; what it holds of the connection it has let go.
            channel?.close(promise: nil)
        }
        if let request = step.request { ask(request) }
    }

    private func encrypt() {
        guard let channel else { return }
        do {
            try channel.pipeline.syncOperations.handler(type: LateEncryption.self).begin(in: channel)
        } catch {
            // The machine hears of the end.
            channel.close(promise: nil)
        }
    }

    private func ask(_ request: Machine.Request) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        perform(request) { [loop] answer in
            loop.execute { bound.value.answered(answer) }
        }
    }

    private func answered(_ answer: Machine.Answer) {
        guard !isStopped else { return }
        take(machine.answered(answer, at: SystemClock.now()))
    }

    private func schedule(_ moment: UInt64) {
        wake?.cancel()
        let now = SystemClock.monotonicNanoseconds()
        let delay = TimeAmount.nanoseconds(Int64(clamping: moment > now ? moment - now : 0))
        wake = loop.assumeIsolated().scheduleTask(in: delay) { self.awake() }
    }

    private func awake() {
        guard !isStopped else { return }
        take(machine.woken(at: SystemClock.now()))
    }

    private func open() {
        let bound = NIOLoopBound(self, eventLoop: loop)
        connect().whenComplete { result in bound.value.opened(result) }
    }

    private func opened(_ result: Result<any Channel, any Error>) {
        switch result {
        case .failure(let error):
            let isLate = Listener<RedisSession>.failure(error) == .timeout
            take(machine.disconnected(isLate ? .timedOut : .failed, at: SystemClock.now()))
        case .success(let channel):
            guard !isStopped else { return channel.close(promise: nil) }
            do {
                try channel.pipeline.syncOperations.addHandler(OutboundHandler(receive: { self.received($0) }))
            } catch {
                channel.close(promise: nil)
                return take(machine.disconnected(.failed, at: SystemClock.now()))
            }
            self.channel = channel
            let bound = NIOLoopBound(self, eventLoop: loop)
            channel.closeFuture.whenComplete { _ in bound.value.closed() }
            channel.setOption(.autoRead, value: true).whenFailure { _ in
                // It has closed already; that is on its way here.
            }
            take(machine.connected(at: SystemClock.now()))
        }
    }

    private func closed() {
        channel = nil
        guard !isStopped else { return }
        take(machine.disconnected(.failed, at: SystemClock.now()))
    }
}

/// Stands next to the socket until a connection is to be encrypted.
private final class LateEncryption: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let tls: RelayTLS

    init(_ tls: RelayTLS) { self.tls = tls }

    func begin(in channel: any Channel) throws { try tls.addHandler(to: channel.pipeline.syncOperations, .upstream) }
}

/// Hands the bytes of a connection of the sidecar's own to who works with it.
private final class OutboundHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let receive: (ByteBuffer) -> Void

    init(receive: @escaping (ByteBuffer) -> Void) { self.receive = receive }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { receive(unwrapInboundIn(data)) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }

    /// The channel closes, and its owner hears of that.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension Listener {
    /// Begins work on connections of the sidecar's own to this listener's upstream, on one of the event loops.
    ///
    /// - Parameter perform: carries out what the machine asks for, and answers once, on any thread.
    public func startOutbound<Work: OutboundMachine>(
        _ make: @escaping @Sendable (Lane) -> Work,
        perform: @escaping @Sendable (Work.Request, @escaping @Sendable (Work.Answer) -> Void) -> Void
    ) async throws {
        let (report, name) = (report, settings.profile.name)
        try await workers.submit(Int(settings.profile.number)) { worker, loop in
            let connection = OutboundConnection(
                make(worker.lane), worker: worker, loop: loop, connect: { self.connectOutbound(on: loop) },
                perform: perform, report: { report(.outbound(listener: name, $0)) })
            worker.add(connection)
            connection.start()
        }
    }

    /// A connection to the upstream, encrypted if that is what it speaks.
    func connectOutbound(on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        connectToAny(on: loop).flatMapThrowing { upstream in
            let pipeline = upstream.channel.pipeline.syncOperations
            do {
                if let tls = self.relayTLS(clientName: "tacho", upstream.endpoint) {
                    switch self.settings.profile.tls.upstream {
                    case .never: break
                    case .firstByte: try tls.addHandler(to: pipeline, .upstream)
                    case .afterGreeting: try pipeline.addHandler(LateEncryption(tls))
                    }
                }
            } catch {
                upstream.channel.close(promise: nil)
                throw error
            }
            return upstream.channel
        }
    }
}
