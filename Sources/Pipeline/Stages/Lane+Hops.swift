import Telemetry

/// The servers that a message has passed, where the broker tells of them itself.
extension Lane {
    /// Records that a message with this context has passed a server, as a span of that server's own under the span that
    /// sent it. Told only of messages that are kept.
    func passed(
        _ context: TraceContext, through server: Destination, of destination: Destination, hasFailed: Bool,
        startUnixNanoseconds: UInt64, endUnixNanoseconds: UInt64, _ listener: ListenerProfile
    ) {
        guard context.isSampled else { return }
        let descriptor = hopDescriptors.find(listener, server, destination) ?? makeHop(server, destination, listener)
        var span = SpanRecord(
            descriptor: descriptor, kind: .producer, traceID: context.traceID, spanID: identifiers.spanID(),
            flags: context.flags, startUnixNanoseconds: startUnixNanoseconds, endUnixNanoseconds: endUnixNanoseconds)
        span.parentSpanID = context.spanID
        span.link = SpanLink(context: context)
        if hasFailed { span.error = name("_OTHER") }
        record(span, of: destination.name, because: reason(ofContext: context))
    }

    private func makeHop(
        _ server: Destination, _ destination: Destination, _ listener: ListenerProfile
    ) -> SpanDescriptorID {
        let service =
            hopDescriptors.isFull || server.name == .none
            ? listener.system : "\(listener.system):\(shared.names.text(of: server.name))"
        let descriptor = shared.catalog.intern(
            SpanDescriptor(
                service: service, system: listener.system, operation: "route", operationType: nil,
                destination: shared.destinations.text(of: destination.name), broker: listener.broker))
        hopDescriptors.add(descriptor, listener, server, destination)
        return descriptor
    }
}

/// The descriptors of servers' spans, as many as a map can show; the others share a service.
struct HopDescriptors {
    private struct Key: Hashable {
        var listener: UInt32
        var server: UInt64
        var destination: NameID
    }

    private static let countMax = 10_000
    private static let servicesMax = 190
    private var known: [Key: SpanDescriptorID] = [:]
    private var servers: Set<UInt64> = []

    var isFull: Bool { servers.count >= Self.servicesMax }

    func find(_ listener: ListenerProfile, _ server: Destination, _ destination: Destination) -> SpanDescriptorID? {
        known[Key(listener: listener.number, server: server.hash, destination: destination.name)]
    }

    mutating func add(
        _ descriptor: SpanDescriptorID, _ listener: ListenerProfile, _ server: Destination, _ destination: Destination
    ) {
        guard known.count < Self.countMax else { return }
        if !isFull { servers.insert(server.hash) }
        known[Key(listener: listener.number, server: server.hash, destination: destination.name)] = descriptor
    }
}
