import Foundation
import Testing

@testable import EventLog

@Suite("Backup and restore")
struct BackupTests {
    let scratch: ScratchLog
    let target = ScratchDirectory()
    let key = [UInt8]("s")
    let group = [UInt8]("g")

    init() throws {
        scratch = try ScratchLog()
        _ = scratch.log.answer(
            .createGroup(StreamGroupCreation(key: key, group: group, start: .last, createsStream: true)), at: 1)
        for now in 1...10 as ClosedRange<UInt64> {
            _ = scratch.log.answer(StreamAppend.to("s", .automatic, ("n", "\(now)")), at: now * 10)
        }
    }

    func read(_ count: Int, at now: UInt64) {
        _ = scratch.log.answer(
            .readGroup(
                StreamGroupRead(group: group, consumer: [UInt8]("c"), streams: [(key, .undelivered)], count: count)),
            at: now)
    }

    @Test("A copy of an open log is a log: the same events, groups and chain; what comes later is not in it")
    func backup() throws {
        read(3, at: 50)
        var last: CopyProgress?
        let isWhole = try DurableLog.backup(directory: scratch.directory.path, to: target.path) {
            last = $0
            return true
        }
        #expect(isWhole)
        #expect(last.map { $0.pagesCopied == $0.pages } == true)
        _ = scratch.log.answer(StreamAppend.to("s", .automatic, ("n", "later")), at: 200)
        #expect(
            try DurableLog.verify(directory: target.path) == [ChainReport(stream: key, events: 10, removed: 0)])
        let copy = try DurableLog(directory: target.path, clock: { 0 })
        #expect(copy.answer(.length(key: key)) == .count(10))
        guard case .pendingSummary(let summary) = copy.answer(.pendingSummary(key: key, group: group)) else {
            Issue.record("no summary")
            return
        }
        #expect(summary.count == 3)
        copy.close()
    }

    @Test("A copy that is stopped leaves nothing, and a directory with a log is not written over")
    func refusals() throws {
        // Large enough that one piece is not all of it.
        _ = scratch.log.answer(
            StreamAppend.to("s", .automatic, ("data", String(repeating: "x", count: 8 << 20))), at: 200)
        #expect(try DurableLog.backup(directory: scratch.directory.path, to: target.path) { _ in false } == false)
        #expect(FileManager.default.fileExists(atPath: target.path + "/events.sqlite") == false)
        #expect(throws: LogError.alreadyOpen(path: scratch.directory.path, processID: getpid())) {
            try DurableLog.backup(directory: scratch.directory.path, to: scratch.directory.path)
        }
        let other = ScratchDirectory()
        #expect(try DurableLog.backup(directory: scratch.directory.path, to: other.path))
        #expect(throws: LogError.directoryUnusable(path: other.path, reason: "it holds an event log already")) {
            try DurableLog.backup(directory: scratch.directory.path, to: other.path)
        }
    }

    @Test("Restored to a moment, a log has the events up to it, groups that have read no further, and a whole chain")
    func pointInTime() throws {
        read(8, at: 101)
        _ = scratch.log.answer(.delete(key: key, ids: [StreamID(40, 0)]), at: 102)
        _ = scratch.log.answer(StreamAppend.to("young", .automatic, ("n", "1")), at: 103)
        let backup = ScratchDirectory()
        #expect(try DurableLog.backup(directory: scratch.directory.path, to: backup.path))
        let reports = try DurableLog.restore(backup: backup.path, to: target.path, atUnixMilliseconds: 65)
        #expect(reports == [ChainReport(stream: key, events: 5, removed: 1)])
        let restored = try DurableLog(directory: target.path, clock: { 0 })
        #expect(restored.answer(.length(key: key)) == .count(5))
        guard case .groups(let groups) = restored.answer(.groupsInfo(key: key)) else {
            Issue.record("no groups")
            return
        }
        #expect(groups.map(\.lastDelivered) == [StreamID(60, 0)])
        #expect(groups.map(\.pending) == [6])
        #expect(
            restored.answer(StreamAppend.to("s", .automatic, ("n", "again")), at: 66)
                == .appended(StreamID(66, 0), isDuplicate: false))
        restored.close()
        #expect(try DurableLog.verify(directory: target.path).allSatisfy(\.isWhole))
    }

    @Test("A backup with a broken chain is not restored, unless that is asked for")
    func brokenBackup() throws {
        let backup = ScratchDirectory()
        try scratch.tamper("UPDATE event SET appended_ms = 77 WHERE row & 0xff = 3")
        #expect(try DurableLog.backup(directory: scratch.directory.path, to: backup.path))
        #expect(throws: LogError.self) { try DurableLog.restore(backup: backup.path, to: target.path) }
        #expect(FileManager.default.fileExists(atPath: target.path + "/events.sqlite") == false)
        let reports = try DurableLog.restore(backup: backup.path, to: target.path, acceptsBreaks: true)
        #expect(reports?.map(\.isWhole) == [false])
        #expect(throws: LogError.self) { try DurableLog.restore(backup: scratch.directory.path, to: target.path) }
    }

    @Test("What is no log is told before anything is made")
    func noLog() throws {
        #expect(throws: LogError.self) { try DurableLog.backup(directory: target.path, to: target.path + "/copy") }
        #expect(FileManager.default.fileExists(atPath: target.path + "/copy") == false)
    }
}
