@testable import EventLog

/// Runs one history of leases against the model and against the tables, and tells where they part.
struct LeaseComparison {
    private var model = LeaseModel()
    private let log: MemoryLog

    private init() throws {
        log = try MemoryLog()
    }

    /// The first difference, if there is one.
    static func run(_ steps: [LeaseStep]) -> SimulatedDifference? {
        do {
            var comparison = try LeaseComparison()
            for (index, step) in steps.enumerated() {
                if let text = try comparison.run(step) { return SimulatedDifference(step: index, text: text) }
            }
            let text = try LogInspection.broken(comparison.log.session) ?? comparison.compareAll()
            return text.map { SimulatedDifference(step: steps.count, text: $0) }
        } catch {
            return SimulatedDifference(step: -1, text: "\(error)")
        }
    }

    private func differ<Value: Equatable>(_ step: LeaseStep, _ expected: Value, _ found: Value) -> String? {
        expected == found ? nil : "\(step)\n  expected \(expected)\n  found    \(found)"
    }

    private func perform(_ command: StreamCommand, _ now: Int64) throws -> StreamReply {
        let outcome = try log.commit { try $0.perform(StreamUnit([command], nowUnixMilliseconds: UInt64(now))) }
        guard case .replies(let replies) = outcome else { return .none }
        return replies[0]
    }

    /// What lies at these places among the deliveries of a group.
    private func ids(_ places: [Int], _ key: [UInt8], _ group: [UInt8]) -> [StreamID] {
        let known = (model.streams[key]?.groups[group]?.pending.keys).map { $0.sorted() } ?? []
        return places.map { known.isEmpty ? StreamID(1, 0) : known[$0 % known.count] }
    }

    private mutating func run(_ step: LeaseStep) throws -> String? {
        switch step {
        case .append, .configure, .createGroup, .policy, .trim, .delete: return try change(step)
        case .receive, .acknowledge, .reject, .extend, .nextDue: return try lease(step)
        case .letters, .edit, .redrive, .purge, .replay, .replayToGroup: return try bringBack(step)
        case .reopen:
            try log.reopen()
            return nil
        }
    }

    private mutating func change(_ step: LeaseStep) throws -> String? {
        switch step {
        case .append(let key, let fields, let now):
            let found = try perform(.append(StreamAppend(key: key, fields: fields)), now)
            let (id, isDuplicate) = model.append(fields, to: key, now: now)
            return differ(step, .appended(id, isDuplicate: isDuplicate), found)
        case .configure(let key, let settings, let now):
            model.streams[key, default: LeaseModel.Stream()].settings = settings
            return differ(step, true, try log.commit { try $0.configure(settings, key: key, now: now) })
        case .createGroup(let key, let group, let now):
            let creation = StreamGroupCreation(key: key, group: group, start: .after(.zero), createsStream: true)
            let isNew = model.streams[key]?.groups[group] == nil
            if isNew { model.streams[key, default: LeaseModel.Stream()].groups[group] = LeaseModel.Group() }
            return differ(step, isNew ? .done : .failed(.groupExists), try perform(.createGroup(creation), now))
        case .policy(let key, let group, let policy, let now):
            let isThere = model.streams[key]?.groups[group] != nil
            model.streams[key]?.groups[group]?.policy = policy
            return differ(
                step, isThere, try log.commit { try $0.setPolicy(policy, key: key, group: group, now: now) })
        case .trim(let key, let length, let now):
            let count = max((model.streams[key]?.events.count ?? 0) - Int(length), 0)
            model.streams[key]?.events.removeFirst(count)
            let trim = StreamTrim(.length(length))
            return differ(step, .count(Int64(count)), try perform(.trim(key: key, trim, references: .keep), now))
        case .delete(let key, let place, let now):
            guard let events = model.streams[key]?.events, !events.isEmpty else { return nil }
            let event = model.streams[key]?.events.remove(at: place % events.count)
            return differ(step, .count(1), try perform(.delete(key: key, ids: [event?.id ?? .zero]), now))
        default: return nil
        }
    }

