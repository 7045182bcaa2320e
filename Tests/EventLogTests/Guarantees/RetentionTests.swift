import Database
import Testing

@testable import EventLog

@Suite("Retention")
struct RetentionTests {
    let log: MemoryLog
    let key = [UInt8]("s")

    init() throws {
        log = try MemoryLog()
        for now in 1...10 as ClosedRange<Int64> {
            try log.perform(StreamAppend.to("s", .automatic, ("data", "1234567890")), at: now)
        }
    }

    func retain(_ settings: StreamSettings, at now: Int64) throws {
        #expect(try log.commit { try $0.configure(settings, key: key, now: now) })
        #expect(try log.commit { try $0.retain(now: now) } == false)
        #expect(try LogInspection.broken(log.session) == nil)
        #expect(try log.session.verifyChain(of: key)?.isWhole == true)
    }

    @Test("By number, the youngest stay")
    func length() throws {
        try retain(StreamSettings(retentionLengthMax: 3), at: 10)
        #expect(try log.ids("s") == [8, 9, 10])
    }

    @Test("By age, what is younger than the age stays")
    func age() throws {
        try retain(StreamSettings(retentionMilliseconds: 5), at: 12)
        #expect(try log.ids("s") == [7, 8, 9, 10])
    }

    @Test("By bytes, no more of the oldest go than must")
    func bytes() throws {
        // An entry is 4 + 10 bytes and two lengths.
        try retain(StreamSettings(retentionBytesMax: 40), at: 10)
        #expect(try log.ids("s") == [9, 10])
    }

    @Test("What a group has not read or not acknowledged stays, unless it is told to go")
    func unread() throws {
        try log.perform(
            .createGroup(StreamGroupCreation(key: key, group: [UInt8]("g"), start: .after(.zero))), at: 10)
        try log.perform(
            .readGroup(
                StreamGroupRead(
                    group: [UInt8]("g"), consumer: [UInt8]("c"), streams: [(key, .undelivered)], count: 6)), at: 10)
        let acknowledged = [1, 2, 3, 5].map { StreamID($0, 0) }
        try log.perform(.acknowledge(key: key, group: [UInt8]("g"), ids: acknowledged), at: 10)
        try retain(StreamSettings(retentionLengthMax: 1), at: 10)
        #expect(try log.ids("s") == [4, 5, 6, 7, 8, 9, 10])
        try retain(StreamSettings(retentionLengthMax: 1, removesUnread: true), at: 10)
        #expect(try log.ids("s") == [10])
    }

    @Test("A large stream that is deleted goes piece by piece, and its name is free at once")
    func largeStream() throws {
        for now in 11...2_100 as ClosedRange<Int64> {
            try log.perform(StreamAppend.to("s", .automatic, ("n", "x")), at: now)
        }
        #expect(try log.perform(.keys(.delete(keys: [key])), at: 3_000) == .count(1))
        #expect(try log.perform(.keys(.exists(keys: [key])), at: 3_000) == .count(0))
        try log.perform(StreamAppend.to("s", .automatic, ("n", "new")), at: 3_001)
        #expect(try log.session.connection.integer("SELECT count(*) FROM event") == 2_101)
        while try log.commit({ try $0.purge() }) {}
        #expect(try log.session.connection.integer("SELECT count(*) FROM event") == 1)
        #expect(try log.ids("s") == [3_001])
        #expect(try LogInspection.broken(log.session) == nil)
    }

    @Test("Marks of producers that never come back go when their time is over, a few at a time")
    func sweeping() throws {
        for number in 0..<10 {
            let append = StreamAppend(
                key: key, fields: fields(("n", "\(number)")),
                idempotency: StreamAppend.Idempotency(producer: [UInt8("\(number)")!], mark: .fields))
            try log.perform(.append(append), at: Int64(1_000 + number))
        }
        func marks() throws -> Int64? { try log.session.connection.integer("SELECT count(*) FROM mark") }
        // The window is 100 seconds.
        for expected in [10, 10, 10, 10] as [Int64] {
            try log.commit { try $0.sweepMarks(3, now: 100_999) }
            #expect(try marks() == expected)
        }
        for _ in 0..<4 { try log.commit { try $0.sweepMarks(3, now: 101_004) } }
        #expect(try marks() == 5)
        for _ in 0..<4 { try log.commit { try $0.sweepMarks(3, now: 101_009) } }
        #expect(try marks() == 0)
    }

    @Test("Large fields are compressed on disk and come back as they were")
    func compression() throws {
        _ = try log.commit { try $0.configure(StreamSettings(compressionBytesMin: 100), key: [UInt8]("z"), now: 1) }
        let large = String(repeating: "all work and no play ", count: 50)
        try log.perform(StreamAppend.to("z", .automatic, ("data", large)), at: 1)
        try log.perform(StreamAppend.to("z", .automatic, ("data", "small")), at: 2)
        #expect(
            try log.session.connection.integer("SELECT max(length(fields)) FROM event WHERE ms = 1 AND row >> 40 = 2")!
                < 100)
        #expect(
            try log.perform(.range(StreamRange(key: [UInt8]("z"), lower: .zero, upper: .max)), at: 3)
                == .entries([
                    StreamEntry(id: StreamID(1, 0), fields: fields(("data", large))),
                    StreamEntry(id: StreamID(2, 0), fields: fields(("data", "small"))),
                ]))
        #expect(try log.session.verifyChain(of: [UInt8]("z"))?.isWhole == true)
        #expect(try LogInspection.broken(log.session) == nil)
    }
}
