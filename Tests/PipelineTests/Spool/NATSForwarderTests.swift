import NIOCore
import Pipeline
import Synchronization
import Telemetry
import Testing

/// The forwarder in front of a NATS server as a transcript: what it writes, what it is answered, and what is left.
@Suite("Sending spooled messages on to JetStream") struct NATSForwarderTests {
    /// A forwarder with so many stored messages, `m0`, `m1` and so on by their ids, connected as soon as it wants to be.
    final class Bench {
        let spooling: SpoolWorld
        private var forwarder: SpoolForwarder
        private var written: [UInt8] = []
        private(set) var wantsClose = false
        private(set) var connections = 0
        private(set) var startsTLS = false
        private(set) var events: [OutboundEvent] = []

        init(
            messages: Int, note: UInt64? = nil, credentials: OutboundCredentials? = nil, tls: SessionTLS = SessionTLS(),
            domain: String = ""
        ) {
            spooling = SpoolWorld(system: "nats", tls: tls)
            let session = spooling.natsClient(domain: domain)
            for number in 0..<messages {
                session.client(hpub("orders", [("Nats-Msg-Id", "m\(number)")], "\(number)"))
                spooling.store(session)
            }
            spooling.close()
            _ = spooling.world.records()
            if let note {
                let first = spooling.store.messages(SpoolWorld.subject)[0].id
                spooling.store.note(
                    SpoolWorld.subject, first, StreamEntryID(milliseconds: 0, sequence: note)
                ) { _ in }
            }
            forwarder = .nats(
                lane: spooling.world.lane, listener: spooling.world.profile, spool: spooling.spool,
                credentials: credentials)
            take(forwarder.woken(at: spooling.world.now))
        }

        static func headers(_ number: Int) -> String { headerBlock([("Nats-Msg-Id", "m\(number)")]) }

        private func take(_ step: OutboundStep<SpoolTask>) {
            written += step.bytes
            events += step.events
            startsTLS = startsTLS || step.startsTLS
            if case .close = step.connection { wantsClose = true }
            if let request = step.request {
                let answer = Mutex<SpoolTask.Answer?>(nil)
                spooling.spool.perform(request) { result in answer.withLock { $0 = result } }
                if let answer = answer.withLock({ $0 }) { take(forwarder.answered(answer, at: spooling.world.now)) }
            }
            guard case .open = step.connection else { return }
            connections += 1
            take(forwarder.connected(at: spooling.world.now))
        }

        /// What was written; our inbox, whose name is random, is called `IN`.
        func wrote() -> String {
            defer { written = [] }
            return String(decoding: written, as: UTF8.self).replacing(/_INBOX\.tacho\.[0-9a-f]{16}/, with: "IN")
        }

        func say(_ text: String) {
            take(forwarder.received(ByteBuffer(string: named(text)), at: spooling.world.now))
        }

        /// With the true name of our inbox.
        func named(_ text: String) -> String { text.replacing("IN.", with: inbox + ".") }

        private var inbox = ""

        /// The server greets and takes us in; returns what was written after that.
        func greet(_ info: String = #"{"headers":true,"max_payload":1048576}"#) -> String {
            say("INFO \(info)\r\n")
            let text = String(decoding: written, as: UTF8.self)
            inbox = text.firstMatch(of: /_INBOX\.tacho\.[0-9a-f]{16}/).map { String($0.output) } ?? ""
            written = []
            say("PONG\r\n")
            return wrote()
        }

        func lose() { take(forwarder.disconnected(.failed, at: spooling.world.now)) }

        func wait(milliseconds: UInt64) {
            spooling.world.advance(milliseconds: milliseconds)
            take(forwarder.woken(at: spooling.world.now))
        }

        var left: Int { spooling.store.messages(SpoolWorld.subject).count }

        func outcome(_ name: String) -> Double {
            spooling.world.metric("tacho_spool_forwarded_total", #"outcome="\#(name)""#)
        }
    }

    private func sent(_ number: Int, _ question: Int) -> String {
        let headers = Bench.headers(number)
        return "HPUB orders IN.\(question) \(headers.utf8.count) \(headers.utf8.count + 1)\r\n\(headers)\(number)\r\n"
    }

    private func look(_ request: String, _ question: Int, api: String = "$JS.API") -> String {
        "PUB \(api).STREAM.MSG.GET.S IN.\(question) \(request.utf8.count)\r\n\(request)\r\n"
    }

    private let end = #"{"last_by_subj":"orders"}"#

