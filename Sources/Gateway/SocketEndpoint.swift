public import Hummingbird
public import NIOCore
import NIOHTTP1

/// Takes WebSocket connections (RFC 6455) on the port of the HTTP server.
///
/// A request that is not granted is answered by the routes as any other is, and they tell why; so a module that has an
/// endpoint also has a route under its paths, which asks `refusal(of:)`.
public protocol SocketEndpoint: Sendable {
    /// Whether there may be a WebSocket under this path: everything else is none of the endpoint's business.
    func serves(path: Substring) -> Bool
    /// Why a request is not granted; nil grants it. Called on the event loop; must not wait.
    func refusal(of request: SocketRequest) -> GatewayProblem?
    /// The subprotocol that a granted request gets.
    var subprotocol: String { get }
    /// Payload bytes that one frame may have.
    var frameBytesMax: Int { get }
    /// Connections that there may be at once, beside those of HTTP.
    var connectionsMax: Int { get }
    /// Adds what reads and writes `WebSocketFrame` to a connection that was granted. On its event loop.
    ///
    /// A handler among them must close the channel soon after `ChannelShouldQuiesceEvent`: the server waits for it, and
    /// for the future that is returned. After that the event loop may be gone.
    func configure(_ channel: any Channel, for request: SocketRequest) throws -> EventLoopFuture<Void>
}

/// What a request to become a WebSocket says of itself.
public struct SocketRequest: Sendable, Hashable {
    /// The path, still percent-encoded, without the query.
    public var path: Substring
    /// What a browser says of the page that asks; nil for other clients.
    public var origin: String?
    /// The name and port under which the client knows this server.
    public var authority: String?
    /// The subprotocols that the client speaks, the one it likes best first.
    public var subprotocols: [String]
    /// It is a GET that asks for version 13 of the protocol.
    public var isUpgrade: Bool

    init(_ head: HTTPRequestHead) {
        path = head.uri.prefix { $0 != "?" }
        origin = head.headers.first(name: "Origin")
        // Two names are as good as none.
        authority = head.headers["Host"].count == 1 ? head.headers.first(name: "Host") : nil
        subprotocols = head.headers[canonicalForm: "Sec-WebSocket-Protocol"].map(String.init)
        isUpgrade =
            head.method == .GET && head.headers["Sec-WebSocket-Version"] == ["13"]
            && head.headers[canonicalForm: "Upgrade"].contains { $0.lowercased() == "websocket" }
    }

    /// The same of a request that a route has got because it was not granted.
    public init(_ request: Request) {
        path = request.head.path?.prefix { $0 != "?" } ?? ""
        origin = request.headers[.origin]
        authority = request.head.authority
        subprotocols = request.headers[values: .secWebSocketProtocol].flatMap { value in
            value.split(separator: ",").map { $0.trimmingPrefix(while: \.isWhitespace) }
                .map { String($0.prefix { !$0.isWhitespace }) }
        }
        isUpgrade =
            request.method == .get && request.headers[.secWebSocketVersion] == "13"
            && request.headers[.upgrade]?.lowercased() == "websocket"
    }

    /// Why it may have been sent by a foreign web page, which no browser keeps from opening a WebSocket; nil when not.
    public var originRefusal: GatewayProblem? { RequestOrigin.refusal(origin: origin, authority: authority) }
}
