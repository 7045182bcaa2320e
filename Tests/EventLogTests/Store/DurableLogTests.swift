import Database
import Foundation
import Testing

@testable import EventLog

@Suite("The durable log")
struct DurableLogTests {
    let directory = ScratchDirectory()

    func open() throws -> DurableLog {
        try DurableLog(directory: directory.path, clock: { 1_000 })
    }

    @Test("What was answered is there after closing and opening again: events, ids, groups and what they hold")
    func survives() throws {
        let key = [UInt8]("orders")
        let log = try open()
        #expect(
            log.answer(StreamAppend.to("orders", .automatic, ("a", "1")), at: 5)
                == .appended(StreamID(5, 0), isDuplicate: false))
        #expect(
            log.answer(StreamAppend.to("orders", .automatic, ("b", "2")), at: 5)
                == .appended(StreamID(5, 1), isDuplicate: false))
        #expect(
            log.answer(.createGroup(StreamGroupCreation(key: key, group: [UInt8]("g"), start: .after(.zero)))) == .done)
        let read = StreamGroupRead(
            group: [UInt8]("g"), consumer: [UInt8]("c"), streams: [(key, .undelivered)], count: 1)
        let first = StreamEntry(id: StreamID(5, 0), fields: fields(("a", "1")))
        let second = StreamEntry(id: StreamID(5, 1), fields: fields(("b", "2")))
        #expect(
            log.answer(.readGroup(read), at: 7)
                == .streams([StreamBatch(key: key, entries: [first])], positions: [.zero]))
        log.close()

        let again = try open()
        #expect(again.answer(.length(key: key)) == .count(2))
        #expect(
            again.answer(.range(StreamRange(key: key, lower: .zero, upper: .max))) == .entries([first, second]))
        #expect(
            again.answer(.readGroup(read), at: 9)
                == .streams([StreamBatch(key: key, entries: [second])], positions: [.zero]))
        #expect(
            again.answer(
                .pending(
                    StreamPendingRange(key: key, group: [UInt8]("g"), lower: .zero, upper: .max, count: 10)), at: 10)
                == .pending([
                    PendingEntry(id: StreamID(5, 0), consumer: [UInt8]("c"), idleMilliseconds: 3, deliveries: 1),
                    PendingEntry(id: StreamID(5, 1), consumer: [UInt8]("c"), idleMilliseconds: 1, deliveries: 1),
                ]))
        #expect(
            again.answer(StreamAppend.to("orders", .explicit(StreamID(5, 1)), ("c", "3")))
                == .failed(.idTooLow))
        again.close()
    }

    @Test("A look sees each time what was answered before it, and says when the log is closed")
    func looks() throws {
        let log = try open()
        let range = StreamCommand.range(StreamRange(key: [UInt8]("s"), lower: .zero, upper: .max))
        #expect(log.look(range) == .replies([.entries([])]))
        var entries: [StreamEntry] = []
        for number in 1...20 as ClosedRange<UInt64> {
            _ = log.answer(StreamAppend.to("s", .explicit(StreamID(number, 0)), ("n", "\(number)")))
            entries.append(StreamEntry(id: StreamID(number, 0), fields: fields(("n", "\(number)"))))
            #expect(log.look(range) == .replies([.entries(entries)]))
        }
        log.close()
        #expect(log.look(range) == .unavailable(.closed))
    }

    @Test("Of two logs in one directory the second is refused, and names who has it")
    func secondOpen() throws {
        let log = try open()
        #expect(throws: LogError.alreadyOpen(path: directory.path, processID: getpid())) { try open() }
        log.close()
    }

    @Test("A file that is no event log is refused, and stays as it was")
    func foreignFile() throws {
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        let file = directory.path + "/events.sqlite"
        let content = Data(String(repeating: "not a database at all. ", count: 100).utf8)
        try content.write(to: URL(fileURLWithPath: file))
        #expect {
            try open()
        } throws: {
            guard case LogError.corrupt(file, _) = $0 else { return false }
            return true
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == content)
    }

    @Test("A log of a later version is refused with both versions")
    func laterVersion() throws {
        try open().close()
        let connection = try SQLiteConnection(path: directory.path + "/events.sqlite", .readWrite)
        try connection.execute("PRAGMA user_version = 99")
        #expect(throws: LogError.newerSchema(found: 99, supported: LogSchema.version)) { try open() }
    }

    @Test("A unit whose condition does not hold does nothing")
    func condition() throws {
        let log = try open()
        _ = log.answer(StreamAppend.to("s", .automatic, ("a", "1")))
        guard case .revision(let revision) = log.answer(.keys(.revision(key: [UInt8]("s")))) else {
            Issue.record("no revision")
            return
        }
        let unit = StreamUnit(
            [StreamAppend.to("s", .automatic, ("b", "2"))], nowUnixMilliseconds: 2_000,
            requiredRevisions: [([UInt8]("s"), revision)])
        #expect(log.answer(unit) == .replies([.appended(StreamID(2_000, 0), isDuplicate: false)]))
        #expect(log.answer(unit) == .conditionFailed)
        #expect(log.answer(.length(key: [UInt8]("s"))) == .count(2))
        log.close()
    }
}
