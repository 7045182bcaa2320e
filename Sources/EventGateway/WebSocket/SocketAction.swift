import EventLog
import Gateway
import Wire

/// What a socket may hold, and how long it waits.
struct SocketLimits: Sendable, Hashable {
    /// Bytes of a message, fragments put together.
    var messageBytesMax = 1 << 20
    /// Subscriptions at once.
    var subscriptionsMax = 8
    /// Requests whose answers are still to come, and the bytes of their messages; beyond, the client is not read from.
    var requestsMax = 256
    var requestBytesMax = 4 << 20
    /// Events of a group that a client may have without acknowledging any.
    var inHandMax = 1_000
    /// Events of one look into the log, and about how many bytes they should have.
    var pageMax = 64
    var pageBytes = 1 << 20
    /// A ping after so much silence; twice as much ends the connection.
    var heartbeatMilliseconds: Int64 = 20_000
    /// How long a client may not read while something waits for it.
    var stallMilliseconds: Int64 = 30_000
}

/// What is to be done for a socket.
enum SocketAction: Equatable {
    case send(SocketAnswer)
    case deliver(SocketDelivery)
    case publish(token: Int, CloudEvent)
    /// Find out where a subscription begins, or make its group.
    case open(serial: Int, SocketSubscribe)
    case fetch(serial: Int, SocketFetch)
    /// `token` is nil where nobody waits for the answer.
    case settle(token: Int?, group: String, consumer: String, SocketSettlement)
    /// Call `woke` at this moment of the Unix time.
    case wake(serial: Int, unixMilliseconds: Int64)
    case ping
    /// Go on, or stop, reading from the client.
    case read(Bool)
    /// The subscription is gone; whoever keeps something for it need not.
    case forget(serial: Int)
    case close(SocketCloseReason, text: String)
}

/// A look into the log for one subscription.
enum SocketFetch: Equatable, Sendable {
    case follow(fromOffset: Int64, limit: Int)
    case group(String, consumer: String, leaseMilliseconds: Int64?, limit: Int)
}

/// What a look has found.
enum SocketPage: Equatable, Sendable {
    case stored([StoredEvent])
    /// `nextDue`: when something that others hold may be had, in the Unix time; nil for never.
    case leased([LeasedEvent], nextDueUnixMilliseconds: Int64?)
}

/// One event on its way to the client.
struct SocketDelivery: Equatable {
    enum Event: Equatable {
        case stored(StoredEvent)
        case leased(LeasedEvent, group: String, consumer: String)
    }

    var subscription: String
    var event: Event
}

/// Why a socket ends (`tacho_sockets_closed_total{reason}`), and the code that says so (RFC 6455 section 7.4.1).
enum SocketCloseReason: String, CaseIterable, Sendable {
    /// The client wanted it.
    case byClient = "client"
    /// The connection broke without a word.
    case lost
    /// The process stops.
    case draining
    /// It did not read what it had asked for.
    case slowConsumer = "slow_consumer"
    /// It did not answer pings.
    case silent
    /// A text that is no CloudEvent in JSON, or not UTF-8.
    case malformed
    /// A message or frame beyond the limit.
    case tooLarge = "too_large"
    /// Frames that no WebSocket may send.
    case protocolError = "protocol_error"
    /// A binary message.
    case unsupportedData = "unsupported_data"
    /// The log has closed.
    case unavailable

    var code: UInt16 {
        switch self {
        case .byClient, .lost: 1000
        case .draining: 1001
        case .protocolError: 1002
        case .unsupportedData: 1003
        case .malformed: 1007
        case .slowConsumer, .silent: 1008
        case .tooLarge: 1009
        case .unavailable: 1011
        }
    }
}
