import Pipeline
import Resilience
import Telemetry
import TestSupport
import Testing

/// Publishes with an idempotency key that fail: what is published again, and what the client reads when.
@Suite("Publishing again under a key") struct RepublishingTests {
    private let loading = "-LOADING Redis is loading the dataset in memory\r\n"

    private func add(_ id: String, _ stream: String = "orders") -> String {
        command("XADD", stream, "IDMP", "shop", id, "*", "k", id)
    }

    private func halves(_ text: String, _ cut: Int) -> (String, String) {
        let bytes = Array(text.utf8)
        return (
            String(decoding: bytes.prefix(cut), as: UTF8.self), String(decoding: bytes.dropFirst(cut), as: UTF8.self)
        )
    }

    private let plain = command("XADD", "orders", "*", "k", "1")

    // MARK: Error replies

    @Test("an error that will pass is not told: the publish is carried again, and its reply told in its place")
    func errorReply() {
        let bench = RetryBench()
        #expect(bench.client(add("a")) == add("a"))
        #expect(bench.upstream(loading) == "")
        #expect(bench.isHolding && !bench.isIdle && bench.carried() == "")
        #expect(bench.carriedLater() == add("a"))
        bench.broker(bulk("1-0"))
        #expect(bench.told() == bulk("1-0") && bench.isIdle && !bench.isHolding)
        #expect(bench.retries("retried") == 1)
        #expect(bench.events() == ["tacho.retry 2 LOADING"])
        #expect(bench.guarded.tally("orders publish") == "2 calls, 1 unavailable")
        #expect(bench.client(add("b")) == add("b"))
    }

    @Test(
        "errors that pass, and errors that do not",
        arguments: [
            ("-TRYAGAIN x\r\n", true), ("-CLUSTERDOWN x\r\n", true), ("-MASTERDOWN x\r\n", true),
            ("-BUSY x\r\n", true), ("-READONLY x\r\n", true), ("-OOM x\r\n", true), ("-WRONGTYPE x\r\n", false),
            ("-ERR syntax error\r\n", false), ("-MOVED 1 h:1\r\n", false), ("-NOPERM x\r\n", false),
        ])
    func classes(reply: String, isRetried: Bool) {
        let bench = RetryBench()
        bench.client(add("a"))
        #expect(bench.upstream(reply) == (isRetried ? "" : reply))
        #expect(bench.retries("retried") == (isRetried ? 1 : 0))
    }

    @Test(
        "without a key nothing is tried again",
        arguments: [
            command("XADD", "orders", "*", "k", "1"), command("XADD", "orders", "NOMKSTREAM", "*", "k", "1"),
            command("XADD", "orders", "NOMKSTREAM", "IDMP", "p", "a", "*", "k", "1"),
            "XADD orders IDMP p a * k 1\r\n", command("SET", "IDMP", "a"),
            command("XADD", "orders", "IDMP", "p", "*", "k"),
        ])
    func withoutKey(text: String) {
        let bench = RetryBench()
        bench.client(text)
        #expect(bench.upstream(loading) == loading)
        bench.client(text)
        bench.loseUpstream()
        #expect(!bench.isHolding && bench.told() == loading)
        #expect(bench.retries("") == 0)
    }

    @Test("IDMPAUTO is a key too")
    func automatic() {
        let bench = RetryBench(inject: .always)
        let text = command("XADD", "orders", "IDMPAUTO", "shop", "*", "k", "1")
        #expect(bench.client(text) == text)
        #expect(bench.upstream(loading) == "" && bench.carriedLater() == text)
    }

    @Test("what is carried has what was added to it, and the database that it was sent to")
    func same() {
        let bench = RetryBench(inject: .always)
        bench.client(command("SELECT", "3"))
        bench.upstream(ok)
        let sent = bench.client(add("a"))
        #expect(sent.contains("traceparent"))
        bench.upstream(loading)
        #expect(bench.carriedLater() == command("SELECT", "3"))
        bench.broker(ok)
        #expect(bench.carried() == sent)
    }

    @Test("replies in front pass, replies behind wait, and so do further commands")
    func order() {
        let bench = RetryBench()
        bench.client(command("GET", "x") + add("a") + command("GET", "y") + add("b") + command("GET", "z"))
        #expect(bench.upstream(bulk("1") + loading + bulk("2") + loading) == bulk("1"))
        #expect(bench.client(command("GET", "later")) == "")
        #expect(bench.upstream(bulk("3")) == "")
        _ = bench.told()
        _ = bench.carriedLater()
        bench.wait(milliseconds: 1_000)
        // One or the other was sent first: the replies are for the client in its own order.
        bench.broker(bulk("9-0"))
        bench.broker(bulk("9-0"))
        #expect(bench.told() == bulk("9-0") + bulk("2") + bulk("9-0") + bulk("3"))
        #expect(bench.forwardedLater() == command("GET", "later"))
        #expect(bench.upstream(bulk("4")) == bulk("4") && bench.isIdle)
    }

