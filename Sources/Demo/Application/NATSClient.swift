import NIOCore
import NIOPosix
import Proxy
import Synchronization
import Wire

/// As much of a NATS client as the shop needs: requests, one at a time, over one inbox.
struct NATSClient {
    struct Answer {
        var reply: String?
        var body: String
    }

    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let inbox: String
    private var decoder = NATSDecoder(role: .server)
    private var held: [UInt8] = []
    private var scanned = 0
    private var asked = 0

    private static let numbers = Atomic<Int>(0)

    static func connected(
        to endpoint: Endpoint, name: String, _ body: (NATSClient) async throws -> Void
    ) async throws {
        guard case .tcp(let host, let port) = endpoint else {
            throw ShopBusError(description: "the shop reaches NATS over TCP only")
        }
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            let number = numbers.add(1, ordering: .relaxed).newValue
            var client = NATSClient(
                inbound: inbound.makeAsyncIterator(), outbound: outbound,
                inbox: "_INBOX.shop-\(name)-\(UInt32.random(in: 0...UInt32.max))-\(number)")
            try await client.awaitGreeting()
            let hello =
                "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,"
                + "\"name\":\"\(name)\",\"lang\":\"swift\",\"version\":\"1\",\"protocol\":1}\r\n"
            try await client.send(hello + "SUB \(client.inbox).* 1\r\n")
            try await body(client)
        }
    }

    private init(
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, inbox: String
    ) {
        self.inbound = inbound
        self.outbound = outbound
        self.inbox = inbox
    }

    /// Publishes with a reply subject of our own and waits for what comes there.
    mutating func request(_ subject: String, _ body: String) async throws -> Answer {
        asked += 1
        let reply = "\(inbox).\(asked)"
        try await send("PUB \(subject) \(reply) \(body.utf8.count)\r\n\(body)\r\n")
        while true {
            guard let (subject, answer) = try await nextMessage() else {
                throw ShopBusError(description: "the connection ended before the answer came")
            }
            // A message that was pulled keeps its own subject; what belongs to an earlier request came too late.
            if subject == reply || answer.reply?.hasPrefix("$JS.ACK.") == true { return answer }
        }
    }

    /// A server speaks first; who does not listen misses what it can do.
    private mutating func awaitGreeting() async throws {
        while true {
            while scanned < held.count {
                let bytes = held
                guard case .line(let operation) = try decoder.next(in: bytes.span, at: &scanned) else { continue }
                dropFrame()
                if operation.kind == .info { return }
                throw ShopBusError(description: "what answers there is no NATS server")
            }
            guard let more = try await inbound.next() else {
                throw ShopBusError(description: "the connection ended before the server's greeting")
            }
            held.append(contentsOf: more.readableBytesView)
        }
    }

    private func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }

    /// The next message; nil when the connection has ended. PINGs are answered on the way.
    private mutating func nextMessage() async throws -> (subject: String, Answer)? {
        while true {
            while scanned < held.count {
                // A second reference, not a copy: the decoder changes while it looks at the bytes.
                let bytes = held
                switch try decoder.next(in: bytes.span, at: &scanned) {
                case .needsMore, .headers: continue
                case .line(let operation):
                    guard operation.endsWithLine else { continue }
                    let text = text(operation.text)
                    dropFrame()
                    if operation.kind == .ping { try await send("PONG\r\n") }
                    if operation.kind == .error { throw ShopBusError(description: text) }
                case .ended(let operation):
                    let reply = operation.reply.isEmpty ? nil : text(operation.reply)
                    let (subject, body) = (text(operation.subject), text(operation.body))
                    dropFrame()
                    return (subject, Answer(reply: reply, body: body))
                }
            }
            guard let more = try await inbound.next() else { return nil }
            held.append(contentsOf: more.readableBytesView)
        }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: held[range], as: UTF8.self) }

    private mutating func dropFrame() {
        held.removeFirst(scanned)
        scanned = 0
    }
}
