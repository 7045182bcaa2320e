import Glibc
import NIOCore
import NIOPosix
import Pipeline
import Synchronization
import Telemetry
import Testing

@testable import Proxy

/// A listener that runs, with all that belongs to it.
final class Bench: Sendable {
    let endpoint: Endpoint
    private let registry = MetricsRegistry()
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    private let reported: Reported

    init<Machine: SessionMachine>(
        _ machine: Machine.Type, listen: Endpoint = .tcp(host: "127.0.0.1", port: 0), upstream: Endpoint
    ) async throws {
        let registry = registry
        let workers = try await WorkerSet(group) { _ in Parts.worker(registry) }
        let reported = Reported()
        let listener = Listener<Machine>(
            ListenerSettings(
                profile: Parts.profile(), listen: listen, upstream: upstream, connectTimeoutMilliseconds: 5_000),
            group: group, workers: workers, report: { event in reported.events.withLock { $0.append(event) } })
        do {
            channel = try await listener.start()
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        endpoint = Endpoint(bound: channel.localAddress) ?? listen
        self.reported = reported
    }

    var events: [ProxyEvent] { reported.events.withLock { $0 } }

    private final class Reported: Sendable {
        let events = Mutex<[ProxyEvent]>([])
    }

    func connect() async throws -> TestClient { try await TestClient(endpoint) }

    func stop() async throws {
        try await channel.close()
        try await group.shutdownGracefully()
    }

    /// The value of one series.
    func metric(_ series: String) -> Double? {
        let lines = String(decoding: registry.render(.prometheusText), as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix(series + " ") }.flatMap { Double($0.dropFirst(series.utf8.count + 1)) }
    }
}

/// A client that sends, finishes and collects.
final class TestClient: Sendable {
    private let channel: any Channel
    private let received: EventLoopFuture<ByteBuffer>

    init(_ endpoint: Endpoint) async throws {
        let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: ByteBuffer.self)
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(promise))
                }
            }
        received = promise.futureResult
        switch endpoint {
        case .tcp(let host, let port): channel = try await bootstrap.connect(host: host, port: port).get()
        case .unix(let path): channel = try await bootstrap.connect(unixDomainSocketPath: path).get()
        case .embedded: preconditionFailure("nobody listens there")
        }
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }

    func finish() async throws { try await channel.close(mode: .output) }

    /// Everything that came until the other end said that there is no more.
    func receiveUntilClosed() async throws -> String {
        let bytes = try await received.get()
        try? await channel.close()
        return String(buffer: bytes)
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let promise: EventLoopPromise<ByteBuffer>
        private var bytes = ByteBuffer()

        init(_ promise: EventLoopPromise<ByteBuffer>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var more = unwrapInboundIn(data)
            bytes.writeBuffer(&more)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { promise.succeed(bytes) }
        }

        func channelInactive(context: ChannelHandlerContext) { promise.succeed(bytes) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.fail(error) }
    }
}

/// A server that sends back what it is sent, and closes when its client has finished.
final class EchoServer: Sendable {
    let endpoint: Endpoint
    private let channel: any Channel

    init(path: String? = nil) async throws {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
            }
        if let path {
            channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
            endpoint = .unix(path: path)
        } else {
            channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
            endpoint = try #require(Endpoint(bound: channel.localAddress))
        }
    }

    func stop() async throws { try await channel.close() }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(data, promise: nil)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { context.close(mode: .output, promise: nil) }
        }
    }
}

/// A directory of its own for sockets, gone with the value.
final class TemporaryDirectory {
    private let root: String

    init() throws {
        var template = Array("/tmp/proxy-test-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        root = try #require(made)
    }

    func path(_ name: String) -> String { root + "/" + name }

    deinit {
        for name in ["server", "tacho", "precious"] { unlink(path(name)) }
        rmdir(root)
    }
}
