import EventGateway
import EventLog
import Gateway
import Pipeline
import Proxy
import Telemetry

/// The faces of the event log that are no listeners: what lanes, spans and metrics call them, and how they are made.
enum EventFaces {
    /// The `listener` label of events that come by HTTP or WebSocket.
    static let name = "http"
    /// `messaging.system` of the log where no other protocol gives it a name.
    static let system = "tachograph"
    /// Deliveries of all faces of the log are the same: what XREADGROUP has read may be acknowledged over HTTP.
    static let deliveryScope = UInt32.max

    /// Number it behind the listeners: it is not guarded.
    static func profile(number: Int, service: String) -> ListenerProfile {
        ListenerProfile(
            number: UInt32(number), name: name, service: service, system: system,
            broker: BrokerAddress(server: "embedded", port: 0), deliveryScope: deliveryScope, isGuarded: false)
    }

    /// The faces, with a lane of their own.
    static func gateway(
        _ configuration: SidecarConfiguration, _ log: DurableLog?, _ shared: Lane.SharedState,
        _ registry: MetricsRegistry, _ readiness: Readiness
    ) -> EventGateway {
        guard let log, configuration.http.events != .off else { return EventGateway(log: nil) }
        let profiles = ProxyService.profiles(configuration)
        let tracing = EventTracing(now: { SystemClock.now() }) {
            var generator = SystemRandomNumberGenerator()
            let lane = Lane(
                shared: shared, listeners: profiles, metrics: registry.makeShard(),
                seed: (generator.next(), generator.next(), generator.next(), generator.next()))
            return EventFlow(lane: lane, listener: profiles[profiles.count - 1])
        }
        return EventGateway(
            log: EventGateway.Log(
                log: log, tracing: tracing, correlationFields: configuration.tracing.correlationFields,
                limits: configuration.http.limits, readiness: readiness))
    }
}
