import EventLogSupport

@testable import EventLog

/// Runs one history against the model and against the tables, and tells where they part.
struct ModelComparison {
    private var model = StreamModel()
    private let log: MemoryLog

    init() throws {
        log = try MemoryLog()
    }

    /// The first difference, if there is one.
    static func run(_ steps: [SimulatedStep]) -> SimulatedDifference? {
        do {
            var comparison = try ModelComparison()
            for (index, step) in steps.enumerated() {
                if let text = try comparison.run(step) { return SimulatedDifference(step: index, text: text) }
            }
            if let text = try LogInspection.broken(comparison.log.session) {
                return SimulatedDifference(step: steps.count, text: text)
            }
            return nil
        } catch {
            return SimulatedDifference(step: -1, text: "\(error)")
        }
    }

    private mutating func run(_ step: SimulatedStep) throws -> String? {
        switch step {
        case .unit(let commands, let now):
            return try compare(StreamUnit(commands, nowUnixMilliseconds: now))
        case .conditional(let key, let between, let then, let now):
            let revisions = try (revision(key, now, model: true), revision(key, now, model: false))
            if let text = try compare(StreamUnit(between, nowUnixMilliseconds: now)) { return text }
            return try compare(
                StreamUnit(then, nowUnixMilliseconds: now, requiredRevisions: [(key, revisions.0)]),
                StreamUnit(then, nowUnixMilliseconds: now, requiredRevisions: [(key, revisions.1)]))
        case .scan(let count, let pattern, let now):
            let expected = try scan(count, pattern, now, model: true)
            let found = try scan(count, pattern, now, model: false)
            return expected == found ? nil : "SCAN: expected \(expected), found \(found)"
        case .reopen:
            try log.reopen()
            return nil
        }
    }

    private mutating func compare(_ unit: StreamUnit, _ other: StreamUnit? = nil) throws -> String? {
        let expected = Self.sorted(model.apply(unit))
        let found = Self.sorted(try apply(other ?? unit))
        return expected == found ? nil : "\(unit.commands)\n  expected \(expected)\n  found    \(found)"
    }

    private func apply(_ unit: StreamUnit) throws -> StreamOutcome {
        try log.commit { session in
            try session.removeExpired(now: Int64(unit.nowUnixMilliseconds))
            return try session.perform(unit)
        }
    }

    private mutating func answer(_ command: KeyCommand, _ now: UInt64, model asksModel: Bool) throws -> StreamReply {
        let unit = StreamUnit([.keys(command)], nowUnixMilliseconds: now)
        guard case .replies(let replies) = try asksModel ? model.apply(unit) : apply(unit) else { return .none }
        return replies[0]
    }

    private mutating func revision(_ key: [UInt8], _ now: UInt64, model asksModel: Bool) throws -> UInt64 {
        guard case .revision(let revision) = try answer(.revision(key: key), now, model: asksModel) else { return .max }
        return revision
    }

    /// Names in pieces until the end. Cursors differ, and what lies between two pieces is nobody's promise.
    private mutating func scan(_ count: Int, _ pattern: [UInt8]?, _ now: UInt64, model asksModel: Bool) throws
        -> [String]
    {
        var names: [String] = []
        var cursor: UInt64 = 0
        repeat {
            let command = KeyCommand.scan(cursor: cursor, count: count, pattern: pattern)
            guard case .scanned(let next, let found) = try answer(command, now, model: asksModel) else { return ["?"] }
            names += found.map { String(decoding: $0, as: UTF8.self) }
            cursor = next
        } while cursor != 0
        return names.sorted()
    }

    /// KEYS has no order.
    private static func sorted(_ outcome: StreamOutcome) -> StreamOutcome {
        guard case .replies(let replies) = outcome else { return outcome }
        return .replies(
            replies.map { reply in
                guard case .names(let names) = reply else { return reply }
                return .names(names.sorted { $0.lexicographicallyPrecedes($1) })
            })
    }
}
