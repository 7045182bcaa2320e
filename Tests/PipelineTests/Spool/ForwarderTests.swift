import NIOCore
import Pipeline
import Testing

/// The forwarder as a transcript: what it writes, what it is answered, and what is left on disk.
@Suite("Sending spooled messages on") struct ForwarderTests {
    /// A forwarder with so many stored messages, connected as soon as it wants to be.
    final class Bench {
        let spooling = SpoolWorld()
        private var forwarder: SpoolForwarder
        private var written: [UInt8] = []
        private(set) var wantsClose = false

        init(messages: Int) {
            let session = spooling.world.connect()
            for number in 0..<messages {
                session.client(command("XADD", "orders", "*", "n", "\(number)"))
                spooling.store(session)
            }
            spooling.close()
            forwarder = SpoolForwarder.redis(
                lane: spooling.world.lane, listener: spooling.world.profile, spool: spooling.spool, credentials: nil)
            take(forwarder.woken(at: spooling.world.now))
        }

        private func take(_ step: OutboundStep<SpoolTask>) {
            written += step.bytes
            if case .close = step.connection { wantsClose = true }
            if let request = step.request {
                var answer: SpoolTask.Answer?
                withExtendedLifetime(spooling) {
                    let box = Box()
                    spooling.spool.perform(request) { box.value = $0 }
                    answer = box.value
                }
                if let answer { take(forwarder.answered(answer, at: spooling.world.now)) }
            }
            if case .open = step.connection { take(forwarder.connected(at: spooling.world.now)) }
        }

        func wrote() -> String {
            defer { written = [] }
            return String(decoding: written, as: UTF8.self)
        }

        func reply(_ text: String) {
            take(forwarder.received(ByteBuffer(string: text), at: spooling.world.now))
        }

        func lose() { take(forwarder.disconnected(.failed, at: spooling.world.now)) }

        func wait(milliseconds: UInt64) {
            spooling.world.advance(milliseconds: milliseconds)
            take(forwarder.woken(at: spooling.world.now))
        }

        var left: Int { spooling.store.messages(SpoolWorld.key).count }
    }

    /// The store of these tests answers at once, on this thread.
    private final class Box: @unchecked Sendable {
        var value: SpoolTask.Answer?
    }

    private func add(_ number: Int, as id: String? = nil) -> String {
        command("XADD", "orders", id ?? SpoolWorld.id(UInt64(number)), "n", "\(number)")
    }

    private let tooLow = "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"

    @Test("one at a time, each under the id that was promised; then the disk lets go")
    func inOrder() {
        let bench = Bench(messages: 2)
        #expect(bench.wrote() == add(0))
        bench.reply(bulk(SpoolWorld.id(0)))
        #expect(bench.wrote() == add(1) && bench.left == 2)
        bench.reply(bulk(SpoolWorld.id(1)))
        #expect(bench.left == 0)
        #expect(bench.spooling.world.metric("tacho_spool_forwarded_total", #"outcome="forwarded""#) == 2)
    }

    @Test("a reply that was lost: the second attempt is refused, and the entry is there")
    func once() {
        let bench = Bench(messages: 1)
        #expect(bench.wrote() == add(0))
        bench.lose()
        bench.wait(milliseconds: 6_000)
        #expect(bench.wrote() == add(0))
        bench.reply(tooLow)
        #expect(bench.wrote() == command("XRANGE", "orders", SpoolWorld.id(0), SpoolWorld.id(0)))
        bench.reply(array([entry(SpoolWorld.id(0), "n", "0")]))
        #expect(bench.left == 0)
        #expect(bench.spooling.world.metric("tacho_spool_forwarded_total", "already_there") == 1)
    }

    private func top(_ id: String) -> String {
        array([bulk("length"), integer(3), bulk("last-generated-id"), bulk(id)])
    }

    @Test("others have published: a new id is noted before it is used, and chosen further ahead when they go on")
    func renumbered() {
        let bench = Bench(messages: 1)
        _ = bench.wrote()
        bench.reply(tooLow)
        _ = bench.wrote()
        bench.reply("*0\r\n")
        #expect(bench.wrote() == command("XINFO", "STREAM", "orders"))
        bench.reply(top("1800000000000-4"))
        let first = "1800000000000-\(4 + SpoolWorld.gap)"
        #expect(bench.wrote() == add(0, as: first))
        #expect(bench.spooling.store.messages(SpoolWorld.key)[0].note?.description == first)
        bench.reply(tooLow)
        #expect(bench.wrote() == command("XRANGE", "orders", first, first))
        bench.reply("*0\r\n")
        _ = bench.wrote()
        bench.reply(top("1800000000007-0"))
        let second = "1800000000009-\(SpoolWorld.base)"
        #expect(bench.wrote() == add(0, as: second))
        bench.reply(bulk(second))
        #expect(bench.left == 0)
    }

    @Test("the last id of a stream may be as high as ids go")
    func highest() {
        let bench = Bench(messages: 1)
        bench.reply(tooLow)
        bench.reply("*0\r\n")
        _ = bench.wrote()
        bench.reply(top("1800000000000-\(UInt64.max)"))
        #expect(bench.wrote() == add(0, as: "1800000000001-\(SpoolWorld.base)"))
    }

