public import Resilience
public import Telemetry

/// Which steps a listener tries for a message that its upstream may not be given: one plan for everything, and others for
/// destinations that fit a pattern.
public struct FallbackPolicy: Sendable {
    /// A plan for some destinations.
    public struct Rule: Sendable {
        /// Compared with the whole name.
        public var destinations: Glob
        /// What is tried for them.
        public var plan: FallbackPlan

        /// Both parts.
        public init(destinations: Glob, plan: FallbackPlan) {
            self.destinations = destinations
            self.plan = plan
        }
    }

    private let plan: FallbackPlan
    private let rules: [Rule]
    /// How long each step may take.
    public let deadlines: FallbackDeadlines
    /// What spans and metrics name as the second broker; nil where there is none.
    public let secondary: BrokerAddress?
    /// Some message may be spooled.
    public let spools: Bool
    /// Some message may be stored, to be sent on by itself or when somebody says so.
    public let stores: Bool
    /// There is more than failing, for some message.
    public let hasSteps: Bool

    /// The first rule that fits decides; where none does, `plan`.
    public init(
        _ plan: FallbackPlan, rules: [Rule] = [], deadlines: FallbackDeadlines, secondary: BrokerAddress? = nil
    ) {
        self.plan = plan
        self.secondary = secondary
        self.rules = rules
        self.deadlines = deadlines
        let plans = [plan] + rules.map(\.plan)
        spools = plans.contains { $0.contains(.spool) }
        stores = spools || plans.contains { $0.contains(.deadLetter) }
        hasSteps = plans.contains { !$0.steps.isEmpty }
    }

    /// Every message that may not pass is refused.
    public static let fail = FallbackPolicy(.fail, deadlines: FallbackDeadlines(secondary: 0, spool: 0, deadLetter: 0))

    /// Whether this step is one of some plan.
    public func uses(_ step: FallbackStep) -> Bool { plan.contains(step) || rules.contains { $0.plan.contains(step) } }

    /// What is tried for a message to this destination.
    func plan(for destination: [UInt8]) -> FallbackPlan {
        guard !rules.isEmpty else { return plan }
        let name = String(decoding: destination, as: UTF8.self)
        return rules.first { $0.destinations.matches(name) }?.plan ?? plan
    }
}
