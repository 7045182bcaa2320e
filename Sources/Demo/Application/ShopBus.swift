import Proxy

/// One message as the shop's services see it: they know nothing of tracing.
struct ShopMessage: Sendable {
    /// What settles it: an entry id, or a JetStream reply subject.
    var handle: String
    /// The number of the order.
    var order: Int
    /// What was ordered.
    var item: String
    /// 1 when it is delivered for the first time.
    var attempt: Int
}

/// A connection of one of the shop's services to its bus, used by one task, one call at a time.
///
/// Every call throws `ShopBusError` when the bus says no, and something else when the connection is of no use any more.
protocol ShopBus {
    /// Makes sure that queues and their groups of consumers are there.
    mutating func prepare(_ queues: ShopQueues) async throws
    /// Removes what `prepare` has made.
    mutating func remove(_ queues: ShopQueues) async throws
    mutating func publish(order: Int, item: String, to queue: String) async throws
    /// The next message for this consumer, or nil when none has come for a while.
    mutating func take(from queue: ShopQueue, as consumer: String) async throws -> ShopMessage?
    /// Messages that some consumer took a while ago and never settled, now ours.
    mutating func takeOver(from queue: ShopQueue, as consumer: String) async throws -> [ShopMessage]
    mutating func settle(_ message: ShopMessage, in queue: ShopQueue) async throws
}

/// A queue and who reads it.
struct ShopQueue: Sendable {
    var name: String
    var group: String

    /// What a queue may hold; the oldest give way.
    static let lengthMax = 10_000
    /// A message unsettled for so long was left behind by a consumer that died.
    static let abandonedMilliseconds = 1_500
    /// How long a consumer waits for a message before it looks for abandoned ones.
    static let waitMilliseconds = 500
}

/// The queues of one shop: orders -> payments -> shipments.
public struct ShopQueues: Sendable {
    let orders: ShopQueue
    let payments: ShopQueue
    /// Read by nobody here.
    let shipments: String
    /// Where messages end that could not be processed.
    let deadLetters: String

    /// - Parameter prefix: begins every name, so that a shop on somebody's broker touches nothing else there.
    public init(prefix: String = "") {
        orders = ShopQueue(name: prefix + "orders", group: "payments")
        payments = ShopQueue(name: prefix + "payments", group: "shipping")
        shipments = prefix + "shipments"
        deadLetters = prefix + "payments-dlq"
    }

    var names: [String] { [orders.name, payments.name, shipments, deadLetters] }
}

/// The bus, or the sidecar in front of it, has refused a call.
struct ShopBusError: Error, CustomStringConvertible {
    var description: String

    /// A breaker spoke, not the bus.
    var isFromBreaker: Bool { description.contains("TACHO breaker") || description.contains("tacho: breaker") }
}

/// Which protocol the shop speaks.
public enum ShopProtocol: String, Sendable, CaseIterable {
    case redis
    case nats

    /// Opens a connection for as long as `body` runs. `name` is what the client calls itself.
    func connected(
        to endpoint: Endpoint, name: String, _ body: (inout any ShopBus) async throws -> Void
    ) async throws {
        switch self {
        case .redis:
            try await RedisShopBus.connected(to: endpoint, name: name) { bus in
                var any: any ShopBus = bus
                try await body(&any)
            }
        case .nats:
            try await NATSShopBus.connected(to: endpoint, name: name) { bus in
                var any: any ShopBus = bus
                try await body(&any)
            }
        }
    }
}
