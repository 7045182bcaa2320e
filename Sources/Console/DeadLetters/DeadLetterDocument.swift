import Foundation
import Telemetry

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
    var fields: [[FieldView]]

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
            let field = [FieldView.text(change.name), .text(change.value)]
            if let index = kept.firstIndex(where: { $0.first == field[0] }) {
                kept[index] = field
            } else {
                kept.append(field)
            }
        }
        return String(decoding: try JSONEncoder().encode(["fields": kept]), as: UTF8.self)
    }
}

extension FieldView {
    /// For people.
    var shown: String {
        switch self {
        case .text(let text): text
        case .base64(let text): "base64:\(text)"
        }
    }
}
