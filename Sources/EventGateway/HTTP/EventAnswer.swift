import EventLog
import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// Answers in JSON. Names that are not UTF-8 are shown with replacement characters.
enum EventAnswer {
    static func json(_ value: JSONValue, _ status: HTTPResponse.Status = .ok) -> Response {
        bytes(value.encoded + [UInt8(ascii: "\n")], status)
    }

    static func bytes(
        _ bytes: [UInt8], _ status: HTTPResponse.Status = .ok, contentType: String = "application/json",
        _ others: HTTPFields = [:]
    ) -> Response {
        var headers: HTTPFields = [.contentType: contentType, .cacheControl: "no-store"]
        headers.append(contentsOf: others)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func text(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }

    static func number(_ number: some BinaryInteger) -> JSONValue { .number(String(number)) }

    static func number(_ number: Int64?) -> JSONValue { number.map { .number(String($0)) } ?? .null }

    static func id(_ id: StreamID?) -> JSONValue { id.map { .string("\($0)") } ?? .null }

    static func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { JSONValue.Member($0.key, $0.value) })
    }

    /// A CloudEvent as a value inside another.
    static func event(_ record: EventRecord) -> JSONValue {
        let bytes = CloudEventJSON.encode(record.event)
        // What we have just written can be read.
        return (try? JSONValue(parsing: bytes.span, limits: JSONLimits(valuesMax: .max))) ?? .null
    }

    // MARK: Streams and groups

    static func stream(_ stream: StreamOverview) -> JSONValue {
        object([
            "stream": text(stream.name),
            "length": number(stream.length),
            "bytes": number(stream.bytes),
            "first_id": id(stream.firstID),
            "last_id": id(stream.lastID),
            "last_offset": number(stream.lastOffset),
            "duplicates": number(stream.duplicates),
            "created_at_unix_milliseconds": number(stream.createdAtUnixMilliseconds),
            "groups": .array(stream.groups.map(group)),
        ])
    }

    static func group(_ group: GroupOverview) -> JSONValue {
        object([
            "group": text(group.info.name),
            "consumers": number(group.info.consumers),
            "pending": number(group.info.pending),
            "lag": number(group.info.lag),
            "last_delivered_id": .string("\(group.info.lastDelivered)"),
            "entries_read": number(group.info.entriesRead),
            "policy": policy(group.policy),
        ])
    }

    static func policy(_ policy: LeasePolicy) -> JSONValue {
        let backoff: JSONValue
        switch policy.backoff {
        case .list(let delays): backoff = .array(delays.map { number($0) })
        case .exponential(let first, let factor, let most):
            backoff = object([
                "first_milliseconds": number(first), "factor": .number("\(factor)"), "max_milliseconds": number(most),
            ])
        }
        return object([
            "lease_milliseconds": number(policy.leaseMilliseconds), "backoff": backoff,
            "max_deliveries": number(policy.deliveriesMax),
        ])
    }

    // MARK: Dead letters

    static func deadLetter(_ letter: DeadLetter) -> JSONValue {
        object([
            "number": number(letter.number),
            "stream": text(letter.stream),
            "group": text(letter.group),
            "id": id(letter.id),
            "reason": .string(letter.reason.rawValue),
            "error": .string(letter.error),
            "deliveries": number(letter.deliveries),
            "dead_at_unix_milliseconds": number(letter.deadAtUnixMilliseconds),
            "edited": .bool(letter.isEdited),
            "trace_id": letter.traceID.map { .string($0) } ?? .null,
            "attempts": .array(letter.attempts.map(attempt)),
            "event": event(EventRecord(fields: letter.fields, id: letter.id, stream: letter.stream)),
            "fields": .array(letter.fields.pairs.map { .array([field($0.name), field($0.value)]) }),
        ])
    }

    private static func attempt(_ attempt: DeliveryAttempt) -> JSONValue {
        object([
            "delivered_at_unix_milliseconds": number(attempt.deliveredAtUnixMilliseconds),
            "ended_at_unix_milliseconds": number(attempt.endedAtUnixMilliseconds),
            "consumer": text(attempt.consumer),
            "error": .string(attempt.error),
        ])
    }

    /// Bytes as they are stored: a text, or in Base64 where they are none.
    private static func field(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        var encoded: [UInt8] = []
        Base64.append(bytes, to: &encoded)
        return object(["base64": .string(String(decoding: encoded, as: UTF8.self))])
    }
}
