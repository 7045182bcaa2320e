import Synchronization
public import Telemetry

/// The one budget that all lanes share. They come here once a second, never while a message passes.
public final class SamplingController: Sendable {
    private struct State {
        var budget: SamplingBudget
        /// When the interval under way began; zero before the first visit.
        var beganAt: UInt64 = 0
    }

    private let state: Mutex<State>
    /// What a destination starts with.
    let initial: SamplingAssignment

    /// Lanes come at different moments; none waits much longer than a second for its new thresholds.
    private static let intervalNanoseconds: UInt64 = 1_000_000_000
    /// A lane that ticks just before the second is over need not wait for the next one.
    private static let toleranceNanoseconds: UInt64 = 50_000_000

    /// A controller of a budget that has not begun its first interval.
    public init(_ budget: SamplingBudget) {
        initial = budget.initial
        state = Mutex(State(budget: budget))
    }

    /// The shares of roots that were kept lately, by destination.
    public var effectiveRatios: [(destination: NameID, ratio: Double)] {
        state.withLock { state in
            state.budget.destinations.compactMap { destination in
                state.budget.effectiveRatio(of: destination).map { (destination, $0) }
            }
        }
    }

    /// Takes what a lane has counted and gives it its assignments, in place.
    func exchange(_ slots: inout ContiguousArray<SamplingSlot>, at now: Instant) {
        state.withLock { state in
            for index in slots.indices where slots[index].sampler.roots > 0 || slots[index].sampler.spans > 0 {
                state.budget.add(slots[index].sampler.counts, of: NameID(index: UInt32(index)))
            }
            if state.beganAt == 0 { state.beganAt = now.monotonicNanoseconds }
            let elapsed = now.monotonicNanoseconds &- state.beganAt
            if now.monotonicNanoseconds > state.beganAt, elapsed + Self.toleranceNanoseconds > Self.intervalNanoseconds
            {
                state.budget.closeInterval(seconds: Double(elapsed) / 1e9)
                state.beganAt = now.monotonicNanoseconds
            }
            for index in slots.indices {
                slots[index].sampler.restart(state.budget.assignment(of: NameID(index: UInt32(index))))
            }
        }
    }
}

/// What a lane keeps for one destination.
struct SamplingSlot {
    var sampler: DestinationSampler
    /// `ot=th:...` of `statedThreshold`, made when a root is first kept by it.
    var traceState: String?
    var statedThreshold: UInt64 = 0
    var slowSend = SlowThreshold()
    var slowProcess = SlowThreshold()
    let isDeadLetter: Bool

    init(_ assignment: SamplingAssignment, isDeadLetter: Bool) {
        sampler = DestinationSampler(assignment)
        self.isDeadLetter = isDeadLetter
    }
}

extension DestinationSampler {
    fileprivate var counts: SamplingBudget.Counts { SamplingBudget.Counts(roots: roots, kept: kept, spans: spans) }
}
