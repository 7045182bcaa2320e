public import EventLog
public import Wire

/// A stored event as the HTTP and WebSocket faces show it: a CloudEvent with what the log knows of it as extension
/// attributes whose names begin with `tacho`.
///
/// An entry that a Redis client wrote with XADD is shown too. Where it has no `ce_` fields, its id is the entry's id,
/// its source the stream, its type `tacho.entry`, and its data a JSON object of its fields: a name that is there several
/// times has an array, a value that is not UTF-8 is an object with the one member `base64`.
public struct EventRecord: Sendable, Hashable {
    /// The event, `tacho` attributes included.
    public var event: CloudEvent

    /// An event that was read from its stream.
    public init(_ stored: StoredEvent) {
        event = Self.event(stored.fields, id: stored.id, stream: stored.stream)
        place(stored.id, stored.offset, stored.stream)
        if stored.isReplay { event.setExtension("tachoreplay", .boolean(true)) }
    }

    /// An event that was given to a consumer.
    public init(_ leased: LeasedEvent, stream: [UInt8]) {
        event = Self.event(leased.fields, id: leased.id, stream: stream)
        place(leased.id, leased.offset, stream)
        event.setExtension("tachoattempt", .integer(Int32(clamping: leased.deliveries)))
        // Milliseconds of the Unix time; too large for the whole numbers of CloudEvents.
        event.setExtension("tacholeaseduntil", .text(String(leased.leasedUntilUnixMilliseconds)))
        if leased.isReplay { event.setExtension("tachoreplay", .boolean(true)) }
    }

    /// The event alone, without a place.
    public init(fields: EventFields, id: StreamID, stream: [UInt8]) {
        event = Self.event(fields, id: id, stream: stream)
    }

    private mutating func place(_ id: StreamID, _ offset: Int64, _ stream: [UInt8]) {
        event.setExtension("tachostream", .text(Self.text(stream[...])))
        event.setExtension("tachoid", .text("\(id)"))
        event.setExtension("tachooffset", .text(String(offset)))
    }

    /// Bytes that are not UTF-8 are replaced, and control characters left out: an attribute cannot hold them.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        if CloudEvent.isText(text) { return text }
        return String(text.unicodeScalars.filter { CloudEvent.isText(String($0)) })
    }

    private static func event(_ fields: EventFields, id: StreamID, stream: [UInt8]) -> CloudEvent {
        var reader = StoredEventReader()
        fields.forEachItem { reader.take($0) }
        return reader.event(id: id, stream: stream)
    }
}

/// Puts a CloudEvent together from stored fields, in one pass.
private struct StoredEventReader {
    private var event = CloudEvent(id: "", source: "", type: "")
    private var name: ArraySlice<UInt8>?
    private var isCloudEvent = false
    private var data: ArraySlice<UInt8>?
    /// Fields that are neither attributes nor the payload.
    private var others: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] = []

    /// A name, then its value.
    mutating func take(_ item: ArraySlice<UInt8>) {
        guard let name else {
            self.name = item
            return
        }
        self.name = nil
        if name.elementsEqual(StoredNames.data), data == nil {
            data = item
        } else if !takeAttribute(name, item) {
            others.append((name, item))
        }
    }

    private mutating func takeAttribute(_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Bool {
        let isPrefixed = name.starts(with: StoredNames.prefix.utf8)
        // Lengths first: most names of entries end here.
        guard isPrefixed || (9...13).contains(name.count), let spelled = String(validating: name, as: UTF8.self),
            isPrefixed || StoredNames.context.contains(spelled) || spelled == "replay_of",
            let text = String(validating: value, as: UTF8.self), CloudEvent.isText(text), !text.isEmpty
        else { return false }
        switch spelled {
        case "ce_id": event.id = text
        case "ce_source": event.source = text
        case "ce_type": event.type = text
        case "ce_subject": event.subject = text
        case "ce_time": event.time = text
        case "ce_datacontenttype": event.dataContentType = text
        case "ce_dataschema": event.dataSchema = text
        case "ce_specversion": break
        case "replay_of":
            event.setExtension("tachoreplayof", .text(text))
            return true
        default:
            let attribute = isPrefixed ? String(spelled.dropFirst(StoredNames.prefix.count)) : spelled
            guard CloudEvent.isExtensionName(attribute) else { return false }
            event.setExtension(attribute, .text(text))
            return true
        }
        isCloudEvent = true
        return true
    }

    mutating func event(id: StreamID, stream: [UInt8]) -> CloudEvent {
        if event.id.isEmpty { event.id = "\(id)" }
        if event.source.isEmpty { event.source = Self.source(stream) }
        if event.type.isEmpty { event.type = "tacho.entry" }
        if isCloudEvent {
            event.data = data.map(Array.init)
            if data == nil, !others.isEmpty { setFields() }
        } else {
            if let data { others.append((StoredNames.data[...], data)) }
            setFields()
        }
        return event
    }

    /// Fields of an entry that is no CloudEvent become its payload.
    private mutating func setFields() {
        guard !others.isEmpty else { return }
        event.dataContentType = event.dataContentType ?? "application/json"
        event.data = FieldsJSON.encode(others)
    }

    /// `/streams/NAME`, percent-encoded as a URI reference has to be.
    private static func source(_ stream: [UInt8]) -> String {
        "/streams/" + PercentEncoding.encode(stream, keeping: UInt8(ascii: ":"))
    }
}

/// Fields of a Redis entry as a JSON object.
private enum FieldsJSON {
    static func encode(_ fields: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)]) -> [UInt8] {
        var order: [ArraySlice<UInt8>] = []
        var values: [ArraySlice<UInt8>: [ArraySlice<UInt8>]] = [:]
        for (name, value) in fields {
            if values[name] == nil { order.append(name) }
            values[name, default: []].append(value)
        }
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for name in order {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            JSONText.append(String(decoding: name, as: UTF8.self), to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            let values = values[name] ?? []
            if values.count > 1 { bytes.append(UInt8(ascii: "[")) }
            for (place, value) in values.enumerated() {
                if place > 0 { bytes.append(UInt8(ascii: ",")) }
                append(value, to: &bytes)
            }
            if values.count > 1 { bytes.append(UInt8(ascii: "]")) }
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func append(_ value: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        if String(validating: value, as: UTF8.self) != nil { return JSONText.append(value, to: &bytes) }
        bytes.append(contentsOf: "{\"base64\":\"".utf8)
        Base64.append(Array(value), to: &bytes)
        bytes.append(contentsOf: "\"}".utf8)
    }
}