    @Test("while the clock of Redis is behind, others count on from our entry, and never get to an id of ours")
    func counting() {
        let bench = Bench(messages: 2)
        bench.reply(bulk(SpoolWorld.id(0)))
        #expect(bench.wrote() == add(0) + add(1))
        bench.reply(tooLow)
        bench.reply("*0\r\n")
        _ = bench.wrote()
        // A rival's entry, the next id in the same millisecond, has been deleted at once.
        bench.reply(top("1700000000000-\(SpoolWorld.base + 1)"))
        #expect(bench.wrote() == add(1, as: "1700000000000-\(SpoolWorld.base + 1 + SpoolWorld.gap)"))
    }

    @Test("two listeners with one upstream promise different ids")
    func listeners() {
        let ids = [UInt32(0), 1].map { number in
            let spooling = SpoolWorld(listener: number)
            let session = spooling.world.connect()
            session.client(command("XADD", "orders", "*", "n", "1"))
            spooling.store(session)
            return session.answered()
        }
        #expect(ids[0] == bulk(SpoolWorld.id(0)) && ids[1].hasPrefix("$") && ids[0] != ids[1])
    }

    @Test("an entry of somebody else that has our id, for whatever reason, is not ours")
    func chance() {
        let bench = Bench(messages: 1)
        bench.reply(tooLow)
        bench.reply(array([entry(SpoolWorld.id(0), "rival", "1")]))
        _ = bench.wrote()
        bench.reply(top(SpoolWorld.id(0)))
        #expect(bench.left == 1 && bench.wrote() == add(0, as: SpoolWorld.id(1)))
    }

    @Test(
        "a new id tells as the promised one does: the entry is there, or was and has been deleted",
        arguments: [true, false])
    func newIDInDoubt(isThere: Bool) {
        let bench = Bench(messages: 1)
        bench.reply(tooLow)
        bench.reply("*0\r\n")
        bench.reply(top("1800000000000-4"))
        bench.lose()
        bench.wait(milliseconds: 6_000)
        let id = "1800000000000-\(4 + SpoolWorld.gap)"
        bench.reply(tooLow)
        bench.reply(isThere ? array([entry(id, "n", "0")]) : "*0\r\n")
        if !isThere { bench.reply(top(id)) }
        #expect(bench.left == 0)
        #expect(bench.spooling.world.metric("tacho_spool_forwarded_total", "already_there") == 1)
    }

    @Test("our entry was the last of the stream, and somebody has deleted it since")
    func deleted() {
        let bench = Bench(messages: 1)
        bench.reply(tooLow)
        bench.reply("*0\r\n")
        bench.reply(top(SpoolWorld.id(0)))
        #expect(bench.left == 0)
    }

    @Test("a broker in trouble is asked again later, and nothing overtakes")
    func trouble() {
        let bench = Bench(messages: 2)
        #expect(bench.wrote() == add(0))
        bench.reply("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
        bench.wait(milliseconds: 10_000)
        #expect(bench.wrote() == add(0) && bench.left == 2)
        bench.wait(milliseconds: 10_000)
        #expect(bench.wantsClose, "no answer in time")
        bench.lose()
        bench.wait(milliseconds: 10_000)
        #expect(bench.wrote() == add(0))
    }

    @Test(
        "a message whose client was told that it was too late is not sent on, though it is still on disk, and not counted"
    )
    func withdrawn() {
        let bench = Bench(messages: 1)
        let spooling = bench.spooling
        #expect(bench.wrote() == add(0))
        bench.reply("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
        let session = spooling.world.connect()
        session.client(command("XADD", "orders", "*", "n", "1"))
        spooling.store(session, commits: false)
        spooling.world.advance(milliseconds: 1_001)
        session.resume()
        #expect(session.answered().contains("was not taken"))
        spooling.store.keepRemovals()
        spooling.store.commit()
        session.client(command("XADD", "orders", "*", "n", "2"))
        spooling.store(session)
        #expect(bench.left == 3)
        bench.wait(milliseconds: 10_000)
        #expect(bench.wrote() == add(0))
        bench.reply(bulk(SpoolWorld.id(0)))
        #expect(bench.wrote() == add(2))
        spooling.store.remove()
        session.client(command("XADD", "orders", "*", "n", "3"))
        spooling.store(session)
        bench.reply(bulk(SpoolWorld.id(2)))
        #expect(bench.wrote() == add(3))
        bench.reply(bulk(SpoolWorld.id(3)))
        #expect(bench.left == 0)
        // Nothing waits: the next one passes directly.
        #expect(session.client(command("XADD", "orders", "*", "n", "4")) != "")
    }

    @Test("an open breaker is not pressed, and what will never be taken is kept aside")
    func refused() {
        let bench = Bench(messages: 2)
        #expect(bench.wrote() == add(0))
        bench.spooling.open()
        bench.reply("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
        #expect(bench.spooling.store.asideCount == 1 && bench.left == 1)
        bench.wait(milliseconds: 10_000)
        #expect(bench.wrote() == "")
        bench.spooling.close()
        bench.wait(milliseconds: 100)
        #expect(bench.wrote() == add(1))
    }
}
