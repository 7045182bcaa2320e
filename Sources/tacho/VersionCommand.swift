import ArgumentParser
import Sidecar
import Telemetry

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    @OptionGroup var format: OutputOptions

    func run() {
        print(
            format.output == .json ? "{\"version\":\"\(TachographVersion.text)\"}" : "tacho \(TachographVersion.text)")
    }
}

/// Prints the tables from which the documentation's configuration reference is made.
struct ConfigReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config-reference", abstract: "Print every setting as Markdown.", shouldDisplay: false)

    func run() { print(ConfigurationReference.markdown, terminator: "") }
}
