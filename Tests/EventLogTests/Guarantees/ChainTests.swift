import Testing

@testable import EventLog

@Suite("The chain of hashes")
struct ChainTests {
    let scratch: ScratchLog
    let key = [UInt8]("s")

    init() throws {
        scratch = try ScratchLog()
        for now in 1...10 as ClosedRange<UInt64> {
            _ = scratch.log.answer(StreamAppend.to("s", .automatic, ("n", "\(now)")), at: now)
        }
    }

    func verify() throws -> ChainReport {
        try #require(try DurableLog.verify(directory: scratch.directory.path).first)
    }

    /// Where the first break is and what kind it is of.
    func brokenPlace() throws -> ChainBreak? {
        try verify().firstBreak.map { ChainBreak(offset: $0.offset, id: $0.id, kind: $0.kind) }
    }

    @Test("Deleting in the middle and trimming the front leave a chain that can be followed")
    func deletions() throws {
        #expect(try verify() == ChainReport(stream: key, events: 10, removed: 0))
        _ = scratch.log.answer(.delete(key: key, ids: [StreamID(4, 0), StreamID(5, 0), StreamID(10, 0)]))
        #expect(try verify() == ChainReport(stream: key, events: 7, removed: 3))
        _ = scratch.log.answer(.trim(key: key, StreamTrim(.length(4)), references: .keep))
        // Offsets 1 to 3 were trimmed; 4 and 5 now lie before the first event, and their digests are needed no more.
        #expect(try verify() == ChainReport(stream: key, events: 4, removed: 1))
        _ = scratch.log.answer(StreamAppend.to("s", .automatic, ("n", "11")), at: 11)
        #expect(try verify().isWhole)
    }

    @Test("A changed field is found at its event")
    func changedFields() throws {
        try scratch.tamper("UPDATE event SET fields = x'016E0199' WHERE row & 0xff = 6")
        #expect(try brokenPlace() == ChainBreak(offset: 6, id: StreamID(6, 0), kind: .changed))
    }

    @Test("A break says which hash stands there and which one the bytes give")
    func hashes() throws {
        try scratch.tamper("UPDATE event SET hash = zeroblob(32) WHERE row & 0xff = 10")
        let found = try #require(try verify().firstBreak)
        #expect(found.expected == [UInt8](repeating: 0, count: 32))
        #expect(found.found.map { $0.count == 32 && $0 != found.expected } == true)
        #expect(found.description.contains("offset 10 (10-0)") && found.description.contains("expected the hash 0000"))
    }

    @Test("Damaged pages are a break behind the last event that can be read, and not the end of the walk")
    func damagedPages() throws {
        _ = scratch.log.answer(StreamAppend.to("t", .automatic, ("n", "1")), at: 11)
        for now in 12...200 as ClosedRange<UInt64> {
            _ = scratch.log.answer(
                StreamAppend.to("s", .automatic, ("n", String(repeating: "x", count: 200))), at: now)
        }
        scratch.log.close()
        try scratch.damagePage(with: "row & 0xff = 100 AND row >> 40 = 1")
        let reports = try DurableLog.verify(directory: scratch.directory.path)
        #expect(reports.map { String(decoding: $0.stream, as: UTF8.self) } == ["s", "t"])
        let found = try #require(reports[0].firstBreak)
        #expect(found.kind == .unreadable && (11...100).contains(found.offset))
        #expect(reports[1].isWhole)
        #expect(try DurableLog.structureFaults(directory: scratch.directory.path).isEmpty == false)
    }

    @Test("A changed time is found at its event")
    func changedTime() throws {
        try scratch.tamper("UPDATE event SET appended_ms = 77 WHERE row & 0xff = 3")
        #expect(try brokenPlace() == ChainBreak(offset: 3, id: StreamID(3, 0), kind: .changed))
    }

    @Test("An event that was taken out behind the log's back is found, in the middle, at the end and at the front")
    func missing() throws {
        try scratch.tamper("DELETE FROM event WHERE row & 0xff = 10")
        #expect(try brokenPlace() == ChainBreak(offset: 10, id: nil, kind: .missing))
        try scratch.tamper("DELETE FROM event WHERE row & 0xff = 7")
        #expect(try brokenPlace() == ChainBreak(offset: 7, id: nil, kind: .missing))
        try scratch.tamper("DELETE FROM event WHERE row & 0xff = 1")
        #expect(try brokenPlace() == ChainBreak(offset: 1, id: nil, kind: .missing))
    }

    @Test("A forged event with a hash of its own breaks the link that follows")
    func forged() throws {
        let previous = ChainHash.beginning(name: key, createdMilliseconds: 1)
        let forged = fields(("n", "evil"))
        let digest = ChainHash.digest(offset: 1, id: StreamID(1, 0), appendedMilliseconds: 1, fields: forged.encoded)
        let hash = ChainHash.link(previous: previous, digest: digest)
        func hex(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        try scratch.tamper(
            "UPDATE event SET fields = x'\(hex(forged.encoded))', hash = x'\(hex(hash))' WHERE row & 0xff = 1")
        #expect(try brokenPlace() == ChainBreak(offset: 2, id: StreamID(2, 0), kind: .changed))
    }

    @Test("A forged digest of a deleted event breaks the link that follows")
    func forgedDigest() throws {
        _ = scratch.log.answer(.delete(key: key, ids: [StreamID(4, 0)]))
        try scratch.tamper("UPDATE removed SET digest = zeroblob(32)")
        #expect(try brokenPlace() == ChainBreak(offset: 5, id: StreamID(5, 0), kind: .changed))
    }
}
