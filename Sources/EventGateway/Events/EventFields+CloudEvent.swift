public import EventLog
public import Wire

/// How a CloudEvent is stored: one field per attribute, so that Redis clients read it as an entry like any other.
///
/// | attribute | field |
/// | --- | --- |
/// | `id`, `source`, `type`, `subject`, `time`, `datacontenttype`, `dataschema`, extensions | `ce_` and the name |
/// | `traceparent`, `tracestate`, `correlationid`, `causationid` | the same name: what the sidecar injects and finds events by |
/// | `data` | `data` |
///
/// `specversion` is always 1.0 and is not stored, nor is what `EventRecord` says on reading (`tacho...`).
extension EventFields {
    /// The fields of an event.
    public init(_ event: CloudEvent) {
        self.init(reservingBytes: 256 + (event.data?.count ?? 0))
        append("ce_id", event.id)
        append("ce_source", event.source)
        append("ce_type", event.type)
        append("ce_subject", event.subject)
        append("ce_time", event.time)
        append("ce_datacontenttype", event.dataContentType)
        append("ce_dataschema", event.dataSchema)
        if let data = event.data { append(name: StoredNames.data, value: data) }
        for attribute in event.extensions where !attribute.name.hasPrefix(StoredNames.ours) {
            let isContext = StoredNames.context.contains(attribute.name)
            append(isContext ? attribute.name : StoredNames.prefix + attribute.name, attribute.value.text)
        }
    }

    private mutating func append(_ name: String, _ value: String?) {
        if let value { append(name: name.utf8, value: value.utf8) }
    }
}

/// Names of fields in stored events.
enum StoredNames {
    static let prefix = "ce_"
    static let data = Array("data".utf8)
    /// Attributes of our own in answers begin so.
    static let ours = "tacho"
    /// Attributes that are stored under their own name.
    static let context: Set<String> = ["traceparent", "tracestate", "correlationid", "causationid"]
}
