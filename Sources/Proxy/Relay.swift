import NIOCore
import Pipeline
import Telemetry

/// One client connection, its upstream connection, and the session machine between them. All on one event loop.
///
/// Bytes that one side receives go through the machine and are written to the other side, and flushed once per read.
/// A side is read from only while the other accepts writes, so neither peer can make us hold its bytes.
final class Relay<Machine: SessionMachine> {
    private var machine: Machine
    private var state: RelayStateMachine
    private let worker: Worker
    let metrics: ListenerMetrics
    private let onOpaque: (OpaqueReason) -> Void
    private let onUpstreamLost: () -> Void
    private let onAlternatives: ([String]) -> Void
    private let carry: Carry
    let tls: RelayTLS?
    var handshakes: TLSHandshakes
    var handshakeLimits: (client: Scheduled<Void>?, upstream: Scheduled<Void>?)
    private(set) var contexts: (client: ChannelHandlerContext?, upstream: ChannelHandlerContext?)
    private(set) var waitsToRead = (client: false, upstream: false)
    private var readStartedAt: UInt64 = 0
    /// The machine is called then.
    private var resumption: (at: UInt64, task: Scheduled<Void>)?
    /// The machine holds back bytes of the client.
    private var isHolding = false
    /// The client has finished while bytes of it were held back; the upstream hears of it when they have passed.
    private var finishWaits = false

    /// Gives a command to a courier of this event loop, which answers once, here.
    typealias Carry = (CourierOrder, CourierDestination, @escaping (CourierOutcome) -> Void) -> Void

    init(
        machine: Machine, worker: Worker, metrics: ListenerMetrics, hasUpstream: Bool = true, tls: RelayTLS? = nil,
        carry: @escaping Carry = { _, _, completion in completion(.undone(.connection)) },
        onOpaque: @escaping (OpaqueReason) -> Void, onUpstreamLost: @escaping () -> Void,
        onAlternatives: @escaping ([String]) -> Void = { _ in }
    ) {
        self.machine = machine
        state = RelayStateMachine(hasUpstream: hasUpstream)
        self.worker = worker
        self.metrics = metrics
        self.onOpaque = onOpaque
        self.onUpstreamLost = onUpstreamLost
        self.onAlternatives = onAlternatives
        self.carry = carry
        self.tls = tls
        handshakes = TLSHandshakes(tls?.sides ?? SessionTLS())
    }

    func attach(_ context: ChannelHandlerContext, _ side: Side) {
        switch side {
        case .client: contexts.client = context
        case .upstream: contexts.upstream = context
        }
        if handshakes.isUnderWay(side) { limitHandshake(side) }
    }

    /// The upstream's guard waits for word of this connection. An open connection is no proof of a working broker, so a
    /// machine that can tells it after the first reply.
    func take(_ permit: ConnectionPermit, _ listener: ListenerProfile) {
        if !machine.take(permit, at: SystemClock.now()) { worker.lane.connected(permit, listener, .opened) }
    }

    /// The client can be written to: now the upstream may speak.
    func clientBecameActive() {
        contexts.upstream?.channel.setOption(.autoRead, value: true).whenFailure { _ in
            // The upstream has gone in the meantime; its close is on the way here.
        }
    }

    // MARK: Bytes

    func received(_ bytes: ByteBuffer, from side: Side) {
        let now = SystemClock.now()
        if readStartedAt == 0 { readStartedAt = now.monotonicNanoseconds }
        metrics.forwardedBytes(side).add(UInt64(bytes.readableBytes))
        let output =
            switch side {
            case .client: machine.receiveFromClient(bytes, at: now)
            case .upstream: machine.receiveFromUpstream(bytes, at: now)
            }
        write(output)
        followHold()
        if !output.startTLS.isEmpty {
            startTLS(output.startTLS)
            // The handler that was just put between the socket and this relay keeps the end of this read to itself.
            readComplete(side)
        }
    }

