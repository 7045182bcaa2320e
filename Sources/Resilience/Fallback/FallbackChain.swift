/// The way of one message through the steps of its plan: which is next after which outcome, and until when each may take.
///
/// A step that certainly does not have the message hands it to the next. One that may have it ends the chain: a message
/// is rather reported as uncertain than stored twice. The chain waits for nothing; whoever drives it tells it what the
/// steps came to, and that their time is up.
public struct FallbackChain: Sendable, Hashable {
    /// What is to be done now.
    public enum Move: Sendable, Hashable {
        /// The step gets the message, and has until this moment of the monotonic clock.
        case attempt(FallbackStep, until: UInt64)
        /// The client gets the answer of this step.
        case answer(FallbackStep)
        /// The client is told that nobody knows whether this step has the message.
        case reportUnknown(FallbackStep)
        /// The client is told that nobody has it.
        case fail
    }

    private var remaining: ArraySlice<FallbackStep>
    private let deadlines: FallbackDeadlines
    /// The step that has the message; nil before the first and behind the last.
    public private(set) var current: FallbackStep?
    /// The last step that was given the message, and why it does not have it.
    public private(set) var lastFailure: Failure?

    /// How a step ended that did not answer.
    public struct Failure: Sendable, Hashable {
        /// Who was to take the message.
        public let step: FallbackStep
        /// Why it did not.
        public let outcome: FallbackOutcome
    }

    /// A chain before its first step.
    ///
    /// - Parameter skipping: steps that this message is not to be given to, whatever the plan says.
    public init(_ plan: FallbackPlan, deadlines: FallbackDeadlines, skipping: Set<FallbackStep> = []) {
        remaining = plan.steps.filter { !skipping.contains($0) }[...]
        self.deadlines = deadlines
    }

    /// The first step, or the end where there is none. `now`: on the monotonic clock.
    public mutating func begin(at now: UInt64) -> Move {
        guard current == nil else { return .fail }
        return next(at: now)
    }

    /// What the current step has come to. Of a step that is over nothing more is heard.
    public mutating func ended(_ outcome: FallbackOutcome, at now: UInt64) -> Move {
        guard let step = current else { return .fail }
        current = nil
        guard outcome != .taken else {
            remaining = []
            return .answer(step)
        }
        lastFailure = Failure(step: step, outcome: outcome)
        guard outcome.isCertainlyUndone else {
            remaining = []
            return .reportUnknown(step)
        }
        return next(at: now)
    }

    private mutating func next(at now: UInt64) -> Move {
        guard let step = remaining.popFirst() else { return .fail }
        current = step
        return .attempt(step, until: now &+ deadlines[step])
    }
}
