import Database
import Testing
import Wire

@testable import EventLog

@Suite("Projections")
struct ProjectionTests {
    let log: MemoryLog
    static let totals =
        #"{"stream":"orders","key":{"field":"who"},"delete":{"exact":{"type":"gone"}},"#
        + #""columns":{"n":{"fold":"count"},"sum":{"fold":"sum","of":{"field":"amount"}}}}"#

    init() throws {
        log = try MemoryLog()
    }

    private func define(_ text: String = Self.totals, _ name: String = "totals") throws -> ProjectionDefinitionOutcome {
        let definition = try ProjectionDefinition(parsing: Array(text.utf8))
        return try log.commit { try $0.define(projection: name, definition, now: 5) }
    }

    private func order(_ who: String, _ amount: String, to stream: String = "orders") throws {
        try log.perform(StreamAppend.to(stream, .automatic, ("who", who), ("amount", amount)), at: 10)
    }

    /// Folds until nothing is left, a piece per transaction; how many pieces.
    @discardableResult
    private func fold() throws -> Int {
        var pieces = 0
        while log.session.mayFold {
            try log.commit { try $0.foldProjections() }
            pieces += 1
        }
        return pieces
    }

    /// `key: n sum @offset` for each row.
    private func table(_ name: String = "totals") throws -> [String]? {
        try log.session.rows(ofProjection: name, after: nil, limit: 100)?.map { row in
            row.key + ": " + row.values.map { String(decoding: $0.encoded, as: UTF8.self) }.joined(separator: " ")
                + " @\(row.offset)"
        }
    }

    private func status(_ name: String = "totals") throws -> ProjectionStatus? {
        try log.session.projectionStatuses().first { $0.name == name }
    }

    @Test("events before and after the definition are folded, each once")
    func folding() throws {
        try order("ann", "5")
        #expect(try define() == .created)
        try order("bob", "2")
        try order("ann", "3")
        try fold()
        #expect(try table() == ["ann: 2 8 @3", "bob: 1 2 @2"])
        try order("bob", "x")
        try order("dan", "1", to: "other")
        #expect(try status()?.lag == 1)
        try fold()
        try fold()
        #expect(try table() == ["ann: 2 8 @3", "bob: 2 2 @4"])
        let counts = try status()?.counts
        #expect(counts == ProjectionCounts(folded: 4, unusableValues: 1, rows: 2))
        #expect(try log.session.row(ofProjection: "totals", key: "bob")??.values == [2, 2])
        #expect(try log.session.row(ofProjection: "totals", key: "eve") == .some(nil))
        #expect(try log.session.row(ofProjection: "none", key: "bob") == .none)
    }

    @Test("a row goes when an event says so, and may come again")
    func deleting() throws {
        _ = try define()
        try order("ann", "5")
        try log.perform(StreamAppend.to("orders", .automatic, ("who", "ann"), ("ce_type", "gone")), at: 10)
        try log.perform(StreamAppend.to("orders", .automatic, ("who", "nobody"), ("ce_type", "gone")), at: 10)
        try fold()
        #expect(try table() == [] && status()?.counts.rows == 0)
        try order("ann", "1")
        try fold()
        #expect(try table() == ["ann: 1 1 @4"] && status()?.counts.rows == 1)
    }

    @Test("what was not committed is folded again, what was is not")
    func rollback() throws {
        _ = try define()
        try order("ann", "5")
        try fold()
        // The process dies in the middle of a transaction that appends and folds.
        try log.session.statement(.begin).run()
        try log.session.insert(
            fields(("who", "ann"), ("amount", "7")), id: StreamID(11, 0),
            into: log.session.stream([UInt8]("orders"), now: 11)!, now: 11)
        try log.session.foldProjections()
        try log.session.flush()
        try log.session.statement(.rollback).run()
        log.session.forget()
        try log.session.load()
        #expect(try table() == ["ann: 1 5 @1"])
        try order("ann", "2")
        try fold()
        #expect(try table() == ["ann: 2 7 @2"])
    }

