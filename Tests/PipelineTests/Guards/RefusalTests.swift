import Pipeline
import Testing

/// Commands that a guard refuses: what the upstream never sees, and what the client reads in which place.
@Suite struct RefusalTests {
    private let add = command("XADD", "orders", "*", "k", "1")
    private let other = command("XADD", "bills", "*", "k", "1")

    @Test func aRefusedPublishIsAnsweredAtOnce() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        #expect(session.client(add) == "")
        #expect(session.answered() == refused("orders publish"))
        #expect(session.isIdle)
        #expect(guarded.tally("orders publish") == "1 rejected")
        #expect(session.client(other) == other)
        #expect(session.upstream(bulk("1-0")) == bulk("1-0"))
        #expect(guarded.tally("bills publish") == "1 calls")
        #expect(session.opaque == nil)
    }

    @Test func aRefusalStandsInTheOrderOfThePipeline() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        #expect(session.client(command("GET", "a") + add + other + add + add) == command("GET", "a") + other)
        #expect(session.answered() == "")
        #expect(!session.isIdle)
        #expect(session.upstream(bulk("x")) == bulk("x") + refused("orders publish"))
        let both = refused("orders publish") + refused("orders publish")
        #expect(session.upstream(bulk("1-0")) == bulk("1-0") + both)
        #expect(session.isIdle)
        #expect(session.client(add) == "")
        #expect(session.answered() == refused("orders publish"))
    }

    @Test func everySplitOfBothDirectionsIsTheSame() {
        let requests = Array((command("GET", "a") + add + other + "XADD orders * k 1\r\n" + add).utf8)
        let replies = Array((bulk("x") + bulk("1-0")).utf8)
        let refusal = refused("orders publish")
        for cut in 1..<requests.count {
            let guarded = GuardedWorld()
            guarded.open("orders publish")
            let session = guarded.connect()
            let forwarded = session.client(Array(requests[..<cut])) + session.client(Array(requests[cut...]))
            #expect(String(decoding: forwarded, as: UTF8.self) == command("GET", "a") + other, "cut at \(cut)")
            let replyCut = cut % replies.count
            let told =
                session.upstream(Array(replies[..<replyCut])) + session.upstream(Array(replies[replyCut...]))
            let expected = bulk("x") + refusal + bulk("1-0") + refusal + refusal
            #expect(String(decoding: told, as: UTF8.self) == expected, "cut at \(cut), replies at \(replyCut)")
            #expect(session.isIdle)
        }
    }

    @Test func byteByByte() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        let forwarded = (add + other + add).utf8.flatMap { session.client([$0]) }
        #expect(String(decoding: forwarded, as: UTF8.self) == other)
        #expect(session.answered() == refused("orders publish"))
        let told = bulk("1-0").utf8.flatMap { session.upstream([$0]) }
        #expect(String(decoding: told, as: UTF8.self) == bulk("1-0") + refused("orders publish"))
    }

    @Test func aPushUnderWayIsNotTornApart() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        let message = push(bulk("invalidate"), array([bulk("key")]))
        let (head, tail) = (String(message.prefix(9)), String(message.dropFirst(9)))
        var told = session.upstream(head)
        session.client(add)
        #expect(session.answered() == "")
        told += session.upstream(tail)
        #expect(told == message + refused("orders publish"))
        #expect(session.isIdle)
    }

    @Test func aLargeFrameIsSwallowedWhole() {
        let guarded = GuardedWorld(frameBytesMax: 1_024)
        guarded.open("orders publish")
        let session = guarded.connect()
        let large = command("XADD", "orders", "*", "k", String(repeating: "v", count: 5_000))
        let pieces = Array((large + other).utf8)
        var forwarded: [UInt8] = []
        for start in stride(from: 0, to: pieces.count, by: 700) {
            forwarded += session.client(Array(pieces[start..<min(start + 700, pieces.count)]))
        }
        #expect(String(decoding: forwarded, as: UTF8.self) == other)
        #expect(session.answered() == refused("orders publish"))
        #expect(session.upstream(bulk("1-0")) == bulk("1-0"))
        #expect(session.isIdle)
        // And the same frame in one piece.
        #expect(session.client(large + other) == other)
        #expect(session.answered() == refused("orders publish"))
    }

    @Test func manyFieldsOutgrowTheFrameAndAreSwallowed() {
        let guarded = GuardedWorld(frameBytesMax: 1_024)
        guarded.open("orders publish")
        let session = guarded.connect()
        let many = command("XADD", "orders", "*", fields: (0..<400).map { "f\($0)" })
        let bytes = Array(many.utf8)
        var forwarded: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 300) {
            forwarded += session.client(Array(bytes[start..<min(start + 300, bytes.count)]))
        }
        #expect(forwarded == [])
        #expect(session.answered() == refused("orders publish"))
    }

    @Test func inlineCommandsAreRefusedToo() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        #expect(session.client("XADD orders * k 1\r\nPING\r\n") == "PING\r\n")
        #expect(session.answered() == refused("orders publish"))
    }

    @Test func readsAndAcknowledgementsHaveGuardsOfTheirOwn() {
        let guarded = GuardedWorld()
        guarded.open("orders/workers receive")
        guarded.open("orders/workers acknowledge", milliseconds: 300)
        let session = guarded.connect()
        let read = command("XREADGROUP", "GROUP", "workers", "a", "STREAMS", "orders", ">")
        #expect(session.client(read + command("XACK", "orders", "workers", "1-0") + add) == add)
        #expect(
            session.answered()
                == refused("orders/workers receive") + refused("orders/workers acknowledge", "0.4"))
        let elsewhere = command("XREADGROUP", "GROUP", "auditors", "a", "STREAMS", "orders", ">")
        #expect(session.client(elsewhere) == elsewhere)
    }

    @Test func whatIsNotAMessageAsksTheUpstreamsGuardAlone() {
        let guarded = GuardedWorld()
        guarded.open("upstream")
        let session = guarded.connect()
        let control = [
            command("AUTH", "x"), command("HELLO", "3"), command("PING"), command("SELECT", "1"),
            command("SUBSCRIBE", "c"), command("CLIENT", "SETNAME", "a"), command("INFO"), command("QUIT"),
        ].joined()
        #expect(session.client(command("GET", "a") + control + add) == control)
        #expect(session.answered() == refused("upstream"))
        #expect(guarded.tally("upstream") == "2 rejected, 7 in flight")
    }

    // MARK: CLIENT REPLY

    @Test func inSilenceARefusalIsSilentToo() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        let off = command("CLIENT", "REPLY", "OFF")
        let on = command("CLIENT", "REPLY", "ON")
        #expect(session.client(off + add + on) == off + on)
        #expect(session.answered() == "")
        #expect(session.upstream(ok) == ok)
        let skip = command("CLIENT", "REPLY", "SKIP")
        #expect(session.client(skip + add + command("PING")) == skip + command("PING"))
        #expect(session.upstream("+PONG\r\n") == "+PONG\r\n")
        #expect(session.isIdle)
        #expect(session.opaque == nil)
    }

    // MARK: Transactions

    @Test func aTransactionWithARefusedCommandIsDiscarded() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        let forwarded = session.client(command("MULTI") + other + add + command("EXEC") + command("PING"))
        #expect(forwarded == command("MULTI") + other + command("DISCARD") + command("PING"))
        #expect(session.upstream(ok + queued) == ok + queued + refused("orders publish"))
        let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n"
        #expect(session.upstream(ok + "+PONG\r\n") == aborted + "+PONG\r\n")
        #expect(session.isIdle)
        #expect(session.opaque == nil)
        #expect(guarded.tally("bills publish") == "")
        // The next transaction is a new one.
        #expect(session.client(command("MULTI") + other + command("EXEC")).contains("EXEC"))
    }

    @Test func discardOfASpoiltTransactionIsTheClients() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        let rest = command("DISCARD") + command("MULTI") + command("EXEC")
        #expect(session.client(command("MULTI") + add + rest) == command("MULTI") + rest)
        #expect(session.upstream(ok + ok + ok + "*0\r\n") == ok + refused("orders publish") + ok + ok + "*0\r\n")
        #expect(session.isIdle)
    }

    @Test func inlineExecIsReplacedToo() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        #expect(session.client("MULTI\r\n" + add + "EXEC\r\n") == "MULTI\r\n" + command("DISCARD"))
        #expect(
            session.upstream(ok + ok)
                == ok + refused("orders publish")
                + "-EXECABORT Transaction discarded because of previous errors.\r\n")
    }

    // MARK: When order cannot be kept

    @Test func aSessionThatLosesTheOrderOfRepliesEnds() {
        let guarded = GuardedWorld()
        guarded.open("orders publish")
        let session = guarded.connect()
        session.client(command("GET", "a") + add)
        #expect(session.upstream("?what\r\n") == "")
        #expect(session.hasEnded)
        #expect(session.opaque == .malformedReply)
    }

    @Test func withoutOwnAnswersASessionOnlyBecomesOpaque() {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(command("GET", "a") + add)
        #expect(session.upstream("?what\r\n") == "?what\r\n")
        #expect(!session.hasEnded)
    }
}
