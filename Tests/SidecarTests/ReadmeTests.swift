import Foundation
import Sidecar
import Telemetry
import Testing

/// The tables of README.md are made from the program's own, and stay equal to them.
@Suite("The README says what the program says")
struct ReadmeTests {
    private let readme: String

    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
        readme = try String(contentsOf: file, encoding: .utf8)
    }

    @Test("the configuration tables are those of `tacho config-reference`")
    func configuration() throws {
        #expect(try section("configuration") == ConfigurationReference.markdown)
    }

    @Test("the metrics table has a row for every family, with its kind, labels and meaning")
    func metrics() throws {
        let rows = MetricCatalog.all.map { family in
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            return "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |"
        }
        let table = ["| Metric | Kind | Labels | Meaning |", "| --- | --- | --- | --- |"] + rows
        let written = try section("metrics").split(separator: "\n").map(String.init)
        for line in table { #expect(written.contains(line), "missing: \(line)") }
        for line in written { #expect(table.contains(line), "outdated: \(line)") }
    }

    @Test("no metric of ours is named that does not exist")
    func names() {
        let known = Set(MetricCatalog.all.map(\.name))
        for match in readme.matches(of: /tacho_[a-z_]*[a-z]/) {
            let name = String(match.output)
            let family = ["_bucket", "_sum", "_count"].first(where: name.hasSuffix).map { name.dropLast($0.count) }
            #expect(known.contains(name) || known.contains(String(family ?? "")), "\(name) is not in the catalog")
        }
    }

    /// The lines between the two markers of this name.
    private func section(_ name: String) throws -> String {
        let begin = try #require(readme.firstRange(of: "<!-- \(name):begin -->\n"), "no begin marker of \(name)")
        let rest = readme[begin.upperBound...]
        let end = try #require(rest.firstRange(of: "<!-- \(name):end -->"), "no end marker of \(name)")
        return String(rest[..<end.lowerBound])
    }
}
