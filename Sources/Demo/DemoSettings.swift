public import Proxy
public import Telemetry

/// What a demonstration is told.
public struct DemoSettings: Sendable {
    /// The bus that the shop uses.
    public enum Broker: Sendable, Equatable {
        /// The event log of this process.
        case embedded
        /// A server that is there. Queues get names of their own there and are removed at the end.
        case server(ShopProtocol, Endpoint)
    }

    /// The bus that the shop uses.
    public var broker = Broker.embedded
    /// Where the first of the services, and whoever else wants to, connects; nil for the usual port, or a free one
    /// where that is taken.
    public var listen: String?
    /// The same for HTTP.
    public var http: String?
    /// Where spans go; nil for what the environment says, else a collector on this machine if one answers.
    public var otlp: String?
    /// What goes wrong, in this order, over and over.
    public var accidents = ShopAccident.allCases
    /// Seconds between two accidents.
    public var restSeconds = 8
    /// Seconds for which breakers only watch; in earnest they do so for five minutes.
    public var learningSeconds = 15
    /// Draw a live view, or print lines as they come.
    public var isLive = false
    /// Colours or none.
    public var style = TerminalStyle.plain
    /// The variables of the process; only those of OpenTelemetry count.
    public var environment: [String: String] = [:]

    /// The embedded log, all accidents, plain lines.
    public init() {}

    var busProtocol: ShopProtocol {
        if case .server(let busProtocol, _) = broker { busProtocol } else { .redis }
    }
}
