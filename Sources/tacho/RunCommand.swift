import ArgumentParser
import Foundation
import Sidecar

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the sidecar until SIGTERM, then drain.",
        discussion: "Every setting is also a key of the file and a TACHO_... variable; flags win over variables, "
            + "variables over the file."
    )

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let resolved = try options.load()
        resolved.logNotices(to: .standardError())
        try await Topology.run(
            configuration: resolved.configuration, environment: ProcessInfo.processInfo.environment)
    }
}
