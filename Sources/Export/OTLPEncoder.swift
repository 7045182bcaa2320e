package import Telemetry

/// Turns span records into the bytes of an ExportTraceServiceRequest, in one buffer that is used again.
///
/// What is constant comes packed from `SpanTemplates` and is copied; the fields that differ between spans are written
/// by hand around it. Protobuf readers accept fields in any order and lengths in more bytes than needed; both are
/// used here, so the bytes differ from those of protobuf-c while the decoded messages are equal.
package struct OTLPEncoder: ~Copyable {
    private struct Envelope {
        var service: Int
        /// Where the length of the ResourceSpans stands, and that of the ScopeSpans.
        var resourceLength: Int
        var scopeLength: Int
    }

    /// Enough for an envelope of 256 MiB; requests are smaller.
    private static let envelopeLengthWidth = 4
    /// Most spans have between 128 and 16,383 bytes.
    private static let spanLengthWidth = 2

    private var templates: SpanTemplates
    private var output = ByteWriter(capacity: 64 << 10)
    private let bytesMax: Int

    package init(configuration: ExportConfiguration, names: NameTable, catalog: SpanCatalog) {
        templates = SpanTemplates(configuration: configuration, names: names, catalog: catalog)
        bytesMax = min(configuration.requestBytesMax, ExportConfiguration.requestBytesLimit)
    }

    /// The request made by the last `encode`; valid until the next.
    package var bytes: UnsafeBufferPointer<UInt8> { output.bytes }

    /// Brings spans of one service together, so that each service needs one envelope.
    package mutating func groupByService(_ records: inout [SpanRecord]) {
        guard let first = records.first else { return }
        let service = templates.template(first.descriptor).service
        var services: [Int] = []
        services.reserveCapacity(records.count)
        var isMixed = false
        for record in records {
            services.append(templates.template(record.descriptor).service)
            isMixed = isMixed || services[services.count - 1] != service
        }
        guard isMixed else { return }
        let order = records.indices.sorted { (services[$0], $0) < (services[$1], $1) }
        records = order.map { records[$0] }
    }

    /// Makes a request of as many spans from `start` on as fit into it and returns their number. 0 means that the
    /// first span alone is too large.
    package mutating func encode(_ records: [SpanRecord], from start: Int = 0) -> Int {
        output.truncate(to: 0)
        var envelope: Envelope?
        var encoded = 0
        for index in start..<records.count {
            let template = templates.template(records[index].descriptor)
            var boundary = output.count
            let isNewEnvelope = envelope?.service != template.service
            if isNewEnvelope {
                close(&envelope)
                boundary = output.count
                envelope = open(service: template.service)
            }
            writeSpan(records[index], template)
            if output.count + templates.schema.count > bytesMax {
                output.truncate(to: boundary)
                if isNewEnvelope { envelope = nil }
                break
            }
            encoded += 1
        }
        close(&envelope)
        return encoded
    }

    /// Field 1 of the request, a ResourceSpans; within it field 2, a ScopeSpans.
    private mutating func open(service: Int) -> Envelope {
        let resource = templates.resource(ofService: service)
        output.reserve(32 + resource.count + templates.scope.count)
        output.byte(0x0a)
        let resourceLength = output.placeholder(Self.envelopeLengthWidth)
        templates.write(resource, to: &output)
        output.byte(0x12)
        let scopeLength = output.placeholder(Self.envelopeLengthWidth)
        templates.write(templates.scope, to: &output)
        return Envelope(service: service, resourceLength: resourceLength, scopeLength: scopeLength)
    }

    private mutating func close(_ envelope: inout Envelope?) {
        guard let open = envelope else { return }
        output.reserve(templates.schema.count + 16)
        templates.write(templates.schema, to: &output)
        output.patchLength(at: open.scopeLength, width: Self.envelopeLengthWidth)
        output.patchLength(at: open.resourceLength, width: Self.envelopeLengthWidth)
        envelope = nil
    }

    /// Field 2 of ScopeSpans. The tags are those of Proto/opentelemetry/proto/trace/v1/trace.proto.
    private mutating func writeSpan(_ record: borrowing SpanRecord, _ template: SpanTemplates.Template) {
        output.reserve(sizeLimit(record, template))
        output.byte(0x12)
        let length = output.placeholder(Self.spanLengthWidth)
        output.byte(0x0a)
        output.byte(16)
        output.identifier(record.traceID.high)
        output.identifier(record.traceID.low)
        output.byte(0x12)
        output.byte(8)
        output.identifier(record.spanID.value)
        if let state = record.detail?.traceState, !state.isEmpty { writeText(0x1a, state) }
        if record.parentSpanID.isValid {
            output.byte(0x22)
            output.byte(8)
            output.identifier(record.parentSpanID.value)
        }
        templates.write(template.constant, to: &output)
        output.byte(0x30)
        output.byte(record.kind.rawValue)
        output.byte(0x39)
        output.fixed64(record.startUnixNanoseconds)
        output.byte(0x41)
        output.fixed64(max(record.startUnixNanoseconds, record.endUnixNanoseconds))
        if record.kind.hasPeer { templates.write(template.peer, to: &output) }
        writeAttributes(record)
        if let detail = record.detail { writeEvents(detail) }
        writeLinks(record)
        if record.error != .none { writeStatus(record.detail?.statusMessage ?? "") }
        output.byte(0x85)
        output.byte(0x01)
        output.fixed32(SpanFlagBits.ofSpan(record))
        output.patchLength(at: length, width: Self.spanLengthWidth)
    }

    /// Field 9 of Span: what is not in the template.
    @inline(__always)
    private mutating func writeAttributes(_ record: borrowing SpanRecord) {
        writeMessageID(0x4a, record.messageID)
        if record.conversationIsTraceID {
            output.attributeHead(0x4a, SpanAttribute.conversationID, textCount: 32)
            output.hexadecimal(record.traceID.high)
            output.hexadecimal(record.traceID.low)
        } else if let conversation = record.detail?.conversationID, !conversation.isEmpty {
            output.attributeHead(0x4a, SpanAttribute.conversationID, textCount: conversation.utf8.count)
            output.raw(conversation)
        }
        writeName(SpanAttribute.clientID, record.client)
        if record.batchCount > 0 { output.attribute(0x4a, SpanAttribute.batchCount, Int64(record.batchCount)) }
        if record.bodySize >= 0 { output.attribute(0x4a, SpanAttribute.bodySize, record.bodySize) }
        writeName(SpanAttribute.errorType, record.error)
        writeName(SpanAttribute.consumerName, record.consumer)
        if record.attempt > 0 { output.attribute(0x4a, SpanAttribute.deliveryAttempt, Int64(record.attempt)) }
        if record.queueNanoseconds != .min {
            output.attribute(0x4a, SpanAttribute.queueSeconds, Double(record.queueNanoseconds) / 1e9)
        }
        if record.outcome != .unremarkable {
            let text = record.outcome.text
            output.attributeHead(0x4a, SpanAttribute.outcome, textCount: text.utf8.count)
            output.raw(text)
        }
        if record.deadLetter != .none {
            let text = record.deadLetter.text
            output.attributeHead(0x4a, SpanAttribute.deadLetterReason, textCount: text.utf8.count)
            output.raw(text)
        }
        if record.fallback != .none {
            let text = record.fallback.text
            output.attributeHead(0x4a, SpanAttribute.fallbackStep, textCount: text.utf8.count)
            output.raw(text)
        }
        if record.redeliveryDelayMilliseconds > 0 {
            output.attribute(0x4a, SpanAttribute.redeliveryDelay, Double(record.redeliveryDelayMilliseconds) / 1e3)
        }
        if let reason = record.reason {
            let text = reason.text
            output.attributeHead(0x4a, SpanAttribute.samplingReason, textCount: text.utf8.count)
            output.raw(text)
        }
        if record.causality != .none { writeCausality(record.causality) }
        if let position = record.detail?.position { writePosition(position) }
    }

    private mutating func writePosition(_ position: StreamPosition) {
        writeName(SpanAttribute.streamName, position.stream)
        guard position.consumerSequence > 0 else { return }
        output.attribute(0x4a, SpanAttribute.consumerSequence, Int64(clamping: position.consumerSequence))
        output.attribute(0x4a, SpanAttribute.consumerPending, Int64(clamping: position.pending))
    }

    private mutating func writeCausality(_ causality: SpanCausality) {
        let (rule, confidence) = (causality.rule, causality.confidence)
        output.attributeHead(0x4a, SpanAttribute.causality, textCount: rule.utf8.count)
        output.raw(rule)
        output.attributeHead(0x4a, SpanAttribute.causalityConfidence, textCount: confidence.utf8.count)
        output.raw(confidence)
    }

    @inline(__always)
    private mutating func writeName(_ key: StaticString, _ name: NameID) {
        guard name != .none else { return }
        let slice = templates.name(name)
        output.attributeHead(0x4a, key, textCount: slice.count)
        templates.write(slice, to: &output)
    }

    @inline(__always)
    private mutating func writeMessageID(_ tag: UInt8, _ id: MessageID) {
        switch id {
        case .none, .anonymous: break
        case .streamEntry(let milliseconds, let sequence):
            // At most 41 digits and a dash, so all lengths fit into one byte and can be filled in afterwards.
            let head = output.count
            output.attributeHead(tag, SpanAttribute.messageID, textCount: 0)
            let text = output.count
            output.decimal(milliseconds)
            output.byte(UInt8(ascii: "-"))
            output.decimal(sequence)
            output.growAttribute(head: head, SpanAttribute.messageID, textCount: output.count &- text)
        case .sequence(let sequence):
            let head = output.count
            output.attributeHead(tag, SpanAttribute.messageID, textCount: 0)
            let text = output.count
            output.decimal(sequence)
            output.growAttribute(head: head, SpanAttribute.messageID, textCount: output.count &- text)
        }
    }

    /// Field 11 of Span, and field 12 for those left out.
    private mutating func writeEvents(_ detail: SpanDetail) {
        for event in detail.events {
            output.byte(0x5a)
            let length = output.placeholder(Self.spanLengthWidth)
            output.byte(0x09)
            output.fixed64(event.unixNanoseconds)
            output.byte(0x12)
            output.varint(UInt64(event.name.utf8CodeUnitCount))
            output.raw(event.name)
            for (key, value) in event.attributes {
                switch value {
                case .string(let text):
                    output.attributeHead(0x1a, key, textCount: text.utf8.count)
                    output.raw(text)
                case .integer(let number): output.attribute(0x1a, key, number)
                case .double(let number): output.attribute(0x1a, key, number)
                }
            }
            output.patchLength(at: length, width: Self.spanLengthWidth)
        }
        if detail.droppedEventCount > 0 {
            output.byte(0x60)
            output.varint(UInt64(detail.droppedEventCount))
        }
    }

    /// Field 13 of Span, and field 14 for those left out.
    @inline(__always)
    private mutating func writeLinks(_ record: borrowing SpanRecord) {
        if let link = record.link { writeLink(link) }
        guard let detail = record.detail else { return }
        for link in detail.moreLinks { writeLink(link) }
        if detail.droppedLinkCount > 0 {
            output.byte(0x70)
            output.varint(UInt64(detail.droppedLinkCount))
        }
    }

    private mutating func writeLink(_ link: SpanLink) {
        output.byte(0x6a)
        // A candidate's attributes may need a second byte for the length.
        let lengthWidth = link.isCandidate ? 2 : 1
        let length = output.placeholder(lengthWidth)
        output.byte(0x0a)
        output.byte(16)
        output.identifier(link.context.traceID.high)
        output.identifier(link.context.traceID.low)
        output.byte(0x12)
        output.byte(8)
        output.identifier(link.context.spanID.value)
        writeMessageID(0x22, link.messageID)
        if link.queueNanoseconds != .min {
            output.attribute(0x22, SpanAttribute.queueSeconds, Double(link.queueNanoseconds) / 1e9)
        }
        if link.isCandidate {
            output.attributeHead(
                0x22, SpanAttribute.causality, textCount: SpanAttribute.candidate.utf8CodeUnitCount)
            output.raw(SpanAttribute.candidate)
        }
        output.byte(0x35)
        output.fixed32(SpanFlagBits.ofLink(link))
        output.patchLength(at: length, width: lengthWidth)
    }

    /// Field 15 of Span: code 2 is an error.
    private mutating func writeStatus(_ message: String) {
        output.byte(0x7a)
        let length = output.placeholder(1)
        if !message.isEmpty { writeText(0x12, message) }
        output.byte(0x18)
        output.byte(2)
        output.patchLength(at: length, width: 1)
    }

    private mutating func writeText(_ tag: UInt8, _ text: String) {
        output.byte(tag)
        output.varint(UInt64(text.utf8.count))
        output.raw(text)
    }

    /// No event is larger: keys, numbers and lengths, rounded up, and its texts.
    private static func sizeLimit(_ event: SpanEvent) -> Int {
        var size = 32 + event.name.utf8CodeUnitCount
        for (key, value) in event.attributes {
            size += 40 + key.utf8CodeUnitCount
            if case .string(let text) = value { size += text.utf8.count }
        }
        return size
    }

    /// No span of this record is larger. The constants are the sum of all keys, numbers and lengths, rounded up.
    @inline(__always)
    private mutating func sizeLimit(_ record: borrowing SpanRecord, _ template: SpanTemplates.Template) -> Int {
        var size = 1216 + template.constant.count + template.peer.count
        size += templates.name(record.client).count
        size += templates.name(record.error).count
        size += templates.name(record.consumer).count
        guard let detail = record.detail else { return size }
        size += 256 * detail.moreLinks.count
        for event in detail.events { size += Self.sizeLimit(event) }
        size += detail.traceState?.utf8.count ?? 0
        size += detail.conversationID?.utf8.count ?? 0
        size += detail.statusMessage?.utf8.count ?? 0
        return size
    }
}
