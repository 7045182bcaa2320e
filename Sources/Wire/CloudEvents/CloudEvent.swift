/// One event in the form of CloudEvents 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md): what
/// the HTTP and WebSocket faces of the event log speak of.
///
/// Made only from attributes that were checked, so each value here can be written in every format.
public struct CloudEvent: Sendable, Hashable {
    /// A value of an extension attribute, of the types that JSON can show.
    public enum Value: Sendable, Hashable {
        /// Text without control characters.
        case text(String)
        /// A whole number of 32 bits.
        case integer(Int32)
        /// True or false.
        case boolean(Bool)

        /// The canonical text, as HTTP headers have it.
        public var text: String {
            switch self {
            case .text(let text): text
            case .integer(let number): String(number)
            case .boolean(let flag): flag ? "true" : "false"
            }
        }
    }

    /// One extension attribute.
    public struct Extension: Sendable, Hashable {
        /// Lower-case letters and digits.
        public var name: String
        /// Its value.
        public var value: Value
    }

    /// Names the event together with `source`. Never empty.
    public var id: String
    /// Where the event comes from, a URI reference. Never empty.
    public var source: String
    /// What kind of event it is. Never empty.
    public var type: String
    /// What of the source it is about.
    public var subject: String?
    /// When it happened, as it was written (RFC 3339).
    public var time: String?
    /// The media type of `data`.
    public var dataContentType: String?
    /// The schema of `data`, a URI.
    public var dataSchema: String?
    /// Everything else, each name once, in the order in which it came.
    public private(set) var extensions: [Extension]
    /// The payload; nil for none.
    public var data: [UInt8]?

    /// An event with what is required. The values are the caller's own; those from outside go through `CloudEventDraft`.
    public init(id: String, source: String, type: String) {
        self.id = id
        self.source = source
        self.type = type
        extensions = []
    }

    /// Sets an extension attribute in place of what it was; nil removes it. The name is the caller's own.
    public mutating func setExtension(_ name: String, _ value: Value?) {
        if let place = extensions.firstIndex(where: { $0.name == name }) {
            if let value { extensions[place].value = value } else { extensions.remove(at: place) }
        } else if let value {
            extensions.append(Extension(name: name, value: value))
        }
    }

    /// The canonical text of any attribute, by its name in the specification; nil where it is not set.
    public subscript(attribute name: String) -> String? {
        switch name {
        case "specversion": "1.0"
        case "id": id
        case "source": source
        case "type": type
        case "subject": subject
        case "time": time
        case "datacontenttype": dataContentType
        case "dataschema": dataSchema
        default: extensions.first { $0.name == name }?.value.text
        }
    }

    /// Whether an attribute can hold a text: no control characters, and nothing that is no character.
    public static func isText(_ text: String) -> Bool { CloudEventDraft.isText(text) }

    /// Whether an extension attribute can be called so: lower-case letters and digits, and no name of the specification.
    public static func isExtensionName(_ name: String) -> Bool {
        CloudEventDraft.isName(name) && name != "data" && !CloudEventDraft.standardNames.contains(name)
    }

    /// Whether the payload says of itself that it is JSON; no media type counts as JSON, as in the JSON event format.
    public var isJSONData: Bool { dataContentType.map(MediaType.isJSON) ?? true }
}