    private mutating func lease(_ step: LeaseStep) throws -> String? {
        switch step {
        case .receive(let key, let group, let consumer, let limit, let lease, let now):
            let found = try log.commit {
                try $0.receive(
                    key: key, group: group, consumer: consumer, limit: limit, leaseMilliseconds: lease, now: now)
            }
            return differ(step, model.receive(key, group, consumer, limit: limit, lease: lease, now: now), found)
        case .acknowledge(let key, let group, let places, let now):
            let ids = ids(places, key, group)
            let found = try perform(.acknowledge(key: key, group: group, ids: ids), now)
            return differ(step, .count(model.acknowledge(key, group, ids)), found)
        case .reject(let key, let group, let places, let delay, let isFinal, let now):
            let ids = ids(places, key, group)
            let found = try log.commit {
                try $0.reject(
                    key: key, group: group, ids: ids, delayMilliseconds: delay, error: "no", isFinal: isFinal, now: now)
            }
            let expected = model.reject(key, group, ids, delay: delay, error: "no", isFinal: isFinal, now: now)
            return differ(step, expected, found.count)
        case .extend(let key, let group, let consumer, let places, let lease, let now):
            let ids = ids(places, key, group)
            let found = try log.commit {
                try $0.extend(
                    key: key, group: group, consumer: consumer, ids: ids, leaseMilliseconds: lease, now: now)
            }
            return differ(step, model.extend(key, group, consumer, ids, lease: lease, now: now), found)
        case .nextDue(let key, let group, let now):
            let expected = model.streams[key]?.groups[group]?.pending.values.map(\.due).min()
            return differ(step, expected, try log.commit { try $0.nextDue(key: key, group: group, now: now) })
        default: return nil
        }
    }

    private mutating func bringBack(_ step: LeaseStep) throws -> String? {
        switch step {
        case .letters(let filter, let after, let limit):
            let expected = model.letters.filter { $0.number > after && filter.matches($0) }.prefix(limit)
            return differ(step, Array(expected), try log.session.deadLetters(filter, after: after, limit: limit))
        case .edit(let number, let fields):
            let found = try log.commit { try $0.edit(deadLetter: number, fields) }
            return differ(step, model.edit(number, fields), found)
        case .redrive(let filter, let limit, let isDryRun, let now):
            let found = try log.commit { try $0.redrive(filter, limit: limit, isDryRun: isDryRun, now: now) }
            return differ(step, model.redrive(filter, limit: limit, isDryRun: isDryRun, now: now), found)
        case .purge(let filter, let limit):
            let found = try log.commit { try $0.purge(filter, limit: limit) }
            return differ(step, model.purge(filter, limit: limit), found)
        case .replay(let range, let key, let limit, let now):
            let found = try log.commit { try $0.replay(range, to: key, limit: limit, now: now) }
            return differ(step, model.replay(range, to: key, limit: limit, now: now), found)
        case .replayToGroup(let range, let group, let pace, let limit, let now):
            let found = try log.commit {
                try $0.replay(range, toGroup: group, pace: pace, first: 0, start: now, limit: limit, now: now)
            }
            return differ(step, model.replay(range, toGroup: group, pace: pace, limit: limit, now: now), found)
        default: return nil
        }
    }

    /// What is left at the end: dead letters, events, and the chains over them.
    private func compareAll() throws -> String? {
        let letters = try log.session.deadLetters(DeadLetterFilter(), after: 0, limit: .max)
        guard letters == model.letters else { return "dead letters: expected \(model.letters), found \(letters)" }
        for (key, stream) in model.streams {
            let events = try log.session.events(in: EventRange(stream: key), limit: .max)
            guard events.map(\.fields) == stream.events.map(\.fields), events.map(\.id) == stream.events.map(\.id)
            else { return "events: expected \(stream.events), found \(events)" }
            guard try log.session.verifyChain(of: key)?.isWhole ?? true else { return "a chain is broken" }
        }
        return nil
    }
}