    func readComplete(_ side: Side) {
        context(side.other)?.flush()
        // A machine may answer the side that spoke.
        context(side)?.flush()
        if readStartedAt != 0 {
            metrics.proxyTime(side).record(nanoseconds: SystemClock.monotonicNanoseconds() &- readStartedAt)
            readStartedAt = 0
        }
        worker.lane.flush()
        if state.relayed(isIdle: machine.isIdle) == .closeBoth { closeBoth() }
    }

    private func write(_ output: SessionOutput) {
        if let bytes = output.toUpstream { contexts.upstream?.write(NIOAny(bytes), promise: nil) }
        if let bytes = output.toClient { contexts.client?.write(NIOAny(bytes), promise: nil) }
        if let reason = output.becameOpaque { onOpaque(reason) }
        if let alternatives = output.alternatives { onAlternatives(alternatives) }
        for detour in output.detours { take(detour) }
        if output.endsSession { closeBoth() }
    }

    // MARK: Detours

    private func take(_ detour: Detour) {
        switch detour {
        case .spool(let request):
            guard let loop = contexts.client?.eventLoop else { return }
            let bound = NIOLoopBound(self, eventLoop: loop)
            request.perform { outcome, number in
                loop.execute { bound.value.returned(.spooled(number: number, outcome)) }
            }
        case .courier(let order, let destination):
            carry(order, destination) { outcome in self.returned(.carried(number: order.number, outcome)) }
        }
    }

    private func returned(_ outcome: DetourOutcome) {
        writeNow(machine.returned(outcome, at: SystemClock.now()))
        worker.lane.flush()
        followHold()
        wentOn()
    }

    /// What nobody's read will flush.
    private func writeNow(_ output: SessionOutput) {
        write(output)
        if output.toUpstream != nil { contexts.upstream?.flush() }
        if output.toClient != nil { contexts.client?.flush() }
    }

    // MARK: Holding back

    /// About ten times a second.
    func tick(at now: Instant) {
        writeNow(machine.tick(at: now))
        followHold()
        if machine.isOver { closeBoth() }
    }

    /// The machine may have begun, or ended, to hold back what the client sends, or to wait for a moment.
    private func followHold() {
        let moment = machine.resumesAt
        guard moment != nil || resumption != nil || isHolding else { return }
        callMachine(at: moment)
        let holds = machine.holdsClient
        guard holds != isHolding else { return }
        isHolding = holds
        if !holds { endHold() }
    }

    private func callMachine(at moment: UInt64?) {
        guard let moment else {
            resumption?.task.cancel()
            resumption = nil
            return
        }
        guard resumption?.at != moment, let loop = contexts.client?.eventLoop ?? contexts.upstream?.eventLoop else {
            return
        }
        resumption?.task.cancel()
        let now = SystemClock.monotonicNanoseconds()
        let delay = TimeAmount.nanoseconds(Int64(clamping: moment > now ? moment - now : 0))
        // The relay stays on this loop, and the task with it.
        let task = loop.assumeIsolated().scheduleTask(in: delay) { self.resume() }
        resumption = (moment, task)
    }

    private func resume() {
        resumption = nil
        write(machine.resume(at: SystemClock.now()))
        contexts.upstream?.flush()
        contexts.client?.flush()
        worker.lane.flush()
        followHold()
        wentOn()
    }

    /// Without a read of either side: replies may be read again, and a drain may have waited for this.
    private func wentOn() {
        becameWritable(.client)
        if state.relayed(isIdle: machine.isIdle) == .closeBoth { closeBoth() }
    }

    private func endHold() {
        if finishWaits {
            finishWaits = false
            return finished(.client)
        }
        becameWritable(.upstream)
    }

    // MARK: Back-pressure

