import Database
import Foundation
import Synchronization
import Testing

@testable import EventLog

@Suite("When the disk or the queue is full")
struct FailureTests {
    let scratch: ScratchLog
    let key = [UInt8]("s")

    init() throws {
        scratch = try ScratchLog()
    }

    func append(_ bytes: Int, at now: UInt64) -> StreamReply {
        scratch.log.answer(StreamAppend.to("s", .automatic, ("data", String(repeating: "x", count: bytes))), at: now)
    }

    @Test("With a full disk an append is refused whole, reading goes on, and with room writing does too")
    func diskFull() throws {
        #expect(append(10, at: 1) == .appended(StreamID(1, 0), isDuplicate: false))
        // The file may not grow: for SQLite the same as a file system without room.
        try scratch.wait { answer in
            scratch.log.write(answer) { session throws(SQLiteError) in
                _ = try session.connection.integer("PRAGMA max_page_count = 1")
            }
        }
        #expect(
            append(100_000, at: 2) == .failed(.unavailable(reason: LogError.diskFull.description)))
        #expect(scratch.log.answer(.length(key: key)) == .count(1))
        let range = EventRange(stream: key)
        #expect(try scratch.wait { scratch.log.events(in: range, limit: 10, answer: $0) }.map(\.offset) == [1])
        try scratch.wait { answer in
            scratch.log.write(answer) { session throws(SQLiteError) in
                _ = try session.connection.integer("PRAGMA max_page_count = 1000000")
            }
        }
        #expect(append(100_000, at: 3) == .appended(StreamID(3, 0), isDuplicate: false))
        #expect(try DurableLog.verify(directory: scratch.directory.path).map(\.events) == [2])
    }

    @Test("A unit that stops at a refusal moves an event only where it arrives")
    func stopping() throws {
        let log = try MemoryLog()
        func move(to id: StreamID) throws -> StreamOutcome {
            try log.commit { session in
                try session.perform(
                    StreamUnit(
                        [StreamAppend.to("t", .explicit(id), ("n", "1")), .delete(key: key, ids: [StreamID(1, 0)])],
                        nowUnixMilliseconds: 9, stopsAtRefusal: true))
            }
        }
        try log.perform(StreamAppend.to("s", .explicit(StreamID(1, 0)), ("n", "1")), at: 1)
        try log.perform(StreamAppend.to("t", .explicit(StreamID(5, 0)), ("n", "0")), at: 1)
        guard case .replies(let replies) = try move(to: StreamID(4, 0)), case .failed = replies[0] else {
            Issue.record("an id below the last was taken")
            return
        }
        #expect(replies.count == 1)
        #expect(try log.ids("s") == [1])
        #expect(
            try move(to: StreamID(6, 0)) == .replies([.appended(StreamID(6, 0), isDuplicate: false), .count(1)]))
        #expect(try log.ids("s") == [])
    }

    @Test("What cannot be read again after a failure keeps the writer from writing until it can")
    func staleState() throws {
        let definition = try ProjectionDefinition(
            parsing: Array(#"{"stream":"other","key":{"field":"k"},"columns":{"n":{"fold":"count"}}}"#.utf8))
        _ = try scratch.wait { scratch.log.define(projection: "p", definition, now: 1, answer: $0) }
        try scratch.tamper("ALTER TABLE projection RENAME TO elsewhere")
        let failure = SQLiteError.damaged("on purpose")
        #expect(throws: LogError.self) {
            try scratch.wait { (answer: @escaping DurableLog.Answer<Void>) in
                scratch.log.write(answer) { _ throws(SQLiteError) in throw failure }
            }
        }
        guard case .failed(.unavailable) = append(1, at: 2) else {
            Issue.record("written although the state could not be read")
            return
        }
        try scratch.tamper("ALTER TABLE elsewhere RENAME TO projection")
        #expect(append(1, at: 3) == .appended(StreamID(3, 0), isDuplicate: false))
    }

    @Test("More than may wait is refused as saturated, in its turn, and what was taken is answered")
    func saturation() throws {
        let directory = ScratchDirectory()
        let log = try DurableLog(directory: directory.path, limits: DurableLogLimits(waitingMax: 2), clock: { 0 })
        let gate = DispatchSemaphore(value: 0)
        let started = DispatchSemaphore(value: 0)
        log.write({ _ in }) { _ throws(SQLiteError) in
            started.signal()
            gate.wait()
        }
        started.wait()
        let outcomes = Mutex<[String]>([])
        let done = DispatchSemaphore(value: 0)
        for number in 1...4 {
            log.submit(
                StreamUnit([StreamAppend.to("s", .automatic, ("n", "\(number)"))], nowUnixMilliseconds: 1), lane: 1
            ) { outcome in
                let text = if case .unavailable(let error) = outcome { error.description } else { "appended" }
                outcomes.withLock { $0.append("\(number) \(text)") }
                done.signal()
            }
        }
        gate.signal()
        for _ in 1...4 { done.wait() }
        let full = LogError.saturated(waiting: 2, limit: 2).description
        let later = LogError.saturated(waiting: 3, limit: 2).description
        #expect(outcomes.withLock { $0 } == ["1 appended", "2 appended", "3 \(full)", "4 \(later)"])
        log.close()
    }

    @Test("A closed log says so")
    func closed() throws {
        scratch.log.close()
        #expect(append(1, at: 1) == .failed(.unavailable(reason: LogError.closed.description)))
        #expect(throws: LogError.closed) {
            try scratch.wait { scratch.log.events(in: EventRange(stream: key), limit: 1, answer: $0) }
        }
    }

    @Test("A directory that cannot be written to is refused at the door")
    func readOnly() throws {
        let file = ScratchDirectory()
        try Data().write(to: URL(fileURLWithPath: file.path))
        #expect {
            try DurableLog(directory: file.path + "/below", clock: { 0 })
        } throws: {
            guard case LogError.directoryUnusable = $0 else { return false }
            return true
        }
    }
}
