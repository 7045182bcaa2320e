import NIOCore
import Resilience
import Telemetry
import Wire

/// Messages that a guard refuses, and what the guards hear of the others.
///
/// Only what is published is guarded. A publisher that waits for an answer gets one: JetStream's own form of an error
/// where JetStream has answered for this subject before, and otherwise the status with which a server says that nobody
/// is there (503), which clients raise at once instead of waiting. Whoever does not wait is told by an `-ERR`. Clients
/// end their connection for most of those; the one about permissions is reported and survived by all of them, so ours
/// begins as that one does.
extension NATSSession {
    /// A message is not let through: it does not go on, and the client hears of it.
    mutating func refuse(
        _ text: String, _ operation: NATSOperation, _ bytes: Span<UInt8>, _ destination: Destination,
        _ inbox: UInt64?
    ) {
        requests.disposition = .swallow
        let reason = "tacho: \(text)"
        guard let inbox,
            answer(
                reason, requests.place(operation.reply), bytes, inbox,
                isStored: counters.storedDestinations.contains(destination.hash))
        else {
            let subject = ContextNames.text(bytes, requests.place(operation.subject))
            answers += NATSWriter.error("Permissions Violation for Publish to \"\(subject)\" (\(reason))")
            return
        }
        if isVerbose { answers += Array("+OK\r\n".utf8) }
    }

    /// A span and a word for who watches, as far as the sampling goes.
    func tellRefused(_ publication: Publication, _ name: NameID, _ error: StaticString, at now: Instant) {
        var publication = publication
        publication.obstacle = .configured
        let (open, _, _) = lane.publishing(
            publication, operation: name, listener: listener, causality: causality, at: now, mentions: { _ in .nothing }
        )
        lane.refused(open, lane.name("\(error)"), client: client, at: now)
    }

    /// Answers in the place of whoever would have. False where the client could not read it.
    private mutating func answer(
        _ reason: String, _ reply: Range<Int>, _ bytes: Span<UInt8>, _ sid: UInt64,
        isStored: Bool
    ) -> Bool {
        let plain = reason.filter { $0 != "'" && $0 != "\"" }
        var headers: [UInt8] = []
        var body: [UInt8] = []
        if isStored {
            body = Self.jetStreamError(plain)
        } else if takesHeaders, !removesHeaders {
            headers = Array("NATS/1.0 503 \(plain)\r\n\r\n".utf8)
        } else {
            return false
        }
        appendAnswer(to: Array(copying: bytes, reply), sid, headers: headers, body: body)
        return true
    }

    /// An error as JetStream tells it to who publishes.
    static func jetStreamError(_ reason: String) -> [UInt8] {
        var body = Array(#"{"error":{"code":503,"err_code":0,"description":"#.utf8)
        JSONText.append(reason, to: &body)
        return body + Array("}}".utf8)
    }

    /// A message to the client, as if a server had sent it.
    mutating func appendAnswer(to reply: [UInt8], _ sid: UInt64, headers: [UInt8], body: [UInt8]) {
        answers += Array((headers.isEmpty ? "MSG " : "HMSG ").utf8)
        answers += reply
        answers.append(UInt8(ascii: " "))
        answers += subscriptions.name(of: sid)
        answers.append(UInt8(ascii: " "))
        if !headers.isEmpty {
            NATSWriter.append(headers.count, to: &answers)
            answers.append(UInt8(ascii: " "))
        }
        NATSWriter.append(headers.count + body.count, to: &answers)
        NATSWriter.appendLineEnd(to: &answers)
        answers += headers
        answers += body
        NATSWriter.appendLineEnd(to: &answers)
    }

    /// Notes that the bytes of the current operation up to `end` do not go on.
    mutating func swallow(_ direction: NATSFrameKeeper, through end: Int) {
        let start = direction.frameStart
        guard end > start else { return }
        splices.replace(at: start, removing: end - start) { _ in }
    }

    /// Our answers, if no message of the server is on its way to the client; they would stand in the middle of it.
    mutating func takeAnswers() -> ByteBuffer? {
        guard !answers.isEmpty, !deliveries.isInsideFrame else { return nil }
        defer { answers.removeAll(keepingCapacity: true) }
        return ByteBuffer(bytes: answers)
    }

    /// A message of the server has ended at `position`: our answers come next.
    mutating func insertAnswers(at position: Int) {
        splices.replace(at: position, removing: 0) { $0 += answers }
        answers.removeAll(keepingCapacity: true)
    }

    // MARK: What came of messages

    /// The answer to a published message, in the words of guards.
    func complete(_ question: NATSAwaited.Question, _ answer: JetStreamAnswer, _ status: Int, at now: Instant) {
        guard !question.ticket.isNone else { return }
        let result: CallResult
        switch answer {
        case .stored: result = .succeeded
        case .refused(_, let isServersFault): result = isServersFault ? .failed(.unavailable) : .mistake
        case .other: result = status == 503 ? .failed(.unavailable) : status >= 400 ? .mistake : .succeeded
        }
        if question.isUnkept, result.failure != nil { lane.countNotRetried("no_room", listener) }
        let latency = now.monotonicNanoseconds > question.since ? now.monotonicNanoseconds - question.since : 0
        lane.completed(question.ticket, result, latency: latency, listener)
    }

    /// Answers that are overdue count once, as timeouts; they may still come.
    mutating func countOverdue(at now: Instant) {
        let limit = lane.callTimeoutNanoseconds
        guard lane.isGuarding, !awaited.isEmpty, now.monotonicNanoseconds > limit else { return }
        if !kept.isEmpty { countOverdueTries(limit: limit, at: now) }
        for ticket in awaited.takeTickets(since: now.monotonicNanoseconds - limit) {
            lane.completed(ticket, .failed(.timeout), latency: limit, listener)
        }
        let lane = lane
        awaited.noteLate { since, ticket in
            lane.noteOverdue(&ticket, after: now.monotonicNanoseconds > since ? now.monotonicNanoseconds - since : 0)
        }
    }
}
