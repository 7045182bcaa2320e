import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Pipeline
import Wire

/// GET /streams/{stream}/events.
extension EventRequest {
    func readEvents() async throws -> Response {
        let stream = try stream()
        let wanted = try eventQuery(stream)
        switch EventFormat(accept: request.headers[.accept]) {
        case .json: return try await page(wanted, isBatch: false)
        case .batch: return try await page(wanted, isBatch: true)
        case .lines: return try await lines(wanted)
        case .follow: return try await follow(wanted)
        }
    }

    private func page(_ wanted: EventQuery, isBatch: Bool) async throws -> Response {
        let reception = desk.tracing.receiving("read", stream: wanted.stream)
        let limit = try limit(default: 100)
        let page: EventPage
        do throws(GatewayProblem) {
            page = try await desk.value { desk.log.page(wanted, limit: limit, answer: $0) }
        } catch {
            desk.receivingFailed(reception, "unavailable")
            throw error
        }
        desk.read(reception, page.events)
        var bytes: [UInt8] = []
        if !isBatch {
            bytes.append(contentsOf: "{\"stream\":".utf8)
            JSONText.append(String(decoding: wanted.stream, as: UTF8.self), to: &bytes)
            bytes.append(contentsOf: ",\"events\":".utf8)
        }
        bytes.append(UInt8(ascii: "["))
        for (index, record) in page.records.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            CloudEventJSON.append(record.event, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
        if !isBatch { bytes.append(contentsOf: ",\"next\":\(page.next.map(String.init) ?? "null")}\n".utf8) }
        return EventAnswer.bytes(
            bytes, contentType: isBatch ? CloudEventJSON.batchContentType : "application/json", nextLink(page.next))
    }

    /// Where the next page is (RFC 8288).
    private func nextLink(_ next: Int64?) -> HTTPFields {
        guard let next else { return [:] }
        var parts = ["from=\(next)"]
        for (name, value) in query where name != "from" {
            parts.append("\(name)=\(PercentEncoding.encode(value.utf8))")
        }
        return [.link: "<\(request.uri.path)?\(parts.joined(separator: "&"))>; rel=\"next\""]
    }

    private func eventQuery(_ stream: [UInt8]) throws(GatewayProblem) -> EventQuery {
        var wanted = EventQuery(stream: stream)
        wanted.entity = bytes(.entity)
        if let text = text(.from) {
            if let offset = Int64(text), offset >= 0 {
                wanted.start = .offset(max(offset, 1))
            } else if let id = StreamID(text: text), wanted.entity == nil {
                wanted.start = .id(id)
            } else {
                throw .badQuery("from: expected an offset such as 1, or an id such as 1795452187905-0")
            }
        }
        if let text = text(.to) {
            if let offset = Int64(text), offset >= 0 {
                wanted.lastOffset = offset
            } else if let id = StreamID(text: text) {
                wanted.lastID = id
            } else {
                throw .badQuery("to: expected an offset such as 7, or an id such as 1795452187905-0")
            }
        }
        wanted.sinceUnixMilliseconds = try moment(.since)
        wanted.untilUnixMilliseconds = try moment(.until)
        wanted.keys[.type] = bytes(.type)
        wanted.keys[.correlationID] = bytes(.correlation)
        wanted.keys[.traceID] = bytes(.trace)
        return wanted
    }
}

extension EventPage {
    /// The events as they are shown.
    var records: [EventRecord] {
        events.enumerated().map { index, event in
            var record = EventRecord(event)
            if index < versions.count { record.event.setExtension("tachoversion", .text(String(versions[index]))) }
            return record
        }
    }
}

extension EventDesk {
    /// Events are on their way to somebody who reads without a group.
    func read(_ reception: OpenReception, _ events: [StoredEvent]) {
        tracing.finish { flow, now in
            guard !events.isEmpty else { return flow.receivedNothing(reception, .succeeded, at: now) }
            flow.received(
                reception,
                events.map { event in
                    EventDelivery(
                        id: event.id.messageID, storedUnixNanoseconds: event.id.unixNanoseconds, attempt: 0,
                        context: EventContext(event.fields, correlationFields), bodySize: event.fields.encoded.count)
                }, at: now)
        }
    }
}

/// The forms in which a range of events is given.
enum EventFormat {
    /// One object with the events and where to go on.
    case json
    /// The bare array of the CloudEvents batch format.
    case batch
    /// An event per line.
    case lines
    /// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), for as long as somebody reads.
    case follow

    /// By the first type of `Accept` that is known.
    init(accept: String?) {
        for type in (accept ?? "").split(separator: ",") {
            switch MediaType.essence(String(type)) {
            case "text/event-stream": self = .follow
            case "application/x-ndjson", "application/ndjson", "application/jsonl": self = .lines
            case CloudEventJSON.batchContentType: self = .batch
            case "application/json": self = .json
            default: continue
            }
            return
        }
        self = .json
    }
}