    @Test("split anywhere, it is the same", arguments: 1..<130)
    func split(at cut: Int) {
        let bench = RetryBench()
        let sent = command("GET", "x") + add("a") + command("GET", "y")
        bench.client(halves(sent, cut).0)
        bench.client(halves(sent, cut).1)
        let replies = bulk("1") + loading + bulk("2")
        bench.upstream(halves(replies, cut).0)
        bench.upstream(halves(replies, cut).1)
        #expect(bench.told() == bulk("1") && bench.carriedLater() == add("a"))
        bench.broker(bulk("9-0"))
        #expect(bench.told() == bulk("9-0") + bulk("2") && bench.isIdle && bench.opaque == nil)
    }

    @Test("answers of our own behind it keep their place")
    func refusedBehind() {
        let bench = RetryBench()
        bench.guarded.open("bills publish")
        bench.client(add("a") + command("XADD", "bills", "*", "k", "1") + command("GET", "x"))
        #expect(bench.upstream(loading + bulk("1")) == "")
        _ = bench.carriedLater()
        bench.broker(bulk("9-0"))
        #expect(bench.told() == bulk("9-0") + refused("bills publish") + bulk("1"))
    }

    @Test("an error that stays is told when the time is over, as the broker said it")
    func giveUp() {
        let bench = RetryBench()
        bench.client(add("a") + command("GET", "x"))
        bench.upstream(loading + bulk("1"))
        bench.answerAll("-MASTERDOWN no\r\n")
        #expect(["-MASTERDOWN no\r\n", loading].map { $0 + bulk("1") }.contains(bench.told()))
        #expect(bench.isIdle && !bench.hasEnded)
        #expect(bench.retries("deadline") + bench.retries("attempts") == 1)
        #expect(bench.guarded.world.records()[0].error != .none)
    }

    @Test("a transaction is not taken apart")
    func transaction() {
        let bench = RetryBench()
        bench.client(command("MULTI") + add("a") + command("EXEC"))
        bench.upstream(ok + queued)
        #expect(bench.upstream(array([loading])) == array([loading]))
        #expect(bench.retries("") == 0)
    }

    // MARK: Lost connections

    @Test("the connection is lost before the reply: the key makes the broker answer with the id that it has")
    func lost() {
        let bench = RetryBench()
        bench.client(add("a"))
        bench.loseUpstream()
        #expect(bench.isHolding && !bench.hasEnded)
        #expect(bench.carriedLater() == add("a"))
        bench.broker(bulk("1-0"))
        #expect(bench.told() == bulk("1-0") && bench.hasEnded)
        #expect(bench.events() == ["tacho.retry 2 connection_lost"])
        #expect(bench.guarded.tally("orders publish") == "2 calls, 1 connection")
    }

    @Test("lost inside its reply", arguments: 1..<bulk("1-0").utf8.count)
    func lostInside(count: Int) {
        let bench = RetryBench()
        bench.client(add("a"))
        #expect(bench.upstream(halves(bulk("1-0"), count).0) == "")
        bench.loseUpstream()
        #expect(bench.carriedLater() == add("a"))
        bench.broker(bulk("1-0"))
        #expect(bench.told() == bulk("1-0") && bench.hasEnded)
    }

    @Test("what can be answered in order is; the first without a key ends the connection")
    func lostInPipeline() {
        let bench = RetryBench()
        bench.client(command("GET", "x") + add("a") + add("b") + command("GET", "y") + add("c"))
        #expect(bench.upstream(bulk("1")) == bulk("1"))
        _ = bench.told()
        bench.loseUpstream()
        bench.wait(milliseconds: 60)
        #expect(Set(["", add("a") + add("b"), add("b") + add("a")]).contains(bench.carried()))
        bench.broker(bulk("9-0"))
        bench.broker(bulk("9-0"))
        #expect(bench.told() == bulk("9-0") + bulk("9-0") && bench.hasEnded)
        #expect(bench.retries("retried") == 2)
        bench.close()
        #expect(bench.guarded.tally("orders publish") == "5 calls, 3 connection")
    }

    @Test("behind a command without a key there is nothing to be done")
    func lostBehind() {
        let bench = RetryBench()
        bench.client(command("GET", "x") + add("a"))
        bench.loseUpstream()
        #expect(!bench.isHolding && bench.retries("") == 0)
        bench.client(plain + add("b"))
        #expect(bench.carried() == "")
    }

