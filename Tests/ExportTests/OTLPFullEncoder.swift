import COTLP
import CProtobufC
import Export
import Telemetry

/// The reference for `OTLPEncoder`: the same request as one tree of protobuf-c messages, packed as a whole.
struct OTLPFullEncoder {
    let configuration: ExportConfiguration
    let names: NameTable
    let catalog: SpanCatalog

    /// One envelope for each run of spans of one service.
    func encode(_ records: [SpanRecord]) -> [UInt8] {
        var tree = OTLPTree()
        var envelopes: [UnsafeMutablePointer<OTLPResourceSpans>] = []
        var start = 0
        while start < records.count {
            let service = catalog.descriptor(records[start].descriptor).service
            var end = start
            while end < records.count, catalog.descriptor(records[end].descriptor).service == service { end += 1 }
            envelopes.append(envelope(service, Array(records[start..<end]), &tree))
            start = end
        }
        let request: UnsafeMutablePointer<Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest> =
            tree.message(opentelemetry__proto__collector__trace__v1__export_trace_service_request__init)
        request.pointee.n_resource_spans = envelopes.count
        request.pointee.resource_spans = tree.list(envelopes)
        return OTLPTree.packed(request)
    }

    private func envelope(
        _ service: String, _ records: [SpanRecord], _ tree: inout OTLPTree
    ) -> UnsafeMutablePointer<OTLPResourceSpans> {
        var spans: [UnsafeMutablePointer<OTLPSpan>] = []
        for record in records { spans.append(span(record, &tree)) }
        let scopeSpans: UnsafeMutablePointer<OTLPScopeSpans> = tree.message(
            opentelemetry__proto__trace__v1__scope_spans__init)
        scopeSpans.pointee.scope = tree.scope(name: "tachograph", version: TachographVersion.text)
        scopeSpans.pointee.schema_url = tree.text("https://opentelemetry.io/schemas/1.44.0")
        scopeSpans.pointee.n_spans = spans.count
        scopeSpans.pointee.spans = tree.list(spans)
        let resourceSpans: UnsafeMutablePointer<OTLPResourceSpans> = tree.message(
            opentelemetry__proto__trace__v1__resource_spans__init)
        resourceSpans.pointee.resource = tree.resource(configuration.resource(ofService: service))
        resourceSpans.pointee.n_scope_spans = 1
        resourceSpans.pointee.scope_spans = tree.list([scopeSpans])
        return resourceSpans
    }

    private func span(_ record: SpanRecord, _ tree: inout OTLPTree) -> UnsafeMutablePointer<OTLPSpan> {
        let descriptor = catalog.descriptor(record.descriptor)
        let pairs = tree.attributes(attributes(of: record, descriptor))
        var links: [UnsafeMutablePointer<Opentelemetry__Proto__Trace__V1__Span__Link>] = []
        for link in [record.link].compactMap({ $0 }) + (record.detail?.moreLinks ?? []) {
            links.append(self.link(link, &tree))
        }
        let span: UnsafeMutablePointer<OTLPSpan> = tree.message(opentelemetry__proto__trace__v1__span__init)
        span.pointee.trace_id = tree.bytes([record.traceID.high, record.traceID.low])
        span.pointee.span_id = tree.bytes([record.spanID.value])
        if let state = record.detail?.traceState { span.pointee.trace_state = tree.text(state) }
        if record.parentSpanID.isValid { span.pointee.parent_span_id = tree.bytes([record.parentSpanID.value]) }
        span.pointee.name = tree.text(descriptor.spanName)
        span.pointee.kind = Opentelemetry__Proto__Trace__V1__Span__SpanKind(UInt32(record.kind.rawValue))
        span.pointee.start_time_unix_nano = record.startUnixNanoseconds
        span.pointee.end_time_unix_nano = max(record.startUnixNanoseconds, record.endUnixNanoseconds)
        span.pointee.n_attributes = pairs.count
        span.pointee.attributes = tree.list(pairs)
        span.pointee.n_links = links.count
        span.pointee.links = tree.list(links)
        span.pointee.dropped_links_count = record.detail?.droppedLinkCount ?? 0
        var events: [UnsafeMutablePointer<Opentelemetry__Proto__Trace__V1__Span__Event>] = []
        for event in record.detail?.events ?? [] { events.append(self.event(event, &tree)) }
        span.pointee.n_events = events.count
        span.pointee.events = tree.list(events)
        span.pointee.dropped_events_count = record.detail?.droppedEventCount ?? 0
        if record.error != .none {
            let status: UnsafeMutablePointer<Opentelemetry__Proto__Trace__V1__Status> = tree.message(
                opentelemetry__proto__trace__v1__status__init)
            status.pointee.code = OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR
            status.pointee.message = tree.text(record.detail?.statusMessage ?? "")
            span.pointee.status = status
        }
        span.pointee.flags = UInt32(record.flags.rawValue) | (record.parentSpanID.isValid ? 0x300 : 0x100)
        return span
    }

