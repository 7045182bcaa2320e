import Foundation
import Testing

/// Where a simulated history parts from its model.
struct SimulatedDifference: CustomStringConvertible {
    var step: Int
    var text: String

    var description: String { "step \(step): \(text)" }
}

/// Runs many histories, and reports the first that fails: its seed, and as few of its steps as still fail.
///
/// More, or other ones, by environment: `TACHO_SIMULATION_SEED=7 TACHO_SIMULATION_RUNS=100000`.
struct Simulation<Step> {
    var stepsPerRun = 80
    /// The steps of a seed.
    var history: (_ seed: UInt64, _ steps: Int) -> [Step]
    /// The first difference in a history.
    var run: ([Step]) -> SimulatedDifference?

    private static var environment: [String: String] { ProcessInfo.processInfo.environment }

    func check(runs usual: Int) {
        let first = UInt64(Self.environment["TACHO_SIMULATION_SEED"] ?? "") ?? 1
        let runs = Int(Self.environment["TACHO_SIMULATION_RUNS"] ?? "") ?? usual
        for seed in first..<first + UInt64(runs) {
            let steps = history(seed, stepsPerRun)
            guard let difference = run(steps) else { continue }
            let shortest = shrink(Array(steps.prefix(max(difference.step, 0) + 1)))
            Issue.record(
                """
                seed \(seed): \(run(shortest) ?? difference)
                after:
                \(shortest.map { "  \($0)" }.joined(separator: "\n"))
                """)
            return
        }
    }

    /// Leaves out steps as long as the rest still fails: halves, then smaller pieces, then single ones.
    func shrink(_ steps: [Step]) -> [Step] {
        var steps = steps
        var size = steps.count / 2
        while size > 0 {
            var start = 0
            while start < steps.count {
                var fewer = steps
                fewer.removeSubrange(start..<min(start + size, steps.count))
                if run(fewer) != nil { steps = fewer } else { start += size }
            }
            size /= 2
        }
        return steps
    }
}
