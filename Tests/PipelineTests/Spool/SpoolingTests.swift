import Pipeline
import Telemetry
import Testing

/// Publishes that are stored instead of being refused: what goes where, and what the client reads when.
@Suite("Spooling on the path") struct SpoolingTests {
    private let add = command("XADD", "orders", "*", "k", "1")

    @Test("the client is told an id once the message is on disk, and not before")
    func stored() {
        let spooling = SpoolWorld()
        let session = spooling.world.connect()
        #expect(session.client(add) == "")
        #expect(session.answered() == "" && session.isHolding && !session.isIdle)
        spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(0)))
        #expect(session.isIdle && !session.isHolding)
        let message = spooling.store.messages(SpoolWorld.key)[0]
        #expect(String(decoding: message.entry.head, as: UTF8.self) == "*5\r\n" + bulk("XADD") + bulk("orders"))
        #expect(String(decoding: message.entry.tail, as: UTF8.self) == bulk("k") + bulk("1"))
        let span = spooling.world.records()[0]
        #expect(span.outcome == .spooled && span.error == .none)
    }

    @Test("the context that it would have had is stored with it")
    func context() {
        let spooling = SpoolWorld(inject: .always)
        let session = spooling.world.connect()
        session.client(command("XADD", "orders", "MAXLEN", "~", "10", "*", "k", "1"))
        spooling.store(session)
        let message = spooling.store.messages(SpoolWorld.key)[0]
        #expect(String(decoding: message.entry.head, as: UTF8.self).hasPrefix("*12\r\n"))
        #expect(
            String(decoding: message.entry.tail, as: UTF8.self).contains(
                "traceparent\r\n$55\r\n\(message.traceParent.prefix(53))"))
    }

    @Test("what stands behind it waits, and answers keep their order")
    func order() {
        let spooling = SpoolWorld()
        let session = spooling.world.connect()
        #expect(session.client(command("GET", "a") + add + command("GET", "b") + add) == command("GET", "a"))
        spooling.store(session)
        #expect(session.answered() == "" && session.forwardedLater() == command("GET", "b"))
        spooling.store(session)
        #expect(session.upstream(bulk("x")) == bulk("x") + bulk(SpoolWorld.id(0)))
        #expect(session.upstream(bulk("y")) == bulk("y") + bulk(SpoolWorld.id(1)))
        #expect(session.isIdle)
    }

    @Test("split anywhere, it is the same", arguments: 1..<40)
    func split(at cut: Int) {
        let spooling = SpoolWorld()
        let session = spooling.world.connect()
        let bytes = Array(add.utf8)
        #expect(session.client(Array(bytes[..<min(cut, bytes.count)])) == [])
        #expect(session.client(Array(bytes[min(cut, bytes.count)...])) == [])
        spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(0)))
    }

    @Test("while messages of a stream wait, later ones queue behind them, though the breaker has closed")
    func behind() {
        let spooling = SpoolWorld()
        let session = spooling.world.connect()
        session.client(add)
        spooling.store(session)
        _ = session.answered()
        spooling.close()
        #expect(session.client(command("XADD", "bills", "*", "k", "1")) != "")
        session.upstream(bulk("1-0"))
        #expect(session.client(add) == "")
        spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(1)))
        // An id of the client's own cannot queue, and must not overtake.
        session.client(command("XADD", "orders", "5-1", "k", "1"))
        #expect(session.answered().hasPrefix("-TACHO messages of this stream are still spooled"))
        spooling.spool.perform(
            .remove(SpoolWorld.key, through: .init(milliseconds: .max, sequence: 0), messages: 2, bytes: 88)
        ) { _ in }
        #expect(session.client(add) == add)
    }

    @Test(
        "what cannot be promised is refused as without a spool",
        arguments: [
            command("XADD", "orders", "5-1", "k", "1"), command("XADD", "orders", "5-*", "k", "1"),
            command("XADD", "orders", "NOMKSTREAM", "*", "k", "1"), command("XADD", "orders", "*", "k"),
            command("XADD", "orders", "IDMPAUTO", "p", "*", "k", "1"), "XADD orders * k 1\r\n",
        ])
    func notPromised(text: String) {
        let spooling = SpoolWorld()
        let session = spooling.world.connect()
        #expect(session.client(text) == "")
        #expect(session.answered().hasPrefix("-TACHO breaker 'orders publish' is open"))
        #expect(session.last.detours.isEmpty)
        #expect(spooling.world.records().count == 1)
    }

    @Test("a transaction is spoilt and not spooled")
    func transaction() {
        let spooling = SpoolWorld()
        let session = spooling.world.connect()
        #expect(session.client(command("MULTI")) == command("MULTI"))
        session.upstream("+OK\r\n")
        #expect(session.client(add) == "" && session.answered().hasPrefix("-TACHO breaker"))
        #expect(session.client(command("EXEC")) == command("DISCARD"))
    }

    @Test("a full spool, a disk that fails, and one that is late")
    func bounds() {
        let spooling = SpoolWorld(messages: 1)
        let session = spooling.world.connect()
        spooling.store.fail("disk full")
        session.client(add)
        spooling.store(session)
        #expect(isNotTaken(session.answered(), "it could not be spooled: disk full"))
        spooling.store.fail(nil)
        session.client(add)
        spooling.store(session, commits: false)
        spooling.world.advance(milliseconds: 1_001)
        session.resume()
        #expect(isNotTaken(session.answered(), "the disk of the spool did not answer in time"))
        // What the disk says later is taken back, and its room with it.
        spooling.store.commit()
        #expect(spooling.store.messages(SpoolWorld.key) == [])
        session.client(add)
        spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(1)))
        session.client(add)
        #expect(isNotTaken(session.answered(), "the spool is full"))
    }

    private func isNotTaken(_ answer: String, _ reason: String) -> Bool {
        answer.hasPrefix("-TACHO the message was not taken: ") && answer.hasSuffix("; \(reason)\r\n")
    }

    @Test("a client that leaves meanwhile has its message stored")
    func left() {
        let spooling = SpoolWorld()
        let session = spooling.world.connect()
        session.client(add)
        spooling.store(session, commits: false)
        let rest: String = session.clientFinished()
        #expect(rest == "")
        session.close()
        spooling.store.commit()
        #expect(spooling.store.messages(SpoolWorld.key).count == 1)
        #expect(spooling.world.records().count == 1)
    }

    @Test("without an upstream: introductions, publishes, and an end at anything else")
    func detached() throws {
        let spooling = SpoolWorld()
        let counters = RedisCounters(lane: spooling.world.lane, listener: spooling.world.profile)
        let machine = try #require(
            RedisSession.detached(
                lane: spooling.world.lane, listener: spooling.world.profile, counters: counters, peer: .unknown,
                reason: "upstream x is not reachable"))
        let session = Conversation(world: spooling.world, session: machine)
        session.client(command("CLIENT", "SETNAME", "me") + command("SELECT", "0") + add)
        #expect(session.answered() == "+OK\r\n+OK\r\n")
        spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(0)) && !session.hasEnded)
        #expect(session.client(command("GET", "a")) == "")
        #expect(session.answered() == "-ERR tacho: upstream x is not reachable\r\n" && session.hasEnded)
    }
}
