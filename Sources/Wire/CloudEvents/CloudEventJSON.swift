/// The JSON event format (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md), one event
/// and batches.
public enum CloudEventJSON {
    /// Media type of one event.
    public static let contentType = "application/cloudevents+json"
    /// Media type of a batch.
    public static let batchContentType = "application/cloudevents-batch+json"

    // MARK: Reading

    /// One event.
    public static func event(
        _ bytes: [UInt8], limits: CloudEventLimits = CloudEventLimits()
    ) throws(CloudEventError) -> CloudEvent {
        try checkUTF8(bytes)
        return try event(bytes.span, in: 0..<bytes.count, limits)
    }

    /// The events of a batch, in order.
    public static func batch(
        _ bytes: [UInt8], limits: CloudEventLimits = CloudEventLimits()
    ) throws(CloudEventError) -> [CloudEvent] {
        try checkUTF8(bytes)
        let elements: [Range<Int>]?
        do throws(JSONFault) {
            elements = try JSONArray.elements(bytes.span, in: 0..<bytes.count, limit: limits.eventsMax)
        } catch {
            throw CloudEventError(.malformedJSON(error))
        }
        guard let elements else { throw CloudEventError(.tooManyEvents(limit: limits.eventsMax)) }
        var events: [CloudEvent] = []
        events.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            do throws(CloudEventError) {
                events.append(try event(bytes.span, in: element, limits))
            } catch {
                var placed = error
                placed.index = index
                throw placed
            }
        }
        return events
    }

    /// One event among other text that is known to be UTF-8.
    public static func event(
        _ bytes: Span<UInt8>, in text: Range<Int>, _ limits: CloudEventLimits = CloudEventLimits()
    ) throws(CloudEventError) -> CloudEvent {
        let object: JSONObject
        do throws(JSONFault) {
            object = try JSONObject(bytes, in: text)
        } catch {
            throw CloudEventError(.malformedJSON(error))
        }
        var draft = CloudEventDraft(limits)
        var data: Range<Int>?
        var base64: Range<Int>?
        for member in object.members {
            let kind = JSONText.kind(bytes, of: member.value)
            switch member.name {
            case "data" where kind != .null: data = member.value
            case "data_base64" where kind != .null: base64 = member.value
            default:
                // An attribute that is null is one that is not there.
                guard kind != .null else { continue }
                try draft.set(member.name, try value(bytes, member, kind))
            }
        }
        guard data == nil || base64 == nil else { throw CloudEventError(.twoPayloads) }
        if let base64 {
            guard let text = JSONText.text(bytes, of: base64), let decoded = Base64.decode(text.utf8) else {
                throw CloudEventError(.badValue(expected: "a string in Base64"), attribute: "data_base64")
            }
            draft.setData(decoded)
        } else if let data {
            draft.setData(try payload(bytes, data, contentType: draft.dataContentType))
        }
        return try draft.finished()
    }

    private static func value(
        _ bytes: Span<UInt8>, _ member: JSONObject.Member, _ kind: JSONText.Kind
    ) throws(CloudEventError) -> CloudEvent.Value {
        let name = CloudEventDraft.standardNames.contains(member.name) ? member.name : nil
        switch kind {
        case .string:
            if let text = JSONText.text(bytes, of: member.value) { return .text(text) }
        case .number:
            if let number = JSONText.integer(bytes, of: member.value), let value = Int32(exactly: number) {
                return .integer(value)
            }
        case .boolean:
            if let flag = JSONText.boolean(bytes, of: member.value) { return .boolean(flag) }
        case .object, .array, .null: break
        }
        throw CloudEventError(
            .badValue(expected: "a string, a whole number of 32 bits, true or false"), attribute: name)
    }

    /// With a media type of JSON, or none, the value itself; otherwise what a string says.
    private static func payload(
        _ bytes: Span<UInt8>, _ value: Range<Int>, contentType: String?
    ) throws(CloudEventError) -> [UInt8] {
        if let contentType, !MediaType.isJSON(contentType), JSONText.kind(bytes, of: value) == .string {
            guard let text = JSONText.text(bytes, of: value) else {
                throw CloudEventError(.badValue(expected: "a string of whole characters"), attribute: "data")
            }
            return Array(text.utf8)
        }
        return value.map { bytes[$0] }
    }

    private static func checkUTF8(_ bytes: [UInt8]) throws(CloudEventError) {
        guard JSONText.isUTF8(bytes) else {
            throw CloudEventError(.malformedJSON(JSONFault(offset: 0, expected: "text in UTF-8")))
        }
    }

    // MARK: Writing

    /// Appends one event.
    public static func append(_ event: CloudEvent, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "{\"specversion\":\"1.0\"".utf8)
        append("id", event.id, to: &bytes)
        append("source", event.source, to: &bytes)
        append("type", event.type, to: &bytes)
        append("subject", event.subject, to: &bytes)
        append("time", event.time, to: &bytes)
        append("datacontenttype", event.dataContentType, to: &bytes)
        append("dataschema", event.dataSchema, to: &bytes)
        for attribute in event.extensions {
            append(name: attribute.name, to: &bytes)
            switch attribute.value {
            case .text(let text): JSONText.append(text, to: &bytes)
            case .integer, .boolean: bytes.append(contentsOf: attribute.value.text.utf8)
            }
        }
        if let data = event.data { append(data, of: event, to: &bytes) }
        bytes.append(UInt8(ascii: "}"))
    }

    /// One event.
    public static func encode(_ event: CloudEvent) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + (event.data?.count ?? 0))
        append(event, to: &bytes)
        return bytes
    }

    /// JSON stands as it is, text as a string, everything else in Base64.
    private static func append(_ data: [UInt8], of event: CloudEvent, to bytes: inout [UInt8]) {
        if event.isJSONData {
            if JSONText.isValue(data) {
                append(name: "data", to: &bytes)
                // A line break is a blank in JSON, and would end a line of NDJSON or of an event stream.
                bytes.append(contentsOf: data.lazy.map { $0 == 0x0a || $0 == 0x0d ? 0x20 : $0 })
                return
            }
        } else if let type = event.dataContentType, MediaType.isText(type), JSONText.isUTF8(data) {
            append(name: "data", to: &bytes)
            JSONText.append(data, to: &bytes)
            return
        }
        append(name: "data_base64", to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        Base64.append(data, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    private static func append(_ name: StaticString, _ text: String?, to bytes: inout [UInt8]) {
        guard let text else { return }
        bytes.append(contentsOf: ",\"".utf8)
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: "\":".utf8)
        JSONText.append(text, to: &bytes)
    }

    private static func append(name: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: ",\"".utf8)
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: "\":".utf8)
    }
}
