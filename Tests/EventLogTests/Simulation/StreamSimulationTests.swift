import Foundation
import Testing

@Suite("Random histories of streams and groups")
struct StreamSimulationTests {
    /// More, or other ones, by environment: `TACHO_SIMULATION_SEED=7 TACHO_SIMULATION_RUNS=100000`.
    static let firstSeed = UInt64(ProcessInfo.processInfo.environment["TACHO_SIMULATION_SEED"] ?? "") ?? 1
    static let runs = Int(ProcessInfo.processInfo.environment["TACHO_SIMULATION_RUNS"] ?? "") ?? 1_500

    @Test("The tables answer every command as the model in memory does, and stay consistent")
    func comparison() {
        for seed in Self.firstSeed..<Self.firstSeed + UInt64(Self.runs) {
            var generator = StepGenerator(seed: seed)
            let steps = generator.steps(80)
            guard let difference = ModelComparison.run(steps) else { continue }
            let shortest = Self.shrink(Array(steps.prefix(max(difference.step, 0) + 1)))
            Issue.record(
                """
                seed \(seed): \(ModelComparison.run(shortest) ?? difference)
                after:
                \(shortest.map { "  \($0)" }.joined(separator: "\n"))
                """)
            return
        }
    }

    /// Leaves out steps as long as the rest still fails: halves, then smaller pieces, then single ones.
    static func shrink(_ steps: [SimulatedStep]) -> [SimulatedStep] {
        var steps = steps
        var size = steps.count / 2
        while size > 0 {
            var start = 0
            while start < steps.count {
                var fewer = steps
                fewer.removeSubrange(start..<min(start + size, steps.count))
                if ModelComparison.run(fewer) != nil { steps = fewer } else { start += size }
            }
            size /= 2
        }
        return steps
    }
}
