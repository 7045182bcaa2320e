/// The HTTP protocol binding (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md):
/// how an HTTP message says that it holds an event, and where.
public enum CloudEventHTTP {
    /// Where the events of a message are.
    public enum Mode: Sendable, Hashable {
        /// Attributes in headers, the payload is the body.
        case binary
        /// One event in the body.
        case structured
        /// A batch in the body.
        case batch
        /// No CloudEvent at all.
        case plain
    }

    /// The prefix of headers that are attributes.
    public static let headerPrefix = "ce-"

    /// The mode of a message. `hasAttributes`: it has headers that begin with `ce-`.
    public static func mode(contentType: String?, hasAttributes: Bool) throws(CloudEventError) -> Mode {
        guard let contentType else { return hasAttributes ? .binary : .plain }
        // Most events are binary, and most types do not begin so.
        guard contentType.utf8.count >= 18, MediaType.essence(contentType).hasPrefix("application/cloudevents") else {
            return hasAttributes ? .binary : .plain
        }
        switch MediaType.essence(contentType) {
        case CloudEventJSON.contentType: return .structured
        case CloudEventJSON.batchContentType: return .batch
        default: throw CloudEventError(.unsupportedFormat)
        }
    }

    /// The event of a message in binary mode. Header names are in lower case; those without the prefix are ignored.
    public static func event(
        headers: some Sequence<(name: String, value: String)>, contentType: String?, body: [UInt8],
        limits: CloudEventLimits = CloudEventLimits()
    ) throws(CloudEventError) -> CloudEvent {
        var draft = CloudEventDraft(limits)
        for (name, value) in headers where name.utf8.starts(with: headerPrefix.utf8) {
            let attribute = String(name.dropFirst(headerPrefix.utf8.count))
            // The media type has the header of its own.
            guard attribute != "datacontenttype" else { throw CloudEventError(.duplicate, attribute: attribute) }
            guard let text = decoded(value) else {
                let known = CloudEventDraft.standardNames.contains(attribute) ? attribute : nil
                throw CloudEventError(.badValue(expected: "text in UTF-8, percent-encoded"), attribute: known)
            }
            try draft.set(attribute, .text(text))
        }
        if let contentType { try draft.set("datacontenttype", .text(contentType)) }
        if !body.isEmpty { draft.setData(body) }
        return try draft.finished()
    }

    /// The headers of a message in binary mode, the media type of the payload included.
    public static func headers(of event: CloudEvent) -> [(name: String, value: String)] {
        var headers = [("ce-specversion", "1.0")]
        for name in ["id", "source", "type", "subject", "time", "dataschema"] {
            if let value = event[attribute: name] { headers.append((headerPrefix + name, encoded(value))) }
        }
        for attribute in event.extensions {
            headers.append((headerPrefix + attribute.name, encoded(attribute.value.text)))
        }
        if let type = event.dataContentType { headers.append(("content-type", type)) }
        return headers
    }

    /// What a header's value says: quotes around it are taken off, then `%XX` is decoded (section 3.1.3.2). Nil where the
    /// result is not UTF-8.
    static func decoded(_ value: String) -> String? {
        var value = value
        let isPlain = value.utf8.allSatisfy { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "\"") }
        if isPlain { return value }
        return value.withUTF8 { raw -> String? in
            var bytes = Array(raw)
            if bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") {
                bytes = unquoted(bytes[1..<bytes.count - 1])
            }
            var text: [UInt8] = []
            var position = 0
            while position < bytes.count {
                if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count,
                    let high = JSONText.hexadecimalDigit(bytes[position + 1]),
                    let low = JSONText.hexadecimalDigit(bytes[position + 2])
                {
                    text.append(high << 4 | low)
                    position += 3
                } else {
                    text.append(bytes[position])
                    position += 1
                }
            }
            return String(validating: text, as: UTF8.self)
        }
    }

    private static func unquoted(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        var isEscaped = false
        for byte in bytes {
            if !isEscaped, byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else {
                text.append(byte)
                isEscaped = false
            }
        }
        return text
    }

    /// Printable ASCII stands as it is, but for the space, the quote and the percent sign.
    static func encoded(_ text: String) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "%") {
                encoded.append(byte)
            } else {
                PercentEncoding.append(byte, to: &encoded)
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
