import Pipeline
import Resilience
import Testing

/// What the guards hear of calls that were let through.
@Suite struct OutcomeTests {
    private let add = command("XADD", "orders", "*", "k", "1")
    private let read = command("XREADGROUP", "GROUP", "g", "a", "BLOCK", "5000", "STREAMS", "orders", ">")

    @Test(arguments: [
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", "1 calls, 1 throttled"),
        ("-BUSY Redis is busy running a script.\r\n", "1 calls, 1 throttled"),
        ("-TRYAGAIN Multiple keys request during rehashing of slot\r\n", "1 calls, 1 throttled"),
        ("-ERR max number of clients reached\r\n", "1 calls, 1 throttled"),
        ("-LOADING Redis is loading the dataset in memory\r\n", "1 calls, 1 unavailable"),
        ("-READONLY You can't write against a read only replica.\r\n", "1 calls, 1 unavailable"),
        ("-CLUSTERDOWN The cluster is down\r\n", "1 calls, 1 unavailable"),
        ("-MASTERDOWN Link with MASTER is down\r\n", "1 calls, 1 unavailable"),
        ("-MISCONF Errors writing to the AOF file\r\n", "1 calls, 1 unavailable"),
        ("-NOREPLICAS Not enough good replicas to write.\r\n", "1 calls, 1 unavailable"),
        ("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "1 calls, 1 mistakes"),
        ("-ERR syntax error\r\n", "1 calls, 1 mistakes"),
        ("-MOVED 3999 127.0.0.1:6381\r\n", "1 calls, 1 mistakes"),
        ("-NOAUTH Authentication required.\r\n", "1 calls, 1 mistakes"),
        ("-BUSYKEY Target key name already exists.\r\n", "1 calls, 1 mistakes"),
        ("$3\r\n1-0\r\n", "1 calls"),
    ])
    func errorsAreClassified(_ reply: String, _ expected: String) {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(add)
        #expect(guarded.tally("orders publish") == "1 in flight")
        #expect(session.upstream(reply) == reply)
        #expect(guarded.tally("orders publish") == expected)
    }

    @Test(
        "a broker that takes no writes is no broker that is away: reads and connections go on",
        arguments: [
            ("-READONLY You can't write against a read only replica.\r\n", "1 calls"),
            ("-MISCONF Errors writing to the AOF file\r\n", "1 calls"),
            ("-NOREPLICAS Not enough good replicas to write.\r\n", "1 calls"), ("-OOM\r\n", "1 calls"),
            ("-LOADING Redis is loading the dataset in memory\r\n", "1 calls, 1 unavailable"),
        ])
    func upstream(_ reply: String, _ expected: String) {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(add)
        session.upstream(reply)
        #expect(guarded.tally("upstream") == expected)
    }

    @Test func aSlowCallIsOneAboveTheThreshold() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .all, slowMilliseconds: 20)
        let session = guarded.connect()
        for milliseconds: UInt64 in [19, 20, 21, 500] {
            session.client(add)
            guarded.world.advance(milliseconds: milliseconds)
            session.upstream(bulk("1-0"))
        }
        #expect(guarded.tally("orders publish") == "4 calls, 2 slow")
    }

    @Test func latencyIsSummedAsItsLogarithm() {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        for _ in 0..<2 {
            session.client(add)
            guarded.world.advance(milliseconds: 10)
            session.upstream(bulk("1-0"))
        }
        let tally = guarded.cell("orders publish").collect()
        #expect(abs(tally.logSum + 2 * 4.605_170) < 0.001)
        #expect(abs(tally.logSquares - 2 * 4.605_170 * 4.605_170) < 0.005)
    }

    @Test func aReadThatWaitsIsNotSlowAndSaysNothingOfLatency() {
        let guarded = GuardedWorld()
        guarded.set("orders/g receive", .all, slowMilliseconds: 20)
        guarded.cell("orders/g receive").publishUsual(logLatencyMean: -5, variance: 0.5)
        let session = guarded.connect()
        session.client(read)
        guarded.world.advance(milliseconds: 5_000)
        session.upstream("*-1\r\n")
        let tally = guarded.cell("orders/g receive").collect()
        #expect(tally.calls == 1)
        #expect(tally.slow == 0)
        #expect(tally.logSum == -5)
        #expect(tally.logSquares == 25.5)
    }

    @Test func whatStandsBehindAReadThatWaitsBeginsWithItsReply() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .all, slowMilliseconds: 20)
        let session = guarded.connect()
        session.client(read + add + add)
        guarded.world.advance(milliseconds: 4_000)
        session.tick()
        session.upstream("*-1\r\n")
        guarded.world.advance(milliseconds: 10)
        session.upstream(bulk("1-0"))
        guarded.world.advance(milliseconds: 30)
        session.upstream(bulk("1-1"))
        #expect(guarded.tally("orders publish") == "2 calls, 1 slow")
    }

    @Test func anOverdueReplyIsATimeoutOnce() {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(add + add)
        guarded.world.advance(milliseconds: 4_999)
        session.client(add)
        session.tick()
        #expect(guarded.tally("orders publish") == "3 in flight")
        guarded.world.advance(milliseconds: 1)
        session.tick()
        session.tick()
        #expect(guarded.tally("orders publish") == "2 calls, 2 timeout, 1 in flight")
        session.upstream(bulk("1-0") + bulk("1-1") + bulk("1-2"))
        guarded.world.advance(milliseconds: 10_000)
        session.tick()
        #expect(guarded.tally("orders publish") == "1 calls")
    }

    @Test func aCallIsOverdueFromWhenItIsSlowUntilItEnds() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .all, slowMilliseconds: 20)
        let session = guarded.connect()
        session.client(add + add)
        guarded.world.advance(milliseconds: 15)
        session.client(add)
        session.tick()
        #expect(guarded.tally("orders publish") == "3 in flight")
        guarded.world.advance(milliseconds: 10)
        session.tick()
        session.tick()
        #expect(guarded.tally("orders publish") == "3 in flight, 2 overdue")
        session.upstream(bulk("1-0"))
        #expect(guarded.tally("orders publish") == "1 calls, 1 slow, 2 in flight, 1 overdue")
        guarded.world.advance(milliseconds: 5_000)
        session.tick()
        #expect(guarded.tally("orders publish") == "2 calls, 2 timeout")
        session.upstream(bulk("1-1") + bulk("1-2"))
        #expect(guarded.tally("orders publish") == "")
    }

    @Test func whatIsOverdueIsNoMoreWhenItsConnectionGoes() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .all, slowMilliseconds: 20)
        let (lost, left) = (guarded.connect(), guarded.connect())
        lost.client(add)
        left.client(add)
        guarded.world.advance(milliseconds: 25)
        lost.tick()
        left.tick()
        #expect(guarded.tally("orders publish") == "2 in flight, 2 overdue")
        lost.loseUpstream()
        left.close()
        #expect(guarded.tally("orders publish") == "1 calls, 1 connection")
    }

    @Test func nothingIsOverdueBehindAReadThatWaits() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .all, slowMilliseconds: 20)
        let session = guarded.connect()
        session.client(read + add)
        guarded.world.advance(milliseconds: 4_000)
        session.tick()
        #expect(guarded.tally("orders publish") == "1 in flight")
        session.upstream("*-1\r\n")
        guarded.world.advance(milliseconds: 10)
        session.tick()
        #expect(guarded.tally("orders publish") == "1 in flight")
    }

    @Test func aLostUpstreamFailsWhatWaits() {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(add + command("GET", "a"))
        session.loseUpstream()
        session.close()
        #expect(guarded.tally("orders publish") == "1 calls, 1 connection")
        #expect(guarded.tally("upstream") == "2 calls, 2 connection")
    }

    @Test func aClientThatLeavesSaysNothingOfTheBroker() {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(add + command("GET", "a"))
        session.close()
        #expect(guarded.tally("orders publish") == "")
        #expect(guarded.tally("upstream") == "")
    }

    @Test func commandsOfATransactionCountWithItsReply() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .all, slowMilliseconds: 20)
        let session = guarded.connect()
        session.client(command("MULTI") + add + add)
        session.upstream(ok + queued + queued)
        guarded.world.advance(milliseconds: 1_000)
        session.client(command("EXEC"))
        #expect(guarded.tally("orders publish") == "2 in flight")
        guarded.world.advance(milliseconds: 1)
        session.upstream(array([bulk("1-0"), "-OOM command not allowed\r\n"]))
        #expect(guarded.tally("orders publish") == "2 calls, 1 throttled")
    }

    @Test(arguments: ["*-1\r\n", "-EXECABORT Transaction discarded because of previous errors.\r\n"])
    func whatWasNotExecutedSaysNothing(_ reply: String) {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(command("MULTI") + add + command("EXEC"))
        session.upstream(ok + queued + reply)
        #expect(guarded.tally("orders publish") == "")
    }

    @Test func whatIsSentInSilenceSaysNothing() {
        let guarded = GuardedWorld()
        let session = guarded.connect()
        session.client(command("CLIENT", "REPLY", "OFF") + add + command("GET", "a"))
        #expect(guarded.tally("orders publish") == "")
        #expect(guarded.tally("upstream") == "")
    }

    // MARK: Probes and shares

    @Test func onlySoManyProbesPassInABeat() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .probes(most: 2), slowMilliseconds: 20)
        let session = guarded.connect()
        #expect(session.client(add + add + add) == add + add)
        let refusal = "-TACHO breaker 'orders publish' is open, only probes pass; try again soon\r\n"
        #expect(session.upstream(bulk("1-0")) == bulk("1-0"))
        #expect(session.upstream("-LOADING Redis is loading\r\n").hasSuffix(refusal))
        #expect(
            guarded.tally("orders publish")
                == "2 calls, 1 unavailable, 1 rejected, 2 probes begun, 1 probes, 1 failed probes")
        #expect(session.client(add) == "")
        guarded.set("orders publish", .probes(most: 2), slowMilliseconds: 20)
        #expect(session.client(add) == add)
        guarded.world.advance(milliseconds: 30)
        session.upstream(bulk("1-1"))
        #expect(guarded.tally("orders publish") == "1 calls, 1 slow, 1 rejected, 1 probes begun, 1 failed probes")
    }

    @Test func aProbeThatNobodyCanJudgeWasNone() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .probes(most: 1))
        let session = guarded.connect()
        #expect(session.client(add) == add)
        #expect(guarded.tally("orders publish") == "1 probes begun, 1 in flight")
        session.close()
        #expect(guarded.cell("orders publish").collect().probesBegun == -1)
    }

    @Test func aShareIsLetThroughEvenly() {
        let guarded = GuardedWorld()
        guarded.set("orders publish", .share(0.25))
        let session = guarded.connect()
        var passed: [Bool] = []
        for _ in 0..<12 {
            passed.append(session.client(add) == add)
            if passed.last == true { session.upstream(bulk("1-0")) }
        }
        #expect(passed.filter(\.self).count == 3)
        #expect(guarded.tally("orders publish") == "3 calls, 9 rejected")
    }

    @Test func destinationsWithoutANameOfTheirOwnShareAGuard() {
        let guards = GuardTable(capacity: 1, callTimeoutNanoseconds: 5_000_000_000)
        let world = World(inject: .never, guards: guards)
        let session = world.connect()
        for stream in ["a", "b", "c"] {
            session.client(command("XADD", stream, "*", "k", "1"))
            session.upstream(bulk("1-0"))
        }
        let calls = Dictionary(uniqueKeysWithValues: guards.cells.map { ($0.key.name, $0.collect().calls) })
        #expect(calls == ["upstream": 3, "a publish": 1, "* publish": 2])
    }
}
