import ArgumentParser
import Console
import Telemetry

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show one recent trace of a running sidecar, or list them.",
        discussion: """
            With an id: the spans as a tree with bars on one axis of time. Without: the newest traces, one per line. \
            The sidecar keeps recent traces in memory (traces.keep_spans), with and without a collector.
            """
    )

    @Argument(help: "The trace id, 32 hexadecimal digits.")
    var id: String?

    @OptionGroup var admin: AdminOptions

    @Option(help: ArgumentHelp("List only traces that touch such destinations.", valueName: "glob"))
    var destination: String?

    @Option(help: ArgumentHelp("List at most so many.", valueName: "number"))
    var limit = 20

    func validate() throws {
        if let id, TraceID(parsing: id) == nil {
            throw ValidationError("a trace id has 32 hexadecimal digits and is not all zeros")
        }
        if let destination, Glob(destination) == nil {
            throw ValidationError("--destination: expected a name of 1 to \(Glob.bytesMax) bytes")
        }
        guard (1...1_000).contains(limit) else { throw ValidationError("--limit: expected 1 to 1000") }
    }

    func run() throws {
        let (client, view, asJSON) = (try admin.client(), admin.view, admin.format.output == .json)
        if let id {
            let document = try client.document("/api/v1/traces/\(id)")
            AdminOptions.show(asJSON ? document : try view.trace(document))
        } else {
            let document = try client.document(
                "/api/v1/traces", [("destination", destination), ("limit", "\(limit)")])
            AdminOptions.show(asJSON ? document : try view.list(document))
        }
    }
}
