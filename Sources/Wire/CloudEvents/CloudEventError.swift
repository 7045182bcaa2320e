/// Why something is not a CloudEvent that can be taken. The texts say what is expected and repeat no value.
public struct CloudEventError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed set of reasons.
    public enum Code: Sendable, Hashable {
        /// The text is not JSON.
        case malformedJSON(JSONFault)
        /// `specversion` is missing or not 1.0.
        case unsupportedVersion
        /// A required attribute is missing or empty.
        case missing
        /// A value is not of the attribute's type.
        case badValue(expected: String)
        /// A name is not made of lower-case letters and digits.
        case badName
        /// The same attribute twice.
        case duplicate
        /// More attributes than the limit.
        case tooManyAttributes(limit: Int)
        /// A value longer than the limit.
        case attributeTooLong(limitBytes: Int)
        /// `data` and `data_base64` together.
        case twoPayloads
        /// More events than the limit.
        case tooManyEvents(limit: Int)
        /// An event format other than JSON.
        case unsupportedFormat
    }

    /// Why.
    public var code: Code
    /// The attribute of the specification that is meant; nil where none is, or it is an extension.
    public var attribute: String?
    /// Its place in the batch, from 0; nil outside of one.
    public var index: Int?

    /// An error without a place.
    public init(_ code: Code, attribute: String? = nil) {
        self.code = code
        self.attribute = attribute
    }

    /// One sentence for people.
    public var description: String {
        let place = index.map { "event \($0) of the batch: " } ?? ""
        let what = attribute ?? "an extension attribute"
        switch code {
        case .malformedJSON(let fault): return place + "not JSON: expected \(fault.expected) at byte \(fault.offset)"
        case .unsupportedVersion: return place + "specversion: expected 1.0"
        case .missing: return place + "\(what) is required and must not be empty"
        case .badValue(let expected): return place + "\(what): expected \(expected)"
        case .badName:
            return place + "names of attributes consist of 1 to \(CloudEventLimits.nameBytesMax) "
                + "lower-case letters and digits"
        case .duplicate: return place + "\(what) is there twice"
        case .tooManyAttributes(let limit): return place + "more than \(limit) attributes"
        case .attributeTooLong(let limit): return place + "\(what) is longer than \(limit) bytes"
        case .twoPayloads: return place + "data and data_base64 exclude each other"
        case .tooManyEvents(let limit): return "more than \(limit) events in one batch"
        case .unsupportedFormat:
            return "of event formats only JSON is taken: application/cloudevents+json or "
                + "application/cloudevents-batch+json"
        }
    }
}

/// What one event, and one batch, may hold. The size of the whole is for the transport to limit.
public struct CloudEventLimits: Sendable, Hashable {
    /// Attributes of one event, those of the specification included.
    public var attributesMax: Int
    /// Bytes of one attribute's value.
    public var attributeBytesMax: Int
    /// Events of one batch.
    public var eventsMax: Int

    /// Bytes of an attribute's name. The specification advises 20.
    public static let nameBytesMax = 64

    /// Much more than anybody needs.
    public init(attributesMax: Int = 64, attributeBytesMax: Int = 8_192, eventsMax: Int = 1_000) {
        self.attributesMax = attributesMax
        self.attributeBytesMax = attributeBytesMax
        self.eventsMax = eventsMax
    }
}
