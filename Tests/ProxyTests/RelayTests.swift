import NIOCore
import NIOEmbedded
import Pipeline
import Telemetry
import Testing

@testable import Proxy

/// A relay between two channels that have no sockets.
private final class Pair {
    let client: EmbeddedChannel
    let upstream: EmbeddedChannel
    let clientTap = Tap()
    let upstreamTap = Tap()
    let worker: Worker
    private(set) var opaque: [OpaqueReason] = []
    private(set) var losses = 0

    init() throws {
        let loop = EmbeddedEventLoop()
        client = EmbeddedChannel(loop: loop)
        upstream = EmbeddedChannel(loop: loop)
        client.allowRemoteHalfClosure = true
        upstream.allowRemoteHalfClosure = true
        worker = Parts.worker(MetricsRegistry())
        let profile = Parts.profile()
        let relay = Relay(
            machine: EchoMachine(
                lane: worker.lane, listener: profile, counters: worker.counters(profile, of: EchoMachine.self),
                peer: .unknown),
            worker: worker, metrics: worker.metrics(profile),
            onOpaque: { [unowned self] in opaque.append($0) }, onUpstreamLost: { [unowned self] in losses += 1 })
        worker.add(relay)
        try client.pipeline.syncOperations.addHandlers([clientTap, RelayHandler(relay, .client)])
        try upstream.pipeline.syncOperations.addHandlers([upstreamTap, RelayHandler(relay, .upstream)])
        client.connect(to: try SocketAddress(unixDomainSocketPath: "/client"), promise: nil)
        upstream.connect(to: try SocketAddress(unixDomainSocketPath: "/upstream"), promise: nil)
        clientTap.reads = 0
        upstreamTap.reads = 0
    }

    func channel(_ side: Side) -> EmbeddedChannel { side == .client ? client : upstream }

    func tap(_ side: Side) -> Tap { side == .client ? clientTap : upstreamTap }

    func receive(_ text: String, from side: Side) throws {
        try channel(side).writeInbound(ByteBuffer(string: text))
    }

    /// What has been written to a side and flushed.
    func written(_ side: Side) throws -> String {
        var text = ""
        while let bytes = try channel(side).readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    func finish(_ side: Side) {
        channel(side).pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    func setWritable(_ isWritable: Bool, _ side: Side) {
        channel(side).isWritable = isWritable
        channel(side).pipeline.fireChannelWritabilityChanged()
    }
}

/// Stands between the socket and the relay: counts the reads that reach the socket, and half-closes.
private final class Tap: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var reads = 0
    var hasFinished = false

    func read(context: ChannelHandlerContext) {
        reads += 1
        context.read()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        hasFinished = true
        promise?.succeed()
    }
}

@Suite struct RelayTests {
    @Test func bytesGoAcross() throws {
        let pair = try Pair()
        try pair.receive("a", from: .client)
        try pair.receive("b", from: .upstream)
        #expect(try pair.written(.upstream) == "a")
        #expect(try pair.written(.client) == "b")
        try pair.receive("!", from: .client)
        #expect(pair.opaque == [.malformedRequest])
        #expect(try pair.written(.upstream) == "!")
    }

    @Test(arguments: [Side.client, .upstream]) func aSideIsNotReadWhileTheOtherIsFull(_ side: Side) throws {
        let pair = try Pair()
        pair.channel(side).read()
        #expect(pair.tap(side).reads == 1)
        pair.setWritable(false, side.other)
        pair.channel(side).read()
        pair.channel(side).read()
        #expect(pair.tap(side).reads == 1)
        // Nothing keeps the full side itself from being read.
        pair.channel(side.other).read()
        #expect(pair.tap(side.other).reads == 1)
        pair.setWritable(true, side.other)
        #expect(pair.tap(side).reads == 2)
        #expect(pair.tap(side.other).reads == 1)
        pair.setWritable(true, side.other)
        #expect(pair.tap(side).reads == 2)
    }

