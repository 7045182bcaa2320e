import Telemetry

/// The counters of one listener on one lane that every NATS session of both adds to, and the names that they share.
public final class NATSCounters: SessionCounters {
    let opaque: [OpaqueReason: Counter]
    let notInjected: [InjectionObstacle: Counter]
    let stripped: Counter
    let uneditedTooLarge: Counter
    let names: OperationNames
    /// Group of consumers whose names are random.
    let ephemeral: NameID
    // Confined to the lane's event loop, as the lane's own state is.
    @exclusivity(unchecked) var consumers = JetStreamConsumers()
    /// Subjects that JetStream has stored messages of.
    @exclusivity(unchecked) var storedDestinations = KnownHashes()
    /// Subjects, with those who publish to them, whose streams the spool knows.
    @exclusivity(unchecked) var acknowledged = KnownHashes()

    /// `messaging.operation.name` of everything that is traced.
    struct OperationNames {
        let publish, request, put, putChunk, delete, purge, fetch, get, ack, nack, term: NameID

        init(_ lane: Lane) {
            publish = lane.name("publish")
            request = lane.name("request")
            put = lane.name("put")
            putChunk = lane.name("put_chunk")
            delete = lane.name("delete")
            purge = lane.name("purge")
            fetch = lane.name("fetch")
            get = lane.name("get")
            ack = lane.name("ack")
            nack = lane.name("nack")
            term = lane.name("term")
        }
    }

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
        names = OperationNames(lane)
        ephemeral = lane.group("_ephemeral")
    }
}
