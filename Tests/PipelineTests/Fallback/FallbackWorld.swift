import NIOCore
import Pipeline
import Resilience
import Synchronization
import Telemetry

/// A world whose breaker of `orders` is open, with a disk and a second broker: a courier whose connection does what the
/// test says.
final class FallbackWorld {
    let spooling: SpoolWorld
    let world: World
    private var courier: RedisCourier
    private var written: [UInt8] = []
    private var deliveries: [CourierDelivery] = []
    private(set) var opens = 0
    private(set) var closes = 0

    init(
        _ steps: FallbackStep..., rules: KeyValuePairs<String, [FallbackStep]> = [:], messages: Int = 100,
        aside: Int = 100, inject: InjectionRule = .never
    ) {
        func plan(_ steps: [FallbackStep]) -> FallbackPlan { FallbackPlan(steps)! }
        let policy = FallbackPolicy(
            plan(steps),
            rules: rules.map { FallbackPolicy.Rule(destinations: Glob($0.key)!, plan: plan($0.value)) },
            deadlines: FallbackDeadlines(
                secondary: 300_000_000, spool: 1_000_000_000, deadLetter: 500_000_000),
            secondary: BrokerAddress(server: "second.test", port: 6380))
        spooling = SpoolWorld(messages: messages, aside: aside, inject: inject, fallback: policy)
        world = spooling.world
        courier = RedisCourier(
            lane: world.lane, listener: world.profile, to: .secondary, credentials: nil)
    }

    func open(_ operation: GuardedOperation, _ admission: Admission = .none(retryAtNanoseconds: .max)) {
        let destination = operation == .publish ? "orders" : ""
        spooling.guards.cell(
            for: GuardKey(listener: 0, listenerName: "redis", operation: operation, destination: destination)
        ).publish(admission, slowCallNanoseconds: 5_000_000_000)
    }

    // MARK: The second broker

    /// Gives the orders of the session's last output to the courier; its connection stays as it is.
    func carry(_ session: Conversation<RedisSession>) {
        for case .courier(let order, let destination) in session.last.detours where destination == .secondary {
            take(courier.carry(order, at: world.now))
        }
        deliver(to: session)
    }

    func connect() { take(courier.connected(at: world.now)) }

    func lose(_ session: Conversation<RedisSession>, _ outcome: ConnectionOutcome = .failed) {
        take(courier.disconnected(outcome, at: world.now))
        deliver(to: session)
    }

    func reply(_ text: String, to session: Conversation<RedisSession>) {
        take(courier.received(ByteBuffer(string: text), at: world.now))
        deliver(to: session)
    }

    /// Its time is up.
    func wake(_ session: Conversation<RedisSession>) {
        take(courier.woken(at: world.now))
        deliver(to: session)
    }

    /// What it was given.
    func wrote() -> String {
        defer { written = [] }
        return String(decoding: written, as: UTF8.self)
    }

    private func take(_ step: OutboundStep<[CourierDelivery]>) {
        written += step.bytes
        deliveries += step.request ?? []
        switch step.connection {
        case .open: opens += 1
        case .close: closes += 1
        case .asItIs: break
        }
    }

    private func deliver(to session: Conversation<RedisSession>) {
        defer { deliveries = [] }
        for delivery in deliveries { session.returned(.carried(number: delivery.number, delivery.outcome)) }
    }

    // MARK: Everything

    /// A new connection whose XADD the second broker is about to get.
    func publish(_ text: String, connects: Bool = true) -> Conversation<RedisSession> {
        let session = world.connect()
        session.client(text)
        carry(session)
        if connects { connect() }
        return session
    }

    /// What was tried, in words: only what is not zero.
    func tried() -> [String] {
        let steps = FallbackStep.allCases.map(\.rawValue)
        let outcomes = FallbackOutcome.allCases.map(\.rawValue) + ["not_possible", "failed"]
        return steps.flatMap { step in
            outcomes.compactMap { outcome in
                let count = world.metric("tacho_fallback_total", #"step="\#(step)",outcome="\#(outcome)""#)
                return count > 0 ? "\(Int(count)) \(step) \(outcome)" : nil
            }
        }
    }
}

extension SessionOutput {
    /// Something is to be handed to the disk.
    var asksDisk: Bool { detours.contains { if case .spool = $0 { true } else { false } } }
}
