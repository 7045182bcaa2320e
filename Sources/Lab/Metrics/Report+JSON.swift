extension Report {
    /// The figures for programs: one object, keys in a fixed order, equal runs give equal bytes. Names of scenarios
    /// and subjects are plain letters, so nothing needs escaping.
    public var json: String {
        let body = scenarios.map(Self.object).joined(separator: ",\n")
        return "{\"seeds\":[\(seeds.lowerBound),\(seeds.upperBound)],\"scenarios\":[\n\(body)\n]}\n"
    }

    private static func object(_ report: ScenarioReport) -> String {
        let scenario = report.scenario
        let subjects = report.summaries.map { "  " + object($0, in: report) }.joined(separator: ",\n")
        let best = report.bestFixed.map { "\"\($0.subject.rawValue)\"" } ?? "null"
        return "{\"name\":\"\(scenario.name)\",\"purpose\":\"\(scenario.purpose.rawValue)\","
            + "\"core\":\(scenario.isCore),"
            + "\"summary\":\"\(scenario.summary)\",\"best_fixed\":\(best),\"subjects\":[\n\(subjects)]}"
    }

    private static func object(_ summary: Summary, in report: ScenarioReport) -> String {
        var members = [
            "\"name\":\"\(summary.subject.rawValue)\"", "\"fixed_default\":\(summary.subject.isFixedDefault)",
            "\"runs\":\(summary.runs)", "\"detections\":\(summary.detections)", "\"noticed\":\(summary.noticed)",
            "\"loss_beyond_best\":\(report.lossBeyondBest(summary).map { Decimal.text($0, digits: 1) } ?? "null")",
        ]
        for figure in Summary.Figure.allCases {
            guard let spread = summary.figures[figure] else {
                members.append("\"\(figure.rawValue)\":null")
                continue
            }
            members.append(
                "\"\(figure.rawValue)\":{\"median\":\(Decimal.text(spread.median, digits: 3)),"
                    + "\"p95\":\(Decimal.text(spread.p95, digits: 3)),"
                    + "\"max\":\(Decimal.text(spread.max, digits: 3)),\"runs\":\(spread.count)}")
        }
        return "{\(members.joined(separator: ","))}"
    }
}
