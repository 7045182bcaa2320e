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
