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

    /// What the pace counts from: when the replay's first event was appended, and when the replay began.
    private struct Beginning {
        var first: Int64
        var start: Int64
    }

    func perform(_ writer: inout any ResponseBodyWriter) async throws {
        var progress = Progress(reportedAt: desk.tracing.unixMilliseconds)
        do throws(GatewayProblem) {
            if let first = try await events(in: range, limit: 1).first {
                let beginning = Beginning(first: first.appendedAtUnixMilliseconds, start: progress.reportedAt)
                // Nobody reads any more: whoever wants the rest can go on behind the last offset that was told.
                guard try await replay(since: beginning, &progress, &writer) else { return }
            }
        } catch {
            return try await writer.write(line(progress, [("error", .string(error.detail))]))
        }
        try await writer.write(line(progress, [("done", true)]))
    }

    /// False when the client has gone.
    private func replay(
        since beginning: Beginning, _ progress: inout Progress, _ writer: inout any ResponseBodyWriter
    ) async throws(GatewayProblem) -> Bool {
        switch (target, pace) {
        case (.group, _), (.stream, .atOnce):
            // Groups are told when each event is due, so nobody need look at the events but the log's writer.
            var rest = range
            while let last = try await replay(rest, beginning, &progress) {
                rest.start = .offset(last + 1)
                guard try await report(&progress, &writer) else { return false }
            }
            return true
        case (.stream, .original), (.stream, .faster):
            return try await replayWhenDue(beginning, &progress, &writer)
        }
    }

    /// To a stream, which gets each event when it is due. False when the client has gone.
    private func replayWhenDue(
        _ beginning: Beginning, _ progress: inout Progress, _ writer: inout any ResponseBodyWriter
    ) async throws(GatewayProblem) -> Bool {
        var rest = range
        while true {
            var waiting = try await events(in: rest, limit: Self.pieceEvents)[...]
            guard let last = waiting.last else { return true }
            while let next = waiting.first {
                let due = waiting.prefix { milliseconds(until: $0, beginning) <= 0 }
                if let latest = due.last {
                    var piece = EventRange(
                        stream: range.stream, start: .offset(next.offset), lastOffset: latest.offset)
                    // Short of it: the last events were deleted meanwhile, or the target takes no more, which this tells.
                    while let reached = try await replay(piece, beginning, &progress), reached < latest.offset {
                        piece.start = .offset(reached + 1)
                    }
                    waiting = waiting.dropFirst(due.count)
                } else {
                    let pause = min(max(milliseconds(until: next, beginning), 1), Self.lookMilliseconds)
                    try? await Task.sleep(for: .milliseconds(pause))
                }
                guard try await report(&progress, &writer) else { return false }
            }
            rest.start = .offset(last.offset + 1)
        }
    }

    private func milliseconds(until event: StoredEvent, _ beginning: Beginning) -> Int64 {
        pace.due(appendedAt: event.appendedAtUnixMilliseconds, first: beginning.first, start: beginning.start)
            - desk.tracing.unixMilliseconds
    }

    private func events(in piece: EventRange, limit: Int) async throws(GatewayProblem) -> [StoredEvent] {
        try await desk.value { desk.log.events(in: piece, limit: limit, answer: $0) }
    }

    /// Replays the first events of a range; the offset of the last of them, nil for none.
    private func replay(
        _ piece: EventRange, _ beginning: Beginning, _ progress: inout Progress
    ) async throws(GatewayProblem) -> Int64? {
        let now = desk.tracing.unixMilliseconds
        let report: ReplayReport?
        switch target {
        case .stream(let name):
            report = try await desk.value {
                desk.log.replay(piece, to: name, limit: Self.pieceEvents, now: now, answer: $0)
            }
        case .group(let name):
            report = try await desk.value {
                desk.log.replay(
                    piece, toGroup: name, pace: pace, first: beginning.first, start: beginning.start,
                    limit: Self.pieceEvents, now: now, answer: $0)
            }
        }
        guard let report else {
            throw GatewayProblem(
                status: .conflict, detail: "the target is gone, cannot be made, or takes no more events")
        }
        progress.replayed += report.replayed
        progress.skipped += report.skipped
        progress.offset = report.lastOffset ?? progress.offset
        return report.lastOffset
    }

    /// At most a few lines a second. False when the client has gone; a sidecar that is to end waits for no replay.
    private func report(
        _ progress: inout Progress, _ writer: inout any ResponseBodyWriter
    ) async throws(GatewayProblem) -> Bool {
        if readiness.state == .draining || Task.isCancelled {
            throw GatewayProblem(status: .serviceUnavailable, detail: "the replay was ended early")
        }
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
