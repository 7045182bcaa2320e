import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Wire

/// What consumers of a group ask for: receive, ack, nack, extend.
extension EventRequest {
    private static let waitMillisecondsMax: Int64 = 60_000
    private static let leaseMillisecondsMax: Int64 = 86_400_000
    private static let lookMilliseconds: Int64 = 500

    func receive() async throws -> Response {
        let group = try group()
        let wanted = try await object("consumer", "max", "wait_milliseconds", "lease_milliseconds")
        let consumer = Array(try wanted.required("consumer").utf8)
        let limit = Int(try wanted.number("max", in: 1...Int64(log.limits.batchEvents)) ?? 1)
        let wait = try wanted.number("wait_milliseconds", in: 0...Self.waitMillisecondsMax) ?? 0
        let lease = try wanted.number("lease_milliseconds", in: 1...Self.leaseMillisecondsMax)
        let reception = desk.receiving(from: group, consumer: consumer)
        let events: [LeasedEvent]
        do throws(GatewayProblem) {
            events = try await poll(group, consumer, limit, lease, wait)
        } catch {
            desk.receivingFailed(reception, error == .noGroup ? "no_group" : "unavailable")
            throw error
        }
        desk.received(reception, events)
        var bytes: [UInt8] = Array("{\"events\":[".utf8)
        for (index, event) in events.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            CloudEventJSON.append(EventRecord(event, stream: group.stream).event, to: &bytes)
        }
        bytes.append(contentsOf: "]}\n".utf8)
        return EventAnswer.bytes(bytes)
    }

    /// Looks, and waits if there is nothing: until something comes, a lease or a delay ends, or the time is up.
    private func poll(
        _ group: DurableLog.GroupName, _ consumer: [UInt8], _ limit: Int, _ lease: Int64?, _ wait: Int64
    ) async throws(GatewayProblem) -> [LeasedEvent] {
        func look() async throws(GatewayProblem) -> [LeasedEvent] {
            guard
                let events = try await desk.lease(
                    from: group, consumer: consumer, limit: limit, leaseMilliseconds: lease)
            else { throw .noGroup }
            return events
        }
        guard wait > 0 else { return try await look() }
        guard let ticket = log.waiters.enter(group.stream, group: group.group) else {
            throw .tooManyWait(log.limits)
        }
        let deadline = now + wait
        while true {
            let events = try await look()
            if !events.isEmpty { return events }
            // One change wakes one of those who wait; looking again from time to time makes up for all that goes away.
            var pause = deadline - now
            if let due = try await desk.value({ desk.log.nextDue(of: group, now: now, answer: $0) }) {
                pause = min(pause, max(due - now, 1))
            }
            while pause > 0 {
                guard log.readiness.state != .draining, !Task.isCancelled else { return [] }
                let slice = min(pause, Self.lookMilliseconds)
                if await ticket.wait(milliseconds: slice) { break }
                pause -= slice
            }
            if now >= deadline { return [] }
        }
    }

    func acknowledge() async throws -> Response {
        let group = try group()
        let wanted = try await object("ids", "consumer", "publish")
        let ids = try wanted.ids("ids", atMost: log.limits.batchEvents)
        guard let list = try wanted.list("publish", atMost: log.limits.batchEvents) else {
            let count = try await desk.acknowledge(ids, of: group)
            return EventAnswer.json(EventAnswer.object(["acknowledged": EventAnswer.number(count)]))
        }
        var events: [EventDesk.Incoming] = []
        for (index, element) in list.enumerated() {
            let parts = try wanted.element(element, "publish", index, known: "stream", "event")
            let stream = Array(try parts.required("stream").utf8)
            guard let event = parts["event"] else {
                throw GatewayProblem.badQuery("publish[\(index)].event: expected a CloudEvent; it is required")
            }
            do throws(CloudEventError) {
                events.append(
                    EventDesk.Incoming(
                        try CloudEventJSON.event(event.encoded), to: stream, desk.correlationFields))
            } catch {
                throw GatewayProblem.badQuery("publish[\(index)].event: \(error)")
            }
        }
        try admit(events.count)
        let settlement = Publication.Settlement(
            group: group, ids: ids, consumer: try wanted.text("consumer").map { Array($0.utf8) })
        let outcome = try await desk.publish(events, caller: caller, settlement: settlement)
        let (appended, _) = try outcome.appended()
        var bytes = Array("{\"acknowledged\":\(ids.count),\"events\":".utf8)
        Self.append(appended, to: &bytes)
        bytes.append(contentsOf: "}\n".utf8)
        return EventAnswer.bytes(bytes)
    }

    func reject() async throws -> Response {
        let group = try group()
        let wanted = try await object("ids", "delay_milliseconds", "reason", "final")
        let count = try await desk.reject(
            try wanted.ids("ids", atMost: log.limits.batchEvents), of: group,
            delayMilliseconds: try wanted.number("delay_milliseconds", in: 0...Self.leaseMillisecondsMax),
            error: try wanted.text("reason") ?? "", isFinal: try wanted.flag("final") ?? false)
        return EventAnswer.json(EventAnswer.object(["rejected": EventAnswer.number(count)]))
    }

    func extend() async throws -> Response {
        let group = try group()
        let wanted = try await object("ids", "consumer", "lease_milliseconds")
        guard let lease = try wanted.number("lease_milliseconds", in: 1...Self.leaseMillisecondsMax) else {
            throw GatewayProblem.badQuery("lease_milliseconds: expected a number; it is required")
        }
        let count = try await desk.extend(
            try wanted.ids("ids", atMost: log.limits.batchEvents), of: group,
            consumer: Array(try wanted.required("consumer").utf8), leaseMilliseconds: lease)
        return EventAnswer.json(EventAnswer.object(["extended": EventAnswer.number(count)]))
    }
}
