import Database
import Foundation
import Testing

@testable import EventLog

@Suite("Frames of a write-ahead log")
struct WriteAheadLogTests {
    let directory = ScratchDirectory()
    let bytes: [UInt8]
    let frameBytes: Int

    /// A database of two transactions, as SQLite writes it.
    init() throws {
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        let connection = try SQLiteConnection(path: directory.path + "/a", .readWrite)
        try connection.execute("PRAGMA page_size = 512; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0")
        try connection.execute("CREATE TABLE t (x)")
        try connection.execute("INSERT INTO t VALUES (zeroblob(2000))")
        bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: directory.path + "/a-wal")))
        frameBytes = 512 + 24
    }

    func log() throws -> WriteAheadLog { try #require(WriteAheadLog(header: Array(bytes[..<32]))) }

    func take(_ log: inout WriteAheadLog, _ bytes: ArraySlice<UInt8>) -> Int {
        bytes.withUnsafeBytes { log.take($0) }
    }

    @Test("All frames are taken, and those of the second transaction count when its last one is there")
    func whole() throws {
        var all = try log()
        #expect(take(&all, bytes[32...]) == bytes.count - 32)
        #expect(all.committedFrames == (bytes.count - 32) / frameBytes)
        var first = try log()
        let second = bytes.count - frameBytes
        #expect(take(&first, bytes[32..<second]) == second - 32)
        #expect(first.committed.offset < first.place.offset)
        first.rewind()
        let place = first.place.offset
        #expect(take(&first, bytes[place...]) == bytes.count - place)
        #expect(first.committed == all.committed)
    }

    @Test("Cut at any byte, whole frames are taken and the rest is left for the next time")
    func splits() throws {
        for split in 32...bytes.count {
            var log = try log()
            let taken = take(&log, bytes[32..<split])
            #expect(taken == (split - 32) / frameBytes * frameBytes)
            _ = take(&log, bytes[(32 + taken)...])
            #expect(log.place.offset == bytes.count)
        }
    }

    @Test("A changed byte ends the log before its frame, wherever it is")
    func changes() throws {
        for offset in 32..<bytes.count {
            var changed = bytes
            changed[offset] ^= 0x10
            var log = try log()
            #expect(take(&log, changed[32...]) == (offset - 32) / frameBytes * frameBytes)
        }
        for offset in 0..<32 {
            var changed = Array(bytes[..<32])
            changed[offset] ^= 0x10
            #expect(WriteAheadLog(header: changed) == nil)
        }
        #expect(WriteAheadLog(header: []) == nil)
        #expect(WriteAheadLog(header: Array(bytes[..<31])) == nil)
    }
}
