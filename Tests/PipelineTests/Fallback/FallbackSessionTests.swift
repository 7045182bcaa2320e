import Pipeline
import Resilience
import Telemetry
import Testing

/// The chain on the path: who gets a publish that may not pass, and what its client reads.
@Suite("Fallback steps on the path") struct FallbackSessionTests {
    private let add = command("XADD", "orders", "*", "k", "1")

    @Test("the secondary gets it with its context, and the client its reply")
    func secondary() throws {
        let fallback = FallbackWorld(.secondary, .spool, inject: .always)
        let session = fallback.world.connect()
        #expect(session.client(add) == "" && session.isHolding)
        fallback.carry(session)
        #expect(fallback.opens == 1 && fallback.wrote() == "")
        fallback.connect()
        let written = fallback.wrote()
        #expect(written.hasPrefix("*9\r\n" + bulk("XADD") + bulk("orders") + bulk("*") + bulk("k") + bulk("1")))
        #expect(written.contains(bulk("traceparent")))
        #expect(session.answered() == "")
        fallback.reply(bulk("7-1"), to: session)
        #expect(session.answered() == bulk("7-1") && session.isIdle)
        let span = try #require(fallback.world.records().first)
        #expect(span.fallback == .secondary && span.outcome == .unremarkable && span.error == .none)
        #expect(span.messageID == .streamEntry(milliseconds: 7, sequence: 1) && span.kind == .producer)
        #expect(fallback.world.shared.catalog.descriptor(span.descriptor).broker.server == "second.test")
        #expect(fallback.tried() == ["1 secondary taken"])
        #expect(fallback.spooling.store.messages(SpoolWorld.key) == [])
    }

