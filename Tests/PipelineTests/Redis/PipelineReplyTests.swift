import Pipeline
import Testing

/// Which reply answers which command: pipelines, errors and transactions.
@Suite struct PipelineReplyTests {
    @Test func repliesAnswerCommandsInOrder() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("XADD", "a", "*", "k", "1") + command("GET", "x") + command("XADD", "b", "*", "k", "2"))
        world.advance(milliseconds: 1)
        session.upstream(bulk("1-0") + bulk("not an id"))
        world.advance(milliseconds: 1)
        session.client(command("XADD", "c", "*", "k", "3"))
        session.upstream(bulk("2-0") + bulk("3-0"))
        #expect(
            world.spans() == [
                "client xadd a t1/s1 id 1-0 body 2 took 1ms", "client xadd b t2/s2 id 2-0 body 2 took 2ms",
                "client xadd c t3/s3 id 3-0 body 2",
            ])
        #expect(session.isIdle)
        #expect(world.metric("db_client_operation_duration_seconds_count", "\"GET\"") == 1)
    }

    @Test(arguments: [
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", "OOM"),
        ("-WRONGTYPE Operation against a key\r\n", "WRONGTYPE"), ("-ERR\r\n", "ERR"),
        ("!9\r\nERR sorry\r\n", "ERR"), ("-my own words\r\n", "_OTHER"), ("- \r\n", "_OTHER"), ("-\r\n", "_OTHER"),
        ("-" + String(repeating: "A", count: 33) + "\r\n", "_OTHER"),
    ])
    func errorsGiveTheirCode(_ reply: String, _ code: String) {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("XADD", "a", "*", "k", "1") + command("GET", "x"))
        #expect(session.upstream(reply + reply) == reply + reply)
        #expect(world.spans() == ["client xadd a t1/s1 body 2 error \(code)"])
        #expect(world.metric("messaging_client_operation_duration_seconds_count", "error_type=\"\(code)\"") == 1)
        #expect(world.metric("db_client_operation_duration_seconds_count", "error_type=\"\(code)\"") == 1)
    }

    @Test func onlySoManyErrorCodesAreToldApart() {
        let world = World(inject: .never)
        let session = world.connect()
        for number in 0..<100 {
            session.client(command("XADD", "a", "*", "k", "1"))
            session.upstream("-CODE\(number) made up\r\n")
        }
        let spans = world.spans()
        #expect(spans[63].hasSuffix("error CODE63"))
        #expect(spans[64].hasSuffix("error _OTHER"))
        session.client(command("XADD", "a", "*", "k", "1"))
        session.upstream("-CODE5 again\r\n")
        #expect(world.spans()[0].hasSuffix("error CODE5"))
    }

    @Test func nestedRepliesAreOneReply() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("COMMAND") + command("XADD", "a", "*", "k", "1"))
        let nested = array([array([integer(1), array([]), array([bulk("x"), "$-1\r\n"])]), "*-1\r\n"])
        #expect(session.upstream(nested + bulk("1-0")) == nested + bulk("1-0"))
        #expect(world.spans() == ["client xadd a t1/s1 id 1-0 body 2"])
    }

    @Test func everyTypeOfRESP3IsAReply() {
        let replies = [
            "_\r\n", "#t\r\n", ",1.5\r\n", ",inf\r\n", "(123456789012345678901234567890\r\n", "!5\r\nERR x\r\n",
            "=7\r\ntxt:abc\r\n", "~2\r\n:1\r\n:2\r\n", "%1\r\n+a\r\n:1\r\n", "|1\r\n+ttl\r\n:3600\r\n:5\r\n",
            "*?\r\n:1\r\n.\r\n", "$?\r\n;3\r\nabc\r\n;0\r\n",
        ]
        let session = World().connect()
        for reply in replies {
            session.client(command("GET", "x"))
            #expect(session.upstream(reply) == reply)
            #expect(session.isIdle, "\(reply)")
        }
        #expect(session.opaque == nil)
    }

    @Test func anUnknownCommandIsNeverALabel() {
        let world = World()
        let session = world.connect()
        session.client(command("hunter2", "x") + command(String(repeating: "z", count: 30)))
        session.upstream("-ERR unknown command\r\n-ERR unknown command\r\n")
        #expect(!world.exposition().contains("hunter2"))
        #expect(world.metric("db_client_operation_duration_seconds_count", "\"_OTHER\"") == 2)
    }

    @Test func theLossOfAConnectionEndsWhatWasSent() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("XADD", "a", "*", "k", "1") + command("XREAD", "BLOCK", "0", "STREAMS", "a", "$"))
        world.advance(milliseconds: 9)
        session.close()
        #expect(
            world.spans() == ["client xadd a t1/s1 body 2 error connection_lost disconnected took 9ms"])
        session.close()
        #expect(world.spans() == [])
    }
}

