import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on loopback that answers as its script says and remembers what it was sent.
final class ScriptedReceiver: Sendable {
    /// What it does with one request.
    enum Reply: Sendable {
        case answer(Int, headers: [(String, String)] = [], body: [UInt8] = [])
        /// Ends the connection without a word.
        case close
        /// Says nothing and keeps the connection.
        case silence
        /// Announces more than it sends, then ends the connection.
        case truncated
        /// A body of this many bytes, sent in pieces.
        case flood(Int)
    }

    struct Request: Sendable {
        var method: String
        var uri: String
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func values(_ name: String) -> [String] {
            headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        }
    }

    private struct State {
        var script: [Reply]
        var requests: [Request] = []
        var connections = 0
    }

    /// Shared with the handlers of all connections.
    fileprivate final class Diary: Sendable {
        private let state: Mutex<State>

        init(_ script: [Reply]) {
            state = Mutex(State(script: script))
        }

        var requests: [Request] { state.withLock { $0.requests } }
        var connections: Int { state.withLock { $0.connections } }

        func opened() {
            state.withLock { $0.connections += 1 }
        }

        func received(_ request: Request) -> Reply {
            state.withLock { state in
                state.requests.append(request)
                return state.script.isEmpty ? .answer(200) : state.script.removeFirst()
            }
        }
    }

    private let diary: Diary
    private let channel: any Channel

    /// After the script every request is answered with an empty 200.
    init(_ script: [Reply] = []) async throws {
        let diary = Diary(script)
        self.diary = diary
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                diary.opened()
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ReceiverHandler(diary))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    var endpoint: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/v1/traces" }
    var requests: [Request] { diary.requests }
    var connections: Int { diary.connections }

    func stop() async throws {
        try await channel.close()
    }

    /// Runs `body` with a receiver and stops it afterwards.
    static func with(_ script: [Reply] = [], _ body: (ScriptedReceiver) async throws -> Void) async throws {
        let receiver = try await ScriptedReceiver(script)
        do {
            try await body(receiver)
        } catch {
            try? await receiver.stop()
            throw error
        }
        try await receiver.stop()
    }
}

private final class ReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let diary: ScriptedReceiver.Diary
    private var request = ScriptedReceiver.Request(method: "", uri: "", headers: [], body: [])

    init(_ diary: ScriptedReceiver.Diary) {
        self.diary = diary
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = ScriptedReceiver.Request(
                method: head.method.rawValue, uri: head.uri,
                headers: head.headers.map { ($0.name, $0.value) }, body: [])
        case .body(let buffer):
            request.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            reply(diary.received(request), context)
        }
    }

    private func reply(_ reply: ScriptedReceiver.Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .answer(let status, let headers, let body):
            var fields = HTTPHeaders(headers)
            fields.add(name: "Content-Length", value: "\(body.count)")
            write(status, fields, body, context)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .close:
            context.close(promise: nil)
        case .silence:
            break
        case .truncated:
            write(200, ["Content-Length": "100"], [1, 2, 3], context)
            context.flush()
            context.close(promise: nil)
        case .flood(let count):
            write(200, ["Content-Length": "\(count)"], [UInt8](repeating: 0x20, count: count), context)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    private func write(_ status: Int, _ headers: HTTPHeaders, _ body: [UInt8], _ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
    }
}
