@testable import EventLog

/// What leases, dead letters, deduplication by a field and replays must do, said in the plainest way: in memory.
struct LeaseModel {
    struct Event {
        var offset: Int64
        var id: StreamID
        var fields: EventFields
        var appended: Int64
        var isReplayed: Bool
    }

    struct Delivery {
        var event: Int64
        var consumer: [UInt8]
        var delivered: Int64
        var deliveries: Int64
        var due: Int64
        var isWaiting = false
        var isReplay = false
        var attempts: [DeliveryAttempt] = []
    }

    struct Group {
        var last = StreamID.zero
        var policy = LeasePolicy()
        var consumers: Set<[UInt8]> = []
        var pending: [StreamID: Delivery] = [:]
    }

    struct Stream {
        var events: [Event] = []
        var lastOffset: Int64 = 0
        var lastID = StreamID.zero
        var groups: [[UInt8]: Group] = [:]
        var settings = StreamSettings()
        /// Values of the field that tells repetitions, in the order of their appends.
        var marks: [(value: [UInt8], id: StreamID, added: Int64)] = []
    }

    var streams: [[UInt8]: Stream] = [:]
    var letters: [DeadLetter] = []
    private var lastLetter: Int64 = 0

    // MARK: Streams

    /// Appends; the id, and whether it is that of an earlier event.
    mutating func append(_ fields: EventFields, to key: [UInt8], now: Int64) -> (StreamID, isDuplicate: Bool) {
        var stream = streams[key] ?? Stream()
        defer { streams[key] = stream }
        var mark: [UInt8]?
        if case .field(let name) = stream.settings.deduplication { mark = fields.value(of: name).map(Array.init) }
        if let mark {
            let window = stream.marks.suffix(Int(stream.settings.deduplicationSizeMax))
            let known = window.last { $0.value == mark }
            if let known, now - known.added < stream.settings.deduplicationMilliseconds { return (known.id, true) }
        }
        let id = Self.insert(fields, isReplayed: false, into: &stream, now: now)
        if let mark { stream.marks.append((mark, id, now)) }
        return (id, false)
    }

    @discardableResult
    private static func insert(
        _ fields: EventFields, isReplayed: Bool, into stream: inout Stream, now: Int64
    ) -> StreamID {
        let last = stream.lastID
        let id =
            UInt64(now) > last.milliseconds ? StreamID(UInt64(now), 0) : StreamID(last.milliseconds, last.sequence + 1)
        stream.lastID = id
        stream.lastOffset += 1
        stream.events.append(
            Event(offset: stream.lastOffset, id: id, fields: fields, appended: now, isReplayed: isReplayed))
        return id
    }

    // MARK: Leases

    mutating func receive(
        _ key: [UInt8], _ name: [UInt8], _ consumer: [UInt8], limit: Int, lease: Int64?, now: Int64
    ) -> [LeasedEvent]? {
        guard let stream = streams[key], var group = stream.groups[name] else { return nil }
        group.consumers.insert(consumer)
        let until = now + max(lease ?? group.policy.leaseMilliseconds, 1)
        var given: [LeasedEvent] = []
        func give(_ event: Event, _ delivery: Delivery) {
            given.append(
                LeasedEvent(
                    id: event.id, offset: event.offset, fields: event.fields,
                    appendedAtUnixMilliseconds: event.appended, deliveries: delivery.deliveries,
                    leasedUntilUnixMilliseconds: until, isReplay: delivery.isReplay || event.isReplayed))
        }
        let due = group.pending.filter { $0.value.due <= now }.sorted {
            ($0.value.due, $0.key) < ($1.value.due, $1.key)
        }
        for (id, delivery) in due where given.count < limit {
            guard let event = stream.events.first(where: { $0.id == id }) else {
                group.pending[id] = nil
                continue
            }
            var delivery = delivery
            if !delivery.isWaiting {
                delivery.attempts.append(Self.attempt(delivery, "the lease ended without an answer", now))
            }
            if let most = group.policy.deliveriesMax, delivery.deliveries >= most {
                bury(event, delivery, key, name, .deliveriesExhausted, now: now)
                group.pending[id] = nil
                continue
            }
            delivery.consumer = consumer
            delivery.delivered = now
            delivery.deliveries += 1
            delivery.due = until
            delivery.isWaiting = false
            group.pending[id] = delivery
            give(event, delivery)
        }
        for event in stream.events where event.id > group.last && given.count < limit {
            group.last = event.id
            let delivery = Delivery(event: event.offset, consumer: consumer, delivered: now, deliveries: 1, due: until)
            group.pending[event.id] = delivery
            give(event, delivery)
        }
        streams[key]?.groups[name] = group
        return given
    }

    mutating func reject(
        _ key: [UInt8], _ name: [UInt8], _ ids: [StreamID], delay: Int64?, error: String, isFinal: Bool, now: Int64
    ) -> Int {
        guard let stream = streams[key], var group = stream.groups[name] else { return 0 }
        var rejected = 0
        for id in ids {
            guard var delivery = group.pending[id], !delivery.isWaiting else { continue }
            rejected += 1
            guard let event = stream.events.first(where: { $0.id == id }) else {
                group.pending[id] = nil
                continue
            }
            delivery.attempts.append(Self.attempt(delivery, error, now))
            let isExhausted = group.policy.deliveriesMax.map { delivery.deliveries >= $0 } ?? false
            if isFinal || isExhausted {
                bury(event, delivery, key, name, isFinal ? .rejected : .deliveriesExhausted, now: now)
                group.pending[id] = nil
            } else {
                let wait = delay ?? group.policy.delayMilliseconds(afterDeliveries: delivery.deliveries)
                delivery.due = now + max(wait, 0)
                delivery.isWaiting = true
                group.pending[id] = delivery
            }
        }
        streams[key]?.groups[name] = group
        return rejected
    }

