import Wire

/// The schemas of bodies, in a short notation: one line per schema, `name: type` per member, `?` behind what may be
/// absent, `|null` behind what may be null, `[]` behind lists; types with a capital letter are other schemas.
enum OpenAPISchemas {
    private static let notation: [(name: String, members: String)] = [
        (
            "Stream",
            "stream: string, length: integer, bytes: integer, first_id: string|null, last_id: string|null, last_offset: integer, duplicates: integer, created_at_unix_milliseconds: integer, groups: Group[]"
        ),
        (
            "StreamSettings",
            "stream: string, deduplication: string, deduplication_milliseconds: integer, deduplication_events: integer, compress_from_bytes: integer|null, keep_milliseconds: integer|null, keep_events: integer|null, keep_bytes: integer|null, removes_unread: boolean"
        ),
        (
            "StreamSettingsRequest",
            "deduplication?: string|null, deduplication_milliseconds?: integer|null, deduplication_events?: integer|null, compress_from_bytes?: integer|null, keep_milliseconds?: integer|null, keep_events?: integer|null, keep_bytes?: integer|null, removes_unread?: boolean|null"
        ),
        ("StreamList", "streams: Stream[], next: integer|null"),
        (
            "Group",
            "group: string, consumers: integer, pending: integer, lag: integer|null, last_delivered_id: string, entries_read: integer|null, policy: Policy"
        ),
        ("GroupList", "groups: Group[]"),
        ("Policy", "lease_milliseconds: integer, backoff: Backoff, max_deliveries: integer|null"),
        (
            "GroupRequest",
            "from?: string, lease_milliseconds?: integer, backoff?: Backoff, max_deliveries?: integer|null"
        ),
        ("EventList", "stream: string, events: CloudEvent[], next: integer|null"),
        ("Published", "stream: string, events: Place[], version?: integer"),
        ("Place", "id: string, offset: integer, duplicate: boolean"),
        (
            "ReceiveRequest",
            "consumer: string, max?: integer, wait_milliseconds?: integer, lease_milliseconds?: integer"
        ),
        ("Received", "events: CloudEvent[]"),
        ("AckRequest", "ids: string[], consumer?: string, publish?: Publication[]"),
        ("Publication", "stream: string, event: CloudEvent"),
        ("Acknowledged", "acknowledged: integer, events?: Place[]"),
        ("NackRequest", "ids: string[], delay_milliseconds?: integer, reason?: string, final?: boolean"),
        ("Rejected", "rejected: integer"),
        ("ExtendRequest", "ids: string[], consumer: string, lease_milliseconds: integer"),
        ("Extended", "extended: integer"),
        ("ReplayRequest", "from?: integer, to?: integer, pace?: Pace, to_stream?: string, to_group?: string"),
        (
            "ReplayLine",
            "replayed: integer, skipped: integer, offset: integer|null, last_offset: integer, done?: boolean, error?: string"
        ),
        (
            "DeadLetter",
            "number: integer, stream: string, group: string, id: string, reason: string, error: string, deliveries: integer, dead_at_unix_milliseconds: integer, edited: boolean, trace_id: string|null, attempts: Attempt[], event: CloudEvent, fields: Field[]"
        ),
        (
            "Attempt",
            "delivered_at_unix_milliseconds: integer, ended_at_unix_milliseconds: integer, consumer: string, error: string"
        ),
        ("DeadLetterList", "dead_letters: DeadLetter[], next: integer|null"),
        ("Fields", "fields: Field[]"),
        (
            "DeadLetterFilter",
            "stream?: string, group?: string, reason?: string, since_unix_milliseconds?: integer, until_unix_milliseconds?: integer, numbers?: integer[]"
        ),
        ("RedriveRequest", "filter?: DeadLetterFilter, all?: boolean, dry_run?: boolean, limit?: integer"),
        ("Redriven", "dry_run: boolean, returned: integer, appended: integer, skipped: integer"),
        ("PurgeRequest", "filter?: DeadLetterFilter, all?: boolean, limit?: integer"),
        (
            "Projection",
            "name: string, stream: string, position: integer, last_offset: integer, lag: integer, rows: integer, folded: integer, skipped: integer, unusable: integer, unusable_values: integer, missed: integer, created_unix_milliseconds: integer, rebuilt_unix_milliseconds: integer|null, definition: Object"
        ),
        ("ProjectionList", "projections: Projection[]"),
        ("ProjectionRow", "key: string, values: Object, offset: integer, changed_unix_milliseconds: integer"),
        ("ProjectionRowList", "rows: ProjectionRow[], lag: integer, next: string|null"),
        ("Purged", "purged: integer"),
    ]

