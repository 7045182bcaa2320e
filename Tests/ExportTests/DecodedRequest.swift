import COTLP
import Export
import Telemetry
import Testing

/// An ExportTraceServiceRequest as plain values, read by protobuf-c.
struct DecodedRequest: Equatable {
    var resources: [DecodedResource] = []

    var spans: [DecodedSpan] { resources.flatMap(\.spans) }

    init(_ bytes: [UInt8]) throws {
        let request = try #require(
            opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(nil, bytes.count, bytes),
            "the bytes are a request")
        defer {
            opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(request, nil)
        }
        #expect(request.pointee.base.n_unknown_fields == 0)
        for index in 0..<request.pointee.n_resource_spans {
            let envelope = try #require(request.pointee.resource_spans[index])
            resources.append(try DecodedResource(envelope.pointee))
        }
    }
}

struct DecodedResource: Equatable {
    var attributes: [String: AttributeValue]
    var scope: [String] = []
    var spans: [DecodedSpan] = []

    init(_ message: OTLPResourceSpans) throws {
        let resource = try #require(message.resource).pointee
        attributes = try decodedAttributes(resource.n_attributes, resource.attributes)
        for index in 0..<message.n_scope_spans {
            let envelope = try #require(message.scope_spans[index]).pointee
            let scope = try #require(envelope.scope).pointee
            self.scope += [String(cString: scope.name), String(cString: scope.version)]
            self.scope.append(String(cString: envelope.schema_url))
            for index in 0..<envelope.n_spans {
                spans.append(try DecodedSpan(try #require(envelope.spans[index]).pointee))
            }
        }
    }
}

struct DecodedSpan: Equatable {
    var traceID: String
    var spanID: String
    var parentSpanID: String
    var traceState: String
    var name: String
    var kind: UInt32
    var start: UInt64
    var end: UInt64
    var attributes: [String: AttributeValue]
    var links: [DecodedLink] = []
    var droppedLinks: UInt32
    var statusCode: UInt32?
    var statusMessage: String?
    var flags: UInt32

    init(_ span: OTLPSpan) throws {
        #expect(span.base.n_unknown_fields == 0)
        traceID = hexadecimal(span.trace_id)
        spanID = hexadecimal(span.span_id)
        parentSpanID = hexadecimal(span.parent_span_id)
        traceState = String(cString: span.trace_state)
        name = String(cString: span.name)
        kind = span.kind.rawValue
        start = span.start_time_unix_nano
        end = span.end_time_unix_nano
        attributes = try decodedAttributes(span.n_attributes, span.attributes)
        for index in 0..<span.n_links {
            links.append(try DecodedLink(try #require(span.links[index]).pointee))
        }
        droppedLinks = span.dropped_links_count
        statusCode = span.status?.pointee.code.rawValue
        statusMessage = span.status.map { String(cString: $0.pointee.message) }
        flags = span.flags
    }
}

struct DecodedLink: Equatable {
    var traceID: String
    var spanID: String
    var attributes: [String: AttributeValue]
    var flags: UInt32

    init(_ link: Opentelemetry__Proto__Trace__V1__Span__Link) throws {
        traceID = hexadecimal(link.trace_id)
        spanID = hexadecimal(link.span_id)
        attributes = try decodedAttributes(link.n_attributes, link.attributes)
        flags = link.flags
    }
}

private func hexadecimal(_ data: ProtobufCBinaryData) -> String {
    let digits = Array("0123456789abcdef")
    return String((0..<data.len).flatMap { [digits[Int(data.data[$0] >> 4)], digits[Int(data.data[$0] & 15)]] })
}

private func decodedAttributes(
    _ count: Int, _ list: UnsafeMutablePointer<UnsafeMutablePointer<OTLPKeyValue>?>?
) throws -> [String: AttributeValue] {
    var attributes: [String: AttributeValue] = [:]
    for index in 0..<count {
        let pair = try #require(list?[index]).pointee
        let any = try #require(pair.value).pointee
        let key = String(cString: pair.key)
        #expect(attributes[key] == nil, "keys are unique")
        switch any.value_case {
        case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE:
            attributes[key] = .string(String(cString: any.string_value))
        case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE:
            attributes[key] = .integer(any.int_value)
        case OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_DOUBLE_VALUE:
            attributes[key] = .double(any.double_value)
        default:
            Issue.record("an attribute of a type that is never written: \(key)")
        }
    }
    return attributes
}