    @Test("the broker stays away: the connection ends, and the client knows as much as we")
    func away() {
        let bench = RetryBench()
        bench.isUnreachable = true
        bench.client(add("a"))
        bench.loseUpstream()
        bench.wait(milliseconds: 2_001)
        #expect(bench.told() == "" && bench.hasEnded && !bench.isHolding)
        bench.close()
        let spans = bench.guarded.world.records()
        #expect(spans.count == 1 && spans[0].outcome == .disconnected)
    }

    @Test("an error after an unknown fate is not told, since the first try may have been carried out")
    func unknownThenError() {
        let bench = RetryBench()
        bench.client(add("a"))
        bench.loseUpstream()
        bench.answerAll(loading)
        #expect(bench.told() == "" && bench.hasEnded)
    }

    @Test("a try whose connection is lost is tried again")
    func lostTwice() {
        let bench = RetryBench()
        bench.client(add("a"))
        bench.loseUpstream()
        #expect(bench.carriedLater() == add("a"))
        bench.loseCourier()
        #expect(bench.carriedLater() == add("a"))
        bench.broker("-WRONGTYPE no\r\n")
        #expect(bench.told() == "-WRONGTYPE no\r\n" && bench.hasEnded)
        #expect(bench.events() == ["tacho.retry 2 connection_lost", "tacho.retry 3 connection_lost"])
    }

    @Test("a client that leaves meanwhile")
    func left() {
        let bench = RetryBench()
        bench.client(add("a"))
        bench.loseUpstream()
        #expect(bench.carriedLater() == add("a"))
        bench.close()
        bench.broker(bulk("1-0"))
        #expect(bench.guarded.world.records().count == 1)
        #expect(bench.guarded.tally("orders publish") == "1 calls, 1 connection")
    }

    // MARK: Overdue

    @Test("overdue: carried again, and the late reply of the upstream is for nobody")
    func overdue() {
        let bench = RetryBench()
        bench.client(add("a") + command("GET", "x"))
        bench.wait(milliseconds: 5_000)
        bench.tick()
        #expect(bench.carriedLater() == add("a"))
        bench.broker(bulk("1-0"))
        #expect(bench.told() == bulk("1-0") && !bench.isHolding)
        #expect(bench.upstream(bulk("1-0") + bulk("x")) == bulk("x") && bench.isIdle)
        #expect(bench.events() == ["tacho.retry 2 timeout"])
    }

    @Test("overdue: the upstream answers first")
    func late() {
        let bench = RetryBench()
        bench.client(add("a") + add("b"))
        bench.wait(milliseconds: 5_000)
        bench.tick()
        #expect(bench.carriedLater() != "")
        #expect(bench.upstream(bulk("1-0") + bulk("2-0")) == bulk("1-0") + bulk("2-0"))
        #expect(!bench.isHolding && bench.isIdle)
        bench.broker(bulk("1-0"))
        #expect(bench.told() == bulk("1-0") + bulk("2-0"))
    }

    @Test("overdue and given up: the upstream may yet answer, or be lost")
    func overdueForGood() {
        for isLost in [false, true] {
            let bench = RetryBench()
            bench.isUnreachable = true
            bench.client(add("a"))
            bench.wait(milliseconds: 5_000)
            bench.tick()
            bench.wait(milliseconds: 2_001)
            #expect(!bench.isHolding && !bench.hasEnded && !bench.isIdle)
            if isLost { bench.loseUpstream() } else { bench.upstream(bulk("1-0")) }
            #expect(bench.hasEnded == isLost && bench.told() == (isLost ? "" : bulk("1-0")))
        }
    }

    // MARK: Bounds

    @Test("a breaker that opens ends it")
    func breaker() {
        let bench = RetryBench()
        bench.client(add("a"))
        bench.upstream(loading)
        bench.guarded.open("orders publish", milliseconds: 10_000)
        bench.wait(milliseconds: 1_001)
        #expect(bench.told() == loading && bench.retries("breaker") == 1 && bench.carried() == "")
        bench.client(add("b"))
        #expect(bench.told().hasPrefix("-TACHO breaker"))
    }

    @Test("the budget of a destination ends a storm of retries")
    func budget() {
        let bench = RetryBench()
        for number in 0..<100 {
            bench.client(add("\(number)"))
            bench.upstream(loading)
            bench.answerAll("-WRONGTYPE no\r\n")
            bench.wait(milliseconds: 1_001)
        }
        // 500 tokens, ten for each that was refused as unavailable.
        #expect(bench.retries("retried") == 50 && bench.retries("tokens") > 0)
    }

