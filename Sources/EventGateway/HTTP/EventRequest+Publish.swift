import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Pipeline
import Wire

/// POST /streams/{stream}/events.
extension EventRequest {
    func publishEvents() async throws -> Response {
        let stream = try stream()
        let condition = try condition(stream)
        let events = try await incoming(stream)
        try admit(events.count)
        let outcome = try await desk.publish(events, caller: caller, condition: condition)
        return try published(outcome, stream)
    }

    /// The context that the HTTP request itself carries.
    var caller: EventDesk.Caller {
        EventDesk.Caller(traceParent: request.headers[.traceParent], traceState: request.headers[.traceState])
    }

    /// Refuses what is beyond the rate.
    func admit(_ events: Int) throws(GatewayProblem) {
        guard let seconds = log.rate.take(events, at: desk.tracing.now().monotonicNanoseconds) else { return }
        throw .tooManyEvents(retryAfterSeconds: seconds)
    }

    /// The events of the request, in whichever of the forms they come.
    func incoming(_ stream: [UInt8]) async throws -> [EventDesk.Incoming] {
        let contentType = request.headers[.contentType]
        let hasAttributes = request.headers.contains { $0.name.canonicalName.hasPrefix(CloudEventHTTP.headerPrefix) }
        let mode: CloudEventHTTP.Mode
        do throws(CloudEventError) {
            mode = try CloudEventHTTP.mode(contentType: contentType, hasAttributes: hasAttributes)
        } catch {
            throw GatewayProblem(error)
        }
        let bytes = try await body()
        if mode == .plain { return [try plain(bytes, contentType, stream)] }
        let limits = CloudEventLimits(eventsMax: log.limits.batchEvents)
        do throws(CloudEventError) {
            let events: [CloudEvent]
            switch mode {
            case .binary:
                let headers = request.headers.lazy.map { (name: $0.name.canonicalName, value: $0.value) }
                events = [
                    try CloudEventHTTP.event(headers: headers, contentType: contentType, body: bytes, limits: limits)
                ]
            case .structured: events = [try CloudEventJSON.event(bytes, limits: limits)]
            case .batch: events = try CloudEventJSON.batch(bytes, limits: limits)
            case .plain: events = []
            }
            return events.map { EventDesk.Incoming($0, to: stream, desk.correlationFields) }
        } catch {
            throw GatewayProblem(error)
        }
    }

    private func plain(
        _ bytes: [UInt8], _ contentType: String?, _ stream: [UInt8]
    ) throws(GatewayProblem) -> EventDesk.Incoming {
        guard let contentType, MediaType.isJSON(contentType) else {
            throw GatewayProblem(
                status: .unsupportedMediaType,
                detail: "expected a CloudEvent (headers that begin with ce-, or a body of type "
                    + "application/cloudevents+json or application/cloudevents-batch+json), or application/json")
        }
        guard JSONText.isValue(bytes) else { throw .badQuery("the body is not JSON") }
        return EventDesk.Incoming(plainJSON: bytes, to: stream)
    }

    /// The headers of event sourcing: which version the entity, or the stream, must have.
    private func condition(_ stream: [UInt8]) throws(GatewayProblem) -> Publication.Condition? {
        let entity = request.headers[.entity].map { Array($0.utf8) }
        guard let text = request.headers[.expectedVersion] else {
            return entity.map { Publication.Condition(stream: stream, entity: $0, expected: .any) }
        }
        let expected: ExpectedVersion
        switch text {
        case "any": expected = .any
        case "none": expected = .none
        case "exists": expected = .exists
        default:
            guard let version = Int64(text), version >= 0 else {
                throw .badQuery("Tacho-Expected-Version: expected any, none, exists or a version from 0")
            }
            expected = .exactly(version)
        }
        return Publication.Condition(stream: stream, entity: entity, expected: expected)
    }

    /// 201 with the place of each event; 200 when all were there already.
    private func published(_ outcome: PublicationOutcome, _ stream: [UInt8]) throws(GatewayProblem) -> Response {
        let (appended, version) = try outcome.appended()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64 + 72 * appended.count)
        bytes.append(contentsOf: "{\"stream\":".utf8)
        JSONText.append(String(decoding: stream, as: UTF8.self), to: &bytes)
        bytes.append(contentsOf: ",\"events\":".utf8)
        Self.append(appended, to: &bytes)
        if let version { bytes.append(contentsOf: ",\"version\":\(version)".utf8) }
        bytes.append(contentsOf: "}\n".utf8)
        return EventAnswer.bytes(bytes, appended.contains { !$0.isDuplicate } ? .created : .ok)
    }

    static func append(_ appended: [AppendedEvent], to bytes: inout [UInt8]) {
        for (index, event) in appended.enumerated() {
            bytes.append(contentsOf: (index == 0 ? "[{\"id\":\"" : ",{\"id\":\"").utf8)
            bytes.append(
                contentsOf: "\(event.id)\",\"offset\":\(event.offset),\"duplicate\":\(event.isDuplicate)}".utf8)
        }
        bytes.append(contentsOf: (appended.isEmpty ? "[]" : "]").utf8)
    }
}

extension GatewayProblem {
    static let noStream = GatewayProblem.notFound("there is no such stream; the first event makes it")
    static let noGroup = GatewayProblem.notFound(
        "there is no such group of this stream; PUT /streams/{stream}/groups/{group} makes it")
}

extension HTTPField.Name {
    static let traceParent = HTTPField.Name("traceparent")!
    static let traceState = HTTPField.Name("tracestate")!
    static let entity = HTTPField.Name("tacho-entity")!
    static let expectedVersion = HTTPField.Name("tacho-expected-version")!
    static let link = HTTPField.Name("link")!
    static let lastEventID = HTTPField.Name("last-event-id")!
}
