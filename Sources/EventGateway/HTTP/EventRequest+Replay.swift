import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// POST /streams/{stream}/replay: a range of events once more, marked as replay, with its progress as lines.
extension EventRequest {
    func replay() async throws -> Response {
        let stream = try stream()
        let wanted = try await object("from", "to", "pace", "to_stream", "to_group")
        let pace = try Self.pace(wanted["pace"])
        let target: ReplayTarget
        switch (try wanted.text("to_stream"), try wanted.text("to_group")) {
        case (let name?, nil): target = .stream(Array(name.utf8))
        case (nil, let name?): target = .group(Array(name.utf8))
        default: throw GatewayProblem.badQuery("expected either to_stream or to_group")
        }
        guard let overview = try await desk.value({ desk.log.overview(of: stream, now: now, answer: $0) }) else {
            throw GatewayProblem.noStream
        }
        if case .group(let name) = target, !overview.groups.contains(where: { $0.info.name == name }) {
            throw GatewayProblem.noGroup
        }
        // What the replay itself appends is not replayed.
        let last =
            try wanted.number("to", in: 1...Int64.max).map { min($0, overview.lastOffset) } ?? overview.lastOffset
        let range = EventRange(
            stream: stream, start: .offset(try wanted.number("from", in: 1...Int64.max) ?? 1), lastOffset: last)
        let run = ReplayRun(desk: desk, readiness: log.readiness, range: range, target: target, pace: pace)
        let body = ResponseBody { writer in
            try await run.perform(&writer)
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"], body: body)
    }

    private static func pace(_ value: JSONValue?) throws(GatewayProblem) -> ReplayPace {
        switch value {
        case nil, .string("immediate"): return .atOnce
        case .string("original"): return .original
        case .number: if let factor = value?.double, (0.001...1_000_000).contains(factor) { return .faster(factor) }
        default: break
        }
        throw .badQuery("pace: expected original, immediate, or how many times as fast (0.001 to 1000000)")
    }
}

/// Where a replay goes.
enum ReplayTarget: Sendable {
    case stream([UInt8])
    case group([UInt8])
}

/// One replay on its way. It goes in pieces; each line says how far it is, and the last that it is done, or why not.
struct ReplayRun: Sendable {
    let desk: EventDesk
    let readiness: Readiness
    let range: EventRange
    let target: ReplayTarget
    let pace: ReplayPace

    private static let pieceEvents = 500
    private static let lookMilliseconds: Int64 = 500

    private static let reportMilliseconds: Int64 = 250

    private struct Progress {
        var replayed = 0
        var skipped = 0
        var offset: Int64?
        var reportedAt: Int64
    }

    func perform(_ writer: inout any ResponseBodyWriter) async throws {
        let start = desk.tracing.unixMilliseconds
        var progress = Progress(reportedAt: start)
        var rest = range
        var first: Int64?
        do throws(GatewayProblem) {
            while true {
                let piece = rest
                let events = try await desk.value { desk.log.events(in: piece, limit: Self.pieceEvents, answer: $0) }
                guard let oldest = events.first, let last = events.last else { break }
                let began = first ?? oldest.appendedAtUnixMilliseconds
                first = began
                var position = 0
                while position < events.count {
                    let due = events[position...].prefix { isDue($0, began, start) }
                    if due.isEmpty {
                        if readiness.state == .draining || Task.isCancelled {
                            throw GatewayProblem(status: .serviceUnavailable, detail: "the replay was ended early")
                        }
                        try? await Task.sleep(for: .milliseconds(pause(before: events[position], began, start)))
                    } else {
                        try await replay(due, began, start, &progress)
                        position += due.count
                    }
                    // Nobody reads any more: whoever wants the rest can go on behind the last offset that was told.
                    guard await report(&progress, &writer) else { return }
                }
                rest.start = .offset(last.offset + 1)
            }
        } catch {
            return try await writer.write(line(progress, [("error", .string(error.detail))]))
        }
        try await writer.write(line(progress, [("done", true)]))
    }

    /// Groups are told when each event is due; a stream gets an event when it is.
    private func isDue(_ event: StoredEvent, _ first: Int64, _ start: Int64) -> Bool {
        if case .group = target { return true }
        return pace.due(appendedAt: event.appendedAtUnixMilliseconds, first: first, start: start)
            <= desk.tracing.unixMilliseconds
    }

    private func pause(before event: StoredEvent, _ first: Int64, _ start: Int64) -> Int64 {
        let due = pace.due(appendedAt: event.appendedAtUnixMilliseconds, first: first, start: start)
        return min(max(due - desk.tracing.unixMilliseconds, 1), Self.lookMilliseconds)
    }

    private func replay(
        _ events: ArraySlice<StoredEvent>, _ first: Int64, _ start: Int64, _ progress: inout Progress
    ) async throws(GatewayProblem) {
        guard let oldest = events.first, let last = events.last else { return }
        let piece = EventRange(stream: range.stream, start: .offset(oldest.offset), lastOffset: last.offset)
        let now = desk.tracing.unixMilliseconds
        let report: ReplayReport?
        switch target {
        case .stream(let name):
            report = try await desk.value {
                desk.log.replay(piece, to: name, limit: events.count, now: now, answer: $0)
            }
        case .group(let name):
            report = try await desk.value {
                desk.log.replay(
                    piece, toGroup: name, pace: pace, first: first, start: start, limit: events.count, now: now,
                    answer: $0)
            }
        }
        guard let report else {
            throw GatewayProblem(status: .conflict, detail: "the target is gone, or cannot be made")
        }
        progress.replayed += report.replayed
        progress.skipped += report.skipped
        progress.offset = last.offset
    }

    /// At most a few lines a second. False when the client has gone.
    private func report(_ progress: inout Progress, _ writer: inout any ResponseBodyWriter) async -> Bool {
        let now = desk.tracing.unixMilliseconds
        guard now - progress.reportedAt >= Self.reportMilliseconds else { return true }
        progress.reportedAt = now
        do {
            try await writer.write(line(progress, []))
            return true
        } catch {
            return false
        }
    }

    private func line(_ progress: Progress, _ more: [(String, JSONValue)]) -> ByteBuffer {
        var members: [(String, JSONValue)] = [
            ("replayed", EventAnswer.number(progress.replayed)), ("skipped", EventAnswer.number(progress.skipped)),
            ("offset", EventAnswer.number(progress.offset)), ("last_offset", EventAnswer.number(range.lastOffset)),
        ]
        members += more
        let value = JSONValue.object(members.map { JSONValue.Member($0.0, $0.1) })
        return ByteBuffer(bytes: value.encoded + [UInt8(ascii: "\n")])
    }
}
