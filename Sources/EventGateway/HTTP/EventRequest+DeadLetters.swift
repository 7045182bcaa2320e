import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Wire

/// Dead letters: looked at, edited, given another chance, deleted.
extension EventRequest {
    private static let orderMax: Int64 = 1_000_000

    func listDeadLetters() async throws -> Response {
        var filter = DeadLetterFilter(stream: bytes(.stream), group: bytes(.group))
        filter.reason = try Self.reason(text(.reason))
        filter.deadAt = try Self.period(try moment(.since), try moment(.until))
        let after = try number(.after, in: 0...Int64.max) ?? 0
        let limit = try limit(default: 100)
        let letters = try await desk.value {
            desk.log.deadLetters(filter, after: after, limit: limit + 1, answer: $0)
        }
        let shown = letters.prefix(limit)
        return EventAnswer.json(
            EventAnswer.object([
                "dead_letters": .array(shown.map(EventAnswer.deadLetter)),
                "next": EventAnswer.number(letters.count > limit ? shown.last?.number : nil),
            ]))
    }

    func getDeadLetter() async throws -> Response { EventAnswer.json(EventAnswer.deadLetter(try await letter())) }

    private func letter() async throws -> DeadLetter {
        let number = try number()
        let letters = try await desk.value {
            desk.log.deadLetters(DeadLetterFilter(numbers: [number]), after: number - 1, limit: 1, answer: $0)
        }
        guard let letter = letters.first else { throw GatewayProblem.noLetter }
        return letter
    }

    /// The new event is a CloudEvent in any form, or `{"fields": [[name, value], ...]}` for an entry as Redis has it.
    func editDeadLetter() async throws -> Response {
        let number = try number()
        let fields = try await editedFields()
        guard try await desk.value({ desk.log.edit(deadLetter: number, fields: fields, answer: $0) }) else {
            throw GatewayProblem.noLetter
        }
        return try await getDeadLetter()
    }

    private func editedFields() async throws -> EventFields {
        let hasAttributes = request.headers.contains { $0.name.canonicalName.hasPrefix(CloudEventHTTP.headerPrefix) }
        let isPlain = request.headers[.contentType].map { MediaType.essence($0) == "application/json" } ?? true
        guard isPlain, !hasAttributes else {
            let events = try await incoming([])
            guard events.count == 1 else { throw GatewayProblem.badQuery("expected one event") }
            return events[0].fields
        }
        let wanted = try await object("fields")
        let expected = "fields: expected a list of pairs of a name and a value, each a text or {\"base64\": ...}"
        guard let pairs = try wanted.list("fields", atMost: 10_000), !pairs.isEmpty else {
            throw GatewayProblem.badQuery(expected)
        }
        var fields = EventFields()
        for pair in pairs {
            guard case .array(let parts) = pair, parts.count == 2, let name = Self.field(parts[0]),
                let value = Self.field(parts[1])
            else { throw GatewayProblem.badQuery(expected) }
            fields.append(name: name, value: value)
        }
        return fields
    }

    private static func field(_ value: JSONValue) -> [UInt8]? {
        if let text = value.text { return Array(text.utf8) }
        return value["base64"]?.text.flatMap { Base64.decode($0.utf8) }
    }

    func redriveDeadLetters() async throws -> Response {
        let wanted = try await object("filter", "all", "dry_run", "limit")
        let filter = try orderFilter(wanted)
        let limit = Int(try wanted.number("limit", in: 1...Self.orderMax) ?? 1_000)
        let isDryRun = try wanted.flag("dry_run") ?? false
        let report = try await desk.value {
            desk.log.redrive(filter, limit: limit, isDryRun: isDryRun, now: now, answer: $0)
        }
        return EventAnswer.json(
            EventAnswer.object([
                "dry_run": .bool(isDryRun), "returned": EventAnswer.number(report.returned),
                "appended": EventAnswer.number(report.appended), "skipped": EventAnswer.number(report.skipped),
            ]))
    }

    func purgeDeadLetters() async throws -> Response {
        let wanted = try await object("filter", "all", "limit")
        let filter = try orderFilter(wanted)
        let limit = Int(try wanted.number("limit", in: 1...Self.orderMax) ?? 1_000)
        let count = try await desk.value { desk.log.purge(filter, limit: limit, answer: $0) }
        return EventAnswer.json(EventAnswer.object(["purged": EventAnswer.number(count)]))
    }

    /// Orders name what they mean: a filter with at least one condition, or `all`.
    private func orderFilter(_ wanted: JSONMembersReader) throws(GatewayProblem) -> DeadLetterFilter {
        guard
            let parts = try wanted.object(
                "filter", known: "stream", "group", "reason", "since_unix_milliseconds", "until_unix_milliseconds",
                "numbers")
        else {
            guard try wanted.flag("all") == true else {
                throw .badQuery("filter: expected which dead letters are meant, or \"all\": true")
            }
            return DeadLetterFilter()
        }
        var filter = DeadLetterFilter(
            stream: try parts.text("stream").map { Array($0.utf8) },
            group: try parts.text("group").map { Array($0.utf8) }, reason: try Self.reason(try parts.text("reason")),
            numbers: try parts.numbers("numbers", in: 1...Int64.max, atMost: 10_000))
        let range = 0...Int64.max
        filter.deadAt = try Self.period(
            try parts.number("since_unix_milliseconds", in: range),
            try parts.number("until_unix_milliseconds", in: range))
        guard filter != DeadLetterFilter() else {
            throw .badQuery("filter: it means all dead letters; say \"all\": true instead")
        }
        return filter
    }

    private static func reason(_ text: String?) throws(GatewayProblem) -> DeadLetterReason? {
        guard let text else { return nil }
        guard let reason = DeadLetterReason(rawValue: text) else {
            let words = DeadLetterReason.allCases.map(\.rawValue).joined(separator: ", ")
            throw .badQuery("reason: expected one of \(words)")
        }
        return reason
    }

    private static func period(_ since: Int64?, _ until: Int64?) throws(GatewayProblem) -> ClosedRange<Int64>? {
        guard since != nil || until != nil else { return nil }
        let (first, last) = (since ?? .min, until ?? .max)
        guard first <= last else { throw .badQuery("since: expected a time before until") }
        return first...last
    }
}

extension GatewayProblem {
    static let noLetter = GatewayProblem.notFound("there is no dead letter with this number")
}
