import NIOCore
import NIOEmbedded
import Testing

@testable import EventLog

/// Notes what it is given, and sends what it is told to.
private final class NotingPeer: InProcessPeer {
    var notes: [String] = []
    var wantsInput = true

    func receive(_ bytes: ByteBuffer) { notes.append("got \(String(buffer: bytes))") }
    func inputEnded() { notes.append("ended") }
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
}