    @Test("a rebuild begins from zero and comes to the same; another definition does too")
    func rebuilding() throws {
        _ = try define()
        for number in 1...5 { try order("ann", String(number)) }
        try fold()
        #expect(try define() == .unchanged)
        #expect(try log.commit { try $0.rebuild(projection: "totals", now: 77) })
        #expect(try table() == [] && status()?.lag == 5)
        try fold()
        #expect(try table() == ["ann: 5 15 @5"] && status()?.rebuiltAtUnixMilliseconds == 77)
        #expect(try define(Self.totals.replacing("amount", with: "none")) == .replaced)
        try fold()
        #expect(try table() == ["ann: 5 0 @5"])
        while try log.commit({ try $0.purgeProjections() }) {}
        #expect(try log.session.connection.integer("SELECT count(*) FROM projection_row") == 1)
        #expect(try log.session.connection.integer("SELECT count(*) FROM projection_generation") == 1)
    }

    @Test("large streams are folded a piece at a time, shared fairly")
    func pieces() throws {
        try log.commit { session in
            let stream = try #require(try session.createStream([UInt8]("orders"), now: 1))
            for number in 1...3_000 {
                try session.insert(
                    fields(("who", "w\(number % 7)"), ("amount", "1")), id: StreamID(UInt64(number), 0), into: stream,
                    now: 1)
            }
        }
        _ = try define()
        _ = try define(Self.totals, "twin")
        try log.commit { try $0.foldProjections() }
        #expect(try status()?.position == 512 && status("twin")?.position == 512)
        #expect(try fold() == 5)
        #expect(try table()?.count == 7 && table() == table("twin"))
        #expect(try status()?.counts.folded == 3_000)
    }

    @Test("replayed events are not folded again")
    func replays() throws {
        _ = try define()
        try order("ann", "5")
        _ = try log.commit { session in
            try session.replay(EventRange(stream: [UInt8]("orders")), to: [UInt8]("orders"), limit: 10, now: 20)
        }
        try fold()
        #expect(try table() == ["ann: 1 5 @1"] && status()?.counts.skipped == 1)
    }

    @Test("deleted events are passed by, trimmed ones are counted as missed, a deleted stream begins anew")
    func removal() throws {
        for number in 1...6 { try order("ann", String(number)) }
        let ids = try log.ids("orders")
        #expect(ids.count == 6)
        try log.perform(
            .trim(key: [UInt8]("orders"), StreamTrim(.length(4)), references: .keep), at: 11)
        _ = try define()
        try log.perform(.delete(key: [UInt8]("orders"), ids: [StreamID(10, 5)]), at: 11)
        try fold()
        #expect(try table() == ["ann: 3 12 @5"])
        #expect(try status()?.counts.missed == 2 && status()?.lag == 0)
        try log.perform(.keys(.delete(keys: [[UInt8]("orders")])), at: 12)
        try order("bob", "1")
        try fold()
        #expect(try table() == ["bob: 1 1 @1"])
    }

    @Test("taking the log back takes the table back")
    func goingBack() throws {
        try log.perform(StreamAppend.to("orders", .automatic, ("who", "ann"), ("amount", "1")), at: 10)
        try log.perform(StreamAppend.to("orders", .automatic, ("who", "ann"), ("amount", "2")), at: 20)
        _ = try define()
        try fold()
        #expect(try table() == ["ann: 2 3 @2"])
        try log.session.goBack(to: 15)
        try fold()
        #expect(try table() == ["ann: 1 1 @1"])
    }

