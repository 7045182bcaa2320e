public import Proxy
import Synchronization

/// The demonstration application: tills that place orders, and two services behind them, orders -> payments ->
/// shipments. Each worker has a connection of its own, does one thing at a time, and knows nothing of tracing.
public final class Shop: Sendable {
    /// What became of the orders so far.
    public struct Counts: Sendable {
        /// Orders that the bus took.
        public var placed = 0
        /// Publishes that a breaker refused.
        public var refused = 0
        /// Publishes that failed otherwise.
        public var failed = 0
        /// Orders that went through payments.
        public var paid = 0
        /// Orders that went through shipping.
        public var shipped = 0
        /// Deliveries that were not the first of their message.
        public var redelivered = 0
        /// Messages that were put aside.
        public var deadLettered = 0
        /// Consumers that died with a message in their hands.
        public var crashes = 0
    }

    /// Accidents that somebody has ordered and that have not happened yet.
    private struct Accidents {
        var crashes = 0
        var unreadableOrders = 0
    }

    let busProtocol: ShopProtocol
    let queues: ShopQueues
    private let state = Mutex(Counts())
    private let accidents = Mutex(Accidents())
    private let lastOrder = Atomic<Int>(0)

    /// An item that shipping can make nothing of.
    static let unreadable = "unreadable"
    private static let items = ["book", "lamp", "chair", "kettle", "bicycle"]
    /// A message that fails so often is put aside.
    private static let attemptsMax = 3

    /// A shop that is still closed.
    public init(speaking busProtocol: ShopProtocol, queues: ShopQueues) {
        self.busProtocol = busProtocol
        self.queues = queues
    }

    /// What became of the orders so far.
    public var counts: Counts { state.withLock { $0 } }

    /// The next consumer of orders dies with its message unsettled.
    public func crashOneConsumer() { accidents.withLock { $0.crashes += 1 } }

    /// The next order is one that shipping cannot process.
    public func orderTheUnreadable() { accidents.withLock { $0.unreadableOrders += 1 } }

    // MARK: Services

    /// One till: places an order a few times a second until it is cancelled.
    public func till(_ number: Int, at endpoint: Endpoint) async {
        await keepConnected("till-\(number)", endpoint) { [self] bus in
            try await bus.prepare(queues)
            while !Task.isCancelled {
                let isUnreadable = accidents.withLock { Self.take(&$0.unreadableOrders) }
                let item = isUnreadable ? Self.unreadable : Self.items.randomElement() ?? "book"
                let order = lastOrder.add(1, ordering: .relaxed).newValue
                let isPlaced = try await publish(order, item, to: queues.orders.name, through: &bus)
                if isPlaced { count { $0.placed += 1 } }
                // What nobody took is ordered again.
                if isUnreadable, !isPlaced { orderTheUnreadable() }
                try await Task.sleep(for: .milliseconds(Int.random(in: 150...250)))
            }
        }
    }

    /// One worker of payments: takes an order, works, publishes to payments, settles.
    public func payments(_ number: Int, at endpoint: Endpoint) async {
        await consume(queues.orders, as: "payments-\(number)", endpoint) { [self] message, bus in
            if accidents.withLock({ Self.take(&$0.crashes) }) {
                count { $0.crashes += 1 }
                throw ConsumerDied()
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 5...20)))
            guard try await publish(message.order, message.item, to: queues.payments.name, through: &bus) else {
                return
            }
            try await bus.settle(message, in: queues.orders)
            count { $0.paid += 1 }
        }
    }

    /// One worker of shipping: takes a payment, works, publishes to shipments, settles. What it cannot process it leaves
    /// unsettled, and the third time it puts it aside.
    public func shipping(_ number: Int, at endpoint: Endpoint) async {
        await consume(queues.payments, as: "shipping-\(number)", endpoint) { [self] message, bus in
            try await Task.sleep(for: .milliseconds(Int.random(in: 5...20)))
            let isUnreadable = message.item == Self.unreadable
            if isUnreadable, message.attempt < Self.attemptsMax { return }
            let queue = isUnreadable ? queues.deadLetters : queues.shipments
            guard try await publish(message.order, message.item, to: queue, through: &bus) else { return }
            try await bus.settle(message, in: queues.payments)
            count { if isUnreadable { $0.deadLettered += 1 } else { $0.shipped += 1 } }
        }
    }

    // MARK: How workers work

    private struct ConsumerDied: Error {}

    private func consume(
        _ queue: ShopQueue, as name: String, _ endpoint: Endpoint,
        _ process: @Sendable (ShopMessage, inout any ShopBus) async throws -> Void
    ) async {
        await keepConnected(name, endpoint) { [self] bus in
            try await bus.prepare(queues)
            let clock = ContinuousClock()
            var nextLook = clock.now + .milliseconds(ShopQueue.abandonedMilliseconds)
            while !Task.isCancelled {
                var messages: [ShopMessage] = []
                do {
                    if let message = try await bus.take(from: queue, as: name) { messages.append(message) }
                    if clock.now >= nextLook {
                        nextLook = clock.now + .milliseconds(ShopQueue.abandonedMilliseconds)
                        messages += try await bus.takeOver(from: queue, as: name)
                    }
                } catch is ShopBusError {
                    try await Task.sleep(for: .milliseconds(200))
                }
                for message in messages {
                    if message.attempt > 1 { count { $0.redelivered += 1 } }
                    do {
                        try await process(message, &bus)
                    } catch is ShopBusError {
                        // It stays unsettled, and comes again.
                    }
                }
            }
        }
    }

    /// Publishes; false when the bus or a breaker said no.
    private func publish(
        _ order: Int, _ item: String, to queue: String, through bus: inout any ShopBus
    ) async throws -> Bool {
        do {
            try await bus.publish(order: order, item: item, to: queue)
            return true
        } catch let error as ShopBusError {
            count { if error.isFromBreaker { $0.refused += 1 } else { $0.failed += 1 } }
            return false
        }
    }

    /// Connects, works, and when the connection breaks connects again, until the task is cancelled.
    private func keepConnected(
        _ name: String, _ endpoint: Endpoint, _ work: @Sendable (inout any ShopBus) async throws -> Void
    ) async {
        var life = 0
        while !Task.isCancelled {
            life += 1
            // Whoever comes back is another process, which holds nothing of what the one before it held.
            try? await busProtocol.connected(to: endpoint, name: "\(name)-\(life)", work)
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func count(_ change: (inout Counts) -> Void) { state.withLock { change(&$0) } }

    private static func take(_ number: inout Int) -> Bool {
        guard number > 0 else { return false }
        number -= 1
        return true
    }
}
