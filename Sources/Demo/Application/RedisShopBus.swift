import Console
import Proxy

/// The shop on Redis Streams: XADD, XREADGROUP, XACK, and XPENDING with XCLAIM for what was left behind.
struct RedisShopBus: ShopBus {
    private var client: BusClient

    static func connected(
        to endpoint: Endpoint, name: String, _ body: (RedisShopBus) async throws -> Void
    ) async throws {
        try await BusClient.connected(to: endpoint) { client in
            var bus = RedisShopBus(client: client)
            _ = try await bus.call(["CLIENT", "SETNAME", name])
            try await body(bus)
        }
    }

    mutating func prepare(_ queues: ShopQueues) async throws {
        for queue in [queues.orders, queues.payments] {
            do {
                _ = try await call(["XGROUP", "CREATE", queue.name, queue.group, "0", "MKSTREAM"])
            } catch let error as ShopBusError where error.description.hasPrefix("BUSYGROUP") {
                // Another service was first.
            }
        }
    }

    mutating func remove(_ queues: ShopQueues) async throws { _ = try await call(["DEL"] + queues.names) }

    mutating func publish(order: Int, item: String, to queue: String) async throws {
        _ = try await call([
            "XADD", queue, "MAXLEN", "~", "\(ShopQueue.lengthMax)", "*", "order", "\(order)", "item", item,
        ])
    }

    mutating func take(from queue: ShopQueue, as consumer: String) async throws -> ShopMessage? {
        let reply = try await call([
            "XREADGROUP", "GROUP", queue.group, consumer, "COUNT", "1", "BLOCK", "\(ShopQueue.waitMilliseconds)",
            "STREAMS", queue.name, ">",
        ])
        let entry = reply.elements.first?.elements.last?.elements.first
        return entry.flatMap { Self.message($0, attempt: 1) }
    }

    mutating func takeOver(from queue: ShopQueue, as consumer: String) async throws -> [ShopMessage] {
        let idle = "\(ShopQueue.abandonedMilliseconds)"
        let pending = try await call(["XPENDING", queue.name, queue.group, "IDLE", idle, "-", "+", "10"])
        var messages: [ShopMessage] = []
        for row in pending.elements.map(\.elements) where row.count == 4 {
            guard let id = row[0].text, let deliveries = row[3].number else { continue }
            let claimed = try await call(["XCLAIM", queue.name, queue.group, consumer, idle, id])
            if let entry = claimed.elements.first, let message = Self.message(entry, attempt: deliveries + 1) {
                messages.append(message)
            }
        }
        return messages
    }

    mutating func settle(_ message: ShopMessage, in queue: ShopQueue) async throws {
        _ = try await call(["XACK", queue.name, queue.group, message.handle])
    }

    private mutating func call(_ words: [String]) async throws -> BusReply {
        do {
            return try await client.call(words)
        } catch let error as AdminError where error.code == .refused {
            throw ShopBusError(description: error.description)
        }
    }

    /// An entry as XREADGROUP and XCLAIM give it: its id, and fields and values in turn.
    private static func message(_ entry: BusReply, attempt: Int) -> ShopMessage? {
        guard let id = entry.elements.first?.text, let fields = entry.elements.last else { return nil }
        return ShopMessage(
            handle: id, order: fields["order"]?.text.flatMap(Int.init) ?? 0, item: fields["item"]?.text ?? "",
            attempt: attempt)
    }
}
