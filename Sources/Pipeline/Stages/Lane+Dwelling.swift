import Telemetry

/// The time a message waits on the bus, as a span of the bus itself.
///
/// Jaeger draws its service map from parents and services alone. A span whose `service.name` is the bus, between the
/// producer's and the consumer's, makes the map read producer, bus, consumer, and its bar in the waterfall is the time
/// in the queue. It is a PRODUCER, so that the consumer under it does not count as blocking.
extension Lane {
    /// Records the span and returns its id; `.none` where there is nothing to show or nobody keeps it.
    func dwell(
        _ message: Delivered, _ queueNanoseconds: Int64, _ process: TraceContext, _ destination: Destination,
        _ listener: ListenerProfile, at now: Instant
    ) -> SpanID {
        guard shared.busSpans, shared.consumerRelation == .parent, queueNanoseconds >= 0,
            let creation = message.context, creation.isSampled == process.isSampled,
            process.isSampled || holdsUnsampled
        else { return .none }
        let descriptor = busDescriptors.find(listener.number, destination.name) ?? makeDescriptor(destination, listener)
        var span = SpanRecord(
            descriptor: descriptor, kind: .producer, traceID: creation.traceID, spanID: identifiers.spanID(),
            flags: process.flags, startUnixNanoseconds: now.unixNanoseconds - UInt64(queueNanoseconds),
            endUnixNanoseconds: now.unixNanoseconds)
        span.parentSpanID = creation.spanID
        span.link = SpanLink(context: creation)
        span.messageID = message.messageID
        if process.isSampled {
            if let state = message.traceState { span.detail = SpanDetail(traceState: state) }
            record(span, of: destination.name, because: reason(ofContext: creation))
        } else {
            holdUnsampled(span, conversation: nil, keptFor: nil, at: now)
        }
        return span.spanID
    }

    private func makeDescriptor(_ destination: Destination, _ listener: ListenerProfile) -> SpanDescriptorID {
        let name = shared.destinations.text(of: destination.name)
        let service = busDescriptors.isFull ? listener.system : "\(listener.system):\(name)"
        let descriptor = shared.catalog.intern(
            SpanDescriptor(
                service: service, system: listener.system, operation: "queue", operationType: nil, destination: name,
                broker: listener.broker))
        busDescriptors.add(descriptor, listener.number, destination.name)
        return descriptor
    }
}

/// The descriptors of the bus's own spans. Each destination is a service on the map, up to the number that Jaeger draws
/// (`dependencies.dagMaxNumServices`, 200 by default); the others share one.
struct BusDescriptors {
    private struct Key: Hashable {
        var listener: UInt32
        var destination: NameID
    }

    private static let servicesMax = 190
    private var known: [Key: SpanDescriptorID] = [:]

    var isFull: Bool { known.count >= Self.servicesMax }

    func find(_ listener: UInt32, _ destination: NameID) -> SpanDescriptorID? {
        known[Key(listener: listener, destination: destination)]
    }

    mutating func add(_ descriptor: SpanDescriptorID, _ listener: UInt32, _ destination: NameID) {
        known[Key(listener: listener, destination: destination)] = descriptor
    }
}