    @Test("no more copies than the broker is likely to know keys")
    func copies() {
        let bench = RetryBench(messages: 2)
        bench.client(add("a") + add("b") + add("c"))
        #expect(bench.retries("not_kept") == 1)
        bench.loseUpstream()
        // Two more were sent behind the first: its key may be forgotten.
        #expect(bench.retries("unknown_fate") == 1 && !bench.isHolding)
    }

    @Test("bytes of copies are bounded, and given back")
    func bytes() {
        let bench = RetryBench(bytes: add("a").utf8.count)
        bench.client(add("a") + add("b"))
        #expect(bench.retries("not_kept") == 1)
        bench.upstream(bulk("1-0") + bulk("2-0"))
        bench.client(add("c"))
        #expect(bench.retries("not_kept") == 1)
        #expect(bench.upstream(loading) == "")
    }

    @Test("a key that is too old is no key")
    func old() {
        let bench = RetryBench()
        bench.client(add("a"))
        bench.wait(milliseconds: 50_000)
        bench.loseUpstream()
        #expect(bench.retries("unknown_fate") == 1 && !bench.isHolding)
    }

    @Test("bytes that are not understood behind it keep their place too")
    func opaque() {
        let bench = RetryBench()
        bench.client(add("a"))
        #expect(bench.upstream(loading + "nonsense\r\n") == "" && bench.opaque != nil)
        _ = bench.carriedLater()
        bench.broker(bulk("1-0"))
        #expect(bench.told() == bulk("1-0") + "nonsense\r\n")
    }
}

/// Pipelines that nobody thought of, before brokers that fail at random.
@Suite("Publishing again, at random") struct RandomRepublishingTests {
    private struct Question {
        var command: String
        var key: Int?
        /// Its reply, when it is not an error.
        var reply: String
    }

    private let loading = "-LOADING wait\r\n"

    private func question(_ number: Int, isKeyed: Bool) -> Question {
        guard isKeyed else { return Question(command: command("GET", "\(number)"), reply: bulk("value \(number)")) }
        return Question(
            command: command("XADD", "s", "IDMP", "p", "\(number)", "*", "k", "v"), key: number,
            reply: bulk("\(number)-1"))
    }

    /// The keys of the commands that a courier has written, in order.
    private func keys(_ text: String) -> [String] {
        text.split(separator: "*8\r\n").compactMap { $0.split(separator: "\r\n").dropFirst(9).first.map(String.init) }
    }

    @Test(
        "each reply is told once, in its order, or the connection has ended", arguments: 1...150 as ClosedRange<UInt64>)
    func order(seed: UInt64) {
        var random = SeededGenerator(seed: seed &* 0x9e37_79b9_7f4a_7c15)
        let bench = RetryBench()
        let questions = (0..<Int.random(in: 1...12, using: &random)).map {
            question($0, isKeyed: .random(using: &random))
        }
        let sent = questions.map(\.command).joined()
        #expect(bench.client(sent) == sent)
        let isLost = Bool.random(using: &random)
        let answered = isLost ? Int.random(in: 0...questions.count, using: &random) : questions.count
        var replies = questions.prefix(answered).map { question in
            question.key != nil && Int.random(in: 0..<3, using: &random) == 0 ? loading : question.reply
        }.joined()
        if isLost, answered < questions.count {
            let next = Array(questions[answered].reply.utf8)
            replies += String(decoding: next.prefix(.random(in: 0..<next.count, using: &random)), as: UTF8.self)
        }
        for piece in Array(replies.utf8).cut(.random(in: 1...64, using: &random), by: &random) {
            bench.upstream(String(decoding: piece, as: UTF8.self))
        }
        if isLost { bench.loseUpstream() }
        #expect(bench.retries("retried") > 0 || !replies.contains(loading), "seed \(seed)")
        while true {
            let tries = keys(bench.carriedLater())
            guard !tries.isEmpty else { break }
            for key in tries {
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bench.broker(loading)
                default: bench.broker(bulk("\(key)-1"))
                }
            }
        }
        bench.wait(milliseconds: 3_000)
        // What was not told well was told as the error that it was, in its place.
        var rest = bench.told()[...]
        var count = 0
        for question in questions {
            if rest.hasPrefix(question.reply) {
                rest = rest.dropFirst(question.reply.count)
            } else if question.key != nil, rest.hasPrefix(loading) {
                rest = rest.dropFirst(loading.count)
            } else {
                break
            }
            count += 1
        }
        // A lost connection may leave a part of a reply that nobody can complete, as without retries.
        #expect(rest.isEmpty || (isLost && questions[count].reply.hasPrefix(rest)), "seed \(seed): \(rest)")
        #expect(count == questions.count || isLost || bench.hasEnded, "seed \(seed)")
        #expect(!bench.isHolding && bench.opaque == nil, "seed \(seed)")
    }
}
