import Database
import Testing

@testable import EventLog

@Suite("Finding events")
struct EventLookupTests {
    let log: MemoryLog

    init() throws {
        log = try MemoryLog()
    }

    func traceparent(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "00-" + String(repeating: "0", count: 32 - digits.count) + digits + "-0000000000000001-01"
    }

    func append(_ key: String, _ number: Int, at now: Int64) throws {
        try log.perform(
            StreamAppend.to(
                key, .automatic, ("traceparent", traceparent(number)), ("correlationid", "c\(number % 7)"),
                ("ce_type", number % 2 == 0 ? "even" : "odd")), at: now)
    }

    func find(_ key: EventKey, _ value: String, limit: Int = 100) throws -> [String] {
        try log.session.storedEvents(with: key, [UInt8](value), limit: limit).map {
            String(decoding: $0.stream, as: UTF8.self) + " \($0.offset)"
        }
    }

    @Test("One trace is found over all streams, in order; a removed event is not")
    func acrossStreams() throws {
        try append("a", 1, at: 1)
        try append("b", 1, at: 2)
        try append("a", 2, at: 3)
        try append("a", 1, at: 4)
        let trace = String(repeating: "0", count: 31) + "1"
        #expect(try find(.traceID, trace) == ["a 1", "b 1", "a 3"])
        #expect(try find(.traceID, trace, limit: 2) == ["a 1", "b 1"])
        #expect(try find(.type, "even") == ["a 2"])
        #expect(try find(.correlationID, "c2") == ["a 2"])
        #expect(try find(.correlationID, "c9") == [])
        try log.perform(.delete(key: [UInt8]("a"), ids: [StreamID(1, 0)]), at: 5)
        try log.perform(.keys(.delete(keys: [[UInt8]("b")])), at: 5)
        #expect(try find(.traceID, trace) == ["a 3"])
    }

    @Test("A correlation id that is the trace's id is found by both, and stands in the index once")
    func sharedID() throws {
        let trace = String(repeating: "0", count: 31) + "5"
        for (key, correlation) in [("a", trace), ("b", "other"), ("c", trace)] {
            try log.perform(
                StreamAppend.to(key, .automatic, ("traceparent", traceparent(5)), ("correlationid", correlation)),
                at: 1)
        }
        #expect(try log.session.connection.integer("SELECT count(correlation) FROM index_tail") == 1)
        #expect(try find(.traceID, trace) == ["a 1", "b 1", "c 1"])
        #expect(try find(.correlationID, trace) == ["a 1", "c 1"])
        #expect(try find(.correlationID, "other") == ["b 1"])
    }

    @Test("The same is found before, while and after a bucket goes from the tail into the index; an empty one goes")
    func sortingBuckets() throws {
        let count = 1 << Int(LogSession.bucketShift)
        try log.commit { session in
            for number in 1...count {
                var fields = EventFields()
                fields.append(name: "correlationid".utf8, value: "c\(number % 4_096)".utf8)
                _ = try session.perform(.append(StreamAppend(key: [UInt8]("s"), fields: fields)), now: Int64(number))
            }
        }
        let expected = (0..<count / 4_096).map { "s \(5 + $0 * 4_096)" }
        #expect(try find(.correlationID, "c5") == expected)
        #expect(log.session.hasIndexWork)
        try log.commit { try $0.workOnIndex() }
        #expect(try log.session.connection.integer("SELECT count(*) > 0 FROM event_index") == 1)
        #expect(try find(.correlationID, "c5") == expected)
        while log.session.hasIndexWork { try log.commit { try $0.workOnIndex() } }
        // The last event has the first position of the next bucket, and waits there for the others.
        #expect(try log.session.connection.integer("SELECT count(*) FROM index_tail") == 1)
        #expect(try find(.correlationID, "c5") == expected)

        try log.perform(.trim(key: [UInt8]("s"), StreamTrim(.length(1)), references: .keep), at: 1)
        while log.session.hasIndexWork { try log.commit { try $0.workOnIndex() } }
        #expect(try log.session.connection.integer("SELECT count(*) FROM event_index") == 0)
        #expect(try LogInspection.broken(log.session) == nil)
    }

    @Test("A range begins at an offset, an id or a time, also where events are gone, and ends where it is told")
    func ranges() throws {
        for now in 1...20 as ClosedRange<Int64> { try append("s", Int(now), at: now * 10) }
        try log.perform(.delete(key: [UInt8]("s"), ids: [5, 6, 7].map { StreamID($0 * 10, 0) }), at: 300)
        try log.perform(.trim(key: [UInt8]("s"), StreamTrim(.length(15)), references: .keep), at: 300)
        func offsets(_ start: EventRange.Start, until: Int64? = nil, last: Int64? = nil, limit: Int = 3) throws
            -> [Int64]
        {
            let range = EventRange(
                stream: [UInt8]("s"), start: start, untilUnixMilliseconds: until, lastOffset: last)
            return try log.session.events(in: range, limit: limit).map(\.offset)
        }
        #expect(try offsets(.first) == [3, 4, 8])
        #expect(try offsets(.offset(1)) == [3, 4, 8])
        #expect(try offsets(.offset(6)) == [8, 9, 10])
        #expect(try offsets(.offset(19)) == [19, 20])
        #expect(try offsets(.offset(21)) == [])
        #expect(try offsets(.id(StreamID(55, 0))) == [8, 9, 10])
        let kept: [Int64] = [3, 4] + Array(8...20)
        for time in 1...20 as ClosedRange<Int64> {
            let first = kept.first { $0 >= time } ?? 0
            #expect(try offsets(.time(unixMilliseconds: time * 10 - 3), limit: 1) == [first])
            #expect(try offsets(.time(unixMilliseconds: time * 10), limit: 1) == [first])
        }
        #expect(try offsets(.time(unixMilliseconds: 201)) == [])
        #expect(try offsets(.offset(17), until: 185) == [17, 18])
        #expect(try offsets(.offset(17), last: 17) == [17])
    }
}