    /// What the notation cannot say.
    private static let others = #"""
        {
          "Object": { "type": "object" },
          "ProjectionDefinition": {
            "type": "object", "required": ["stream", "key", "columns"],
            "properties": {
              "stream": { "type": "string" }, "key": { "type": "object" }, "columns": { "type": "object" }
            }
          },
          "CloudEvent": {
            "type": "object",
            "required": ["specversion", "id", "source", "type"],
            "properties": {
              "specversion": { "const": "1.0" },
              "id": { "type": "string", "minLength": 1 }, "source": { "type": "string", "minLength": 1 },
              "type": { "type": "string", "minLength": 1 }, "subject": { "type": "string" },
              "time": { "type": "string" }, "datacontenttype": { "type": "string" },
              "dataschema": { "type": "string" }, "data": true, "data_base64": { "type": "string" },
              "tachostream": { "type": "string", "description": "the stream" },
              "tachoid": { "type": "string", "description": "its id in the stream, for ack, nack and extend" },
              "tachooffset": { "type": "string", "description": "its offset in the stream, from 1" },
              "tachoversion": { "type": "string", "description": "its place among the events of its entity" },
              "tachoattempt": { "type": "integer", "description": "deliveries to this group, this one included" },
              "tacholeaseduntil": { "type": "string", "description": "milliseconds since 1970" },
              "tachoreplay": { "type": "boolean" },
              "tachoreplayof": { "type": "string", "description": "stream/id of the original" }
            },
            "additionalProperties": { "type": ["string", "integer", "boolean"] }
          },
          "CloudEvents": { "type": "array", "items": { "$ref": "#/components/schemas/CloudEvent" } },
          "Backoff": {
            "oneOf": [
              { "type": "array", "items": { "type": "integer" } },
              {
                "type": "object",
                "properties": {
                  "first_milliseconds": { "type": "integer" }, "factor": { "type": "number" },
                  "max_milliseconds": { "type": "integer" }
                },
                "additionalProperties": false
              }
            ]
          },
          "Pace": { "oneOf": [{ "enum": ["original", "immediate"] }, { "type": "number" }] },
          "Field": {
            "type": "array", "minItems": 2, "maxItems": 2, "description": "a name and a value",
            "items": {
              "oneOf": [
                { "type": "string" },
                { "type": "object", "required": ["base64"], "properties": { "base64": { "type": "string" } } }
              ]
            }
          },
          "Problem": {
            "type": "object", "required": ["type", "title", "status"],
            "properties": {
              "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
              "detail": { "type": "string" }, "expected_version": { "type": "integer" },
              "actual_version": { "type": "integer" }, "limit_bytes": { "type": "integer" },
              "not_held": { "type": "integer" }
            }
          }
        }
        """#

    static var value: JSONValue {
        var schemas: [JSONValue.Member] = notation.map { JSONValue.Member($0.name, object($0.members)) }
        let text = Array(others.utf8)
        // A text of our own, which a test parses.
        if case .object(let members)? = try? JSONValue(parsing: text.span) { schemas += members }
        return .object(schemas)
    }

    private static func object(_ notation: String) -> JSONValue {
        var properties: [JSONValue.Member] = []
        var required: [JSONValue] = []
        for member in notation.split(separator: ",") {
            let parts = member.split(separator: ":")
            var name = parts[0].drop { $0 == " " }
            if name.last == "?" { name.removeLast() } else { required.append(.string(String(name))) }
            properties.append(JSONValue.Member(String(name), type(parts[1].drop { $0 == " " })))
        }
        return EventAnswer.object([
            "type": "object", "properties": .object(properties), "required": .array(required),
            "additionalProperties": false,
        ])
    }

    private static func type(_ text: Substring) -> JSONValue {
        if text.hasSuffix("[]") {
            return EventAnswer.object(["type": "array", "items": type(text.dropLast(2))])
        }
        if text.hasSuffix("|null") {
            return EventAnswer.object(["type": .array([.string(String(text.dropLast(5))), "null"])])
        }
        guard text.first?.isUppercase != true else {
            return EventAnswer.object(["$ref": .string("#/components/schemas/\(text)")])
        }
        return EventAnswer.object(["type": .string(String(text))])
    }
}
