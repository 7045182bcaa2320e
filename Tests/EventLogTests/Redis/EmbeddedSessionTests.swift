import EventLogSupport
import Testing

@testable import EventLog

@Suite("A session of the embedded log in the Redis protocol")
struct EmbeddedSessionTests {
    @Test("appends, reads and acknowledges")
    func conversation() {
        var world = FaceWorld()
        #expect(world.ask("XADD s 1-1 name value") == "$3|1-1|")
        #expect(world.ask("XGROUP CREATE s g 0") == "+OK|")
        #expect(
            world.ask("XREADGROUP GROUP g alice STREAMS s >")
                == "*1|*2|$1|s|*1|*2|$3|1-1|*2|$4|name|$5|value|")
        #expect(world.ask("XPENDING s g") == "*4|:1|$3|1-1|$3|1-1|*1|*2|$5|alice|$1|1|")
        #expect(world.ask("XACK s g 1-1") == ":1|")
        #expect(world.ask("XREADGROUP GROUP g alice STREAMS s >") == "*-1|")
    }

    @Test("says the same in RESP3 with maps and nulls of its own")
    func respThree() {
        var world = FaceWorld()
        #expect(world.ask("HELLO 3").hasPrefix("%7|$6|server|"))
        #expect(world.ask("XADD s 1-1 name value") == "$3|1-1|")
        #expect(world.ask("XREAD STREAMS s 0") == "%1|$1|s|*1|*2|$3|1-1|*2|$4|name|$5|value|")
        #expect(world.ask("XREAD STREAMS s 5") == "_|")
        #expect(world.ask("XADD none NOMKSTREAM * a b") == "_|")
    }

    @Test("hands a pipeline over at once and keeps the replies in their order")
    func pipeline() {
        var world = FaceWorld()
        #expect(world.send("XADD s 1-1 a b\r\nPING\r\nXLEN s") == "")
        #expect(world.waiting.count == 2)
        #expect(world.answer() == "$3|1-1|+PONG|")
        #expect(world.answer() == ":1|")
        #expect(world.session.isIdle)
    }

    @Test("does not publish before what was appended earlier is on disk")
    func publishingWaits() {
        var world = FaceWorld()
        #expect(world.send("XADD s 1-1 a b\r\nPUBLISH news hello\r\nPING") == "")
        #expect(world.waiting.count == 1)
        #expect(world.answer() == "$3|1-1|")
        #expect(world.answer() == ":3|+PONG|")
    }

    @Test("keeps what follows a blocking read until it has ended")
    func blocking() {
        var world = FaceWorld()
        #expect(world.send("XREAD BLOCK 100 STREAMS s $\r\nPING") == "")
        #expect(world.session.isBlocked && !world.session.isIdle)
        guard case .wait(_, milliseconds: 100, let ticket) = world.waiting.removeFirst() else {
            Issue.record("it does not wait")
            return
        }
        world.session.answered(.store(.replies([.streams([], positions: [.zero])])), ticket, now: 5_100)
        #expect(world.collect() == "*-1|+PONG|")
        // Whoever is late finds nobody.
        world.session.answered(.store(.replies([.done])), ticket, now: 5_200)
        #expect(world.collect() == "" && world.session.isIdle)
    }

    @Test("ends a blocking read with an error when CLIENT UNBLOCK wants it so")
    func unblocked() {
        var world = FaceWorld()
        #expect(world.send("XREAD BLOCK 0 STREAMS s $") == "")
        guard case .wait(_, milliseconds: 0, let ticket) = world.waiting.removeFirst() else {
            Issue.record("it does not wait")
            return
        }
        world.session.answered(.unblocked, ticket, now: 5_000)
        #expect(world.collect() == "-UNBLOCKED client unblocked via CLIENT UNBLOCK|")
    }

    @Test("does the commands of a transaction as one unit, whatever they are")
    func transaction() {
        var world = FaceWorld()
        #expect(world.ask("MULTI") == "+OK|")
        for line in ["XADD s 1-1 a b", "PING", "XADD s 1-1 a b", "PUBLISH news x", "XREAD BLOCK 0 STREAMS s $"] {
            #expect(world.ask(line) == "+QUEUED|")
        }
        #expect(world.send("EXEC") == "")
        guard case .submit(let unit, _) = world.waiting.first else {
            Issue.record("nothing is handed over")
            return
        }
        #expect(unit.commands.count == 3)
        #expect(
            world.answerAll()
                == "*5|$3|1-1|+PONG|-ERR The ID specified in XADD is equal or smaller than the target stream top item|"
                + ":3|*-1|")
    }

    @Test("refuses a transaction in which a command could not be queued")
    func abortedTransaction() {
        var world = FaceWorld()
        _ = world.ask("MULTI")
        #expect(world.ask("XADD s") == "-ERR wrong number of arguments for 'xadd' command|")
        #expect(world.ask("EXEC") == "-EXECABORT Transaction discarded because of previous errors.|")
        #expect(world.ask("EXEC") == "-ERR EXEC without MULTI|")
    }

    @Test("does nothing of a transaction when a watched stream has changed")
    func watching() {
        var world = FaceWorld()
        _ = world.ask("XADD s 1-1 a b")
        #expect(world.ask("WATCH s") == "+OK|")
        _ = world.model.apply(
            .append(StreamAppend(key: [UInt8]("s"), fields: fields(("by", "somebody else")))), now: 6_000)
        _ = world.ask("MULTI\r\nXADD s 9-9 a b")
        #expect(world.ask("EXEC") == "*-1|")
        #expect(world.ask("XLEN s") == ":2|")
    }

    @Test("tells a subscriber in RESP2 what it may not say, and pushes in RESP3")
    func subscriptions() {
        var world = FaceWorld()
        let news = EmbeddedChannel(.name, [UInt8]("news"))
        #expect(world.ask("SUBSCRIBE news") == "*3|$9|subscribe|$4|news|:1|")
        #expect(world.ask("XLEN s").hasPrefix("-ERR Can't execute 'xlen': only (P|S)SUBSCRIBE"))
        #expect(world.deliver(news, "news", "hello") == "*3|$7|message|$4|news|$5|hello|")
        #expect(world.ask("UNSUBSCRIBE") == "*3|$11|unsubscribe|$4|news|:0|")
        #expect(world.deliver(news, "news", "too late") == "")
        _ = world.ask("HELLO 3")
        #expect(world.ask("PSUBSCRIBE n*") == ">3|$10|psubscribe|$2|n*|:1|")
        #expect(
            world.deliver(EmbeddedChannel(.pattern, [UInt8]("n*")), "news", "x")
                == ">4|$8|pmessage|$2|n*|$4|news|$1|x|")
        #expect(world.ask("XLEN s") == ":0|")
    }

    @Test("leaves out the replies that the client does not want")
    func silence() {
        var world = FaceWorld()
        #expect(world.ask("CLIENT REPLY SKIP\r\nXADD s 1-1 a b\r\nXLEN s") == ":1|")
        #expect(world.ask("CLIENT REPLY OFF\r\nXLEN s\r\nPING") == "")
        #expect(world.ask("CLIENT REPLY ON\r\nPING") == "+OK|+PONG|")
    }

    @Test("says what it does not speak")
    func unknown() {
        var world = FaceWorld()
        #expect(world.ask("SET key secret").hasPrefix("-ERR unknown command 'SET': the embedded event log answers"))
        #expect(!world.ask("SET key secret").contains("secret"))
        #expect(world.ask("PING") == "+PONG|")
    }

    @Test("answers what is on its way before it ends, and nothing afterwards")
    func quitting() {
        var world = FaceWorld()
        #expect(world.send("XADD s 1-1 a b\r\nQUIT\r\nPING") == "")
        #expect(world.answerAll() == "$3|1-1|+OK|")
        #expect(world.isClosed)
        #expect(world.ask("PING") == "")
    }

    @Test(
        "ends the connection at bytes that are no command",
        arguments: [
            ("*1\r\n+PING\r\n", "expected '$'"), ("*1\r\n$99999999999\r\n", "invalid bulk length"),
            ("*99999999\r\n", "invalid multibulk length"), ("'\r\n", "unbalanced quotes in request"),
        ])
    func malformed(bytes: String, reason: String) {
        var world = FaceWorld()
        #expect(world.ask("PING\r\n".utf8.map { $0 } + Array(bytes.utf8)) == "+PONG|-ERR Protocol error: \(reason)|")
        #expect(world.isClosed)
    }

    @Test("stops reading when too much waits for the disk, and goes on when it is answered")
    func backPressure() {
        var world = FaceWorld()
        let flood = (0..<EmbeddedSession.slotsMax + 10).flatMap { _ in Array("XLEN s\r\n".utf8) }
        #expect(world.send(flood) == "")
        #expect(world.waiting.count == EmbeddedSession.slotsMax)
        #expect(world.session.wantsInput)
        _ = world.send([UInt8](repeating: UInt8(ascii: "x"), count: EmbeddedSession.heldBytesMax))
        #expect(!world.session.wantsInput)
        #expect(world.answerAll().split(separator: "|").count == EmbeddedSession.slotsMax + 10)
        #expect(world.session.wantsInput)
    }

    @Test("has a long read looked up apart, in its turn: after what was before it, before what comes behind it")
    func longReads() {
        var world = FaceWorld()
        _ = world.ask("XADD s 1-1 a b")
        #expect(world.send("XRANGE s - + COUNT 1000") + world.send("XADD s 2-1 c d") == "")
        guard case .look(let unit, let ticket) = world.waiting.removeFirst() else {
            Issue.record("it is not looked up apart")
            return
        }
        #expect(world.waiting.isEmpty)
        #expect(!world.session.isBlocked)
        world.session.answered(.store(world.model.apply(unit)), ticket, now: 5_000)
        #expect(world.collect() == "*1|*2|$3|1-1|*2|$1|a|$1|b|")
        #expect(world.answerAll() == "$3|2-1|")
        // Behind an append whose reply is under way, and when it is short, a read is the writer's.
        for lines in [["XADD s 3-1 e f", "XRANGE s - +"], ["XRANGE s - + COUNT 64"]] {
            for line in lines { _ = world.send(line) }
            #expect(world.waiting.allSatisfy { if case .submit = $0 { true } else { false } })
            _ = world.answerAll()
        }
    }

    @Test("takes no command while its client does not read, and goes on where it stood")
    func unreadOutput() {
        var world = FaceWorld()
        world.session.outputChanged(isFull: true, now: 5_000)
        #expect(world.send("PING") + world.send("ECHO x") == "")
        #expect(world.session.wantsInput)
        let long = String(repeating: "a", count: EmbeddedSession.heldBytesMax)
        #expect(world.send(command("ECHO", long)) == "")
        #expect(!world.session.wantsInput)
        world.session.outputChanged(isFull: false, now: 5_000)
        #expect(world.answerAll() + world.collect() == "+PONG|$1|x|$65536|\(long)|")
    }

    @Test("a store that cannot write is told as MISCONF")
    func unavailable() {
        var world = FaceWorld()
        _ = world.send("XADD s 1-1 a b")
        guard case .submit(_, let ticket) = world.waiting.removeFirst() else {
            Issue.record("nothing is handed over")
            return
        }
        world.session.answered(.store(.unavailable(.diskFull)), ticket, now: 5_000)
        #expect(world.collect() == "-MISCONF The event log cannot take this command: \(LogError.diskFull)|")
    }
}
