import Pipeline
import Telemetry
import Testing

/// A session whose publishes to JetStream are stored because their breaker is open.
@Suite("Spooling on NATS") struct NATSSpoolingTests {
    private let sequence = 1_700_000_000_000 << 12

    private func acknowledgement(_ inbox: String, _ number: Int) -> String {
        msg(inbox, "1", #"{"stream":"S","domain":"tacho-spool","seq":\#(sequence + number)}"#)
    }

    private func headers(_ message: SpooledMessage) -> [Substring] {
        String(decoding: message.publish.headers, as: UTF8.self).split(separator: "\r\n")
    }

    @Test("stored first, then acknowledged in JetStream's form, with a sequence of the spool's own")
    func storedThenAcknowledged() {
        let spooling = SpoolWorld(system: "nats")
        let session = spooling.natsClient()
        #expect(session.client(pub("orders", "x", reply: "_INBOX.a.1") + "PING\r\n") == "PING\r\n")
        #expect(session.answered() == "" && !session.isIdle)
        spooling.store(session)
        #expect(session.answered() == acknowledgement("_INBOX.a.1", 0) && session.isIdle)
        let message = spooling.store.messages(SpoolWorld.subject)[0]
        #expect(message.publish.body == Array("x".utf8) && message.publish.stream.stream == Array("S".utf8))
        let lines = headers(message)
        #expect(lines.count == 2 && lines[0] == "NATS/1.0" && lines[1].hasPrefix("Nats-Msg-Id: tacho-"))
        let span = spooling.world.records()[0]
        #expect(span.outcome == .spooled && span.error == .none)
    }

    @Test("the context that it would have had is stored with it, and headers of the client's own stay")
    func context() {
        let spooling = SpoolWorld(inject: .always, system: "nats")
        let session = spooling.natsClient()
        session.client(hpub("orders", [("Nats-Msg-Id", "7"), ("A", "b")], "x", reply: "_INBOX.a.1"))
        spooling.store(session)
        let message = spooling.store.messages(SpoolWorld.subject)[0]
        let lines = headers(message)
        #expect(lines[1...2] == ["Nats-Msg-Id: 7", "A: b"] && lines[3].hasPrefix("traceparent: 00-"))
        #expect(!lines.contains { $0.contains("tacho-") })
        #expect(lines[3].hasPrefix("traceparent: " + message.traceParent.prefix(52)))
        #expect(message.publish.headers.suffix(4) == Array("\r\n\r\n".utf8))
    }

    @Test(
        "however it comes in pieces, it is the same, also where it would be sent again", arguments: 1..<110,
        ["A", "Nats-Msg-Id"])
    func split(at cut: Int, header: String) {
        let spooling = SpoolWorld(system: "nats", retries: PublishRetryLimits(withinNanoseconds: 1_000_000_000))
        let session = spooling.natsClient()
        let text = Array((hpub("orders", [(header, "b")], "body", reply: "_INBOX.a.1") + pub("other", "y")).utf8)
        guard cut < text.count else { return }
        var passed = session.client(Array(text[..<cut]))
        spooling.store(session)
        passed += session.client(Array(text[cut...]))
        if session.answered() == "" { spooling.store(session) }
        #expect(String(decoding: passed, as: UTF8.self) == pub("other", "y"))
        #expect(spooling.store.messages(SpoolWorld.subject).map(\.publish.body) == [Array("body".utf8)])
    }

    @Test("many at a time, whoever waits and whoever does not")
    func many() {
        let spooling = SpoolWorld(system: "nats")
        let session = spooling.natsClient()
        session.client(
            pub("orders", "1", reply: "_INBOX.a.1") + pub("orders", "2") + pub("orders", "3", reply: "_INBOX.a.3"))
        spooling.store(session)
        #expect(session.answered() == acknowledgement("_INBOX.a.1", 0) + acknowledgement("_INBOX.a.3", 2))
        #expect(
            spooling.store.messages(SpoolWorld.subject).map(\.publish.body) == ["1", "2", "3"].map { Array($0.utf8) })
    }

