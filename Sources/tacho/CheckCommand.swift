import ArgumentParser
import Sidecar

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say what would run, or what is wrong and where.",
        discussion: "Takes what run takes and starts nothing. Exits 0 when the configuration is good, else 2."
    )

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var format: OutputOptions

    func run() throws {
        do throws(ConfigurationFailure) {
            let report = ConfigurationReport(try options.load())
            print(format.output == .json ? report.json : report.text)
        } catch {
            guard format.output == .json else { throw error }
            print(ConfigurationReport.json(error))
            throw ExitCode(2)
        }
    }
}
