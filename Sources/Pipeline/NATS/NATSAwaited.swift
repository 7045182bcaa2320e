import DequeModule
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
    }

    private var waiting: [UInt64: Question] = [:]
    private var order = Deque<UInt64>()

    var isEmpty: Bool { waiting.isEmpty }

    /// Adds a question. Returns the oldest if there are too many, and an earlier one with the same reply subject.
    mutating func add(_ question: Question, reply: UInt64, most: Int) -> [Question] {
        var displaced: [Question] = []
        if let earlier = waiting.updateValue(question, forKey: reply) { displaced.append(earlier) }
        order.append(reply)
        while waiting.count > most, let oldest = order.popFirst() {
            if let question = waiting.removeValue(forKey: oldest) { displaced.append(question) }
        }
        // Answered questions leave their place in the order behind.
        if order.count > 64, order.count > waiting.count * 2 { order.removeAll { waiting[$0] == nil } }
        return displaced
    }

    /// What a message to this subject answers.
    @inline(__always)
    subscript(reply: UInt64) -> NATSAwaitedAnswer? { waiting.isEmpty ? nil : waiting[reply]?.answer }

    mutating func remove(_ reply: UInt64) -> Question? { waiting.removeValue(forKey: reply) }

    /// Takes the tickets of what has waited since before `limit` on the monotonic clock: it is overdue.
    mutating func takeTickets(since limit: UInt64) -> [GuardTicket] {
        var tickets: [GuardTicket] = []
        for reply in order {
            guard let question = waiting[reply] else { continue }
            guard question.since < limit else { break }
            guard !question.ticket.isNone else { continue }
            tickets.append(question.ticket)
            waiting[reply]?.ticket = .none
        }
        return tickets
    }

    /// Shows the tickets of what waits, the oldest first, as long as `isLate` says so.
    mutating func noteLate(_ isLate: (_ since: UInt64, inout GuardTicket) -> Bool) {
        for reply in order {
            guard var question = waiting[reply], question.ticket.route != nil else { continue }
            guard isLate(question.since, &question.ticket) else { return }
            waiting[reply] = question
        }
    }

    /// What has waited since before `limit` on the monotonic clock.
    mutating func expire(since limit: UInt64) -> [Question] {
        var expired: [Question] = []
        while let oldest = order.first {
            if let question = waiting[oldest] {
                guard question.since < limit else { break }
                waiting[oldest] = nil
                expired.append(question)
            }
            order.removeFirst()
        }
        return expired
    }

    /// Every message that was sent to this destination.
    mutating func removeSends(to destination: UInt64) -> [(open: OpenSend, ticket: GuardTicket)] {
        var found: [(open: OpenSend, ticket: GuardTicket)] = []
        for (reply, question) in waiting {
            if case .send(let open) = question.answer, open.destination.hash == destination {
                waiting[reply] = nil
                found.append((open, question.ticket))
            }
        }
        return found
    }

    mutating func removeAll() -> [Question] {
        defer {
            waiting = [:]
            order = []
        }
        return order.compactMap { waiting.removeValue(forKey: $0) }
    }
}

/// The requests that a client was given and has not answered, by a hash of the reply subject.
struct NATSOpenAnswers {
    /// Where the request was delivered.
    struct Delivery {
        var group: Destination
        var sid: UInt64
    }

    private var waiting: [UInt64: Delivery] = [:]
    private var order = Deque<UInt64>()

    mutating func add(_ delivery: Delivery, reply: UInt64, most: Int) {
        if waiting.updateValue(delivery, forKey: reply) == nil { order.append(reply) }
        // The process spans of what gives way end by their own time limit.
        while waiting.count > most, let oldest = order.popFirst() { waiting[oldest] = nil }
        if order.count > 64, order.count > waiting.count * 2 { order.removeAll { waiting[$0] == nil } }
    }

    @inline(__always)
    mutating func remove(_ reply: UInt64) -> Delivery? {
        waiting.isEmpty ? nil : waiting.removeValue(forKey: reply)
    }
}
