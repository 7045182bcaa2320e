import NIOCore
import Pipeline
import Testing

/// Messages that were set aside: counted for the bounds, waiting again when they are redriven.
@Suite("Messages that were set aside") struct SetAsideTests {
    private let now: UInt64 = 1_700_000_002_000_000_000

    /// Two messages, of which Redis takes neither.
    private func refused() -> ForwarderTests.Bench {
        let bench = ForwarderTests.Bench(messages: 2)
        for _ in 0..<2 { bench.reply("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n") }
        _ = bench.wrote()
        return bench
    }

    private func records(_ spooling: SpoolWorld) async throws -> [SpoolRecord] {
        try await spooling.spool.page(SpoolWorld.key, .setAside, from: Self.lowest, most: 10).records
    }

    private static let lowest = StreamEntryID(milliseconds: 0, sequence: 0)

    private func amounts(_ spooling: SpoolWorld) -> [Int] {
        spooling.spool.overview().flatMap { [$0.waiting.messages, $0.setAside.amount.messages] }
    }

    @Test("they are counted by why, and room that they take is taken")
    func counted() async throws {
        let spooling = refused().spooling
        let one = try #require(spooling.spool.overview().first)
        #expect(one.waiting == SpoolAmount() && one.setAside.reasons == ["WRONGTYPE": 2])
        let bytes = try await records(spooling).reduce(0) { $0 + $1.message.byteCount }
        #expect(one.setAside.amount == SpoolAmount(messages: 2, bytes: bytes))
        spooling.spool.register(in: spooling.world.registry, clock: { 0 })
        #expect(spooling.world.metric("tacho_spool_set_aside_messages", #"listener="redis""#) == 2)

        let full = SpoolWorld(messages: 2, setAside: one.setAside)
        let session = full.world.connect()
        session.client(command("XADD", "orders", "*", "n", "1"))
        #expect(session.answered().hasSuffix("; the spool is full\r\n"))
    }

    @Test("redriven they wait behind what waits, and are tried under the ids that their clients were told")
    func redriven() async throws {
        let bench = refused()
        let spooling = bench.spooling
        spooling.open()
        let session = spooling.world.connect()
        session.client(command("XADD", "orders", "*", "n", "2"))
        spooling.store(session)
        try await spooling.spool.redrive(SpoolWorld.key, try await records(spooling), unixNanoseconds: now)
        #expect(amounts(spooling) == [3, 0])
        spooling.close()
        bench.wait(milliseconds: 1_000)
        #expect(bench.wrote() == command("XADD", "orders", SpoolWorld.id(2), "n", "2"))
        bench.reply(bulk(SpoolWorld.id(2)))
        #expect(bench.wrote() == command("XADD", "orders", SpoolWorld.id(0), "n", "0"))
        bench.reply("-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n")
        bench.reply("*0\r\n")
        bench.reply(array([bulk("last-generated-id"), bulk(SpoolWorld.id(2))]))
        _ = bench.wrote()
        bench.reply(bulk(SpoolWorld.id(3)))
        #expect(bench.wrote() == command("XADD", "orders", SpoolWorld.id(1), "n", "1"))
        bench.reply(bulk(SpoolWorld.id(1)))
        #expect(amounts(spooling) == [] && spooling.spool.overview() == [])
        #expect(spooling.world.metric("tacho_spool_forwarded_total", #"outcome="new_id""#) == 1)
    }

    @Test("while they are on their way to the disk, what is published queues behind them")
    func queueing() async throws {
        let spooling = refused().spooling
        #expect(spooling.world.connect().client(command("XADD", "orders", "*", "n", "4")) != "")
        try await spooling.spool.redrive(SpoolWorld.key, try await records(spooling), unixNanoseconds: now)
        let session = spooling.world.connect()
        #expect(session.client(command("XADD", "orders", "*", "n", "5")) == "")
        spooling.store(session)
        #expect(spooling.store.messages(SpoolWorld.key).count == 3)
    }

