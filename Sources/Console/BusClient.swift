import NIOCore
import NIOPosix
public import Proxy
import Sidecar
import Wire

/// Speaks to a bus through a listener of a running sidecar, or to a Redis itself: one command at a time.
public struct BusClient {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var reader = BusReplyReader()

    /// Opens a connection for as long as `body` runs.
    ///
    /// - Throws: `AdminError`, or what `body` throws.
    public static func connected(
        to endpoint: Endpoint, _ body: (inout BusClient) async throws -> Void
    ) async throws {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await connect(to: endpoint)
        } catch {
            throw AdminError(
                .unreachable,
                "no bus answers at \(endpoint): start `tacho run`, or name the address with --bus")
        }
        try await channel.executeThenClose { inbound, outbound in
            var client = BusClient(inbound: inbound.makeAsyncIterator(), outbound: outbound)
            try await body(&client)
        }
    }

    private static func connect(to endpoint: Endpoint) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(5))
        let wrap: @Sendable (any Channel) -> EventLoopFuture<NIOAsyncChannel<ByteBuffer, ByteBuffer>> = { channel in
            channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
        }
        switch endpoint {
        case .tcp(let host, let port):
            return try await bootstrap.connect(host: host, port: port, channelInitializer: wrap)
        case .unix(let path): return try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: wrap)
        case .embedded: throw AdminError(.address, "the embedded log is reached through a listener")
        }
    }

    /// Sends one command and returns its reply.
    ///
    /// - Throws: `AdminError` when it is refused or the connection breaks.
    public mutating func call(_ words: [String]) async throws -> BusReply {
        var bytes: [UInt8] = []
        RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: words.count, to: &bytes)
        for word in words { RESPWriter.appendBulk(word.utf8, to: &bytes) }
        try await outbound.write(ByteBuffer(bytes: bytes))
        while true {
            if let reply = try nextReply() {
                if case .error(let message) = reply { throw AdminError(.refused, message) }
                return reply
            }
            guard let more = try await inbound.next() else {
                throw AdminError(.interrupted, "the connection ended before the answer was complete")
            }
            reader.append(more.readableBytesView)
        }
    }

    private mutating func nextReply() throws(AdminError) -> BusReply? {
        do throws(RESPError) {
            return try reader.next()
        } catch {
            throw AdminError(.answer, "what answers there does not speak the Redis protocol (\(error.rawValue))")
        }
    }
}

/// Where a listener of a running sidecar is, as the commands that use the bus are told.
public enum BusAddress {
    /// The address in `text`, else that of the listener which runs when nobody asks for another.
    ///
    /// - Throws: `AdminError` of code `address`.
    public static func endpoint(_ text: String?) throws(AdminError) -> Endpoint {
        do throws(Endpoint.ParseError) {
            return try Endpoint(parsing: text ?? "127.0.0.1:16379")
        } catch {
            throw AdminError(.address, "--bus: expected HOST:PORT, PORT or unix:PATH of a redis listener; \(error)")
        }
    }
}
