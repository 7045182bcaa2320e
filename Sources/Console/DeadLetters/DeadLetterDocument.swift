import Foundation

/// One dead letter, as `/dead-letters/{number}` tells it.
struct DeadLetterDocument: Decodable {
    /// One attempt of a consumer.
    struct Attempt: Decodable {
        var delivered: Int64
        var ended: Int64
        var consumer: String
        var error: String

        enum CodingKeys: String, CodingKey {
            case consumer, error
            case delivered = "delivered_at_unix_milliseconds"
            case ended = "ended_at_unix_milliseconds"
        }
    }

    /// A name or a value as it is stored: a text, or bytes that are none.
    enum Field: Codable, Hashable {
        case text(String)
        case base64(String)

        private enum Key: String, CodingKey { case base64 }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self = .text(text)
            } else {
                self = .base64(try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .base64))
            }
        }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .text(let text):
                var container = encoder.singleValueContainer()
                try container.encode(text)
            case .base64(let text):
                var container = encoder.container(keyedBy: Key.self)
                try container.encode(text, forKey: .base64)
            }
        }

        /// For people.
        var shown: String {
            switch self {
            case .text(let text): text
            case .base64(let text): "base64:\(text)"
            }
        }
    }

    var number: Int64
    var stream: String
    var group: String
    var id: String
    var reason: String
    var error: String
    var deliveries: Int64
    var dead: Int64
    var edited: Bool
    var trace: String?
    var attempts: [Attempt]
    var fields: [[Field]]

    enum CodingKeys: String, CodingKey {
        case number, stream, group, id, reason, error, deliveries, edited, attempts, fields
        case dead = "dead_at_unix_milliseconds"
        case trace = "trace_id"
    }

    init(_ document: String) throws(AdminError) {
        guard let letter = try? JSONDecoder().decode(DeadLetterDocument.self, from: Data(document.utf8)) else {
            throw .foreign
        }
        self = letter
    }

    /// What a PUT sends to have some fields set and others removed; the rest stays, in its order.
    func edited(setting changes: [(name: String, value: String)], removing names: [String]) throws -> String {
        var kept = fields.filter { field in !names.contains(field.first?.shown ?? "") }
        for change in changes {
            let field = [Field.text(change.name), .text(change.value)]
            if let index = kept.firstIndex(where: { $0.first == field[0] }) {
                kept[index] = field
            } else {
                kept.append(field)
            }
        }
        return String(decoding: try JSONEncoder().encode(["fields": kept]), as: UTF8.self)
    }
}