    private func next(_ sequence: Int) -> String { #"{"seq":\#(sequence),"next_by_subj":"orders"}"# }

    /// The answer to a look; `m1` in a header block of the stream's is `TkFUUy8xLjANCk5hdHMtTXNnLUlkOiBtMQ0KDQo=`.
    private func found(_ question: Int, _ sequence: Int, _ headers: String? = nil) -> String {
        let block = headers.map { #","hdrs":"\#($0)""# } ?? ""
        return msg(
            "IN.\(question)", "1",
            #"{"type":"t","message":{"subject":"orders","seq":\#(sequence)\#(block),"data":"eA=="}}"#)
    }

    private let m0 = "TkFUUy8xLjANCk5hdHMtTXNnLUlkOiBtMA0KDQo="
    private let m1 = "TkFUUy8xLjANCk5hdHMtTXNnLUlkOiBtMQ0KDQo="

    private func nothing(_ question: Int) -> String {
        msg("IN.\(question)", "1", #"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#)
    }

    private func stored(_ question: Int, _ sequence: Int, more: String = "") -> String {
        msg("IN.\(question)", "1", #"{"stream":"S","seq":\#(sequence)\#(more)}"#)
    }

    private func error(_ question: Int, _ code: Int, _ number: Int) -> String {
        msg("IN.\(question)", "1", #"{"error":{"code":\#(code),"err_code":\#(number),"description":"d"}}"#)
    }

    @Test("the end of the subject is noted, then one at a time, each awaited; then the disk lets go")
    func inOrder() {
        let bench = Bench(messages: 2)
        #expect(bench.greet() == look(end, 1))
        bench.say(found(1, 7))
        #expect(bench.wrote() == sent(0, 2))
        #expect(bench.spooling.store.messages(SpoolWorld.subject)[0].note?.sequence == 7)
        bench.say("PING\r\n")
        #expect(bench.wrote() == "PONG\r\n")
        bench.say(stored(2, 8))
        #expect(bench.wrote() == sent(1, 3) && bench.left == 2)
        bench.say(stored(3, 9))
        #expect(bench.left == 0 && bench.outcome("forwarded") == 2)
        let span = bench.spooling.world.records()[0]
        #expect(span.messageID == .sequence(8))
    }

    @Test("split anywhere, an answer is the same", arguments: 1..<95)
    func split(at cut: Int) {
        let bench = Bench(messages: 1)
        _ = bench.greet()
        bench.say(found(1, 7))
        let text = Array(bench.named(stored(2, 8)).utf8)
        guard cut < text.count else { return }
        bench.say(String(decoding: text[..<cut], as: UTF8.self))
        #expect(bench.left == 1)
        bench.say(String(decoding: text[cut...], as: UTF8.self))
        #expect(bench.left == 0)
    }

    @Test("signs in with a name and a password, or with a token; a server that refuses is told as such")
    func signsIn() {
        func introduction(_ credentials: OutboundCredentials) -> (String, Bench) {
            let bench = Bench(messages: 1, credentials: credentials)
            bench.say("INFO {}\r\n")
            return (bench.wrote(), bench)
        }
        let (named, bench) = introduction(OutboundCredentials(username: "u", password: #"p"w"#))
        #expect(named.contains(#""user":"u","pass":"p\"w"}"#) && named.hasSuffix("SUB IN.* 1\r\nPING\r\n"))
        #expect(introduction(OutboundCredentials(username: "", password: "t")).0.contains(#""auth_token":"t"}"#))
        bench.say("-ERR 'Authorization Violation'\r\n")
        #expect(bench.wantsClose && bench.left == 1)
        guard case .failing(_, let reason)? = bench.events.first else { return #expect(Bool(false)) }
        #expect(reason.contains("Authorization Violation; set credentials.password_file"))
    }

    @Test("whether it may sign in is found out at the start, once, and a server that goes is missed when there is work")
    func beforeAnything() {
        let bench = Bench(messages: 0)
        bench.say("INFO {}\r\n")
        #expect(bench.wrote().hasPrefix("CONNECT "))
        bench.say("-ERR 'Authorization Violation'\r\n")
        #expect(bench.wantsClose && bench.events.count == 1)
        bench.lose()
        bench.wait(milliseconds: 10_000)
        #expect(bench.connections == 1)
        let calm = Bench(messages: 0)
        #expect(calm.greet() == "")
        calm.lose()
        calm.wait(milliseconds: 10_000)
        #expect(calm.events.isEmpty)
    }

    @Test("TLS begins behind the greeting, and nothing that stood behind that is believed")
    func encrypts() {
        let bench = Bench(messages: 1, tls: SessionTLS(upstream: .afterGreeting))
        bench.say("INFO {\"tls_required\":true}\r\nPONG\r\n")
        #expect(bench.startsTLS && bench.wrote().hasPrefix("CONNECT "))
        let plain = Bench(messages: 1, tls: SessionTLS(upstream: .afterGreeting))
        plain.say("INFO {}\r\n")
        #expect(plain.wantsClose && plain.wrote() == "" && !plain.startsTLS)
        let required = Bench(messages: 1)
        required.say("INFO {\"tls_required\":true}\r\n")
        #expect(required.wantsClose && required.wrote() == "")
    }

    @Test("an answer that was lost: what lies behind the last known sequence is gone through")
    func lostAnswer() {
        let bench = Bench(messages: 2)
        _ = bench.greet()
        bench.say(found(1, 7))
        bench.say(stored(2, 8))
        #expect(bench.wrote() == sent(0, 2) + sent(1, 3))
        bench.lose()
        bench.wait(milliseconds: 6_000)
        #expect(bench.greet() == look(end, 4))
        bench.say(found(4, 11))
        #expect(bench.wrote() == look(next(9), 5))
        bench.say(found(5, 9))
        #expect(bench.wrote() == look(next(10), 6))
        bench.say(found(6, 11, m1))
        #expect(bench.left == 0 && bench.outcome("already_there") == 1 && bench.outcome("forwarded") == 1)
    }

    @Test("after a crash: what was sent is found and not sent again, and what was not is sent")
    func afterCrash() {
        let bench = Bench(messages: 2, note: 7)
        #expect(bench.greet() == look(end, 1))
        bench.say(found(1, 9))
        #expect(bench.wrote() == look(next(8), 2))
        bench.say(found(2, 8, m0))
        #expect(bench.wrote() == look(next(9), 3))
        bench.say(found(3, 9))
        #expect(bench.wrote() == sent(1, 4))
        bench.say(stored(4, 10))
        #expect(bench.left == 0 && bench.outcome("already_there") == 1 && bench.outcome("forwarded") == 1)
    }

    @Test("nothing was published since: nothing is gone through; a stream that forgets stops no look")
    func nothingSince() {
        let bench = Bench(messages: 1, note: 7)
        _ = bench.greet()
        bench.say(found(1, 7))
        #expect(bench.wrote() == sent(0, 2))
        let trimmed = Bench(messages: 1, note: 7)
        _ = trimmed.greet()
        trimmed.say(found(1, 9))
        _ = trimmed.wrote()
        trimmed.say(nothing(2))
        #expect(trimmed.wrote() == sent(0, 3))
        trimmed.say(stored(3, 8, more: #","duplicate":true"#))
        #expect(trimmed.left == 0 && trimmed.outcome("already_there") == 1)
    }

    @Test("an empty subject, and a stream in a domain of its own")
    func domain() {
        let bench = Bench(messages: 1, domain: "leaf")
        #expect(bench.greet() == look(end, 1, api: "$JS.leaf.API"))
        bench.say(nothing(1))
        #expect(bench.wrote() == sent(0, 2))
        #expect(bench.spooling.store.messages(SpoolWorld.subject)[0].note?.sequence == 0)
    }

    @Test("who may not look has the ids alone, and says so where that may not be enough")
    func blind() {
        let refusal = "-ERR 'Permissions Violation for Publish to \"$JS.API.STREAM.MSG.GET.S\"'\r\n"
        let bench = Bench(messages: 1)
        _ = bench.greet()
        bench.say(refusal)
        #expect(bench.wrote() == sent(0, 2))
        #expect(bench.spooling.store.messages(SpoolWorld.subject)[0].note?.sequence == 0)
        bench.lose()
        bench.wait(milliseconds: 6_000)
        #expect(bench.greet() == look(end, 3))
        bench.say(refusal)
        #expect(bench.wrote() == sent(0, 4))
        bench.say(stored(4, 8))
        #expect(bench.left == 0 && bench.outcome("unverified") == 1)
    }

    @Test("JetStream in trouble is asked again later, and nothing overtakes")
    func trouble() {
        let bench = Bench(messages: 2)
        _ = bench.greet()
        bench.say(nothing(1))
        #expect(bench.wrote() == sent(0, 2))
        bench.say(error(2, 503, 10_077))
        bench.wait(milliseconds: 10_000)
        #expect(bench.wrote() == look(end, 3) && bench.left == 2)
        bench.say(nothing(3))
        #expect(bench.wrote() == sent(0, 4))
        bench.say(hmsg("IN.4", "1", [], "", status: "503"))
        bench.wait(milliseconds: 10_000)
        bench.say(nothing(5))
        #expect(bench.wrote() == look(end, 5) + sent(0, 6))
        bench.wait(milliseconds: 10_000)
        #expect(bench.wantsClose, "no answer in time")
        bench.lose()
        bench.wait(milliseconds: 10_000)
        #expect(bench.greet() == look(end, 7))
    }

    @Test("what will never be taken is kept aside, and the others begin anew")
    func refused() {
        let bench = Bench(messages: 2)
        _ = bench.greet()
        bench.say(nothing(1))
        bench.say(error(2, 400, 10_054))
        #expect(bench.spooling.store.asideCount == 1 && bench.left == 1)
        #expect(bench.wrote() == sent(0, 2) + look(end, 3))
        let small = Bench(messages: 1)
        #expect(small.greet(#"{"max_payload":10}"#) == "")
        #expect(small.spooling.store.asideCount == 1)
    }

    @Test("an open breaker is not pressed")
    func open() {
        let bench = Bench(messages: 2)
        _ = bench.greet()
        bench.say(nothing(1))
        bench.spooling.open()
        bench.say(stored(2, 8))
        bench.wait(milliseconds: 10_000)
        #expect(bench.wrote() == sent(0, 2) && bench.left == 1)
        bench.spooling.close()
        bench.wait(milliseconds: 100)
        #expect(bench.wrote() == look(end, 3))
    }
}
