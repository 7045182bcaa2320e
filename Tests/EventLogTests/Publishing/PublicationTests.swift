import Testing

@testable import EventLog

@Suite("Publications: all of it, or nothing")
struct PublicationTests {
    let scratch: ScratchLog
    private let orders = [UInt8]("orders")
    private let payments = [UInt8]("payments")
    private let group = DurableLog.GroupName(stream: [UInt8]("orders"), group: [UInt8]("billing"))

    init() throws {
        scratch = try ScratchLog()
    }

    private func event(_ id: String, to stream: [UInt8]) -> Publication.Event {
        Publication.Event(stream: stream, fields: fields(("ce_id", id), ("ce_source", "/s"), ("data", id)))
    }

    private func publish(_ publication: Publication, at now: Int64) throws -> PublicationOutcome {
        try scratch.wait { scratch.log.publish(publication, now: now, answer: $0) }
    }

    private func lengths() -> [StreamReply] {
        [orders, payments].map { scratch.log.answer(.length(key: $0)) }
    }

    @Test("The same source and id is the same event, in one batch and in the next, until the window is over")
    func duplicates() throws {
        let first = try publish(
            Publication([event("a", to: orders), event("a", to: orders), event("b", to: orders)], deduplicates: true),
            at: 5)
        let a = AppendedEvent(id: StreamID(5, 0), offset: 1, isDuplicate: false)
        var again = a
        again.isDuplicate = true
        let b = AppendedEvent(id: StreamID(5, 1), offset: 2, isDuplicate: false)
        #expect(first == .published([a, again, b], version: nil))
        #expect(
            try publish(Publication([event("a", to: orders)], deduplicates: true), at: 6)
                == .published([again], version: nil))
        // Another stream is another matter, and so is a later time.
        #expect(
            try publish(Publication([event("a", to: payments)], deduplicates: true), at: 6)
                == .published([AppendedEvent(id: StreamID(6, 0), offset: 1, isDuplicate: false)], version: nil))
        #expect(
            try publish(Publication([event("a", to: orders)], deduplicates: true), at: 200_000)
                == .published([AppendedEvent(id: StreamID(200_000, 0), offset: 3, isDuplicate: false)], version: nil))
        #expect(lengths() == [.count(3), .count(1)])
    }

    @Test("A version that is another one changes nothing; a repeated request is answered as the first was")
    func versions() throws {
        func publication(_ id: String, _ expected: ExpectedVersion, entity: String? = "o-1") -> Publication {
            Publication(
                [event(id, to: orders)], deduplicates: true,
                condition: .init(stream: orders, entity: entity.map { [UInt8]($0) }, expected: expected))
        }
        let a = AppendedEvent(id: StreamID(5, 0), offset: 1, isDuplicate: false)
        #expect(try publish(publication("a", .exactly(0)), at: 5) == .published([a], version: 1))
        #expect(
            try publish(publication("b", .exactly(0)), at: 6) == .conflict(expected: .exactly(0), actual: 1))
        var again = a
        again.isDuplicate = true
        #expect(try publish(publication("a", .exactly(0)), at: 6) == .published([again], version: 1))
        #expect(
            try publish(publication("b", .none, entity: nil), at: 6) == .conflict(expected: .none, actual: 1))
        #expect(
            try publish(publication("b", .exactly(1), entity: nil), at: 6)
                == .published([AppendedEvent(id: StreamID(6, 0), offset: 2, isDuplicate: false)], version: 2))
        #expect(lengths() == [.count(2), .count(0)])
    }

    @Test("Acknowledging and publishing happen together, for who holds the events, or not at all")
    func transactions() throws {
        let settle = { (consumer: String?) in
            Publication.Settlement(
                group: group, ids: [StreamID(5, 0)], consumer: consumer.map { [UInt8]($0) })
        }
        let made = { (consumer: String?) in
            Publication([event("p", to: payments)], deduplicates: true, settlement: settle(consumer))
        }
        #expect(try publish(made(nil), at: 4) == .noGroup)
        _ = try publish(Publication([event("a", to: orders)], deduplicates: true), at: 5)
        _ = scratch.log.answer(.createGroup(.init(key: orders, group: group.group, start: .after(.zero))))
        #expect(try publish(made(nil), at: 6) == .notHeld([StreamID(5, 0)]))
        _ = try scratch.wait {
            scratch.log.receive(from: group, consumer: [UInt8]("alice"), limit: 1, now: 6, answer: $0)
        }
        #expect(try publish(made("bob"), at: 7) == .notHeld([StreamID(5, 0)]))
        #expect(lengths() == [.count(1), .count(0)])
        #expect(
            try publish(made("alice"), at: 8)
                == .published([AppendedEvent(id: StreamID(8, 0), offset: 1, isDuplicate: false)], version: nil))
        #expect(
            scratch.log.answer(.pendingSummary(key: orders, group: group.group))
                == .pendingSummary(
                    PendingSummary(count: 0, lowest: nil, highest: nil, consumers: [])))
        // Again: it is no longer in anybody's hands, and nothing is published twice.
        #expect(try publish(made("alice"), at: 9) == .notHeld([StreamID(5, 0)]))
        #expect(lengths() == [.count(1), .count(1)])
    }
}