    @Test(
        "what it refuses, or cannot be reached for, goes to the next step",
        arguments: ["-OOM command not allowed\r\n", "-WRONGTYPE no stream\r\n", "-READONLY replica\r\n"])
    func refusedBySecondary(error: String) {
        let fallback = FallbackWorld(.secondary, .spool)
        let session = fallback.publish(add)
        fallback.reply(error, to: session)
        #expect(session.answered() == "" && session.isHolding)
        fallback.spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(0)) && session.isIdle)
        #expect(fallback.tried() == ["1 secondary refused", "1 spool taken"])
        #expect(fallback.world.records().map(\.fallback) == [.spool])
    }

    @Test("a secondary that cannot be reached, and one that is not reached in time")
    func unreachable() {
        let fallback = FallbackWorld(.secondary, .spool)
        let session = fallback.publish(add, connects: false)
        fallback.lose(session)
        fallback.spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(0)))

        let slow = FallbackWorld(.secondary, .spool)
        let waiting = slow.publish(add, connects: false)
        slow.world.advance(milliseconds: 299)
        slow.wake(waiting)
        #expect(waiting.last.asksDisk == false && waiting.isHolding)
        slow.world.advance(milliseconds: 2)
        slow.wake(waiting)
        slow.spooling.store(waiting)
        #expect(waiting.answered() == bulk(SpoolWorld.id(0)))
        #expect(slow.tried() == ["1 secondary late", "1 spool taken"])
        // The order was never written, and never will be.
        slow.connect()
        #expect(slow.wrote() == "")
    }

    @Test("a secondary that was written to and is silent ends the chain: nobody knows, and nothing is stored twice")
    func unknown() throws {
        let fallback = FallbackWorld(.secondary, .spool, .deadLetter)
        let session = fallback.publish(add)
        #expect(fallback.wrote() == add)
        fallback.world.advance(milliseconds: 301)
        fallback.wake(session)
        #expect(
            session.answered()
                == "-TACHO the secondary did not answer in time; whether it has the message is not known\r\n")
        #expect(session.last.asksDisk == false && session.isIdle)
        let span = try #require(fallback.world.records().first)
        #expect(span.fallback == .secondary && fallback.world.shared.names.text(of: span.error) == "secondary_unknown")

        let lost = FallbackWorld(.secondary, .spool)
        let other = lost.publish(add)
        lost.lose(other)
        #expect(
            other.answered()
                == "-TACHO the connection to the secondary was lost; whether it has the message is not known\r\n")
        #expect(lost.tried() == ["1 secondary unknown"])
    }

    @Test("a courier that says nothing at all is given up a little after the deadline")
    func silentCourier() {
        let fallback = FallbackWorld(.secondary, .spool)
        let session = fallback.world.connect()
        session.client(add)
        fallback.world.advance(milliseconds: 301)
        session.resume()
        #expect(session.answered() == "" && session.isHolding)
        fallback.world.advance(milliseconds: 200)
        session.resume()
        #expect(session.answered().hasSuffix("whether it has the message is not known\r\n"))
    }

    @Test("the secondary has a breaker of its own: open, it is skipped at once")
    func ownBreaker() {
        let fallback = FallbackWorld(.secondary, .spool)
        fallback.open(.secondary)
        let session = fallback.world.connect()
        session.client(add)
        #expect(session.last.asksDisk)
        fallback.spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(0)))
        #expect(fallback.tried() == ["1 secondary unavailable", "1 spool taken"])
        fallback.open(.secondary, .probes(most: 1))
        // Others of this stream wait on disk; a stream of its own may go.
        fallback.open(.upstream)
        let probe = fallback.publish(command("XADD", "bills", "*", "k", "1"))
        fallback.reply(bulk("8-1"), to: probe)
        #expect(probe.answered() == bulk("8-1"))
    }

    @Test("while messages of a stream wait on disk, later ones queue behind them and not with the secondary")
    func order() {
        let fallback = FallbackWorld(.secondary, .spool)
        let first = fallback.publish(add, connects: false)
        fallback.lose(first)
        fallback.spooling.store(first)
        let second = fallback.world.connect()
        second.client(add)
        #expect(second.last.asksDisk)
        fallback.spooling.store(second)
        #expect(second.answered() == bulk(SpoolWorld.id(1)))
        #expect(fallback.tried() == ["1 secondary unavailable", "1 secondary not_possible", "2 spool taken"])
        // Neither does one whose id is its client's own.
        second.client(command("XADD", "orders", "5-1", "k", "1"))
        #expect(second.answered().hasPrefix("-TACHO messages of this stream are still spooled"))
    }

    @Test("what stands behind it waits, and answers keep their order")
    func pipeline() {
        let fallback = FallbackWorld(.secondary, .fail)
        let session = fallback.world.connect()
        #expect(session.client(command("GET", "a") + add + command("GET", "b") + add) == command("GET", "a"))
        fallback.carry(session)
        fallback.connect()
        fallback.reply(bulk("7-1"), to: session)
        #expect(session.answered() == "" && session.forwardedLater() == command("GET", "b"))
        fallback.carry(session)
        fallback.reply(bulk("7-2"), to: session)
        #expect(session.upstream(bulk("x")) == bulk("x") + bulk("7-1"))
        #expect(session.upstream(bulk("y")) == bulk("y") + bulk("7-2") && session.isIdle)
        #expect(fallback.wrote() == add + add)
    }

    @Test("split anywhere, it is the same", arguments: 1..<40)
    func split(at cut: Int) {
        let fallback = FallbackWorld(.secondary)
        let session = fallback.world.connect()
        let bytes = Array(add.utf8)
        #expect(session.client(Array(bytes[..<min(cut, bytes.count)])) == [])
        #expect(session.client(Array(bytes[min(cut, bytes.count)...])) == [])
        fallback.carry(session)
        fallback.connect()
        fallback.reply(bulk("7-1"), to: session)
        #expect(session.answered() == bulk("7-1") && fallback.wrote() == add)
    }

    @Test("ids of the client's own go to the secondary alone; what depends on what a broker has, to nobody")
    func particular() {
        let fallback = FallbackWorld(.secondary, .spool, .deadLetter)
        let own = command("XADD", "orders", "5-1", "k", "1")
        let session = fallback.publish(own)
        #expect(fallback.wrote() == own)
        fallback.reply("-ERR too small\r\n", to: session)
        #expect(
            session.answered()
                == "-TACHO the message was not taken: \(breaker); the secondary answers: ERR too small\r\n")
        for text in [
            command("XADD", "orders", "NOMKSTREAM", "*", "k", "1"),
            command("XADD", "orders", "IDMPAUTO", "p", "*", "k", "1"),
            command("XADD", "orders", "*", "k"),
        ] {
            session.client(text)
            #expect(session.answered().hasPrefix("-TACHO breaker 'orders publish' is open"))
            #expect(session.last.detours.isEmpty)
        }
    }

    @Test("a transaction is spoilt, and nobody gets its parts")
    func transaction() {
        let fallback = FallbackWorld(.secondary, .spool, .deadLetter)
        let session = fallback.world.connect()
        session.client(command("MULTI"))
        session.upstream("+OK\r\n")
        #expect(session.client(add) == "" && session.answered().hasPrefix("-TACHO breaker"))
        #expect(session.last.detours.isEmpty && session.client(command("EXEC")) == command("DISCARD"))
    }

    @Test("a full spool, then the dead letters, then an error that tells all of it")
    func deadLetters() throws {
        let fallback = FallbackWorld(.secondary, .spool, .deadLetter, messages: 1, aside: 1)
        fallback.open(.secondary)
        let session = fallback.world.connect()
        session.client(add)
        fallback.spooling.store(session)
        #expect(session.answered() == bulk(SpoolWorld.id(0)))
        session.client(add)
        fallback.spooling.store(session)
        #expect(session.answered().hasPrefix("$"))
        #expect(fallback.spooling.store.asideReasons == ["spool_order"])
        session.client(add)
        #expect(
            session.answered()
                == "-TACHO the message was not taken: messages of this stream are still spooled, try again soon; "
                + "the spool is full; no more messages are kept aside\r\n")
        let spans = fallback.world.records()
        #expect(spans.map(\.fallback) == [.spool, .deadLetter, .fail])
        #expect(spans.map(\.outcome) == [.spooled, .setAside, .unremarkable])
        #expect(fallback.world.shared.names.text(of: try #require(spans.last).error) == "dead_letter_full")
    }

    @Test("nothing queues behind what is kept aside, and nothing sends it on")
    func aside() {
        let fallback = FallbackWorld(.deadLetter)
        let session = fallback.world.connect()
        session.client(add)
        fallback.spooling.store(session)
        #expect(session.answered().hasPrefix("$") && fallback.spooling.store.asideReasons == ["breaker_open"])
        fallback.open(.publish, .all)
        #expect(session.client(add) == add)
        #expect(fallback.spooling.store.messages(SpoolWorld.key) == [])
    }

    @Test("each disk step has a deadline of its own, and a late one does not have the message")
    func deadlines() {
        let fallback = FallbackWorld(.spool, .deadLetter)
        let session = fallback.world.connect()
        session.client(add)
        fallback.spooling.store(session, commits: false)
        fallback.world.advance(milliseconds: 1_001)
        session.resume()
        #expect(session.answered() == "" && session.isHolding)
        fallback.spooling.store(session, commits: false)
        fallback.world.advance(milliseconds: 501)
        session.resume()
        #expect(session.answered().hasSuffix("; the disk of the spool did not answer in time\r\n"))
        fallback.spooling.store.commit()
        #expect(fallback.spooling.store.messages(SpoolWorld.key) == [] && fallback.spooling.store.asideCount == 0)
        #expect(fallback.tried() == ["1 spool late", "1 dead_letter late", "1 fail failed"])
    }

    @Test("rules name destinations and their own steps; the first that fits decides")
    func rules() {
        let fallback = FallbackWorld(.spool, rules: ["bill*": [.spool], "ord*": [.secondary], "orders": [.deadLetter]])
        let session = fallback.publish(add)
        fallback.reply(bulk("7-1"), to: session)
        #expect(session.answered() == bulk("7-1"))

        let refusing = FallbackWorld(.spool, rules: ["o?ders": [.fail]])
        let refused = refusing.world.connect()
        #expect(refused.client(add) == "" && refused.answered() == "-TACHO \(breaker)\r\n")
    }

    @Test("without an upstream the secondary takes publishes, and the client comes again once the upstream is back")
    func detached() throws {
        let fallback = FallbackWorld(.secondary)
        let machine = try #require(
            RedisSession.detached(
                lane: fallback.world.lane, listener: fallback.world.profile,
                counters: RedisCounters(lane: fallback.world.lane, listener: fallback.world.profile), peer: .unknown,
                reason: "upstream x is not reachable"))
        let session = Conversation(world: fallback.world, session: machine)
        session.client(add)
        fallback.carry(session)
        fallback.connect()
        fallback.reply(bulk("7-1"), to: session)
        #expect(session.answered() == bulk("7-1") && !session.hasEnded)
        fallback.open(.upstream)
        session.tick()
        fallback.world.advance(milliseconds: 1_100)
        session.tick()
        #expect(!session.session.isOver)
        fallback.open(.upstream, .all)
        #expect(session.session.isOver)
        session.client(add)
        fallback.carry(session)
        fallback.reply("-OOM\r\n", to: session)
        #expect(
            session.answered()
                == "-TACHO the message was not taken: upstream x is not reachable; the secondary answers: OOM\r\n")
        #expect(session.hasEnded)
    }

    @Test("a client that leaves meanwhile, and a session that closes, tell the guard nothing")
    func left() {
        let fallback = FallbackWorld(.secondary)
        let session = fallback.publish(add)
        let rest: String = session.clientFinished()
        #expect(rest == "")
        session.close()
        #expect(fallback.world.records().map(\.outcome) == [.unobserved])
        let other = fallback.publish(add, connects: false)
        other.close()
        #expect(fallback.world.records().count == 1)
        fallback.reply(bulk("7-1") + bulk("7-2"), to: other)
        let tally = fallback.spooling.guards.cell(
            for: GuardKey(listener: 0, listenerName: "redis", operation: .secondary)
        ).collect()
        #expect(tally.calls == 0 && tally.inFlightPeak == 0)
    }

    private var breaker: String { String(refused("orders publish", "4611686017.5").dropFirst(7).dropLast()) }
}