    mutating func extend(
        _ key: [UInt8], _ name: [UInt8], _ consumer: [UInt8], _ ids: [StreamID], lease: Int64, now: Int64
    ) -> Int {
        var extended = 0
        for id in ids {
            guard let delivery = streams[key]?.groups[name]?.pending[id], delivery.consumer == consumer,
                !delivery.isWaiting
            else { continue }
            streams[key]?.groups[name]?.pending[id]?.due = now + max(lease, 1)
            extended += 1
        }
        return extended
    }

    mutating func acknowledge(_ key: [UInt8], _ name: [UInt8], _ ids: [StreamID]) -> Int64 {
        Int64(ids.filter { streams[key]?.groups[name]?.pending.removeValue(forKey: $0) != nil }.count)
    }

    private static func attempt(_ delivery: Delivery, _ error: String, _ now: Int64) -> DeliveryAttempt {
        DeliveryAttempt(
            deliveredAtUnixMilliseconds: delivery.delivered, endedAtUnixMilliseconds: now,
            consumer: delivery.consumer, error: error)
    }

    private mutating func bury(
        _ event: Event, _ delivery: Delivery, _ key: [UInt8], _ name: [UInt8], _ reason: DeadLetterReason, now: Int64
    ) {
        lastLetter += 1
        letters.append(
            DeadLetter(
                number: lastLetter, stream: key, group: name, id: event.id, fields: event.fields, isEdited: false,
                reason: reason, error: delivery.attempts.last?.error ?? "", deliveries: delivery.deliveries,
                deadAtUnixMilliseconds: now, attempts: delivery.attempts))
    }

    // MARK: Dead letters and replays

    mutating func redrive(_ filter: DeadLetterFilter, limit: Int, isDryRun: Bool, now: Int64) -> RedriveReport {
        var report = RedriveReport(returned: 0, appended: 0, skipped: 0)
        for letter in letters.filter({ filter.matches($0) }).prefix(limit) {
            guard var stream = streams[letter.stream], var group = stream.groups[letter.group] else {
                report.skipped += 1
                continue
            }
            let event = letter.isEdited ? nil : stream.events.first { $0.id == letter.id }
            if event == nil { report.appended += 1 } else { report.returned += 1 }
            guard !isDryRun else { continue }
            if let event {
                let consumer = letter.attempts.last?.consumer ?? Array("redrive".utf8)
                group.consumers.insert(consumer)
                group.pending[letter.id] = Delivery(
                    event: event.offset, consumer: consumer, delivered: now, deliveries: 0, due: now, isWaiting: true,
                    attempts: group.pending[letter.id]?.attempts ?? [])
                stream.groups[letter.group] = group
            } else {
                Self.insert(letter.fields, isReplayed: false, into: &stream, now: now)
            }
            streams[letter.stream] = stream
            letters.removeAll { $0.number == letter.number }
        }
        return report
    }

    mutating func purge(_ filter: DeadLetterFilter, limit: Int) -> Int {
        let gone = Set(letters.filter { filter.matches($0) }.prefix(limit).map(\.number))
        letters.removeAll { gone.contains($0.number) }
        return gone.count
    }

    mutating func edit(_ number: Int64, _ fields: EventFields) -> Bool {
        guard let index = letters.firstIndex(where: { $0.number == number }) else { return false }
        letters[index].fields = fields
        letters[index].isEdited = true
        return true
    }

    private func events(_ range: EventRange, limit: Int) -> [Event] {
        guard case .offset(let first) = range.start else { return [] }
        let last = range.lastOffset ?? .max
        return Array(
            (streams[range.stream]?.events ?? []).filter { $0.offset >= first && $0.offset <= last }.prefix(limit))
    }

    mutating func replay(_ range: EventRange, to key: [UInt8], limit: Int, now: Int64) -> ReplayReport {
        var report = ReplayReport(replayed: 0, skipped: 0)
        for event in events(range, limit: limit) {
            var fields = event.fields
            fields.append(name: LogSession.replayField, value: range.stream + Array("/\(event.id)".utf8))
            Self.insert(fields, isReplayed: true, into: &streams[key, default: Stream()], now: now)
            report.replayed += 1
            report.lastOffset = event.offset
        }
        return report
    }

    mutating func replay(_ range: EventRange, toGroup name: [UInt8], pace: ReplayPace, limit: Int, now: Int64)
        -> ReplayReport?
    {
        guard var group = streams[range.stream]?.groups[name] else { return nil }
        var report = ReplayReport(replayed: 0, skipped: 0)
        let consumer = Array("replay".utf8)
        group.consumers.insert(consumer)
        for event in events(range, limit: limit) {
            report.lastOffset = event.offset
            guard event.id <= group.last, group.pending[event.id] == nil else {
                report.skipped += 1
                continue
            }
            group.pending[event.id] = Delivery(
                event: event.offset, consumer: consumer, delivered: now, deliveries: 0,
                due: pace.due(appendedAt: event.appended, first: 0, start: now), isWaiting: true, isReplay: true)
            report.replayed += 1
        }
        streams[range.stream]?.groups[name] = group
        return report
    }
}
