import Synchronization
import Telemetry

/// What is known of the running demonstration: asked twice a second, and told to the story where it is news.
final class DemoBoard: Sendable {
    struct Snapshot: Sendable {
        var breakers: [BreakerView] = []
        var queueTimes: [QueueTime] = []
        var ordersPerSecond = 0.0
    }

    private struct State {
        var snapshot = Snapshot()
        /// Records of the audit trail that the story knows.
        var known: Set<GuardRecordView> = []
        var hasLearned = false
        var placedBefore = 0
    }

    private let watch: SidecarWatch
    private let shop: Shop
    private let story: DemoStory
    private let state = Mutex(State())

    /// More records than this are not made between two looks.
    private static let recordsMax = 500
    private static let lookMilliseconds = 500

    init(watch: SidecarWatch, shop: Shop, story: DemoStory) {
        self.watch = watch
        self.shop = shop
        self.story = story
    }

    var snapshot: Snapshot { state.withLock { $0.snapshot } }
    var isAnyBreakerOpen: Bool { snapshot.breakers.contains { $0.state == "open" } }
    var areBreakersClosed: Bool { snapshot.breakers.allSatisfy { $0.state == "closed" } }
    /// Some breaker of publishes would take the demonstration's slow broker for slow.
    var hasLearned: Bool { state.withLock { $0.hasLearned } }

    /// Looks until the task is cancelled.
    func run() async throws {
        while true {
            let breakers = await watch.breakers()
            let times = await watch.queueTimes()
            let records = await watch.history(limit: Self.recordsMax)
            let placed = shop.counts.placed
            let news = state.withLock { state in
                let perSecond = Double(placed - state.placedBefore) * 1_000 / Double(Self.lookMilliseconds)
                // Two looks are little to tell a rate by.
                let rate = state.snapshot.ordersPerSecond * 0.8 + perSecond * 0.2
                state.snapshot = Snapshot(breakers: breakers, queueTimes: times, ordersPerSecond: rate)
                state.placedBefore = placed
                let news = records.reversed().filter { !state.known.contains($0) }
                state.known = Set(records)
                if news.contains(where: Self.isEnough) { state.hasLearned = true }
                return news
            }
            for record in news { tell(record) }
            tellTuned(news.filter { $0.what == "threshold" && $0.old != $0.new && !$0.isShadow })
            try await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
        }
    }

    private static func isEnough(_ record: GuardRecordView) -> Bool {
        record.what == "threshold" && !record.isShadow && record.key.hasSuffix(" publish")
            && record.parameter == "slow_call_seconds"
            && Double(record.new).map { $0 < Double(BrokerFault.latencyMilliseconds) / 1_000 } == true
    }

    private func tell(_ record: GuardRecordView) {
        let name = "'\(record.key)' of \(record.listener)"
        switch (record.what, record.new) {
        case ("state", "open") where record.old == "half_open":
            story.tell("breaker \(name) stays open: a probe failed", .faint)
        case ("state", "open"):
            let calls = record.evidence["calls"].map { Int($0) } ?? 0
            let bad = Int((record.evidence["failures"] ?? 0) + (record.evidence["slow"] ?? 0))
            story.tell("breaker \(name) opens: \(bad) of \(calls) calls were bad (\(record.reason))", .bad)
        case ("state", "closed"): story.tell("breaker \(name) closes again", .good)
        case ("warning", _): story.tell("warning of \(name): \(record.reason)", .warning)
        default: break
        }
    }

    /// Many thresholds are tuned at once: one line for all of them.
    private func tellTuned(_ changes: [GuardRecordView]) {
        guard let shown = changes.first(where: { $0.parameter == "slow_call_seconds" }) ?? changes.first else { return }
        let breakers = Set(changes.map { [$0.listener, $0.key] }).count
        let others = changes.count > 1 ? ", and \(changes.count - 1) more of \(breakers) breakers" : ""
        story.tell(
            "threshold tuned: \(shown.parameter ?? "") of '\(shown.key)' \(shown.old) -> \(shown.new)\(others)", .faint)
    }
}
