import Testing

@testable import EventLog

@Suite("Deduplication")
struct DeduplicationTests {
    let scratch: ScratchLog
    let key = [UInt8]("s")

    init() throws {
        scratch = try ScratchLog()
    }

    func configure(_ settings: StreamSettings) throws {
        #expect(try scratch.wait { scratch.log.configure(settings, stream: key, now: 0, answer: $0) })
    }

    func append(_ source: String, _ id: String, at now: UInt64) -> StreamReply {
        scratch.log.answer(
            StreamAppend.to("s", .automatic, ("ce_source", source), ("ce_id", id), ("data", "\(now)")), at: now)
    }

    @Test("The same source and id within the window get the first id back; the length and the chain do not change")
    func cloudEvents() throws {
        try configure(StreamSettings(deduplication: .cloudEvents, deduplicationMilliseconds: 100))
        #expect(append("/shop", "1", at: 10) == .appended(StreamID(10, 0), isDuplicate: false))
        #expect(append("/shop", "1", at: 20) == .appended(StreamID(10, 0), isDuplicate: true))
        #expect(append("/shop", "2", at: 30) == .appended(StreamID(30, 0), isDuplicate: false))
        #expect(append("/sho", "p1", at: 40) == .appended(StreamID(40, 0), isDuplicate: false))
        #expect(append("/shop", "1", at: 109) == .appended(StreamID(10, 0), isDuplicate: true))
        #expect(append("/shop", "1", at: 110) == .appended(StreamID(110, 0), isDuplicate: false))
        #expect(scratch.log.answer(.length(key: key)) == .count(4))
    }

    @Test("The window holds so many events and no more")
    func size() throws {
        try configure(StreamSettings(deduplication: .field([UInt8]("ce_id")), deduplicationSizeMax: 2))
        for (id, now) in [("1", 1), ("2", 2), ("3", 3)] as [(String, UInt64)] { _ = append("", id, at: now) }
        #expect(append("", "2", at: 4) == .appended(StreamID(2, 0), isDuplicate: true))
        #expect(append("", "1", at: 5) == .appended(StreamID(5, 0), isDuplicate: false))
    }

    @Test("Marks are remembered over a restart, and of another stream they mean nothing")
    func restart() throws {
        let directory = ScratchDirectory()
        let request = StreamAppend(
            key: key, fields: fields(("a", "1")),
            idempotency: StreamAppend.Idempotency(producer: [UInt8]("p"), mark: .given([UInt8]("i1"))))
        var elsewhere = request
        elsewhere.key = [UInt8]("t")
        let log = try DurableLog(directory: directory.path, clock: { 0 })
        #expect(log.answer(.append(request), at: 5) == .appended(StreamID(5, 0), isDuplicate: false))
        log.close()
        let again = try DurableLog(directory: directory.path, clock: { 0 })
        #expect(again.answer(.append(request), at: 6) == .appended(StreamID(5, 0), isDuplicate: true))
        #expect(again.answer(.append(elsewhere), at: 7) == .appended(StreamID(7, 0), isDuplicate: false))
        again.close()
    }

    @Test("Acknowledging an input and publishing its result are one unit: a repeated result changes nothing")
    func consumeTransformProduce() throws {
        try configure(StreamSettings(deduplication: .cloudEvents))
        _ = append("/in", "1", at: 1)
        _ = scratch.log.answer(.createGroup(StreamGroupCreation(key: key, group: [UInt8]("g"), start: .after(.zero))))
        _ = scratch.log.answer(
            .readGroup(StreamGroupRead(group: [UInt8]("g"), consumer: [UInt8]("c"), streams: [(key, .undelivered)])))
        let unit = StreamUnit(
            [
                .acknowledge(key: key, group: [UInt8]("g"), ids: [StreamID(1, 0)]),
                StreamAppend.to("s", .automatic, ("ce_source", "/out"), ("ce_id", "1")),
            ], nowUnixMilliseconds: 9)
        #expect(scratch.log.answer(unit) == .replies([.count(1), .appended(StreamID(9, 0), isDuplicate: false)]))
        #expect(scratch.log.answer(unit) == .replies([.count(0), .appended(StreamID(9, 0), isDuplicate: true)]))
    }
}
