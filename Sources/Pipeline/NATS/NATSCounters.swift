import Telemetry

/// The counters of one listener on one lane that every NATS session of both adds to, and the names that they share.
public final class NATSCounters: SessionCounters {
    let opaque: [OpaqueReason: Counter]
    let notInjected: [InjectionObstacle: Counter]
    let stripped: Counter
    let uneditedTooLarge: Counter
    let publish: NameID
    let request: NameID

    /// Makes the series with fixed labels now, so that they show as zero before anything happens.
    public init(lane: Lane, listener: ListenerProfile) {
        let metrics = lane.metrics
        opaque = Dictionary(
            uniqueKeysWithValues: OpaqueReason.allCases.map {
                ($0, metrics.counter(MetricCatalog.opaqueSessions, [listener.name, $0.rawValue]))
            })
        notInjected = Dictionary(
            uniqueKeysWithValues: InjectionObstacle.allCases.map {
                ($0, metrics.counter(MetricCatalog.notInjectedMessages, [listener.name, $0.rawValue]))
            })
        stripped = metrics.counter(MetricCatalog.strippedMessages, [listener.name])
        uneditedTooLarge = metrics.counter(MetricCatalog.uneditedFrames, [listener.name, "frame_too_large"])
        publish = lane.name("publish")
        request = lane.name("request")
    }
}
