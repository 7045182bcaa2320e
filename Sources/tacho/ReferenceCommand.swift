import ArgumentParser
import Sidecar
import Telemetry

/// Prints the tables that `scripts/docs` puts into the documents.
struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print every setting or every metric as Markdown.", shouldDisplay: false)

    /// What there is a table of.
    enum Subject: String, ExpressibleByArgument, CaseIterable {
        case configuration
        case metrics
    }

    @Argument(help: "configuration or metrics.")
    var subject: Subject

    func run() {
        switch subject {
        case .configuration: print(ConfigurationReference.markdown, terminator: "")
        case .metrics: print(MetricReference.markdown, terminator: "")
        }
    }
}