    func mayRead(_ side: Side) -> Bool {
        let isHeld = side == .client ? machine.holdsClient : machine.holdsReplies
        if !isHeld, context(side.other)?.channel.isWritable ?? true, handshakes.mayRead(side) { return true }
        switch side {
        case .client: waitsToRead.client = true
        case .upstream: waitsToRead.upstream = true
        }
        return false
    }

    func becameWritable(_ side: Side) { resumeReading(side.other) }

    func resumeReading(_ side: Side) {
        switch side {
        case .client:
            guard waitsToRead.client, mayRead(side) else { return }
            waitsToRead.client = false
        case .upstream:
            guard waitsToRead.upstream, mayRead(side) else { return }
            waitsToRead.upstream = false
        }
        context(side)?.read()
    }

    // MARK: Ends

    func finished(_ side: Side) {
        if side == .client, machine.holdsClient {
            finishWaits = true
            return
        }
        let now = SystemClock.now()
        let action = state.finished(side)
        if side == .upstream, action == .finishOther || machine.outlivesUpstream, loseUpstream(at: now) {
            return closeAfterFlush(.upstream)
        }
        write(side == .client ? machine.clientFinished(at: now) : machine.upstreamFinished(at: now))
        context(side.other)?.flush()
        switch action {
        case .finishOther:
            context(side.other)?.close(mode: .output, promise: nil)
        case .closeBoth: closeBoth()
        case .nothing: break
        }
    }

    /// True: the client is still to be told something, and the session ends by itself then.
    private func loseUpstream(at now: Instant) -> Bool {
        write(machine.upstreamLost(at: now))
        contexts.client?.flush()
        followHold()
        return machine.outlivesUpstream
    }

    func closed(_ side: Side) {
        let wasIdle = machine.isIdle
        switch state.closed(side) {
        case .closeOther(let isLoss):
            let now = SystemClock.now()
            let goesOn = side == .upstream && (isLoss || machine.outlivesUpstream) && loseUpstream(at: now)
            if isLoss, !wasIdle { onUpstreamLost() }
            guard !goesOn else { return detach(side) }
            write(side == .client ? machine.clientFinished(at: now) : machine.upstreamFinished(at: now))
            detach(side)
            closeAfterFlush(side.other)
        case .end:
            detach(side)
            resumption?.task.cancel()
            resumption = nil
            machine.closed(at: SystemClock.now())
            worker.lane.flush()
            worker.remove(ObjectIdentifier(self))
        case .nothing:
            break
        }
    }

    /// Ends the session as soon as nothing is under way.
    func drain() {
        if state.drain(isIdle: machine.isIdle) == .closeBoth { closeBoth() }
    }

    func closeBoth() {
        closeAfterFlush(.upstream)
        closeAfterFlush(.client)
    }

    /// What was written before the close is still delivered: an empty write completes after it.
    private func closeAfterFlush(_ side: Side) {
        guard let context = context(side) else { return }
        let channel = context.channel
        let delivered = channel.eventLoop.makePromise(of: Void.self)
        delivered.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: delivered)
        // A peer that does not read must not keep the connection for ever.
        channel.close(afterAtMost: .seconds(30))
    }

    func detach(_ side: Side) {
        switch side {
        case .client: contexts.client = nil
        case .upstream: contexts.upstream = nil
        }
    }

    func context(_ side: Side) -> ChannelHandlerContext? {
        switch side {
        case .client: contexts.client
        case .upstream: contexts.upstream
        }
    }
}

extension Channel {
    /// Closes the channel when the time is up, and holds nothing once it has closed by itself.
    func close(afterAtMost limit: TimeAmount) {
        let task = eventLoop.scheduleTask(in: limit) { self.close(promise: nil) }
        closeFuture.whenComplete { _ in task.cancel() }
    }
}

/// What a worker needs of the relays on its event loop.
protocol DrainableSession: AnyObject {
    func tick(at now: Instant)
    func drain()
    func closeBoth()
}

extension Relay: DrainableSession {}
