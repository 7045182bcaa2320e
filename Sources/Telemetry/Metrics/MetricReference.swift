/// The documentation of the metrics, made from the catalog: it cannot be out of date.
public enum MetricReference {
    /// One table in Markdown, a row for every family.
    public static var markdown: String {
        let rows = MetricCatalog.all.map { family in
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            return "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |"
        }
        let header = ["| Metric | Kind | Labels | Meaning |", "| --- | --- | --- | --- |"]
        return (header + rows).joined(separator: "\n") + "\n"
    }
}
