/// A name or a value as it is stored: a text, or bytes that are none. In JSON a string, or `{"base64": "..."}`.
public enum FieldView: Codable, Hashable, Sendable {
    /// UTF-8.
    case text(String)
    /// Anything else, in Base64.
    case base64(String)

    private enum Key: String, CodingKey { case base64 }

    /// From either form.
    public init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {
            self = .text(text)
        } else {
            self = .base64(try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .base64))
        }
    }

    /// In its form.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .text(let text):
            var container = encoder.singleValueContainer()
            try container.encode(text)
        case .base64(let text):
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(text, forKey: .base64)
        }
    }
}