    @Test("while messages of a subject wait, later ones queue behind them, and what cannot queue does not overtake")
    func behind() {
        let spooling = SpoolWorld(system: "nats")
        let session = spooling.natsClient()
        session.client(pub("orders", "1", reply: "_INBOX.a.1"))
        spooling.store(session)
        _ = session.answered()
        spooling.close()
        #expect(session.client(pub("orders", "2", reply: "_INBOX.a.2")) == "")
        spooling.store(session)
        #expect(session.answered() == acknowledgement("_INBOX.a.2", 1))
        #expect(session.client(hpub("orders", [("Nats-Expected-Last-Sequence", "1")], "3", reply: "_INBOX.a.3")) == "")
        #expect(session.answered().contains("messages of this subject are still spooled"))
        #expect(session.client(pub("bills", "x")) == pub("bills", "x"))
        // Another account's subject is not this one.
        let other = spooling.natsClient(connect: #"{"headers":true,"verbose":false,"user":"b"}"#, isAcknowledged: false)
        #expect(other.client(pub("orders", "x")) == pub("orders", "x"))
    }

    @Test(
        "what cannot be promised is refused as without a spool",
        arguments: ["Nats-Expected-Last-Sequence", "nats-expected-stream", "Nats-Batch-Id", "Nats-Incr"])
    func conditional(header: String) {
        let spooling = SpoolWorld(system: "nats")
        let session = spooling.natsClient()
        #expect(session.client(hpub("orders", [(header, "1")], "x", reply: "_INBOX.a.1")) == "")
        #expect(session.answered().contains(#""description":"tacho: breaker orders publish is open"#))
        #expect(session.last.detours.isEmpty)
    }

    @Test("a question to a service is no message for a stream, nor is what a client publishes before it is let in")
    func unknown() {
        let spooling = SpoolWorld(system: "nats")
        let asking = spooling.natsClient(isAcknowledged: false)
        #expect(asking.client(pub("orders", "x", reply: "_INBOX.a.1")) == "")
        #expect(asking.answered().contains("503 tacho: breaker orders publish is open"))
        _ = spooling.natsClient()
        let intruder = spooling.world.connectNATS()
        intruder.upstream(#"INFO {"headers":true,"max_payload":1048576}"# + "\r\n")
        intruder.client("CONNECT {\"headers\":true,\"verbose\":false}\r\nSUB _INBOX.a.* 1\r\n")
        intruder.client(pub("orders", "x", reply: "_INBOX.a.1"))
        #expect(intruder.last.detours.isEmpty && intruder.answered().contains("is open"))
        // Let in, it is as good as the client that JetStream has acknowledged to.
        intruder.upstream("PONG\r\n")
        #expect(intruder.client(pub("orders", "x", reply: "_INBOX.a.1")) == "" && !intruder.last.detours.isEmpty)
    }

    @Test("key-value buckets are read right after they are written: nothing of them is stored")
    func stores() {
        let spooling = SpoolWorld(system: "nats")
        let session = spooling.natsClient()
        session.client(pub("$KV.a.b", "x", reply: "_INBOX.a.1"))
        session.upstream(msg("_INBOX.a.1", "1", #"{"stream":"KV_a","seq":1}"#))
        spooling.open("$KV.a")
        #expect(session.client(pub("$KV.a.b", "x", reply: "_INBOX.a.1")) == "")
        #expect(session.answered().contains("is open") && session.last.detours.isEmpty)
    }

    @Test("a full spool, a disk that fails, and one that is late")
    func bounds() {
        func error(_ text: String) -> String {
            msg("_INBOX.a.1", "1", #"{"error":{"code":503,"err_code":0,"description":"tacho: \#(text)"}}"#)
        }
        let spooling = SpoolWorld(messages: 1, system: "nats")
        let session = spooling.natsClient()
        let publish = pub("orders", "x", reply: "_INBOX.a.1")
        spooling.store.fail("disk full")
        session.client(publish)
        spooling.store(session)
        #expect(session.answered() == error("the message could not be spooled: disk full"))
        spooling.store.fail(nil)
        session.client(publish)
        spooling.store(session, commits: false)
        spooling.world.advance(milliseconds: 1_001)
        session.tick()
        #expect(session.answered() == error("the disk of the spool did not answer in time, the message was not taken"))
        // What the disk says later is taken back, and its room with it.
        spooling.store.commit()
        #expect(spooling.store.messages(SpoolWorld.subject) == [])
        session.client(publish)
        spooling.store(session)
        #expect(session.answered() == acknowledgement("_INBOX.a.1", 1))
        session.client(publish)
        #expect(session.answered() == error("the spool is full, try again later"))
        session.client(pub("orders", "x"))
        #expect(session.answered().hasPrefix("-ERR 'Permissions Violation for Publish"))
    }

    @Test("our acknowledgement waits for the message that is on its way")
    func inTheMiddle() {
        let spooling = SpoolWorld(system: "nats")
        let session = spooling.natsClient()
        #expect(session.upstream("MSG a 9 4\r\nab") == "MSG a 9 4\r\nab")
        session.client(pub("orders", "x", reply: "_INBOX.a.1"))
        spooling.store(session)
        #expect(session.answered() == "")
        #expect(session.upstream("cd\r\nPING\r\n") == "cd\r\n" + acknowledgement("_INBOX.a.1", 0) + "PING\r\n")
    }

    @Test("a client that leaves meanwhile has its message stored")
    func left() {
        let spooling = SpoolWorld(system: "nats")
        let session = spooling.natsClient()
        session.client(pub("orders", "x", reply: "_INBOX.a.1"))
        spooling.store(session, commits: false)
        session.close()
        spooling.store.commit()
        #expect(spooling.store.messages(SpoolWorld.subject).count == 1)
        #expect(spooling.world.records().count == 1)
    }
}
