/// Divides a budget of spans per second among destinations, once per interval.
///
/// Each destination's demand is the number of spans per second that keeping everything would give. The budget is
/// filled into the demands like water into vessels: what a small one does not need, the large ones share equally. A
/// destination gets at least one trace per second, so that a rare stream is always seen; where even that is too much,
/// all get the same part of it. The sum never exceeds the budget.
///
/// Time and counts are parameters; destinations are named by the numbers of their names, which their table bounds.
public struct SamplingBudget: Sendable {
    /// What one event loop has seen of one destination since it last said so.
    public struct Counts: Sendable, Hashable {
        /// Traces that began here.
        public var roots: UInt32
        /// Those of them that were kept.
        public var kept: UInt32
        /// Spans recorded of traces that were kept by probability.
        public var spans: UInt32

        /// The three counts.
        public init(roots: UInt32, kept: UInt32, spans: UInt32) {
            self.roots = roots
            self.kept = kept
            self.spans = spans
        }
    }

    private struct Flow {
        // This interval.
        var roots = 0.0
        var kept = 0.0
        var spans = 0.0
        // Moving averages per second.
        var rootRate = 0.0
        var keptRate = 0.0
        var spanRate = 0.0
        var isKnown = false
        var assignment: SamplingAssignment
    }

    private enum Policy {
        case spansPerSecond(Double)
        case fixed
    }

    /// Weight of the newest interval: a change is followed within about three.
    private static let newestWeight = 0.5
    /// A trace of more spans than this is not made cheaper by keeping fewer of its kind.
    private static let spansPerRootMax = 64.0

    private let policy: Policy
    /// What a destination starts with that has not been seen before.
    public let initial: SamplingAssignment
    private var flows: [Flow] = []

    /// A budget; 0 keeps nothing by probability.
    public init(spansPerSecond: Int) {
        let budget = Double(max(0, spansPerSecond))
        policy = .spansPerSecond(budget)
        initial =
            budget > 0
            ? SamplingAssignment(threshold: 0, rootsMax: Self.guardLimit(budget))
            : SamplingAssignment(threshold: Sampler.thresholdLimit, rootsMax: 0)
    }

    /// No budget: the sampler that a person has chosen decides, at any rate.
    public init(fixed sampler: Sampler) {
        policy = .fixed
        initial = SamplingAssignment(threshold: sampler.threshold, rootsMax: .max)
    }

    /// What the destination may keep in the interval under way.
    public func assignment(of destination: NameID) -> SamplingAssignment {
        let index = Int(destination.index)
        return index < flows.count ? flows[index].assignment : initial
    }

    /// The share of roots that were kept lately; nil where there were none.
    public func effectiveRatio(of destination: NameID) -> Double? {
        let index = Int(destination.index)
        guard index < flows.count, flows[index].isKnown, flows[index].rootRate > Self.negligibleRate else { return nil }
        return min(1, flows[index].keptRate / flows[index].rootRate)
    }

    /// The destinations for which there may be a ratio.
    public var destinations: [NameID] {
        flows.indices.filter { flows[$0].isKnown }.map { NameID(index: UInt32($0)) }
    }

    /// Adds what one event loop has seen to the interval under way.
    public mutating func add(_ counts: Counts, of destination: NameID) {
        let index = Int(destination.index)
        while flows.count <= index { flows.append(Flow(assignment: initial)) }
        flows[index].roots += Double(counts.roots)
        flows[index].kept += Double(counts.kept)
        flows[index].spans += Double(counts.spans)
    }

    /// Ends the interval, which has lasted for `seconds`, and makes the assignments of the next.
    public mutating func closeInterval(seconds: Double) {
        guard seconds > 0 else { return }
        for index in flows.indices { Self.average(&flows[index], seconds) }
        guard case .spansPerSecond(let budget) = policy, budget > 0 else { return }
        let spansPerRoot = flows.map(Self.spansPerRoot)
        let demands = zip(flows, spansPerRoot).map { $0.rootRate * $1 }
        let shares = Self.shares(of: budget, demands: demands, floors: spansPerRoot)
        let spare = max(0, budget - shares.reduce(0, +))
        for index in flows.indices {
            let ratio = demands[index] > 0 ? shares[index] / demands[index] : 1
            flows[index].assignment = SamplingAssignment(
                threshold: Sampler.threshold(keeping: min(1, ratio)),
                rootsMax: Self.guardLimit((shares[index] + spare) / spansPerRoot[index]))
        }
    }

    /// Fills `budget` into the demands. `floors` are what each gets first, as far as it wants it.
    static func shares(of budget: Double, demands: [Double], floors: [Double]) -> [Double] {
        let floors = zip(demands, floors).map { min($0, $1) }
        let floorSum = floors.reduce(0, +)
        guard floorSum < budget else { return floors.map { $0 * budget / floorSum } }
        guard demands.reduce(0, +) > budget else { return demands }
        func filled(to level: Double) -> [Double] { zip(demands, floors).map { min($0, max($1, level)) } }
        // The sum rises with the level: halving finds it as exactly as the numbers are.
        var low = 0.0
        var high = budget
        for _ in 0..<64 {
            let middle = (low + high) / 2
            if filled(to: middle).reduce(0, +) > budget { high = middle } else { low = middle }
        }
        return filled(to: low)
    }

    /// A rate below one root in about an hour.
    private static let negligibleRate = 0.0003

    private static func average(_ flow: inout Flow, _ seconds: Double) {
        let weight = flow.isKnown ? newestWeight : 1
        if !flow.isKnown, flow.roots == 0, flow.spans == 0 { return }
        flow.rootRate += weight * (flow.roots / seconds - flow.rootRate)
        flow.keptRate += weight * (flow.kept / seconds - flow.keptRate)
        flow.spanRate += weight * (flow.spans / seconds - flow.spanRate)
        flow.isKnown = true
        (flow.roots, flow.kept, flow.spans) = (0, 0, 0)
    }

    /// One more of each steadies the quotient of small numbers.
    private static func spansPerRoot(_ flow: Flow) -> Double {
        min(max((flow.spanRate + 1) / (flow.keptRate + 1), 1), spansPerRootMax)
    }

    /// Kept roots that chance alone would hardly give at this rate.
    private static func guardLimit(_ rootsPerSecond: Double) -> UInt32 {
        UInt32(min(rootsPerSecond + 4 * rootsPerSecond.squareRoot() + 4, 4e9))
    }
}
