import EventLog
import Gateway
import Pipeline
import Wire

/// What sockets ask of the log, traced as what comes by HTTP is. Answers come on a thread of the log's.
final class SocketDesk: Sendable {
    typealias Answer<Value> = EventDesk.Answer<Value>

    let changes: StreamChanges
    private let desk: EventDesk
    private let rate: EventRateLimit

    init(_ log: EventGateway.Log) {
        desk = log.desk
        rate = log.rate
        changes = log.changes
    }

    var unixMilliseconds: Int64 { desk.tracing.unixMilliseconds }

    func publish(_ event: CloudEvent, to stream: [UInt8], _ answer: @escaping Answer<AppendedEvent>) {
        if let seconds = rate.take(1, at: desk.tracing.now().monotonicNanoseconds) {
            return answer(.failure(.tooManyEvents(retryAfterSeconds: seconds)))
        }
        let incoming = EventDesk.Incoming(event, to: stream, desk.correlationFields)
        desk.publish([incoming]) { result in
            answer(
                // One event has gone in, so one comes back.
                result.flatMap { outcome in
                    Result { () throws(GatewayProblem) in try outcome.appended().events[0] }
                })
        }
    }

    func open(_ source: SocketSource, of stream: [UInt8], _ answer: @escaping Answer<SocketMachine.Opening>) {
        switch source {
        case .follow(let start):
            desk.log.extent(of: stream) { result in
                answer(EventDesk.checked(result).map { Self.opening(start, $0) })
            }
        case .group(_, _, _, nil): answer(.success(.group))
        case .group(let group, _, _, let start?):
            let creation = StreamGroupCreation(
                key: stream, group: Array(group.utf8), start: start == .new ? .last : .after(.zero),
                createsStream: true)
            desk.perform(.createGroup(creation), now: unixMilliseconds) { result in
                switch EventDesk.checked(result) {
                case .success(.failed(let error)) where error != .groupExists: answer(.failure(GatewayProblem(error)))
                case .success: answer(.success(.group))
                case .failure(let problem): answer(.failure(problem))
                }
            }
        }
    }

    private static func opening(_ start: SocketStart, _ extent: StreamExtent) -> SocketMachine.Opening {
        let next =
            switch start {
            case .first: extent.first
            case .new: extent.last + 1
            case .offset(let offset): max(offset, extent.first)
            }
        return .follow(nextOffset: next, lastOffset: extent.last)
    }

    func fetch(_ fetch: SocketFetch, from stream: [UInt8], _ answer: @escaping Answer<SocketPage>) {
        switch fetch {
        case .follow(let offset, let limit):
            desk.log.events(in: EventRange(stream: stream, start: .offset(offset)), limit: limit) { result in
                answer(EventDesk.checked(result).map { .stored($0) })
            }
        case .group(let name, let consumer, let lease, let limit):
            let group = DurableLog.GroupName(stream: stream, group: Array(name.utf8))
            receive(from: group, Array(consumer.utf8), lease, limit, answer)
        }
    }

    private func receive(
        from group: DurableLog.GroupName, _ consumer: [UInt8], _ lease: Int64?, _ limit: Int,
        _ answer: @escaping Answer<SocketPage>
    ) {
        let reception = desk.receiving(from: group, consumer: consumer)
        desk.log.receive(
            from: group, consumer: consumer, limit: limit, leaseMilliseconds: lease, now: unixMilliseconds
        ) { [self] result in
            switch EventDesk.checked(result) {
            case .failure(let problem):
                desk.receivingFailed(reception, "unavailable")
                answer(.failure(problem))
            case .success(nil):
                desk.receivingFailed(reception, "no_group")
                answer(.failure(.noGroup))
            case .success(let events?):
                // A look that finds nothing is no call of the client's: it waits for events, and has a span for those.
                if !events.isEmpty { desk.received(reception, events) }
                guard events.count < limit else {
                    return answer(.success(.leased(events, nextDueUnixMilliseconds: nil)))
                }
                desk.log.nextDue(of: group, now: unixMilliseconds) { result in
                    answer(.success(.leased(events, nextDueUnixMilliseconds: (try? result.get()) ?? nil)))
                }
            }
        }
    }

    func settle(
        _ settlement: SocketSettlement, of group: DurableLog.GroupName, consumer: [UInt8],
        _ answer: @escaping Answer<Int>
    ) {
        switch settlement {
        case .acknowledge(let ids): desk.acknowledge(ids, of: group) { answer($0.map { Int($0) }) }
        case .reject(let ids, let delay, let error, let isFinal):
            desk.reject(
                ids, of: group, delayMilliseconds: delay, error: error, isFinal: isFinal, answer: answer)
        case .extend(let ids, let lease):
            desk.extend(ids, of: group, consumer: consumer, leaseMilliseconds: lease, answer: answer)
        }
    }
}
