import Testing

@testable import EventLog

@Suite("Event sourcing")
struct EntityTests {
    let scratch: ScratchLog
    let cart = DurableLog.EntityName(stream: [UInt8]("carts"), entity: [UInt8]("cart-7"))

    init() throws {
        scratch = try ScratchLog()
    }

    func append(_ texts: [String], _ expected: ExpectedVersion, at now: Int64) throws -> EntityOutcome {
        try scratch.wait { answer in
            scratch.log.append(
                texts.map { fields(("did", $0)) }, to: cart, expecting: expected, now: now, answer: answer)
        }
    }

    func read(from version: Int64 = 1) throws -> [String] {
        try scratch.wait { scratch.log.events(of: cart, from: version, limit: 10, answer: $0) }.map { event in
            "\(event.version) " + String(decoding: event.event.fields.pairs[0].value, as: UTF8.self)
        }
    }

    @Test("An append goes by the version that was expected; a conflict names both and changes nothing")
    func expectedVersions() throws {
        #expect(try append(["x"], .exists, at: 1) == .conflict(expected: .exists, actual: 0))
        #expect(scratch.log.answer(.keys(.exists(keys: [cart.stream]))) == .count(0))
        #expect(
            try append(["open", "add"], .none, at: 5)
                == .appended(version: 2, ids: [StreamID(5, 0), StreamID(5, 1)]))
        #expect(try append(["open"], .none, at: 6) == .conflict(expected: .none, actual: 2))
        #expect(try append(["pay"], .exactly(1), at: 6) == .conflict(expected: .exactly(1), actual: 2))
        #expect(try append(["pay"], .exactly(2), at: 7) == .appended(version: 3, ids: [StreamID(7, 0)]))
        #expect(try append(["close"], .any, at: 8) == .appended(version: 4, ids: [StreamID(8, 0)]))
        #expect(scratch.log.answer(.length(key: cart.stream)) == .count(4))
    }

    @Test("An entity's events are read alone, among those of others, from any version")
    func reading() throws {
        _ = try append(["open"], .any, at: 1)
        _ = scratch.log.answer(StreamAppend.to("carts", .automatic, ("did", "other")), at: 2)
        _ = try append(["add", "pay"], .any, at: 3)
        #expect(try read() == ["1 open", "2 add", "3 pay"])
        #expect(try read(from: 3) == ["3 pay"])
        _ = scratch.log.answer(.delete(key: cart.stream, ids: [StreamID(3, 0)]))
        #expect(try read() == ["1 open", "3 pay"])
        #expect(try append(["again"], .exactly(3), at: 9) == .appended(version: 4, ids: [StreamID(9, 0)]))
    }

    @Test("A snapshot is replaced by a newer one only, and cannot be ahead of the events")
    func snapshots() throws {
        _ = try append(["open", "add", "pay"], .any, at: 1)
        func keep(_ version: Int64, _ state: String) throws -> Bool {
            try scratch.wait { answer in
                scratch.log.keep(
                    EntitySnapshot(version: version, state: [UInt8](state)), of: cart, now: 2, answer: answer)
            }
        }
        func kept() throws -> EntitySnapshot? { try scratch.wait { scratch.log.snapshot(of: cart, answer: $0) } }
        #expect(try kept() == nil)
        #expect(try keep(4, "future") == false)
        #expect(try keep(2, "two"))
        #expect(try keep(1, "one") == false)
        #expect(try kept() == EntitySnapshot(version: 2, state: [UInt8]("two")))
        #expect(try read(from: 3) == ["3 pay"])
        _ = scratch.log.answer(.keys(.delete(keys: [cart.stream])))
        #expect(try kept() == nil)
        #expect(try append(["open"], .none, at: 10) == .appended(version: 1, ids: [StreamID(10, 0)]))
        #expect(try kept() == nil)
    }
}
