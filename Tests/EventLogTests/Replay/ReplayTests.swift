import Testing

@testable import EventLog

@Suite("Replay")
struct ReplayTests {
    let log: MemoryLog
    let key = [UInt8]("s")
    let group = [UInt8]("g")

    init() throws {
        log = try MemoryLog()
        _ = try log.commit { try $0.configure(StreamSettings(deduplication: .cloudEvents), key: key, now: 1) }
        for (id, now) in [("a", 100), ("b", 110), ("c", 200)] as [(String, Int64)] { try append(id, at: now) }
        try log.perform(.createGroup(StreamGroupCreation(key: key, group: group, start: .after(.zero))), at: 200)
    }

    @discardableResult
    func append(_ id: String, at now: Int64) throws -> StreamReply {
        try log.perform(StreamAppend.to("s", .automatic, ("ce_source", "/x"), ("ce_id", id)), at: now)
    }

    func receive(at now: Int64) throws -> [String] {
        let events = try log.commit { session in
            try session.receive(
                key: key, group: group, consumer: [UInt8]("c"), limit: 10, leaseMilliseconds: 1_000, now: now)
        }
        return (events ?? []).map { "\($0.id) try \($0.deliveries)\($0.isReplay ? " replay" : "")" }
    }

    @Test("At the original pace, faster, or at once")
    func pace() {
        func dues(_ pace: ReplayPace) -> [Int64] {
            [100, 110, 200].map { pace.due(appendedAt: $0, first: 100, start: 5_000) }
        }
        #expect(dues(.original) == [5_000, 5_010, 5_100])
        #expect(dues(.faster(10)) == [5_000, 5_001, 5_010])
        #expect(dues(.faster(0)) == [5_000, 5_000, 5_000])
        #expect(dues(.atOnce) == [5_000, 5_000, 5_000])
    }

    @Test("A group gets acknowledged events again when they are due; what it holds or has still to read is left alone")
    func toGroup() throws {
        #expect(try receive(at: 300) == ["100-0 try 1", "110-0 try 1", "200-0 try 1"])
        try log.perform(.acknowledge(key: key, group: group, ids: [StreamID(100, 0), StreamID(200, 0)]), at: 310)
        try append("d", at: 320)
        let report = try log.commit { session in
            try session.replay(
                EventRange(stream: key), toGroup: group, pace: .faster(2), first: 100, start: 400, limit: 10, now: 400)
        }
        #expect(report == ReplayReport(replayed: 2, skipped: 2, lastOffset: 4))
        #expect(try receive(at: 400) == ["100-0 try 1 replay", "320-0 try 1"])
        #expect(try receive(at: 449) == [])
        #expect(try receive(at: 450) == ["200-0 try 1 replay"])
    }

    @Test("A copy in another stream is marked, in pieces, and dedup neither stops it nor takes it for the original")
    func toStream() throws {
        _ = try log.commit { session in
            try session.configure(StreamSettings(deduplication: .cloudEvents), key: [UInt8]("t"), now: 1)
        }
        func piece(after offset: Int64) throws -> ReplayReport? {
            try log.commit { session in
                try session.replay(
                    EventRange(stream: key, start: .offset(offset + 1)), to: [UInt8]("t"), limit: 2, now: 500)
            }
        }
        #expect(try piece(after: 0) == ReplayReport(replayed: 2, skipped: 0, lastOffset: 2))
        #expect(try piece(after: 2) == ReplayReport(replayed: 1, skipped: 0, lastOffset: 3))
        #expect(try piece(after: 3) == ReplayReport(replayed: 0, skipped: 0, lastOffset: nil))
        #expect(try piece(after: 2)?.replayed == 1)
        let copies = try log.session.events(in: EventRange(stream: [UInt8]("t")), limit: 10)
        #expect(copies.map(\.isReplay) == [true, true, true, true])
        #expect(copies[0].fields == fields(("ce_source", "/x"), ("ce_id", "a"), ("replay_of", "s/100-0")))
        #expect(
            try log.perform(StreamAppend.to("t", .automatic, ("ce_source", "/x"), ("ce_id", "a")), at: 600)
                == .appended(StreamID(600, 0), isDuplicate: false))
        #expect(try append("a", at: 601) == .appended(StreamID(100, 0), isDuplicate: true))
        #expect(try log.session.verifyChain(of: [UInt8]("t"))?.isWhole == true)
    }

    @Test("A stream whose ids are used up takes what it can, and then says that it takes no more")
    func toFullStream() throws {
        let almostLast = StreamID(.max, .max - 1)
        try log.perform(StreamAppend.to("t", .explicit(almostLast), ("ce_source", "/x"), ("ce_id", "z")), at: 400)
        func piece(after offset: Int64) throws -> ReplayReport? {
            try log.commit { session in
                try session.replay(
                    EventRange(stream: key, start: .offset(offset + 1)), to: [UInt8]("t"), limit: 2, now: 500)
            }
        }
        #expect(try piece(after: 0) == ReplayReport(replayed: 1, skipped: 0, lastOffset: 1))
        #expect(try piece(after: 1) == nil)
        #expect(try piece(after: 3) == ReplayReport(replayed: 0, skipped: 0, lastOffset: nil))
    }
}
