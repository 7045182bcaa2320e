extension Report {
    private typealias Column = (title: String, figure: Summary.Figure, digits: Int, width: Int)
    private static let columns: [Column] = [
        ("detect s", .detectSeconds, 1, 11), ("false opens", .falseOpens, 1, 12), ("exposed", .exposed, 0, 14),
        ("rej. healthy", .rejectedHealthy, 0, 13), ("rej. good", .rejectedGoodInFault, 0, 14),
        ("recovery s", .recoverySeconds, 1, 13), ("opens/min", .opensPerMinute, 1, 11),
        ("changes/h", .changesPerHour, 0, 11), ("loss", .loss, 0, 15),
    ]
    private static let nameWidth = 20

    /// The table for people: median / 95th percentile over the seeds.
    public var text: String {
        var lines = [
            "Median / 95th percentile over seeds \(seeds.lowerBound)-\(seeds.upperBound). Simulated; loss = exposed"
                + " + rejected healthy + rejected good.",
            "Detection \"w\" is a warning without opening, n/N the runs that noticed at all. Last column: loss"
                + " against the best fixed default (*).",
        ]
        for scenario in scenarios {
            let kind = scenario.scenario.purpose == .benign ? "benign: " : ""
            lines += ["", "\(scenario.scenario.name): \(kind)\(scenario.scenario.summary)", Self.header]
            lines += scenario.summaries.map { Self.line($0, in: scenario) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static var header: String {
        columns.reduce(padded("  subject", nameWidth)) { $0 + aligned($1.title, $1.width) } + "  against best"
    }

    private static func line(_ summary: Summary, in scenario: ScenarioReport) -> String {
        var line = padded("  " + summary.subject.rawValue, nameWidth)
        for column in columns { line += aligned(cell(summary, column), column.width) }
        return line + "  " + verdict(summary, in: scenario)
    }

    private static func cell(_ summary: Summary, _ column: Column) -> String {
        guard let spread = summary.figures[column.figure] else {
            if column.figure == .detectSeconds, let warning = summary.figures[.warnSeconds] {
                return "w \(Decimal.text(warning.median, digits: 1))"
            }
            return "-"
        }
        let text =
            "\(Decimal.text(spread.median, digits: column.digits)) / "
            + Decimal.text(spread.p95, digits: column.digits)
        return text
    }

    private static func verdict(_ summary: Summary, in scenario: ScenarioReport) -> String {
        guard let best = scenario.bestFixed, let beyond = scenario.lossBeyondBest(summary) else { return "" }
        var verdict = summary.subject == best.subject ? "*" : Decimal.text(beyond, digits: 0)
        if beyond > 0 { verdict = "+" + verdict + " WORSE" }
        if scenario.scenario.purpose == .fault, summary.noticed < summary.runs {
            verdict += " (\(summary.noticed)/\(summary.runs))"
        }
        return verdict
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func aligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}
