/// Median and 95th percentile of one figure over the seeds.
public struct Spread: Sendable, Hashable {
    /// The middle value, or the mean of the two.
    public var median: Double
    /// The least value that 95 % of the runs do not exceed.
    public var p95: Double
    /// The greatest value.
    public var max: Double
    /// Runs that had a value.
    public var count: Int

    /// Nil without any value.
    public init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        count = sorted.count
        let half = count / 2
        median = count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
        max = sorted[count - 1]
        p95 = sorted[Swift.min(count - 1, Swift.max(0, (count * 95 + 99) / 100 - 1))]
    }
}

/// One subject in one scenario, over all seeds.
public struct Summary: Sendable, Hashable {
    /// Which subject.
    public let subject: SubjectKind
    /// Runs in all.
    public let runs: Int
    /// Runs in which it stepped away from closed.
    public let detections: Int
    /// Runs in which it did that or warned.
    public let noticed: Int
    /// The figures, by name and in the order of the table; nil where no run had a value.
    public let figures: [Figure: Spread]

    /// What is summarised.
    public enum Figure: String, Sendable, CaseIterable {
        case detectSeconds = "detect_seconds"
        case warnSeconds = "warn_seconds"
        case falseOpens = "false_opens"
        case exposed
        case rejectedHealthy = "rejected_healthy"
        case rejectedGoodInFault = "rejected_good_in_fault"
        case rejectedBadInFault = "rejected_bad_in_fault"
        case recoverySeconds = "recovery_seconds"
        case opens
        case opensPerMinute = "opens_per_minute"
        case changesPerHour = "changes_per_hour"
        case loss

        func value(_ run: RunMetrics) -> Double? {
            switch self {
            case .detectSeconds: run.detectSeconds
            case .warnSeconds: run.warnSeconds
            case .falseOpens: Double(run.falseOpens)
            case .exposed: Double(run.exposed)
            case .rejectedHealthy: Double(run.rejectedHealthy)
            case .rejectedGoodInFault: Double(run.rejectedGoodInFault)
            case .rejectedBadInFault: Double(run.rejectedBadInFault)
            case .recoverySeconds: run.recoverySeconds
            case .opens: Double(run.opens)
            case .opensPerMinute: run.opensPerMinute
            case .changesPerHour: run.changesPerHour
            case .loss: Double(run.loss)
            }
        }
    }

    /// Summarises the runs of one subject.
    public init(_ subject: SubjectKind, _ runs: [RunMetrics]) {
        self.subject = subject
        self.runs = runs.count
        detections = runs.count { $0.detectSeconds != nil }
        noticed = runs.count { $0.detectSeconds != nil || $0.warnSeconds != nil }
        var figures: [Figure: Spread] = [:]
        for figure in Figure.allCases { figures[figure] = Spread(runs.compactMap(figure.value)) }
        self.figures = figures
    }

    /// The median of a figure.
    public func median(_ figure: Figure) -> Double? { figures[figure]?.median }
}
