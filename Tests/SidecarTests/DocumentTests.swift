import Foundation
import Sidecar
import Telemetry
import Testing

/// What the documents repeat from the program is made from the program (`scripts/docs`), and stays equal to it.
@Suite("The documents say what the program says")
struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

    private static let documents: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "docs").path)
        return ["README.md", "ARCHITECTURE.md"]
            + (names ?? []).filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
    }()

    @Test("docs/configuration.md has the tables of `tacho reference configuration`")
    func configuration() throws {
        #expect(try section("configuration", of: "docs/configuration.md") == ConfigurationReference.markdown)
    }

    @Test("docs/metrics.md has the table of `tacho reference metrics`")
    func metrics() throws {
        #expect(try section("metrics", of: "docs/metrics.md") == MetricReference.markdown)
    }

    @Test("what README tells of keys is what the reference tells of them")
    func essentials() throws {
        let reference = Set(ConfigurationReference.markdown.split(separator: "\n"))
        for row in try section("essentials", of: "README.md").split(separator: "\n") {
            #expect(reference.contains(row), "outdated: \(row)")
        }
    }

    @Test("no metric of ours is named that does not exist", arguments: documents)
    func names(document: String) throws {
        let known = Set(MetricCatalog.all.map(\.name))
        for match in try text(of: document).matches(of: /\btacho_[a-z_]*[a-z]/) {
            let name = String(match.output)
            let family = ["_bucket", "_sum", "_count"].first(where: name.hasSuffix).map { name.dropLast($0.count) }
            #expect(known.contains(name) || known.contains(String(family ?? "")), "\(name) is not in the catalog")
        }
    }

    @Test("links between documents lead to files and headings that are there", arguments: documents)
    func links(document: String) throws {
        let folder = Self.root.appending(path: document).deletingLastPathComponent()
        for match in try text(of: document).matches(of: /\]\(([^)#:\s]*)(?:#([^)\s]*))?\)/) {
            let file = match.1.isEmpty ? Self.root.appending(path: document) : folder.appending(path: String(match.1))
            #expect(FileManager.default.fileExists(atPath: file.standardized.path), "no such file: \(match.1)")
            guard let anchor = match.2, file.pathExtension == "md" else { continue }
            let headings = try String(contentsOf: file.standardized, encoding: .utf8).split(separator: "\n")
                .filter { $0.hasPrefix("#") }.map { Self.anchor($0.drop { $0 == "#" }) }
            #expect(headings.contains(String(anchor)), "no such heading: \(match.1)#\(anchor)")
        }
    }

    /// How a heading is named in links: lower case, words joined by dashes, without other signs.
    private static func anchor(_ heading: Substring) -> String {
        let words = heading.lowercased().split(separator: " ")
        return words.map { $0.filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" } }.joined(separator: "-")
    }

    private func text(of document: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: document), encoding: .utf8)
    }

    /// The lines between the two markers of this name.
    private func section(_ name: String, of document: String) throws -> String {
        let text = try text(of: document)
        let begin = try #require(text.firstRange(of: "<!-- \(name):begin -->\n"), "no begin marker of \(name)")
        let rest = text[begin.upperBound...]
        let end = try #require(rest.firstRange(of: "<!-- \(name):end -->"), "no end marker of \(name)")
        return String(rest[..<end.lowerBound])
    }
}
