import Telemetry

/// An accident that happens to the shop, over and over.
public enum ShopAccident: String, Sendable, CaseIterable {
    /// A consumer dies with a message in its hands.
    case crash
    /// A message that cannot be processed, and ends as a dead letter.
    case poison
    /// The broker answers late.
    case latency
    /// The broker answers with errors.
    case errors
}

/// What goes wrong, one thing after another, for ever: a fault of the broker lasts until a breaker has acted on it.
struct FaultScript: Sendable {
    let accidents: [ShopAccident]
    let restSeconds: Int
    let shop: Shop
    let faults: FaultSwitch
    let board: DemoBoard
    let story: DemoStory

    /// So long a fault lasts at most, and so long one waits for breakers to close.
    private static let patienceSeconds = 30
    /// A fault goes on so long after the breaker opened, so that there is something to see.
    private static let afterglowSeconds = 3

    /// Runs until the task is cancelled.
    func run() async throws {
        guard !accidents.isEmpty else { return }
        while true {
            for accident in accidents {
                try await Task.sleep(for: .seconds(restSeconds))
                try await play(accident)
            }
        }
    }

    private func play(_ accident: ShopAccident) async throws {
        switch accident {
        case .crash:
            story.tell("accident: a consumer of \(shop.queues.orders.name) dies with a message in its hands", .warning)
            shop.crashOneConsumer()
        case .poison:
            story.tell("accident: an order that shipping cannot read", .warning)
            shop.orderTheUnreadable()
        case .latency: try await play(.latency, as: accident)
        case .errors: try await play(.errors, as: accident)
        }
    }

    private func play(_ fault: BrokerFault, as accident: ShopAccident) async throws {
        // A broker that is never well would be taken for normal.
        try await wait(seconds: 2 * Self.patienceSeconds) { board.hasLearned }
        story.tell("accident: \(fault.text)", .warning)
        faults.set(fault)
        defer { faults.set(nil) }
        try await wait(seconds: Self.patienceSeconds) { board.isAnyBreakerOpen }
        try await Task.sleep(for: .seconds(Self.afterglowSeconds))
        faults.set(nil)
        story.tell("the broker is well again", .good)
        try await wait(seconds: Self.patienceSeconds) { board.areBreakersClosed }
    }

    /// Waits until something holds, but not for ever.
    private func wait(seconds: Int, until holds: @Sendable () -> Bool) async throws {
        for _ in 0..<(seconds * 5) {
            if holds() { return }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
