import ArgumentParser
import Console
import Telemetry

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show one recent trace of a running sidecar, or list them.",
        discussion: """
            With an id: the spans as a tree with bars on one axis of time, on the terminal or as a picture \
            (-o svg, -o html). Without: the newest traces, one per line. \
            The sidecar keeps recent traces in memory (traces.keep_spans), with and without a collector.
            """
    )

    @Argument(help: "The trace id, 32 hexadecimal digits.")
    var id: String?

    @OptionGroup var address: AdminAddressOptions

    @Option(name: .shortAndLong, help: "How to print: text or json; one trace also as svg or html.")
    var output = TraceFormat.text

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
        if id == nil, output == .svg || output == .html {
            throw ValidationError(
                "-o \(output.rawValue) draws one trace: give its id, or list traces with -o text or json")
        }
        guard (1...1_000).contains(limit) else { throw ValidationError("--limit: expected 1 to 1000") }
    }

    func run() throws {
        let (client, view) = (try address.client(), AdminOptions.view)
        guard let id else {
            let document = try client.document(
                "/api/v1/traces", [("destination", destination), ("limit", "\(limit)")])
            return AdminOptions.show(output == .json ? document : try view.list(document))
        }
        let document = try client.document("/api/v1/traces/\(id)")
        switch output {
        case .text: AdminOptions.show(try view.trace(document))
        case .json: AdminOptions.show(document)
        case .svg: print(try view.drawing(document), terminator: "")
        case .html: print(try view.page(document), terminator: "")
        }
    }
}

/// How a trace is shown.
enum TraceFormat: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
    case svg
    case html
}