    @Test("a full table takes no further keys and says so")
    func fullTable() throws {
        let definition = try ProjectionDefinition(parsing: Array(Self.totals.utf8))
        var page = ProjectionPage(
            ProjectionState(
                name: "t", definition: definition, generation: 1, createdMilliseconds: 0, rebuiltMilliseconds: 0),
            rowsMax: 2)
        for (offset, who) in ["a", "b", "c", "a"].enumerated() {
            let event = EventRow(
                row: 0, id: .zero, appendedMilliseconds: 1, flags: 0, fields: fields(("who", who), ("amount", "1")),
                hash: [])
            try page.take(event, offset: Int64(offset) + 1) { _ throws(SQLiteError) in nil }
        }
        #expect(page.state.counts == ProjectionCounts(folded: 3, unusable: 1, rows: 2))
        #expect(page.rows["a"]??.values == [2, 2] && page.rows["c"] == .some(nil))
    }

    @Test("a projection that is removed leaves nothing")
    func removing() throws {
        _ = try define()
        try order("ann", "5")
        try fold()
        #expect(try log.commit { try $0.remove(projection: "totals") })
        #expect(try !log.commit { try $0.remove(projection: "totals") })
        while try log.commit({ try $0.purgeProjections() }) {}
        #expect(try table() == nil)
        #expect(try log.session.connection.integer("SELECT count(*) FROM projection_row") == 0)
    }

    @Test("retention waits for projections")
    func retention() throws {
        for number in 1...6 { try order("ann", String(number)) }
        _ = try define()
        let settings = StreamSettings(retentionLengthMax: 2)
        _ = try log.commit { try $0.configure(settings, key: [UInt8]("orders"), now: 11) }
        _ = try log.commit { try $0.retain(now: 12) }
        #expect(try log.ids("orders").count == 6)
        try fold()
        _ = try log.commit { try $0.retain(now: 13) }
        #expect(try log.ids("orders").count == 2)
        #expect(try table() == ["ann: 6 21 @6"])
    }
}

@Suite("Projections of an open log")
struct OpenProjectionTests {
    /// Asks until the projection has caught up, and gives its rows.
    private func rows(_ scratch: ScratchLog, _ log: DurableLog) throws -> [ProjectionRow] {
        for _ in 0..<100_000 {
            let status = try scratch.wait { log.projections(answer: $0) }
            if status.first?.lag == 0 { break }
        }
        return try scratch.wait { log.rows(ofProjection: "totals", limit: 10, answer: $0) } ?? []
    }

    @Test("the writer folds by itself, and goes on where it was after the log was closed")
    func reopening() throws {
        let scratch = try ScratchLog()
        let definition = try ProjectionDefinition(parsing: Array(ProjectionTests.totals.utf8))
        let log = scratch.log
        #expect(try scratch.wait { log.define(projection: "totals", definition, now: 1, answer: $0) } == .created)
        for number in 1...20 {
            _ = log.answer(StreamAppend.to("orders", .automatic, ("who", "ann"), ("amount", String(number))))
        }
        #expect(try rows(scratch, log).map(\.values) == [[20, 210]])
        log.close()
        let again = try DurableLog(directory: scratch.directory.path, clock: { 0 })
        _ = again.answer(StreamAppend.to("orders", .automatic, ("who", "ann"), ("amount", "1")))
        #expect(try rows(scratch, again).map(\.values) == [[21, 211]])
        again.close()
    }

    @Test("a log of the version before gets the tables when it is opened")
    func stepping() throws {
        let scratch = try ScratchLog()
        _ = scratch.log.answer(StreamAppend.to("orders", .automatic, ("who", "ann"), ("amount", "1")))
        scratch.log.close()
        try scratch.tamper(
            "DROP TABLE projection; DROP TABLE projection_row; DROP TABLE projection_generation; PRAGMA user_version = 1"
        )
        let log = try DurableLog(directory: scratch.directory.path, clock: { 0 })
        let definition = try ProjectionDefinition(parsing: Array(ProjectionTests.totals.utf8))
        #expect(try scratch.wait { log.define(projection: "totals", definition, now: 1, answer: $0) } == .created)
        #expect(try rows(scratch, log).map(\.values) == [[1, 1]])
        log.close()
    }
}
