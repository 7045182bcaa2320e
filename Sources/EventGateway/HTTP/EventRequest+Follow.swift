import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import NIOCore
import Pipeline
import Wire

/// Answers that go on: lines to the end of a range, and event streams.
extension EventRequest {
    private static let pieceEvents = 256
    /// Proxies close what is silent for a minute.
    private static let heartbeatMilliseconds: Int64 = 15_000
    /// How soon a drain is noticed by who waits.
    private static let lookMilliseconds: Int64 = 500

    /// One event per line, up to `limit`, or to the end that the stream has now.
    func lines(_ wanted: EventQuery) async throws -> Response {
        let most = try number(.limit, in: 1...Int64.max)
        guard try await desk.value({ desk.log.overview(of: wanted.stream, now: now, answer: $0) }) != nil else {
            throw GatewayProblem.noStream
        }
        let body = ResponseBody { writer in
            var wanted = wanted
            var left = most ?? .max
            repeat {
                let page = try await piece(wanted, limit: Int(min(left, Int64(Self.pieceEvents))))
                var buffer = ByteBuffer()
                for record in page.records {
                    buffer.writeBytes(CloudEventJSON.encode(record.event))
                    buffer.writeInteger(UInt8(ascii: "\n"))
                }
                if buffer.readableBytes > 0 { try await writer.write(buffer) }
                left -= Int64(page.events.count)
                guard let next = page.next, left > 0, log.readiness.state != .draining else { break }
                wanted.start = .offset(next)
            } while true
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"], body: body)
    }

    /// Server-sent events: the id of each is its offset, so that `Last-Event-ID` resumes behind it.
    func follow(_ wanted: EventQuery) async throws -> Response {
        var wanted = wanted
        let most = try number(.limit, in: 1...Int64.max) ?? .max
        if let last = request.headers[.lastEventID] {
            guard let offset = Int64(last), offset >= 0, offset < .max else {
                throw GatewayProblem.badQuery("Last-Event-ID: expected an offset")
            }
            wanted.start = .offset(offset + 1)
        } else if text(.from) == nil, text(.since) == nil {
            let overview = try await desk.value { desk.log.overview(of: wanted.stream, now: now, answer: $0) }
            wanted.start = .offset((overview?.lastOffset ?? 0) + 1)
        }
        guard wanted.entity == nil else {
            throw GatewayProblem.badQuery("entity: one entity cannot be followed; follow its stream")
        }
        guard let ticket = log.waiters.enter(wanted.stream) else { throw GatewayProblem.tooManyWait(log.limits) }
        let begin = wanted
        let body = ResponseBody { writer in
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                // So that the client knows at once that it is connected.
                try await writer.write(ByteBuffer(string: ": following\n\n"))
                try await follow(begin, most, ticket, &writer)
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .connection: "close"], body: body)
    }

    private func follow(
        _ begin: EventQuery, _ most: Int64, _ ticket: StreamWaiters.Ticket, _ writer: inout any ResponseBodyWriter
    ) async throws {
        var wanted = begin
        var left = most
        var silent: Int64 = 0
        while left > 0, log.readiness.state != .draining {
            let page = try await piece(wanted, limit: Int(min(left, Int64(Self.pieceEvents))))
            if !page.events.isEmpty {
                var buffer = ByteBuffer()
                for event in page.events {
                    buffer.writeString("id: \(event.offset)\ndata: ")
                    buffer.writeBytes(CloudEventJSON.encode(EventRecord(event).event))
                    buffer.writeString("\n\n")
                }
                try await writer.write(buffer)
                silent = 0
                left -= Int64(page.events.count)
                if let last = page.events.last { wanted.start = .offset(last.offset + 1) }
            }
            if let next = page.next {
                wanted.start = .offset(next)
            } else {
                await ticket.wait(milliseconds: Self.lookMilliseconds)
                silent += Self.lookMilliseconds
                if silent >= Self.heartbeatMilliseconds {
                    try await writer.write(ByteBuffer(string: ": still here\n\n"))
                    silent = 0
                }
            }
        }
    }

    private func piece(_ wanted: EventQuery, limit: Int) async throws(GatewayProblem) -> EventPage {
        let reception = desk.tracing.receiving("read", stream: wanted.stream)
        let page = try await desk.value { desk.log.page(wanted, limit: limit, answer: $0) }
        if !page.events.isEmpty { desk.read(reception, page.events) }
        return page
    }

    /// The Unix time in milliseconds.
    var now: Int64 { desk.tracing.unixMilliseconds }
}

extension GatewayProblem {
    static func tooManyWait(_ limits: EventGatewayLimits) -> GatewayProblem {
        GatewayProblem(
            status: .tooManyRequests, detail: "\(limits.waitersMax) requests wait for events already",
            retryAfterSeconds: 1)
    }
}
