import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import EventLog

/// Notes what it is given, and sends what it is told to.
private final class NotingPeer: InProcessPeer {
    var notes: [String] = []
    var wantsInput = true
    /// What it does besides, in the call.
    var onReceive: () -> Void = {}
    var onInputEnded: () -> Void = {}

    func receive(_ bytes: ByteBuffer) {
        notes.append("got \(String(buffer: bytes))")
        onReceive()
    }
    func inputEnded() {
        notes.append("ended")
        onInputEnded()
    }
    func outputRead() {}
    func channelClosed() { notes.append("closed") }
}

/// Notes what arrives at the user's end.
private final class NotingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var notes: [String] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        notes.append("read \(String(buffer: unwrapInboundIn(data)))")
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        notes.append(context.channel.isWritable ? "writable" : "not writable")
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { notes.append("end") }
    }

    func channelInactive(context: ChannelHandlerContext) { notes.append("inactive") }
}

@Suite("A channel without a socket")
struct InProcessChannelTests {
    private let loop = EmbeddedEventLoop()
    private let peer = NotingPeer()
    private let user = NotingHandler()
    private let channel: InProcessChannel

    init() throws {
        channel = InProcessChannel(eventLoop: loop, peer: peer)
        try channel.pipeline.syncOperations.addHandler(user)
    }

    @Test("What is flushed arrives at once and in order; what is only written does not")
    func writing() {
        channel.write(ByteBuffer(string: "a"), promise: nil)
        #expect(peer.notes == [])
        channel.writeAndFlush(ByteBuffer(string: "b"), promise: nil)
        #expect(peer.notes == ["got a", "got b"])
    }

    @Test("What the peer sends waits until the user reads, and one read takes all of it")
    func reading() {
        channel.send([UInt8]("a"))
        channel.deliver()
        #expect(user.notes == [])
        channel.send([UInt8]("b"))
        channel.read()
        #expect(user.notes == [])
        loop.run()
        #expect(user.notes == ["read ab"])
        channel.send([UInt8]("c"))
        channel.deliver()
        loop.run()
        #expect(user.notes == ["read ab"])
    }

    @Test("With automatic reading everything comes as it is sent, and the end behind it")
    func readingByItself() throws {
        try channel.setOption(.autoRead, value: true).wait()
        channel.send([UInt8]("a"))
        channel.deliver()
        channel.send([UInt8]("b"))
        channel.end()
        loop.run()
        #expect(user.notes == ["read a", "read b", "end"])
        #expect(channel.isActive)
        channel.writeAndFlush(ByteBuffer(string: "late"), promise: nil)
        loop.run()
        #expect(user.notes.last == "inactive")
        #expect(peer.notes == ["closed"])
    }

    @Test("It is writable while the peer wants input and what it sent is read")
    func writability() throws {
        peer.wantsInput = false
        channel.peerChanged()
        peer.wantsInput = true
        channel.peerChanged()
        channel.send([UInt8](repeating: 0x61, count: InProcessChannel.unreadBytesMax))
        channel.peerChanged()
        #expect(user.notes == ["not writable", "writable", "not writable"])
        channel.read()
        loop.run()
        #expect(user.notes.count == 5)
        #expect(user.notes.last == "writable")
    }

    @Test("Closing the output tells the peer; closing all tells both, once, and fails what was not flushed")
    func closing() throws {
        channel.write(ByteBuffer(string: "a"), promise: nil)
        try channel.close(mode: .output).wait()
        #expect(peer.notes == ["got a", "ended"])
        #expect(throws: ChannelError.outputClosed) { try channel.writeAndFlush(ByteBuffer(string: "b")).wait() }
        let closed = channel.closeFuture
        channel.close(promise: nil)
        loop.run()
        try closed.wait()
        #expect(peer.notes == ["got a", "ended", "closed"])
        #expect(user.notes == ["inactive"])
        #expect(throws: ChannelError.alreadyClosed) { try channel.close().wait() }
    }

    @Test("What is flushed while a flush is under way comes behind it, and so does the end")
    func flushingInside() {
        let first = loop.makePromise(of: Void.self)
        first.futureResult.whenSuccess { [channel] in
            channel.writeAndFlush(ByteBuffer(string: "c"), promise: nil)
            channel.close(mode: .output, promise: nil)
        }
        channel.write(ByteBuffer(string: "a"), promise: first)
        channel.writeAndFlush(ByteBuffer(string: "b"), promise: nil)
        #expect(peer.notes == ["got a", "got b", "got c", "ended"])
    }

    @Test("When the peer closes in the middle of a flush, what it did not get has failed")
    func closingInside() {
        let fates = Mutex<[String]>([])
        func noting(_ name: String) -> EventLoopPromise<Void> {
            let promise = loop.makePromise(of: Void.self)
            promise.futureResult.whenSuccess { fates.withLock { $0.append("\(name) taken") } }
            promise.futureResult.whenFailure { _ in fates.withLock { $0.append("\(name) failed") } }
            return promise
        }
        peer.onReceive = { [channel] in channel.close(promise: nil) }
        channel.write(ByteBuffer(string: "a"), promise: noting("a"))
        channel.writeAndFlush(ByteBuffer(string: "b"), promise: noting("b"))
        loop.run()
        #expect(peer.notes == ["got a", "closed"])
        #expect(fates.withLock { $0 } == ["b failed", "a taken"])
    }

    @Test("The peer's end is told after the user's call that led to it, not inside")
    func endingInside() {
        peer.onInputEnded = { [channel] in channel.end() }
        channel.read()
        channel.close(mode: .output, promise: nil)
        #expect(user.notes == [])
        loop.run()
        #expect(user.notes == ["end"])
    }
}
