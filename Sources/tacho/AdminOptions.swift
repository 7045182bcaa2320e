import ArgumentParser
import Console
import Foundation
import Telemetry

/// Which sidecar to ask.
struct AdminAddressOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The HTTP address of the running sidecar (also TACHO_HTTP_LISTEN; default 127.0.0.1:9464).",
            valueName: "host:port"))
    var http: String?

    func validate() throws {
        do throws(AdminError) {
            _ = try AdminAddress(http, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    func client() throws(AdminError) -> AdminClient {
        AdminClient(try AdminAddress(http, environment: ProcessInfo.processInfo.environment))
    }
}

/// Which sidecar to ask, and how to show what it says.
struct AdminOptions: ParsableArguments {
    @OptionGroup var address: AdminAddressOptions

    @OptionGroup var format: OutputOptions

    func client() throws(AdminError) -> AdminClient { try address.client() }

    var view: AdminView { Self.view }

    static var view: AdminView { AdminView(style) }

    /// Colours only where somebody looks, and never against NO_COLOR (no-color.org).
    static var style: TerminalStyle {
        let environment = ProcessInfo.processInfo.environment
        let isRefused = environment["NO_COLOR"]?.isEmpty == false || environment["TERM"] == "dumb"
        return isatty(STDOUT_FILENO) == 1 && !isRefused ? .coloured : .plain
    }

    /// A line at once, also into a pipe.
    static func show(_ line: String) {
        print(line)
        fflush(nil)
    }
}
