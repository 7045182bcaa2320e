import Proxy

/// The shop on JetStream: publishes with their PubAck, pulls of one message, acknowledgements. What was left behind is
/// delivered again by the server.
struct NATSShopBus: ShopBus {
    private var client: NATSClient

    static func connected(
        to endpoint: Endpoint, name: String, _ body: (NATSShopBus) async throws -> Void
    ) async throws {
        try await NATSClient.connected(to: endpoint, name: name) { try await body(NATSShopBus(client: $0)) }
    }

    mutating func prepare(_ queues: ShopQueues) async throws {
        for name in queues.names {
            let stream = """
                {"name":"\(name)","subjects":["\(name)"],"storage":"memory","num_replicas":1,"retention":"limits",\
                "discard":"old","max_msgs":\(ShopQueue.lengthMax)}
                """
            try await manage("$JS.API.STREAM.CREATE.\(name)", stream)
        }
        for queue in [queues.orders, queues.payments] {
            let consumer = """
                {"stream_name":"\(queue.name)","config":{"durable_name":"\(queue.group)","ack_policy":"explicit",\
                "deliver_policy":"all","ack_wait":\(ShopQueue.abandonedMilliseconds)000000,"max_deliver":-1}}
                """
            try await manage("$JS.API.CONSUMER.DURABLE.CREATE.\(queue.name).\(queue.group)", consumer)
        }
    }

    mutating func remove(_ queues: ShopQueues) async throws {
        for name in queues.names { try await manage("$JS.API.STREAM.DELETE.\(name)", "") }
    }

    mutating func publish(order: Int, item: String, to queue: String) async throws {
        let answer = try await client.request(queue, "\(order) \(item)")
        if answer.body.contains("\"error\"") { throw ShopBusError(description: answer.body) }
    }

    mutating func take(from queue: ShopQueue, as consumer: String) async throws -> ShopMessage? {
        let wish = "{\"batch\":1,\"expires\":\(ShopQueue.waitMilliseconds)000000}"
        let answer = try await client.request("$JS.API.CONSUMER.MSG.NEXT.\(queue.name).\(queue.group)", wish)
        // A status instead of a message: nothing came in time.
        guard let reply = answer.reply else { return nil }
        let words = answer.body.split(separator: " ")
        let attempt = reply.split(separator: ".").dropFirst(4).first.flatMap { Int($0) }
        return ShopMessage(
            handle: reply, order: words.first.flatMap { Int($0) } ?? 0, item: words.last.map(String.init) ?? "",
            attempt: attempt ?? 1)
    }

    mutating func takeOver(from queue: ShopQueue, as consumer: String) async throws -> [ShopMessage] { [] }

    mutating func settle(_ message: ShopMessage, in queue: ShopQueue) async throws {
        _ = try await client.request(message.handle, "+ACK")
    }

    /// Creating what exists with the same settings is no error.
    private mutating func manage(_ subject: String, _ body: String) async throws {
        let answer = try await client.request(subject, body)
        if answer.body.contains("\"error\"") { throw ShopBusError(description: answer.body) }
    }
}
