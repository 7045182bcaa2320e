/// What is to be run, and the results put in order. Every scenario with every seed is one piece of work that shares
/// nothing with the others, so that the pieces may run on any thread in any order.
public struct Experiment: Sendable {
    /// Scenarios, in the order of the report.
    public let scenarios: [Scenario]
    /// Subjects, in the order of the report.
    public let subjects: [SubjectKind]
    /// One run per seed.
    public let seeds: ClosedRange<UInt64>

    /// An experiment.
    public init(scenarios: [Scenario], subjects: [SubjectKind], seeds: ClosedRange<UInt64>) {
        self.scenarios = scenarios
        self.subjects = subjects
        self.seeds = seeds
    }

    /// How many pieces there are.
    public var pieceCount: Int { scenarios.count * seeds.count }

    /// Runs one piece: all subjects on the same calls. The figures of each subject, in order.
    public func run(piece: Int) -> [RunMetrics] {
        let seed = seeds.lowerBound + UInt64(piece % seeds.count)
        let workload = Workload(scenarios[piece / seeds.count], seed: seed)
        return subjects.map { Simulation.run(workload, subject: $0.make(seed: seed)) }
    }

    /// The report on all pieces, given in the order of their numbers.
    public func report(_ pieces: [[RunMetrics]]) -> Report {
        Report(
            seeds: seeds,
            scenarios: scenarios.indices.map { index in
                let runs = pieces[(index * seeds.count)..<((index + 1) * seeds.count)]
                return ScenarioReport(
                    scenario: scenarios[index],
                    summaries: subjects.indices.map { subject in
                        Summary(subjects[subject], runs.map { $0[subject] })
                    })
            })
    }
}

/// One scenario with every subject's figures.
public struct ScenarioReport: Sendable {
    /// What was run.
    public let scenario: Scenario
    /// In the order asked for.
    public let summaries: [Summary]

    /// The least median loss among the breakers as they come; nil if none was run.
    public var bestFixed: Summary? {
        summaries.filter(\.subject.isFixedDefault).min { loss($0) < loss($1) }
    }

    /// The subject's median loss beyond that of the best fixed default; below 0 if it lost less.
    public func lossBeyondBest(_ summary: Summary) -> Double? {
        bestFixed.map { loss(summary) - loss($0) }
    }

    private func loss(_ summary: Summary) -> Double { summary.median(.loss) ?? .infinity }
}

/// Everything that was run.
public struct Report: Sendable {
    /// Which seeds.
    public let seeds: ClosedRange<UInt64>
    /// In the order asked for.
    public let scenarios: [ScenarioReport]
}
