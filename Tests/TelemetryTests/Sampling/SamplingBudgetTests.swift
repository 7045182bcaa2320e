import TestSupport
import Testing

@testable import Telemetry

@Suite("A budget of spans per second, divided among destinations")
struct SamplingBudgetTests {
    struct Filling: Sendable {
        let budget: Double
        let demands: [Double]
        let floors: [Double]
        let shares: [Double]
    }

    @Test(
        "water-filling",
        arguments: [
            Filling(budget: 100, demands: [10, 20, 30], floors: [1, 1, 1], shares: [10, 20, 30]),
            Filling(budget: 100, demands: [10, 1000, 1000], floors: [1, 1, 1], shares: [10, 45, 45]),
            Filling(budget: 100, demands: [40, 40, 40], floors: [1, 1, 1], shares: [33.333, 33.333, 33.333]),
            Filling(budget: 12, demands: [0.5, 100, 100], floors: [5, 5, 5], shares: [0.5, 5.75, 5.75]),
            Filling(budget: 10, demands: [100, 100, 100, 100], floors: [5, 5, 5, 5], shares: [2.5, 2.5, 2.5, 2.5]),
            Filling(budget: 20, demands: [100, 100, 1], floors: [15, 1, 1], shares: [15, 4, 1]),
            Filling(budget: 10, demands: [], floors: [], shares: []),
        ])
    func fills(_ table: Filling) {
        let shares = SamplingBudget.shares(of: table.budget, demands: table.demands, floors: table.floors)
        #expect(shares.count == table.shares.count)
        for (share, expected) in zip(shares, table.shares) { #expect(abs(share - expected) < 0.001) }
        #expect(shares.reduce(0, +) <= table.budget + 1e-6)
    }

    @Test("below the budget everything is kept, from the first second on")
    func quiet() {
        var world = SamplingWorld(budget: 1000, rates: [400, 3, 0.2])
        for _ in 0..<10 {
            let second = world.second()
            #expect(second.kept == second.roots)
        }
    }

    @Test("far above it the sum stays near the budget, and rare streams are kept whole")
    func loud() {
        var world = SamplingWorld(budget: 1000, rates: [60_000, 9_000, 2, 0.5])
        let first = world.second()
        #expect(first.kept.reduce(0, +) < 2_800, "the guard holds the second in which nothing was known")
        for _ in 0..<4 { _ = world.second() }
        var total = 0
        for _ in 0..<20 {
            let second = world.second()
            total += second.kept.reduce(0, +)
            #expect(second.kept[2...] == second.roots[2...])
        }
        #expect((700...1_100).contains(Double(total) / 20))
    }

    @Test("a burst on a quiet destination is held within the second")
    func burst() {
        var world = SamplingWorld(budget: 500, rates: [10])
        for _ in 0..<5 { _ = world.second() }
        world.rates = [200_000]
        #expect(world.second().kept[0] < 1_300)
        world.rates = [10]
        for _ in 0..<12 { _ = world.second() }
        let after = world.second()
        #expect(after.kept == after.roots, "and forgotten a few seconds later")
    }

    @Test("a budget of nothing keeps nothing")
    func nothing() {
        var world = SamplingWorld(budget: 0, rates: [100])
        for _ in 0..<3 { #expect(world.second().kept == [0]) }
    }

    @Test("a chosen sampler keeps its threshold at any rate")
    func fixed() {
        let budget = SamplingBudget(fixed: Sampler(.parentBased(root: .ratio(0.01))))
        var world = SamplingWorld(budget, rates: [50_000])
        var kept = 0
        for _ in 0..<10 { kept += world.second().kept[0] }
        #expect((4_500...5_500).contains(kept))
        let ratio = world.budget.effectiveRatio(of: NameID(index: 0)) ?? 0
        #expect((0.008...0.012).contains(ratio))
    }

    /// Rates that change while thresholds follow them, bursts, floors: the estimate may not lean to either side.
    @Test("adjusted counts add up to the true count, within three sigma for each destination", arguments: 1...12)
    func unbiased(seed: UInt64) {
        var world = SamplingWorld(budget: 300, rates: [20_000, 2_500, 150, 4], seed: seed)
        for second in 0..<30 {
            if second == 10 { world.rates[1] = 15_000 }
            if second == 20 { world.rates[2] = 6_000 }
            _ = world.second()
        }
        for destination in world.rates.indices {
            let difference = world.adjusted[destination] - Double(world.roots[destination])
            let sigma = world.variance[destination].squareRoot()
            // 48 comparisons: a fair estimate passes three sigma once in 370, so the mean of all is tested below.
            #expect(abs(difference) <= max(3.5 * sigma, 1e-6), "destination \(destination)")
        }
    }

    @Test("over all seeds the estimate is within three sigma of the truth")
    func unbiasedTogether() {
        var difference = [0.0, 0.0, 0.0]
        var variance = [0.0, 0.0, 0.0]
        for seed in 100..<130 as Range<UInt64> {
            var world = SamplingWorld(budget: 200, rates: [8_000, 900, 40], seed: seed)
            for _ in 0..<12 { _ = world.second() }
            for destination in 0..<3 {
                difference[destination] += world.adjusted[destination] - Double(world.roots[destination])
                variance[destination] += world.variance[destination]
            }
        }
        for destination in 0..<3 {
            #expect(abs(difference[destination]) <= max(3 * variance[destination].squareRoot(), 1e-6))
        }
    }
}

/// One event loop whose destinations receive roots at given rates, with a clock that is a number.
struct SamplingWorld {
    var budget: SamplingBudget
    var rates: [Double]
    private var samplers: [DestinationSampler]
    private var generator: SeededGenerator
    private var owed: [Double]
    private(set) var roots: [Int]
    /// Sum of 1/p over the kept roots, p read from the threshold of each.
    private(set) var adjusted: [Double]
    /// Sum of (1-p)/p over all roots: the variance of that sum.
    private(set) var variance: [Double]

    init(budget: Int, rates: [Double], seed: UInt64 = 1) {
        self.init(SamplingBudget(spansPerSecond: budget), rates: rates, seed: seed)
    }

    init(_ budget: SamplingBudget, rates: [Double], seed: UInt64 = 1) {
        self.budget = budget
        self.rates = rates
        samplers = rates.map { _ in DestinationSampler(budget.initial) }
        generator = SeededGenerator(seed: seed)
        owed = rates.map { _ in 0 }
        roots = rates.map { _ in 0 }
        adjusted = rates.map { _ in 0 }
        variance = rates.map { _ in 0 }
    }

    mutating func second() -> (roots: [Int], kept: [Int]) {
        for slice in 0..<100 as Range<UInt64> {
            for destination in rates.indices {
                owed[destination] += rates[destination] / 100
                while owed[destination] >= 1 {
                    owed[destination] -= 1
                    root(destination, at: slice * 10_000_000)
                }
            }
        }
        let seen = (roots: samplers.map { Int($0.roots) }, kept: samplers.map { Int($0.kept) })
        for (index, sampler) in samplers.enumerated() {
            let name = NameID(index: UInt32(index))
            budget.add(.init(roots: sampler.roots, kept: sampler.kept, spans: sampler.spans), of: name)
        }
        budget.closeInterval(seconds: 1)
        for index in samplers.indices {
            samplers[index].restart(budget.assignment(of: NameID(index: UInt32(index))))
        }
        return seen
    }

    private mutating func root(_ destination: Int, at elapsed: UInt64) {
        let id = TraceID(high: generator.next(), low: generator.next())
        let isKept = samplers[destination].keeps(id, elapsedNanoseconds: elapsed)
        let probability = Double((1 << 56) - samplers[destination].threshold) / Double(1 << 56 as UInt64)
        roots[destination] += 1
        if probability > 0 { variance[destination] += (1 - probability) / probability }
        guard isKept else { return }
        samplers[destination].countSpan()
        adjusted[destination] += 1 / probability
    }
}
