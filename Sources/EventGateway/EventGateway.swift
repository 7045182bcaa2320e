public import EventLog
public import Gateway
public import Hummingbird

/// The HTTP and WebSocket faces of the embedded event log, as resources of the sidecar's HTTP server.
public struct EventGateway: GatewayModule {
    private let log: DurableLog?

    /// - Parameter log: nil where the process has no event log; every resource then says so.
    public init(log: DurableLog?) {
        self.log = log
    }

    /// Adds `/streams` and what belongs to it.
    public func add(to router: Router<BasicRequestContext>) {
        router.get("streams") { _, _ -> Response in
            guard log != nil else {
                throw GatewayProblem.notFound("this process has no event log; give a listener the upstream `embedded`")
            }
            throw GatewayProblem(status: .notImplemented, detail: "not in this version")
        }
    }
}
