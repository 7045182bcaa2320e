import Telemetry

/// What a connection has sent and waits for an answer to, by a hash of the reply subject.
enum NATSAwaitedAnswer {
    /// A message whose publisher waits: for JetStream's acknowledgement, or for a reply of the application.
    case send(OpenSend)
    /// An acknowledgement that is itself to be acknowledged.
    case settle(OpenSettle)
    /// A look at what a stream holds.
    case look(OpenReceive)
    /// What a consumer is like.
    case consumer
}

/// The answers that one connection waits for, bounded, in the order of the questions.
struct NATSAwaited {
    /// One of them.
    struct Question {
        var answer: NATSAwaitedAnswer
        /// Which guards hear of the answer.
        var ticket: GuardTicket
        /// On the monotonic clock.
        var since: UInt64
        /// It carries an idempotency key, and there was no room to keep it so that it could be sent again.
        var isUnkept = false

        /// That an answer comes is all that there is to it.
        var isAnsweredByAnything: Bool { if case .settle = answer { true } else { false } }
    }

    private var waiting = KeyedQueue<UInt64, Question>()

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    /// Adds a question. Returns the oldest if there are too many, and an earlier one with the same reply subject.
    mutating func add(_ question: Question, reply: UInt64, most: Int) -> [Question] {
        var displaced: [Question] = []
        if let earlier = waiting.append(question, for: reply) { displaced.append(earlier) }
        while waiting.count > most, let oldest = waiting.popOldest() { displaced.append(oldest.value) }
        return displaced
    }

    /// Whether the payload of a message to this subject says what the answer is.
    @inline(__always)
    func isInPayload(_ reply: UInt64) -> Bool {
        guard !waiting.isEmpty else { return false }
        return waiting.look(at: reply) { !$0.isAnsweredByAnything } ?? false
    }

    mutating func remove(_ reply: UInt64) -> Question? { waiting.remove(reply) }

    func contains(_ reply: UInt64) -> Bool { waiting.look(at: reply) { _ in true } ?? false }

    /// What `change` returns of the question with this reply subject; nil when there is none.
    mutating func change<Result>(_ reply: UInt64, _ change: (inout Question) -> Result) -> Result? {
        waiting.change(at: reply, change)
    }

    /// Takes the tickets of what has waited since before `limit` on the monotonic clock: it is overdue.
    mutating func takeTickets(since limit: UInt64) -> [GuardTicket] {
        var tickets: [GuardTicket] = []
        waiting.forEach { _, question in
            guard question.since < limit else { return false }
            if !question.ticket.isNone {
                tickets.append(question.ticket)
                question.ticket = .none
            }
            return true
        }
        return tickets
    }

    /// Shows the tickets of what waits, the oldest first, as long as `isLate` says so.
    mutating func noteLate(_ isLate: (_ since: UInt64, inout GuardTicket) -> Bool) {
        waiting.forEach { _, question in
            question.ticket.route == nil || isLate(question.since, &question.ticket)
        }
    }

    /// What has waited since before `limit` on the monotonic clock.
    mutating func expire(since limit: UInt64) -> [Question] {
        var expired: [Question] = []
        while waiting.lookAtOldest({ $0.since < limit }) ?? false, let oldest = waiting.popOldest() {
            expired.append(oldest.value)
        }
        return expired
    }

    /// Every message that was sent to this destination.
    mutating func removeSends(to destination: UInt64) -> [(open: OpenSend, ticket: GuardTicket)] {
        var replies: [UInt64] = []
        waiting.forEach { reply, question in
            if case .send(let open) = question.answer, open.destination.hash == destination { replies.append(reply) }
            return true
        }
        return replies.compactMap { reply in
            guard let question = waiting.remove(reply), case .send(let open) = question.answer else { return nil }
            return (open, question.ticket)
        }
    }

    mutating func removeAll() -> [Question] { waiting.removeAll() }
}

/// The requests that a client was given and has not answered, by a hash of the reply subject.
struct NATSOpenAnswers {
    /// Where the request was delivered.
    struct Delivery {
        var group: Destination
        var sid: UInt64
    }

    private var waiting = KeyedQueue<UInt64, Delivery>()

    mutating func add(_ delivery: Delivery, reply: UInt64, most: Int) {
        _ = waiting.append(delivery, for: reply)
        // The process spans of what gives way end by their own time limit.
        while waiting.count > most, waiting.popOldest() != nil {}
    }

    @inline(__always)
    mutating func remove(_ reply: UInt64) -> Delivery? {
        waiting.isEmpty ? nil : waiting.remove(reply)
    }
}
