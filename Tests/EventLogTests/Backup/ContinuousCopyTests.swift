import Database
import Foundation
import Testing

@testable import EventLog

@Suite("The continuous copy")
struct ContinuousCopyTests {
    let scratch: ScratchLog
    let target = ScratchDirectory()
    let key = [UInt8]("s")

    init() throws {
        scratch = try ScratchLog()
    }

    func append(_ numbers: ClosedRange<UInt64>, bytes: Int = 100) {
        for now in numbers {
            _ = scratch.log.answer(
                StreamAppend.to("s", .automatic, ("n", String(repeating: "x", count: bytes))), at: now)
        }
    }

    /// The events that the copy has now, with its chain walked along.
    func copied() throws -> Int64 {
        let reports = try DurableLog.verify(directory: target.path)
        #expect(reports.map(\.isWhole) == reports.map { _ in true })
        #expect(try DurableLog.structureFaults(directory: target.path) == [])
        return reports.first?.events ?? 0
    }

    func open(longBytes: Int = 1 << 20) throws -> ContinuousCopy {
        try ContinuousCopy(of: scratch.directory.path, to: target.path, longBytes: longBytes)
    }

    @Test("First the whole log, then what is new, and nothing when nothing is")
    func follows() throws {
        append(1...50)
        let copy = try open()
        #expect(try copy.catchUp() == .whole)
        #expect(try copied() == 50)
        append(51...60)
        guard case .followed(let bytes) = try copy.catchUp() else {
            Issue.record("the log was not followed")
            return
        }
        #expect(bytes > 0)
        #expect(try copied() == 60)
        #expect(try copy.catchUp() == .followed(bytes: 0))
    }

    @Test("When the original begins its write-ahead log anew, again and again, nothing is lost in between")
    func restarts() throws {
        let copy = try open(longBytes: 60_000)
        _ = try copy.catchUp()
        var headers: Set<[UInt8]> = []
        for round in 1...40 as ClosedRange<UInt64> {
            append((round * 10)...(round * 10 + 9), bytes: 700)
            #expect(try copy.catchUp() != .heldUp)
            #expect(try copied() == Int64(round) * 10)
            let wal = try Data(contentsOf: URL(fileURLWithPath: scratch.directory.path + "/events.sqlite-wal"))
            headers.insert(Array(wal.prefix(32)))
        }
        #expect(headers.count > 3)
    }

    @Test("Another process goes on where one has ended, and copies anew where it cannot")
    func resumes() throws {
        append(1...20)
        let first = try open()
        #expect(try first.catchUp() == .whole)
        first.close()
        append(21...30)
        let second = try open()
        guard case .followed = try second.catchUp() else {
            Issue.record("the log was copied anew")
            return
        }
        #expect(try copied() == 30)
        second.close()
        // All frames go into the database, and others are written over them.
        _ = try SQLiteConnection(path: scratch.directory.path + "/events.sqlite", .readWrite)
            .query("PRAGMA wal_checkpoint(TRUNCATE)")
        append(31...40)
        let third = try open()
        #expect(try third.catchUp() == .whole)
        #expect(try copied() == 40)
    }

    @Test("Ended in the middle of frames, a copy is the log at an earlier commit")
    func halfCopied() throws {
        append(1...20)
        let copy = try open()
        _ = try copy.catchUp()
        let path = target.path + "/events.sqlite-wal"
        func size() throws -> Int {
            try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
        }
        let first = try size()
        append(21...40)
        _ = try copy.catchUp()
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        for cut in stride(from: try size(), through: first, by: -9_001) {
            try file.truncate(atOffset: UInt64(cut))
            let events = try copied()
            #expect((20...40).contains(events))
        }
        try file.close()
    }

    @Test("While somebody reads the copy it waits with its database, and goes on afterwards")
    func readers() throws {
        append(1...20)
        let copy = try open(longBytes: 1)
        _ = try copy.catchUp()
        append(21...30)
        _ = try copy.catchUp()
        do {
            let reader = try LogDatabase(directory: target.path).openReader()
            try reader.execute("BEGIN")
            #expect(try reader.integer("SELECT count(*) FROM event") == 30)
            append(31...40)
            #expect(try copy.catchUp() == .heldUp)
            #expect(try reader.integer("SELECT count(*) FROM event") == 30)
        }
        #expect(try copy.catchUp() != .heldUp)
        #expect(try copied() == 40)
    }

    @Test("A log that is no copy is not written over, and a copy that was opened as a log is one")
    func refusals() throws {
        let other = ScratchDirectory()
        #expect(try DurableLog.backup(directory: scratch.directory.path, to: other.path))
        #expect(throws: LogError.self) { try ContinuousCopy(of: scratch.directory.path, to: other.path) }
        let copy = try open()
        _ = try copy.catchUp()
        #expect(throws: LogError.self) { try open() }
        copy.close()
        try DurableLog(directory: target.path, clock: { 0 }).close()
        #expect(throws: LogError.self) { try open() }
        #expect(throws: LogError.self) { try ContinuousCopy(of: other.path + "/none", to: other.path + "/copy") }
    }
}
