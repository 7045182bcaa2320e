import Foundation
import Testing

@testable import Telemetry

@Suite("Catalog")
struct CatalogTests {
    /// A registry in which every family of the catalog has series, some with exemplars.
    static func populated() -> MetricsRegistry {
        let registry = MetricsRegistry()
        let shard = registry.makeShard()
        for family in MetricCatalog.all {
            for variant in ["a", "b"] {
                let labelValues = family.labels.map { "\(variant) \($0)" }
                switch family.kind {
                case .counter: shard.counter(family, labelValues).add(3)
                case .gauge: shard.gauge(family, labelValues).add(2)
                case .histogram:
                    shard.histogram(family, labelValues).record(
                        nanoseconds: 3_000_000, exemplar: Sample.context,
                        atUnixNanoseconds: 1_700_000_000_000_000_000)
                }
            }
        }
        return registry
    }

    @Test func everyDeclarationIsInTheList() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources/Telemetry/Metrics/MetricCatalog.swift")
        let source = try String(contentsOf: file, encoding: .utf8)
        #expect(source.matches(of: /= MetricFamily\(/).count == MetricCatalog.all.count)
        for family in MetricCatalog.all { #expect(source.contains("\"\(family.name)\"")) }
    }

    /// In OpenMetrics no name of a family or of one of its samples may belong to another family.
    @Test func namesDoNotClash() {
        var owners: [String: String] = [:]
        for family in MetricCatalog.all {
            let suffixes =
                switch family.kind {
                case .counter: ["", "_total", "_created"]
                case .gauge: [""]
                case .histogram: ["", "_bucket", "_count", "_sum", "_created"]
                }
            for suffix in suffixes {
                let name = family.openMetricsName + suffix
                #expect(owners[name] == nil, "\(name) belongs to \(owners[name] ?? "") and \(family.name)")
                owners[name] = family.name
            }
        }
    }

    @Test func labelsAreOurs() {
        for family in MetricCatalog.all {
            #expect(
                Set(family.labels).isDisjoint(with: ["job", "instance", "le", "quantile", "type", "service", "env"]))
            #expect(Set(family.labels).count == family.labels.count)
        }
    }

    @Test(
        "Standard buckets",
        arguments: [
            (
                MetricCatalog.messagingOperationDuration,
                "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0"
            ),
            (
                MetricCatalog.messagingProcessDuration,
                "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0"
            ),
            (MetricCatalog.databaseOperationDuration, "0.001 0.005 0.01 0.05 0.1 0.5 1.0 5.0 10.0"),
        ])
    func standardBuckets(family: MetricFamily, bounds: String) {
        #expect(family.bounds.map { DecimalText.bound(nanoseconds: $0) }.joined(separator: " ") == bounds)
    }

    @Test(
        "Own buckets",
        arguments: [
            (MetricCatalog.proxyTime, "1e-06", "0.1"), (MetricCatalog.queueTime, "0.0001", "3600.0"),
            (MetricCatalog.exportTime, "0.001", "30.0"),
        ])
    func ownBuckets(family: MetricFamily, first: String, last: String) {
        #expect(DecimalText.bound(nanoseconds: family.bounds.first!) == first)
        #expect(DecimalText.bound(nanoseconds: family.bounds.last!) == last)
    }

    private static let promtool = ["/usr/bin/promtool", "/usr/local/bin/promtool"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test("promtool check metrics", .enabled(if: promtool != nil, "promtool is not installed"))
    func lint() throws {
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        process.executableURL = URL(filePath: try #require(Self.promtool))
        process.arguments = ["check", "metrics"]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        input.fileHandleForWriting.write(Data(Self.populated().render(.prometheusText)))
        try input.fileHandleForWriting.close()
        let findings = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(findings == "")
        #expect(process.terminationStatus == 0)
    }
}
