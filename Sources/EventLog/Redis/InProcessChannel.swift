import NIOCore
import Synchronization

/// What stands at the far end of an `InProcessChannel`: takes what is written there. All on the channel's event loop.
protocol InProcessPeer: AnyObject {
    /// Whether more should be written. It tells the channel when that changes (`peerChanged`).
    var wantsInput: Bool { get }
    /// Bytes from the channel's user.
    func receive(_ bytes: ByteBuffer)
    /// The user will write no more.
    func inputEnded()
    /// The user has read what was waiting for it.
    func outputRead()
    /// The channel is closed. Called once.
    func channelClosed()
}

/// A connection to something in this process: a channel as any other for its user, without a socket, so that bytes pass
/// without a system call.
///
/// What is flushed reaches the peer at once. What the peer sends reaches the user when it wants to read, never inside a
/// call that the user makes. Writable while the peer wants input and what it has sent is read.
///
/// Sendable although the compiler cannot see it: all that changes is touched on `eventLoop` only, apart from two atomics
/// that other threads may read; `madePipeline` is set before anybody else knows the channel.
final class InProcessChannel: Channel, ChannelCore, @unchecked Sendable {
    let eventLoop: any EventLoop
    let allocator = ByteBufferAllocator()
    /// Holds the channel until its handlers are removed, as that of every channel.
    private var madePipeline: ChannelPipeline?
    private let peer: any InProcessPeer
    private let closePromise: EventLoopPromise<Void>
    private let hasClosed = Atomic(false)
    private let acceptsWrites = Atomic(true)

    /// Written, and not flushed yet.
    private var written: [(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    /// Flushed, and not handed over yet: what is flushed from inside a flush comes behind what that has left.
    private var flushed = CircularBuffer<(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)>()
    /// Something is handed over just now, and so inside a call of the user's.
    private var isHandingOver = false
    private var hasFinishedWriting = false
    private var hasToldFinish = false
    /// Sent by the peer and not read yet.
    private var unread = ByteBuffer()
    private var peerHasEnded = false
    private var hasToldEnd = false
    private var readsByItself = false
    private var wantsToRead = false
    private var isDeliveryScheduled = false

    /// The peer should send no more while so many bytes are unread.
    static let unreadBytesMax = 64 << 10

    /// An open connection on `eventLoop`, made there. The peer must live as long.
    init(eventLoop: any EventLoop, peer: any InProcessPeer) {
        self.eventLoop = eventLoop
        self.peer = peer
        closePromise = eventLoop.makePromise()
        madePipeline = ChannelPipeline(channel: self)
    }

    // MARK: What a channel tells

    var pipeline: ChannelPipeline {
        guard let madePipeline else { preconditionFailure("the pipeline is made with the channel") }
        return madePipeline
    }

    var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
    var isActive: Bool { !hasClosed.load(ordering: .acquiring) }
    var isWritable: Bool { acceptsWrites.load(ordering: .acquiring) }
    var localAddress: SocketAddress? { nil }
    var remoteAddress: SocketAddress? { nil }
    var parent: (any Channel)? { nil }
    var _channelCore: any ChannelCore { self }

    func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
        guard option is ChannelOptions.Types.AutoReadOption, let reads = value as? Bool else {
            return eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        if eventLoop.inEventLoop {
            readByItself(reads)
            return eventLoop.makeSucceededVoidFuture()
        }
        return eventLoop.submit { self.readByItself(reads) }
    }

    func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    private func readByItself(_ reads: Bool) {
        readsByItself = reads
        if reads, isActive { pipeline.read() }
    }

    // MARK: From the user

    func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isActive, !hasFinishedWriting, !peerHasEnded else {
            promise?.fail(isActive ? ChannelError.outputClosed : ChannelError.ioOnClosedChannel)
            // Bytes that nobody will take end a connection, as they do on a socket.
            let isEmpty = unwrapData(data, as: ByteBuffer.self).readableBytes == 0
            if isActive, peerHasEnded, !isEmpty { eventLoop.execute { self.close(promise: nil) } }
            return
        }
        written.append((unwrapData(data, as: ByteBuffer.self), promise))
    }

    func flush0() {
        guard !written.isEmpty else { return }
        flushed.append(contentsOf: written)
        written.removeAll(keepingCapacity: true)
        handOver()
    }

    /// Gives the peer what is flushed, and the end behind it.
    private func handOver() {
        guard !isHandingOver else { return }
        isHandingOver = true
        while let (bytes, promise) = flushed.popFirst() {
            if bytes.readableBytes > 0 { peer.receive(bytes) }
            promise?.succeed()
        }
        if hasFinishedWriting, !hasToldFinish, isActive {
            hasToldFinish = true
            peer.inputEnded()
        }
        isHandingOver = false
        peerChanged()
    }

    func read0() {
        wantsToRead = true
        if hasSomethingToTell { scheduleDelivery() }
    }

    func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard isActive else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        switch mode {
        case .input:
            promise?.fail(ChannelError.operationUnsupported)
        case .output:
            if !hasFinishedWriting {
                flush0()
                hasFinishedWriting = true
                handOver()
            }
            promise?.succeed()
        case .all:
            hasClosed.store(true, ordering: .releasing)
            acceptsWrites.store(false, ordering: .releasing)
            let lost = Array(flushed) + written
            flushed.removeAll()
            written = []
            for (_, promise) in lost { promise?.fail(error) }
            unread = ByteBuffer()
            peer.channelClosed()
            promise?.succeed()
            pipeline.syncOperations.fireChannelInactive()
            pipeline.syncOperations.fireChannelUnregistered()
            // Handlers may be in the middle of something.
            eventLoop.execute {
                self.removeHandlers(pipeline: self.pipeline)
                self.closePromise.succeed()
            }
        }
    }

