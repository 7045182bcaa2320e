import EventLog
import Gateway
import Pipeline
import Telemetry
import Wire

/// What all faces that speak of events ask of the log, traced: publishing, receiving, and giving back.
struct EventDesk: Sendable {
    let log: DurableLog
    let tracing: EventTracing
    let correlationFields: CorrelationFields

    /// An event on its way in.
    struct Incoming: Sendable {
        var stream: [UInt8]
        var fields: EventFields
        var context: EventContext

        init(_ event: CloudEvent, to stream: [UInt8], _ correlationFields: CorrelationFields) {
            self.stream = stream
            fields = EventFields(event)
            context = EventContext(event, correlationFields)
        }

        /// JSON that is no CloudEvent: the log's own id becomes its id when it is read.
        init(plainJSON data: [UInt8], to stream: [UInt8]) {
            self.stream = stream
            fields = EventFields(reservingBytes: data.count + 160)
            fields.append(name: "ce_datacontenttype".utf8, value: "application/json".utf8)
            fields.append(name: StoredNames.data, value: data)
            context = EventContext()
        }
    }

    /// The context of the request that brings events.
    struct Caller: Sendable {
        var traceParent: String?
        var traceState: String?
    }

    // MARK: Publishing

    /// Appends events, each with a context of its own.
    func publish(
        _ events: [Incoming], caller: Caller = Caller(), condition: Publication.Condition? = nil,
        settlement: Publication.Settlement? = nil
    ) async throws(GatewayProblem) -> PublicationOutcome {
        try await answered { answer in
            publish(events, caller: caller, condition: condition, settlement: settlement, answer: answer)
        }
    }

    /// The same for those who do not wait; they are answered in the order in which they asked.
    func publish(
        _ events: [Incoming], caller: Caller = Caller(), condition: Publication.Condition? = nil,
        settlement: Publication.Settlement? = nil, answer: @escaping Answer<PublicationOutcome>
    ) {
        let startedAt = tracing.now()
        let selection = settlement.map { EventSelection($0) }
        let opened = tracing.publishing(
            events.map { event in
                EventToPublish(
                    stream: event.stream, context: event.context, callerParent: caller.traceParent,
                    callerState: caller.traceState, causes: selection, bodySize: event.fields.encoded.count)
            })
        var publication = Publication([], deduplicates: true, condition: condition, settlement: settlement)
        publication.events = zip(events, opened).map { event, opened in
            var fields = event.fields
            for (name, value) in opened.attributes { fields.append(name: name.utf8, value: value.utf8) }
            return Publication.Event(stream: event.stream, fields: fields)
        }
        let open = opened.map(\.open)
        log.publish(publication, now: startedAt.unixMilliseconds) { [tracing] result in
            tracing.finish { flow, now in
                for (index, open) in open.enumerated() { Self.close(open, index, result, flow, now) }
                if let selection {
                    flow.settled(
                        selection, "ack", as: .acknowledged, Self.outcome(result), startedAt: startedAt, at: now)
                }
            }
            answer(Self.checked(result))
        }
    }

    private static func close(
        _ open: OpenPublication, _ index: Int, _ result: Result<PublicationOutcome, LogError>, _ flow: EventFlow,
        _ now: Instant
    ) {
        guard case .success(.published(let appended, _)) = result else {
            return flow.published(open, outcome(result), id: .none, at: now)
        }
        if appended[index].isDuplicate {
            flow.publishedBefore(open, id: appended[index].id.messageID, at: now)
        } else {
            flow.published(open, .succeeded, id: appended[index].id.messageID, at: now)
        }
    }

    private static func outcome(_ result: Result<PublicationOutcome, LogError>) -> EventOutcome {
        switch result {
        case .success(.published): .succeeded
        case .success(.conflict): .failed("version_conflict")
        case .success(.notHeld): .failed("not_held")
        case .success(.noGroup): .failed("no_group")
        case .success(.refused): .failed("refused")
        case .failure(let error): .failed(error.type)
        }
    }

    // MARK: Receiving

    /// A consumer begins to ask a group for events; its time runs from here.
    func receiving(from group: DurableLog.GroupName, consumer: [UInt8]) -> OpenReception {
        tracing.receiving("receive", stream: group.stream, group: group.group, consumer: consumer)
    }

    /// Looks once for events that are due. Nil: there is no such group.
    func lease(
        from group: DurableLog.GroupName, consumer: [UInt8], limit: Int, leaseMilliseconds: Int64?
    ) async throws(GatewayProblem) -> [LeasedEvent]? {
        try await value {
            log.receive(
                from: group, consumer: consumer, limit: limit, leaseMilliseconds: leaseMilliseconds,
                now: tracing.unixMilliseconds, answer: $0)
        }
    }

    /// The events are on their way to the consumer, or there were none.
    func received(_ reception: OpenReception, _ events: [LeasedEvent]) {
        tracing.finish { flow, now in
            guard !events.isEmpty else { return flow.receivedNothing(reception, .succeeded, at: now) }
            flow.received(
                reception,
                events.map { event in
                    EventDelivery(
                        id: event.id.messageID, storedUnixNanoseconds: event.id.unixNanoseconds,
                        attempt: UInt32(clamping: event.deliveries),
                        context: EventContext(event.fields, correlationFields), bodySize: event.fields.encoded.count)
                }, at: now)
        }
    }

    /// The log could not answer.
    func receivingFailed(_ reception: OpenReception, _ type: String) {
        tracing.finish { flow, now in flow.receivedNothing(reception, .failed(type), at: now) }
    }

    // MARK: Settling