    @Test("a disk that is not able to leaves everything as it was")
    func failure() async throws {
        let spooling = refused().spooling
        let before = try await records(spooling)
        spooling.store.fail("the disk is full")
        await #expect(throws: SpoolFailure(reason: "the disk is full")) {
            try await spooling.spool.redrive(SpoolWorld.key, before, unixNanoseconds: now)
        }
        #expect(amounts(spooling) == [0, 2])
        #expect(try await records(spooling) == before)
        #expect(spooling.world.connect().client(command("XADD", "orders", "*", "n", "4")) != "", "nothing waits")
    }

    @Test("purged they are gone, and their room is free")
    func purged() async throws {
        let spooling = refused().spooling
        try await spooling.spool.purge(SpoolWorld.key, Array(try await records(spooling).prefix(1)))
        #expect(amounts(spooling) == [0, 1] && spooling.store.asideCount == 1)
        try await spooling.spool.purge(SpoolWorld.key, try await records(spooling))
        #expect(spooling.spool.overview() == [])
    }

    @Test("one order at a time")
    func orders() {
        let spool = SpoolWorld().spool
        #expect(spool.beginOrder() && !spool.beginOrder())
        spool.endOrder()
        #expect(spool.beginOrder())
    }
}

@Suite("What a spooled message says") struct SpooledReadingTests {
    private func read(_ head: String, _ tail: String) -> SpooledReading {
        let entry = SpooledEntry(head: Array(head.utf8), tail: Array(tail.utf8), sequenceBase: 1)
        return SpooledReading(SpooledMessage(.redis(entry), traceParent: ""))
    }

    private func field(_ name: String, _ value: String) -> SpooledReading.Field {
        SpooledReading.Field(Array(name.utf8), Array(value.utf8))
    }

    @Test("a command: its words, and its fields")
    func entry() {
        let head = "*7\r\n" + ["XADD", "orders", "MAXLEN", "10"].map(bulk).joined()
        let words = ["XADD", "orders", "MAXLEN", "10"].map { Array($0.utf8) }
        #expect(read(head, bulk("n") + bulk("\r\n")) == .entry(words: words, fields: [field("n", "\r\n")]))
    }

    @Test("a publish of NATS: subject, headers and body; bytes where the headers are none")
    func publish() {
        var publish = SpooledPublish(
            subject: Array("orders.new".utf8), headers: Array("NATS/1.0\r\nNats-Msg-Id: 7\r\n\r\n".utf8),
            body: [0xFF], stream: JetStreamName(stream: Array("ORDERS".utf8)))
        let read = SpooledReading(SpooledMessage(.nats(publish), traceParent: ""))
        #expect(read == .publish(subject: publish.subject, headers: [field("Nats-Msg-Id", "7")], body: [0xFF]))
        publish.headers = [0x41]
        #expect(
            SpooledReading(SpooledMessage(.nats(publish), traceParent: "")) == .bytes(head: [0x41], tail: [0xFF]))
    }

    @Test(
        "anything else is bytes",
        arguments: [
            ("HPUB orders 12 14\r\n", "NATS/1.0\r\n\r\nhi\r\n"), ("", ""), ("*", ""), ("*2\r\n", "$1\r\nn\r\n"),
            ("*9\r\n$4\r\nXADD\r\n", "$1\r\nn\r\n"), ("*3\r\n$4\r\nXADD\r\n", "$1\r\nn\r\n"),
            ("*4\r\n$4\r\nXADD\r\n", "$1\r\nn\r\n$1\r\nn"), ("*4\r\n$4\r\nXADD\r\n", "$1\r\nn\r\n$1\r\nn\r\n*0\r\n"),
            ("*999999999999\r\n", "$1\r\nn\r\n$1\r\nn\r\n"), ("*3\r\n$4\r\nXADD\r\n$6\r\nord", "ers\r\n$1\r\nn\r\n"),
        ])
    func bytes(head: String, tail: String) {
        #expect(read(head, tail) == .bytes(head: Array(head.utf8), tail: Array(tail.utf8)))
    }
}