    // MARK: From the peer

    /// Bytes for the user; they are on their way after `deliver`.
    func send(_ bytes: [UInt8]) {
        guard isActive, !peerHasEnded else { return }
        unread.writeBytes(bytes)
    }

    /// Bytes that the user has not read.
    var unreadBytes: Int { unread.readableBytes }

    /// The peer sends no more. What it has sent is still delivered, then the user hears of it.
    func end() {
        peerHasEnded = true
        deliver()
    }

    /// Hands over what the peer has sent, if the user wants to read.
    func deliver() {
        guard !isHandingOver else { return scheduleDelivery() }
        guard isActive, wantsToRead, hasSomethingToTell else { return }
        wantsToRead = false
        if unread.readableBytes > 0 {
            let bytes = unread
            unread = ByteBuffer()
            pipeline.syncOperations.fireChannelRead(NIOAny(bytes))
            pipeline.syncOperations.fireChannelReadComplete()
            if isActive { peer.outputRead() }
            peerChanged()
        } else {
            hasToldEnd = true
            pipeline.syncOperations.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if readsByItself, isActive { pipeline.syncOperations.read() }
    }

    /// The peer wants input again, or no longer.
    func peerChanged() {
        guard isActive else { return }
        let accepts = peer.wantsInput && unread.readableBytes < Self.unreadBytesMax
        guard accepts != isWritable else { return }
        acceptsWrites.store(accepts, ordering: .releasing)
        pipeline.syncOperations.fireChannelWritabilityChanged()
    }

    private var hasSomethingToTell: Bool { unread.readableBytes > 0 || (peerHasEnded && !hasToldEnd) }

    private func scheduleDelivery() {
        guard !isDeliveryScheduled else { return }
        isDeliveryScheduled = true
        eventLoop.execute {
            self.isDeliveryScheduled = false
            self.deliver()
        }
    }

    // MARK: What it has no use for

    func localAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
    func remoteAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
    func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }
    func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }
    func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }
    func channelRead0(_ data: NIOAny) {}
    func errorCaught0(error: any Error) {}
}
