import HTTPTypes
import Hummingbird
import Telemetry
import Wire

/// `/openapi.json`: the operations of `EventOperation` as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0).
enum OpenAPIDocument {
    static let response = EventAnswer.bytes(encoded)

    private static let encoded: [UInt8] = value.encoded + [UInt8(ascii: "\n")]

    static var value: JSONValue {
        var paths: [JSONValue.Member] = []
        for operation in EventOperation.allCases {
            let member = JSONValue.Member(operation.method.rawValue.lowercased(), describe(operation))
            if let place = paths.firstIndex(where: { $0.name == operation.path }),
                case .object(let members) = paths[place].value
            {
                paths[place].value = .object(members + [member])
            } else {
                paths.append(JSONValue.Member(operation.path, .object([member])))
            }
        }
        return EventAnswer.object([
            "openapi": "3.1.0",
            "info": EventAnswer.object([
                "title": "Tachograph event log", "version": .string(TachographVersion.text),
                "description":
                    "The embedded event log over HTTP. Events are CloudEvents 1.0; in answers, attributes that begin with tacho say what the log knows of them.",
            ]),
            "paths": .object(paths),
            "components": EventAnswer.object(["schemas": OpenAPISchemas.value]),
        ])
    }

    private static func describe(_ operation: EventOperation) -> JSONValue {
        var members = [
            JSONValue.Member("operationId", .string(operation.rawValue)),
            JSONValue.Member("summary", .string(operation.summary)),
        ]
        let parameters = pathParameters(operation) + operation.query.map(queryParameter) + operation.headers.map(header)
        if !parameters.isEmpty { members.append(JSONValue.Member("parameters", .array(parameters))) }
        if let body = operation.requestContent {
            members.append(
                JSONValue.Member(
                    "requestBody",
                    EventAnswer.object(["required": .bool(operation.needsBody), "content": content(body)])))
        }
        var responses: [JSONValue.Member] = []
        for answer in operation.answers {
            var parts = [JSONValue.Member("description", .string(answer.meaning))]
            if !answer.content.isEmpty { parts.append(JSONValue.Member("content", content(answer.content))) }
            responses.append(JSONValue.Member(String(answer.status), .object(parts)))
        }
        responses.append(
            JSONValue.Member(
                "default",
                EventAnswer.object([
                    "description": "A problem (RFC 9457). 429 and some 503 say in Retry-After when to try again",
                    "content": content([("application/problem+json", "Problem")]),
                ])))
        members.append(JSONValue.Member("responses", .object(responses)))
        return .object(members)
    }

    private static func pathParameters(_ operation: EventOperation) -> [JSONValue] {
        operation.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
            let name = String(part.dropFirst().dropLast())
            return EventAnswer.object([
                "name": .string(name), "in": "path", "required": true,
                "schema": EventAnswer.object(["type": name == "number" ? "integer" : "string"]),
            ])
        }
    }

    private static func queryParameter(_ parameter: EventParameter) -> JSONValue {
        let isNumber = parameter == .limit
        return EventAnswer.object([
            "name": .string(parameter.rawValue), "in": "query", "description": .string(parameter.meaning),
            "schema": EventAnswer.object(["type": isNumber ? "integer" : "string"]),
        ])
    }

    private static func header(_ header: (name: String, meaning: String)) -> JSONValue {
        EventAnswer.object([
            "name": .string(header.name), "in": "header", "description": .string(header.meaning),
            "schema": EventAnswer.object(["type": "string"]),
        ])
    }

    /// Media types, each with the name of its schema; an empty name stands for any bytes.
    private static func content(_ types: [(type: String, schema: String)]) -> JSONValue {
        .object(
            types.map { type, schema in
                let reference = EventAnswer.object(["$ref": .string("#/components/schemas/\(schema)")])
                return JSONValue.Member(
                    type, .object(schema.isEmpty ? [] : [JSONValue.Member("schema", reference)]))
            })
    }
}

/// What the document says of each operation's bodies.
extension EventOperation {
    /// Headers beside those of HTTP itself.
    var headers: [(name: String, meaning: String)] {
        switch self {
        case .publishEvents:
            [
                ("ce-specversion", "1.0, in binary mode; the other attributes likewise begin with ce-"),
                ("ce-id", "The event's id, in binary mode"), ("ce-source", "Its source, in binary mode"),
                ("ce-type", "Its type, in binary mode"),
                ("tacho-entity", "The entity that the events belong to"),
                (
                    "tacho-expected-version",
                    "any, none, exists or a number: the version that the entity, or without one the stream, must have"
                ),
                ("traceparent", "The context of this request: the events continue it unless they carry their own"),
            ]
        case .readEvents: [("last-event-id", "As an event stream: resume behind this offset")]
        default: []
        }
    }