    /// Acknowledges; how many were waiting for it.
    func acknowledge(_ ids: [StreamID], of group: DurableLog.GroupName) async throws(GatewayProblem) -> Int64 {
        try await answered { acknowledge(ids, of: group, answer: $0) }
    }

    /// The same for those who do not wait.
    func acknowledge(_ ids: [StreamID], of group: DurableLog.GroupName, answer: @escaping Answer<Int64>) {
        let startedAt = tracing.now()
        perform(
            .acknowledge(key: group.stream, group: group.group, ids: ids), now: startedAt.unixMilliseconds
        ) { result in
            settled(ids, of: group, "ack", .acknowledged, Self.outcome(result), startedAt)
            answer(Self.checked(result).map { if case .count(let count) = $0 { count } else { 0 } })
        }
    }

    /// Gives back, for another attempt or for good; how many were in the group's hands.
    func reject(
        _ ids: [StreamID], of group: DurableLog.GroupName, delayMilliseconds: Int64?, error: String, isFinal: Bool
    ) async throws(GatewayProblem) -> Int {
        try await answered { answer in
            reject(
                ids, of: group, delayMilliseconds: delayMilliseconds, error: error, isFinal: isFinal, answer: answer)
        }
    }

    /// The same for those who do not wait.
    func reject(
        _ ids: [StreamID], of group: DurableLog.GroupName, delayMilliseconds: Int64?, error: String, isFinal: Bool,
        answer: @escaping Answer<Int>
    ) {
        let startedAt = tracing.now()
        log.reject(
            ids, of: group, delayMilliseconds: delayMilliseconds, error: error, isFinal: isFinal,
            now: startedAt.unixMilliseconds
        ) { result in
            let exhausted = (try? result.get())?.exhausted ?? []
            settled(
                ids, of: group, "nack",
                isFinal ? .deadLettered : .rejected(exhausted: Set(exhausted.map(\.messageID))), Self.outcome(result),
                startedAt)
            answer(Self.checked(result).map(\.count))
        }
    }

    /// Keeps events longer; how many were in the consumer's hands.
    func extend(
        _ ids: [StreamID], of group: DurableLog.GroupName, consumer: [UInt8], leaseMilliseconds: Int64
    ) async throws(GatewayProblem) -> Int {
        try await answered { answer in
            extend(ids, of: group, consumer: consumer, leaseMilliseconds: leaseMilliseconds, answer: answer)
        }
    }

    /// The same for those who do not wait.
    func extend(
        _ ids: [StreamID], of group: DurableLog.GroupName, consumer: [UInt8], leaseMilliseconds: Int64,
        answer: @escaping Answer<Int>
    ) {
        log.extend(
            ids, of: group, consumer: consumer, leaseMilliseconds: leaseMilliseconds, now: tracing.unixMilliseconds
        ) { [tracing] result in
            tracing.finish { flow, now in
                flow.extended(
                    EventSelection(stream: group.stream, group: group.group, ids: ids.map(\.messageID)), at: now)
            }
            answer(Self.checked(result))
        }
    }

    private func settled(
        _ ids: [StreamID], of group: DurableLog.GroupName, _ operation: StaticString, _ settlement: EventSettlement,
        _ outcome: EventOutcome, _ startedAt: Instant
    ) {
        tracing.finish { flow, now in
            flow.settled(
                EventSelection(stream: group.stream, group: group.group, ids: ids.map(\.messageID)), operation,
                as: settlement, outcome, startedAt: startedAt, at: now)
        }
    }

    private static func outcome<Value>(_ result: Result<Value, LogError>) -> EventOutcome {
        switch result {
        case .success: .succeeded
        case .failure(let error): .failed(error.type)
        }
    }

    // MARK: Asking

    /// What is called with an answer, once, on a thread of the log's.
    typealias Answer<Value> = @Sendable (Result<Value, GatewayProblem>) -> Void

    /// Asks the log something that needs no trace, and waits for its answer.
    func value<Value: Sendable>(
        _ call: (@escaping DurableLog.Answer<Value>) -> Void
    ) async throws(GatewayProblem) -> Value {
        try await answered { answer in call { answer(Self.checked($0)) } }
    }

    /// Does one command of a stream.
    func perform(_ command: StreamCommand, now: Int64, _ answer: @escaping DurableLog.Answer<StreamReply>) {
        log.submit(StreamUnit([command], nowUnixMilliseconds: UInt64(clamping: now)), lane: 0) { outcome in
            switch outcome {
            case .replies(let replies): answer(.success(replies.first ?? .none))
            // Nothing was required.
            case .conditionFailed: answer(.success(.none))
            case .unavailable(let error): answer(.failure(error))
            }
        }
    }

    /// Waits for an answer.
    private func answered<Value: Sendable>(
        _ call: (@escaping Answer<Value>) -> Void
    ) async throws(GatewayProblem) -> Value {
        let result = await withCheckedContinuation { continuation in call { continuation.resume(returning: $0) } }
        return try result.get()
    }

    /// An answer of the log, with its errors as those see them who asked.
    static func checked<Value>(_ result: Result<Value, LogError>) -> Result<Value, GatewayProblem> {
        result.mapError { GatewayProblem($0) }
    }
}

extension EventSelection {
    init(_ settlement: Publication.Settlement) {
        self.init(
            stream: settlement.group.stream, group: settlement.group.group, ids: settlement.ids.map(\.messageID))
    }
}

extension Instant {
    /// The Unix time in milliseconds.
    var unixMilliseconds: Int64 { Int64(clamping: unixNanoseconds / 1_000_000) }
}
