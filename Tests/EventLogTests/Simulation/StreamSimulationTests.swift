import Testing

@Suite("Random histories of streams and groups")
struct StreamSimulationTests {
    @Test("The tables answer every command as the model in memory does, and stay consistent")
    func streams() {
        Simulation(
            history: { seed, count in
                var generator = StepGenerator(seed: seed)
                return generator.steps(count)
            }, run: ModelComparison.run
        ).check(runs: 1_500)
    }

    @Test("So they do with leases, nacks, dead letters, deduplication and replays")
    func leases() {
        Simulation(
            history: { seed, count in
                var generator = LeaseStepGenerator(seed: seed)
                return generator.steps(count)
            }, run: LeaseComparison.run
        ).check(runs: 1_000)
    }

    @Test("A failing history is cut down to the steps without which it does not fail")
    func shrinking() {
        let simulation = Simulation<Int>(
            history: { _, count in Array(0..<count) },
            run: { steps in
                // Fails once 7 has come before 41.
                guard let early = steps.firstIndex(of: 7), let late = steps.firstIndex(of: 41), early < late else {
                    return nil
                }
                return SimulatedDifference(step: late, text: "")
            })
        #expect(simulation.shrink(Array(0..<80)) == [7, 41])
    }
}