    /// Media types of the request with the names of their schemas; nil for no body.
    var requestContent: [(type: String, schema: String)]? {
        let events = [
            ("application/cloudevents+json", "CloudEvent"), ("application/cloudevents-batch+json", "CloudEvents"),
        ]
        switch self {
        case .publishEvents: return events + [("application/json", ""), ("*/*", "")]
        case .editDeadLetter: return [events[0], ("application/json", "Fields"), ("*/*", "")]
        case .putGroup: return [("application/json", "GroupRequest")]
        case .putStreamSettings: return [("application/json", "StreamSettingsRequest")]
        case .receive: return [("application/json", "ReceiveRequest")]
        case .acknowledge: return [("application/json", "AckRequest")]
        case .reject: return [("application/json", "NackRequest")]
        case .extend: return [("application/json", "ExtendRequest")]
        case .replay: return [("application/json", "ReplayRequest")]
        case .redriveDeadLetters: return [("application/json", "RedriveRequest")]
        case .purgeDeadLetters: return [("application/json", "PurgeRequest")]
        case .putProjection: return [("application/json", "ProjectionDefinition")]
        case .describe, .listStreams, .getStream, .getStreamSettings, .readEvents, .listGroups, .deleteGroup,
            .listDeadLetters, .getDeadLetter, .openSocket, .listProjections, .getProjection, .deleteProjection,
            .rebuildProjection,
            .listProjectionRows:
            return nil
        }
    }

    /// Whether an empty body is a mistake.
    var needsBody: Bool { ![.putGroup, .publishEvents, .putStreamSettings].contains(self) }

    /// Successful answers.
    var answers: [(status: Int, meaning: String, content: [(type: String, schema: String)])] {
        func json(_ schema: String) -> [(type: String, schema: String)] { [("application/json", schema)] }
        switch self {
        case .describe: return [(200, "This document", json("Object"))]
        case .listStreams: return [(200, "Streams", json("StreamList"))]
        case .getStream: return [(200, "The stream", json("Stream"))]
        case .getStreamSettings, .putStreamSettings: return [(200, "The settings", json("StreamSettings"))]
        case .publishEvents:
            return [
                (201, "Appended", json("Published")), (200, "All of them were there already", json("Published")),
            ]
        case .readEvents:
            return [
                (
                    200, "Events",
                    [
                        ("application/json", "EventList"), ("application/cloudevents-batch+json", "CloudEvents"),
                        ("application/x-ndjson", ""), ("text/event-stream", ""),
                    ]
                )
            ]
        case .listGroups: return [(200, "Groups", json("GroupList"))]
        case .putGroup: return [(201, "Made", json("Group")), (200, "It was there; its policy is set", json("Group"))]
        case .deleteGroup: return [(204, "Deleted", [])]
        case .receive: return [(200, "Events, or none in time", json("Received"))]
        case .acknowledge: return [(200, "Acknowledged", json("Acknowledged"))]
        case .reject: return [(200, "Given back", json("Rejected"))]
        case .extend: return [(200, "Kept longer", json("Extended"))]
        case .replay: return [(200, "Progress, a ReplayLine each line", [("application/x-ndjson", "")])]
        case .listDeadLetters: return [(200, "Dead letters", json("DeadLetterList"))]
        case .getDeadLetter, .editDeadLetter: return [(200, "The dead letter", json("DeadLetter"))]
        case .redriveDeadLetters: return [(200, "What was done, or would be", json("Redriven"))]
        case .purgeDeadLetters: return [(200, "How many", json("Purged"))]
        case .openSocket: return [(101, "A WebSocket with the subprotocol cloudevents.json", [])]
        case .listProjections: return [(200, "Projections", json("ProjectionList"))]
        case .getProjection: return [(200, "The projection", json("Projection"))]
        case .putProjection: return [(201, "Defined", json("Projection")), (200, "It was there", json("Projection"))]
        case .deleteProjection: return [(204, "Deleted", [])]
        case .rebuildProjection: return [(202, "It begins anew", json("Projection"))]
        case .listProjectionRows: return [(200, "Rows", json("ProjectionRowList"))]
        }
    }
}
