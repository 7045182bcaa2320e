import ArgumentParser
import Console
import Telemetry

struct TapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tap",
        abstract: "Show messages as they pass a running sidecar.",
        discussion: """
            One line for each step of each message, whether its trace is kept or not: published, delivered, settled, \
            or pushed to a subscriber. A trace id in parentheses belongs to a trace that is not kept. With -o json, \
            one object per line.
            """
    )

    @OptionGroup var admin: AdminOptions

    @Option(
        help: ArgumentHelp("Only destinations like this; * and ? are wildcards.", valueName: "glob"))
    var destination: String?

    @Option(
        help: ArgumentHelp(
            "Only steps that ended so: \(TapOutcome.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "outcome"))
    var outcome: String?

    @Option(
        help: ArgumentHelp("Only what waited or took at least so many milliseconds.", valueName: "milliseconds"))
    var slowerThan: Double?

    @Option(help: ArgumentHelp("Show at most so many per second and count the others.", valueName: "number"))
    var rate = TapFilter.limitPerSecondDefault

    func validate() throws {
        if let destination, Glob(destination) == nil {
            throw ValidationError("--destination: expected a name of 1 to \(Glob.bytesMax) bytes")
        }
        if let outcome, TapOutcome(rawValue: outcome) == nil {
            let words = TapOutcome.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--outcome: expected one of \(words)")
        }
        if let slowerThan, !(0...86_400_000).contains(slowerThan) {
            throw ValidationError("--slower-than: expected 0 to 86400000 milliseconds")
        }
        guard TapFilter.limitPerSecondRange.contains(rate) else {
            let range = TapFilter.limitPerSecondRange
            throw ValidationError("--rate: expected \(range.lowerBound) to \(range.upperBound) per second")
        }
    }

    func run() throws {
        let (view, asJSON) = (admin.view, admin.format.output == .json)
        if !asJSON { AdminOptions.show(view.tapHeader) }
        try admin.client().stream(
            "/api/v1/tap",
            [
                ("destination", destination), ("outcome", outcome),
                ("slower_than_milliseconds", slowerThan.map { "\($0)" }), ("limit_per_second", "\(rate)"),
            ]
        ) { line in
            if let text = asJSON ? line : view.tap(line) { AdminOptions.show(text) }
        }
        StandardError.print("tacho: the sidecar has ended the stream; it is shutting down")
    }
}