/// MULTI and everything that may become of it.
@Suite struct TransactionTests {
    private let begin = command("MULTI") + command("XADD", "a", "*", "k", "1") + command("GET", "x")

    @Test func aTransactionEndsWithItsSlots() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(begin + command("XADD", "b", "*", "k", "2") + command("EXEC"))
        world.advance(milliseconds: 3)
        session.upstream(ok + queued + queued + queued)
        #expect(world.spans() == [])
        session.upstream(array([bulk("1-0"), array([array([])]), "-WRONGTYPE no stream\r\n"]))
        #expect(
            world.spans() == [
                "client xadd a t1/s1 id 1-0 body 2 took 3ms", "client xadd b t2/s2 body 2 error WRONGTYPE took 3ms",
            ])
        #expect(session.isIdle)
        #expect(world.metric("db_client_operation_duration_seconds_count", "\"GET\"") == 1)
        #expect(world.metric("db_client_operation_duration_seconds_count", "\"EXEC\"") == 1)
    }

    @Test func aCommandThatWasRefusedHasNoSlot() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(begin + command("XADD", "b") + command("EXEC"))
        session.upstream(ok + queued + queued + "-ERR wrong number of arguments\r\n")
        session.upstream("-EXECABORT Transaction discarded because of previous errors.\r\n")
        #expect(
            world.spans() == [
                "client xadd b t1/s1 error ERR",
                "client xadd a t2/s2 body 2 error EXECABORT",
            ])
        session.client(command("XADD", "c", "*", "k", "v"))
        session.upstream(bulk("3-0"))
        #expect(world.spans() == ["client xadd c t3/s3 id 3-0 body 2"])
    }

    @Test(arguments: ["*-1\r\n", "_\r\n", "$-1\r\n"])
    func aWatchedKeyThatChangedAborts(_ null: String) {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("WATCH", "x") + begin + command("EXEC"))
        session.upstream(ok + ok + queued + queued + null)
        #expect(world.spans() == ["client xadd a t1/s1 body 2 error aborted"])
        #expect(session.opaque == nil)
        #expect(session.isIdle)
    }

    @Test func aDiscardedTransactionIsForgotten() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(begin + command("DISCARD") + begin + command("EXEC"))
        session.upstream(ok + queued + queued + ok + ok + queued + queued + array([bulk("1-0"), bulk("v")]))
        #expect(world.spans() == ["client xadd a t1/s1 id 1-0 body 2"])
        #expect(session.opaque == nil)
    }

    @Test func aResetInTheMiddleForgetsTheTransaction() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(begin + command("RESET") + command("EXEC"))
        session.upstream(ok + queued + queued + "+RESET\r\n-ERR EXEC without MULTI\r\n")
        #expect(session.opaque == nil)
        #expect(session.isIdle)
        #expect(world.spans() == [])
    }

    @Test func nestedMultiAndEmptyTransactions() {
        let session = World().connect()
        session.client(command("MULTI") + command("MULTI") + command("EXEC") + command("EXEC"))
        session.upstream(ok + "-ERR MULTI calls can not be nested\r\n" + "*0\r\n" + "-ERR EXEC without MULTI\r\n")
        #expect(session.opaque == nil)
        #expect(session.isIdle)
    }

    @Test func anotherNumberOfRepliesIsNotUnderstood() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(begin + command("EXEC"))
        let reply = array([bulk("1-0")])
        session.upstream(ok + queued + queued)
        #expect(session.upstream(reply) == reply)
        #expect(session.opaque == .transactionMismatch)
    }

    @Test func aSubscriptionInATransactionIsNotFollowed() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("MULTI") + command("SUBSCRIBE", "a") + command("EXEC"))
        let replies = ok + queued + "*1\r\n" + array([bulk("subscribe"), bulk("a"), integer(1)])
        #expect(session.upstream(replies) == replies)
        #expect(session.opaque == .subscriptionInTransaction)
        #expect(world.metric("tacho_sessions_opaque_total", "subscription_in_transaction") == 1)
    }

    @Test func injectionWorksInsideOfTransactions() throws {
        let world = World()
        let session = world.connect()
        let forwarded = session.client(begin + command("EXEC"))
        let added = try #require(AddedFields(forwarded))
        #expect(
            forwarded
                == command("MULTI") + command("XADD", "a", "*", fields: ["k", "1"] + added.fields)
                + command("GET", "x") + command("EXEC"))
        session.upstream(ok + queued + queued + array([bulk("1-0"), "$-1\r\n"]))
        #expect(world.spans() == ["producer xadd a t1/s1 id 1-0 body 2 conversation trace"])
    }

    @Test func theLossOfTheConnectionEndsWhatWasQueued() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(begin)
        session.upstream(ok + queued + queued)
        session.close()
        #expect(world.spans() == ["client xadd a t1/s1 body 2 error connection_lost disconnected"])
    }
}