    @Test(arguments: [Side.client, .upstream]) func halfCloseGoesAcross(_ side: Side) throws {
        let pair = try Pair()
        try pair.receive("x(", from: side)
        #expect(try pair.written(side.other) == "x")
        pair.finish(side)
        #expect(try pair.written(side.other) == "(")
        #expect(pair.tap(side.other).hasFinished)
        #expect(pair.client.isActive && pair.upstream.isActive)
        try pair.receive("still", from: side.other)
        #expect(try pair.written(side) == "still")
        pair.finish(side.other)
        pair.client.embeddedEventLoop.run()
        #expect(!pair.client.isActive && !pair.upstream.isActive)
        #expect(pair.worker.sessionCount == 0)
        #expect(pair.losses == 0)
    }

    @Test(arguments: [Side.client, .upstream]) func anAbruptCloseClosesTheOtherAfterItsBytes(_ side: Side) throws {
        let pair = try Pair()
        try pair.receive("x(", from: side)
        pair.channel(side).close(promise: nil)
        pair.client.embeddedEventLoop.run()
        #expect(try pair.written(side.other) == "x(")
        #expect(!pair.client.isActive && !pair.upstream.isActive)
        #expect(pair.worker.sessionCount == 0)
    }

    @Test func onlyAnUpstreamThatIsAwaitedIsLost() throws {
        let idle = try Pair()
        idle.upstream.close(promise: nil)
        #expect(idle.losses == 0)

        let waiting = try Pair()
        try waiting.receive("?", from: .client)
        waiting.upstream.close(promise: nil)
        #expect(waiting.losses == 1)

        let leaving = try Pair()
        try leaving.receive("?", from: .client)
        leaving.finish(.client)
        leaving.upstream.close(promise: nil)
        #expect(leaving.losses == 0)
    }

    @Test func anErrorClosesBoth() throws {
        let pair = try Pair()
        pair.client.pipeline.fireErrorCaught(ChannelError.ioOnClosedChannel)
        pair.client.embeddedEventLoop.run()
        #expect(!pair.client.isActive && !pair.upstream.isActive)
    }

    @Test func aDrainWaitsForTheReply() throws {
        let pair = try Pair()
        try pair.receive("?", from: .client)
        pair.worker.drain()
        #expect(pair.client.isActive)
        try pair.receive("..", from: .upstream)
        pair.client.embeddedEventLoop.run()
        #expect(try pair.written(.client) == "..")
        #expect(!pair.client.isActive && !pair.upstream.isActive)
        #expect(pair.worker.sessionCount == 0)
    }

    @Test func aDrainEndsIdleSessionsAndAClosureAll() throws {
        let idle = try Pair()
        idle.worker.drain()
        idle.client.embeddedEventLoop.run()
        #expect(!idle.client.isActive)

        let busy = try Pair()
        try busy.receive("?", from: .client)
        busy.worker.closeAll()
        busy.client.embeddedEventLoop.run()
        #expect(!busy.client.isActive && !busy.upstream.isActive)
    }
}

@Suite struct RefusalTests {
    private func refused(waitsForQuestion: Bool = true) throws -> (EmbeddedChannel, Tap) {
        let channel = EmbeddedChannel()
        let tap = Tap()
        channel.allowRemoteHalfClosure = true
        try channel.pipeline.syncOperations.addHandlers([
            tap,
            RefusalHandler(
                SingleRefusal(answer: ByteBuffer(string: "no\n")), waitsForQuestion: waitsForQuestion),
        ])
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "/client"), promise: nil)
        return (channel, tap)
    }

    @Test func theAnswerWaitsForAQuestionAndComesOnce() throws {
        let (channel, tap) = try refused()
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        try channel.writeInbound(ByteBuffer(string: "PING\r\n"))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(string: "no\n"))
        #expect(tap.hasFinished)
        try channel.writeInbound(ByteBuffer(string: "PING\r\n"))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        #expect(channel.isActive)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!channel.isActive)
    }

    @Test func whereTheUpstreamSpeaksFirstTheAnswerComesAtOnce() throws {
        let (channel, tap) = try refused(waitsForQuestion: false)
        #expect(try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(string: "no\n"))
        #expect(tap.hasFinished)
        try channel.writeInbound(ByteBuffer(string: "CONNECT {}\r\n"))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!channel.isActive)
    }

    @Test func patienceEnds() throws {
        let (channel, _) = try refused()
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(4_999))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
    }
}