    private func link(
        _ link: SpanLink, _ tree: inout OTLPTree
    ) -> UnsafeMutablePointer<Opentelemetry__Proto__Trace__V1__Span__Link> {
        var pairs: [(key: String, value: AttributeValue)] = []
        if link.messageID.isShown { pairs.append(("messaging.message.id", .string("\(link.messageID)"))) }
        if link.queueNanoseconds != .min {
            pairs.append(("tacho.queue.seconds", .double(Double(link.queueNanoseconds) / 1e9)))
        }
        if link.isCandidate { pairs.append(("tacho.causality", .string("candidate"))) }
        let attributes = tree.attributes(pairs)
        let message: UnsafeMutablePointer<Opentelemetry__Proto__Trace__V1__Span__Link> = tree.message(
            opentelemetry__proto__trace__v1__span__link__init)
        message.pointee.trace_id = tree.bytes([link.context.traceID.high, link.context.traceID.low])
        message.pointee.span_id = tree.bytes([link.context.spanID.value])
        message.pointee.n_attributes = attributes.count
        message.pointee.attributes = tree.list(attributes)
        message.pointee.flags = UInt32(link.context.flags.rawValue) | 0x300
        return message
    }

    private func event(
        _ event: SpanEvent, _ tree: inout OTLPTree
    ) -> UnsafeMutablePointer<Opentelemetry__Proto__Trace__V1__Span__Event> {
        let attributes = tree.attributes(event.attributes.map { ($0.key.description, $0.value) })
        let message: UnsafeMutablePointer<Opentelemetry__Proto__Trace__V1__Span__Event> = tree.message(
            opentelemetry__proto__trace__v1__span__event__init)
        message.pointee.time_unix_nano = event.unixNanoseconds
        message.pointee.name = tree.text(event.name.description)
        message.pointee.n_attributes = attributes.count
        message.pointee.attributes = tree.list(attributes)
        return message
    }

    /// Written out in full, so that a wrong key in the encoder is seen here.
    private func attributes(
        of record: SpanRecord, _ descriptor: SpanDescriptor
    ) -> [(key: String, value: AttributeValue)] {
        var pairs: [(key: String, value: AttributeValue)] = []
        func text(_ key: String, _ value: String) {
            if !value.isEmpty { pairs.append((key, .string(value))) }
        }
        func number(_ key: String, _ value: Int64, atLeast minimum: Int64 = 1) {
            if value >= minimum { pairs.append((key, .integer(value))) }
        }
        text("messaging.system", descriptor.system)
        text("messaging.operation.name", descriptor.operation)
        text("messaging.operation.type", descriptor.operationType?.rawValue ?? "")
        text("messaging.destination.name", descriptor.destination)
        text("messaging.destination.template", descriptor.template)
        text("messaging.consumer.group.name", descriptor.group)
        text("server.address", descriptor.broker.server)
        number("server.port", Int64(descriptor.broker.port))
        if descriptor.operationType != .process, !descriptor.broker.peer.isEmpty {
            text("network.peer.address", descriptor.broker.peer)
            number("network.peer.port", Int64(descriptor.broker.peerPort))
        }
        if record.kind == .client || record.kind == .producer {
            text("peer.service", descriptor.system)
            text("service.peer.name", descriptor.system)
        }
        text("messaging.message.id", record.messageID.description)
        text(
            "messaging.message.conversation_id",
            record.conversationIsTraceID ? "\(record.traceID)" : record.detail?.conversationID ?? "")
        text("messaging.client.id", names.text(of: record.client))
        number("messaging.batch.message_count", Int64(record.batchCount))
        number("messaging.message.body.size", record.bodySize, atLeast: 0)
        text("error.type", names.text(of: record.error))
        text("tacho.consumer.name", names.text(of: record.consumer))
        number("tacho.delivery.attempt", Int64(record.attempt))
        if record.queueNanoseconds != .min {
            pairs.append(("tacho.queue.seconds", .double(Double(record.queueNanoseconds) / 1e9)))
        }
        text("tacho.outcome", record.outcome.text)
        text("tacho.dead_letter.reason", record.deadLetter.text)
        text("tacho.fallback.step", record.fallback.text)
        if record.redeliveryDelayMilliseconds > 0 {
            pairs.append(
                ("tacho.redelivery.delay.seconds", .double(Double(record.redeliveryDelayMilliseconds) / 1e3)))
        }
        text("tacho.causality", record.causality.rule)
        text("tacho.causality.confidence", record.causality.confidence)
        if let position = record.detail?.position {
            text("tacho.stream.name", names.text(of: position.stream))
            number("tacho.consumer.sequence", Int64(clamping: position.consumerSequence))
            if position.consumerSequence > 0 {
                number("tacho.consumer.pending", Int64(clamping: position.pending), atLeast: 0)
            }
        }
        return pairs
    }
}
