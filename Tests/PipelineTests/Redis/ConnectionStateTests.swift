import Pipeline
import Testing

/// Commands that change how the connection itself is to be understood.
@Suite struct ConnectionStateTests {
    @Test func silenceIsNotWaitedFor() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("CLIENT", "REPLY", "OFF") + command("XADD", "a", "*", "k", "1") + command("GET", "x"))
        session.client(command("CLIENT", "REPLY", "SKIP") + command("XACK", "a", "g", "1-0"))
        #expect(session.isIdle)
        #expect(world.spans() == ["client xadd a t1/s1 body 2", "client xack a t2/s2 group g id 1-0"])
        session.client(command("CLIENT", "REPLY", "ON") + command("XADD", "a", "*", "k", "2"))
        session.upstream(ok + bulk("2-0"))
        #expect(world.spans() == ["client xadd a t3/s3 id 2-0 body 2"])
        #expect(session.isIdle)
    }

    @Test func oneReplyIsSkipped() {
        let world = World(inject: .never)
        let session = world.connect()
        let skip = command("CLIENT", "REPLY", "SKIP")
        session.client(skip + skip + command("XADD", "a", "*", "k", "1") + command("XADD", "b", "*", "k", "2"))
        session.upstream(bulk("2-0"))
        #expect(world.spans() == ["client xadd a t1/s1 body 2", "client xadd b t2/s2 id 2-0 body 2"])
        #expect(session.isIdle)
    }

    @Test func malformedReplyModesAreAnswered() {
        let session = World().connect()
        session.client(command("CLIENT", "REPLY", "PERHAPS") + command("CLIENT", "REPLY") + command("PING"))
        session.upstream("-ERR syntax error\r\n-ERR wrong number\r\n+PONG\r\n")
        #expect(session.isIdle)
        #expect(session.opaque == nil)
    }

    /// Redis answers RESET also in silence, and ends the silence.
    @Test func resetEndsSilence() {
        let session = World().connect()
        session.client(command("CLIENT", "REPLY", "OFF") + command("PING") + command("RESET") + command("PING"))
        session.upstream("+RESET\r\n+PONG\r\n")
        #expect(session.opaque == nil)
        #expect(session.isIdle)
    }

    @Test func resetIsSkippedLikeAnyOther() {
        let session = World().connect()
        session.client(command("CLIENT", "REPLY", "SKIP") + command("RESET") + command("PING"))
        session.upstream("+PONG\r\n")
        #expect(session.isIdle)
    }

    @Test func resetForgetsSubscriptions() {
        let session = World().connect()
        session.client(command("SUBSCRIBE", "a") + command("RESET") + command("LRANGE", "l", "0", "-1"))
        session.upstream(array([bulk("subscribe"), bulk("a"), integer(1)]) + "+RESET\r\n")
        // Now a list that looks like a message is a list.
        session.upstream(array([bulk("message"), bulk("a"), bulk("1")]))
        #expect(session.isIdle)
        #expect(session.opaque == nil)
    }

    // MARK: Names and secrets

    @Test(arguments: [
        command("CLIENT", "SETNAME", "worker-7"), command("client", "setname", "worker-7"),
        command("HELLO", "3", "SETNAME", "worker-7"),
        command("HELLO", "3", "AUTH", "SETNAME", "hunter2", "SETNAME", "worker-7"),
        command("HELLO", "3", "SETNAME", "worker-7", "AUTH", "default", "hunter2"),
        "CLIENT SETNAME worker-7\r\n",
    ])
    func theClientsNameIsOnItsSpans(_ naming: String) {
        let world = World(inject: .never)
        let session = world.connect()
        #expect(session.client(naming) == naming)
        session.upstream(ok)
        session.client(command("XADD", "a", "*", "k", "1"))
        session.upstream(bulk("1-0"))
        #expect(world.spans() == ["client xadd a t1/s1 client worker-7 id 1-0 body 2"])
        session.client(command("RESET") + command("XADD", "a", "*", "k", "1"))
        session.upstream("+RESET\r\n" + bulk("1-0"))
        #expect(world.spans() == ["client xadd a t2/s2 id 1-0 body 2"])
    }

    @Test func secretsAppearNowhere() {
        let world = World()
        let session = world.connect()
        let commands = [
            command("AUTH", "hunter2"), command("AUTH", "admin-hunter2", "hunter2"),
            command("HELLO", "3", "AUTH", "admin-hunter2", "hunter2", "SETNAME", "worker"),
            command("HELLO", "3", "AUTH", "admin-hunter2", "hunter2"), "AUTH hunter2\r\n", "AUTH \"hunter2\r\n",
            command("ACL", "SETUSER", "alice", "on", ">hunter2", "~*"),
            command("CONFIG", "SET", "requirepass", "hunter2"),
            command("hunter2"), "hunter2\r\n", command("MIGRATE", "h", "1", "k", "0", "9", "AUTH", "hunter2"),
        ]
        for text in commands {
            #expect(session.client(text) == text)
            session.upstream("-WRONGPASS invalid username-password pair hunter2 or user is disabled.\r\n")
        }
        session.client(command("XADD", "a", "*", "k", "1"))
        session.upstream("-ERR hunter2\r\n")
        session.client("*1\r\n:hunter2\r\n")
        session.close()
        let told = world.spans().joined() + world.exposition()
        #expect(told.contains("WRONGPASS"))
        #expect(!told.contains("hunter2"))
    }

    // MARK: MONITOR, replication

    @Test func linesOfMonitorAnswerNothing() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("MONITOR") + command("PING") + command("XADD", "a", "*", "k", "1"))
        session.upstream(ok + "+1700000000.123456 [0 127.0.0.1:5] \"get\" \"x\"\r\n+PONG\r\n")
        session.upstream("+1700000000.223456 [0 lua] \"get\"\r\n" + bulk("1-0") + "+1700000000.323456 [0 x] \"a\"\r\n")
        #expect(session.isIdle)
        #expect(session.opaque == nil)
        #expect(world.spans() == ["client xadd a t1/s1 id 1-0 body 2"])
        session.client(command("RESET"))
        session.upstream("+1700000000.423456 [0 x] \"reset\"\r\n+RESET\r\n")
        #expect(session.isIdle)
    }

    @Test(arguments: ["PSYNC", "SYNC", "psync"]) func replicationIsNotFollowed(_ name: String) {
        let world = World()
        let session = world.connect()
        let sent = command(name, "?", "-1")
        #expect(session.client(sent) == sent)
        #expect(session.opaque == .replication)
        #expect(session.isIdle)
        #expect(session.upstream("+FULLRESYNC abc 0\r\n$5\r\nREDIS") == "+FULLRESYNC abc 0\r\n$5\r\nREDIS")
        #expect(session.client(command("XADD", "a", "*", "k", "v")) == command("XADD", "a", "*", "k", "v"))
        #expect(world.metric("tacho_sessions_opaque_total", "replication") == 1)
    }
}

/// What is not understood passes.
@Suite struct OpaqueTests {
    @Test func anUnexpectedReply() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("XADD", "a", "*", "k", "1"))
        #expect(session.upstream(bulk("1-0") + "+SURPRISE\r\n:1") == bulk("1-0") + "+SURPRISE\r\n:1")
        #expect(session.opaque == .unexpectedReply)
        #expect(session.upstream("2\r\n") == "2\r\n")
        #expect(session.client("\u{0}\u{1}") == "\u{0}\u{1}")
        #expect(world.spans() == ["client xadd a t1/s1 id 1-0 body 2"])
        #expect(world.metric("tacho_sessions_opaque_total", "unexpected_reply") == 1)
    }

    @Test(arguments: ["*1\r\n:1\r\n", "*x\r\n", "*1\r\n$4\r\nPINGxx", "*2\r\n$-1\r\n", "*99999999999999999999\r\n"])
    func malformedRequests(_ bytes: String) {
        let world = World()
        let session = world.connect()
        #expect(session.client(command("GET", "x") + bytes) == command("GET", "x") + bytes)
        #expect(session.opaque == .malformedRequest)
        #expect(session.client("more") == "more")
        #expect(session.upstream("-ERR Protocol error\r\n") == "-ERR Protocol error\r\n")
    }

    @Test(arguments: [
        "hello", "$x\r\n", ":1x\r\n", "*1\r\n>0\r\n", "$3\r\nabcde", "$99999999999999999999\r\n", ";1\r\n",
    ])
    func malformedReplies(_ bytes: String) {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("XADD", "a", "*", "k", "1"))
        #expect(session.upstream(bytes) == bytes)
        #expect(session.opaque == .malformedReply)
        #expect(session.client("anything") == "anything")
        #expect(world.spans() == ["client xadd a t1/s1 body 2 unobserved"])
    }

    /// The half of a command that is kept when the other direction stops being understood.
    @Test func aKeptHalfOfACommandIsNotLost() {
        let session = World().connect()
        let sent = command("XADD", "a", "*", "k", "1")
        #expect(session.client(String(sent.prefix(20))) == "")
        #expect(session.upstream("nonsense") == "nonsense")
        #expect(session.client(String(sent.dropFirst(20))) == sent)
        #expect(session.client(sent) == sent)
    }

    @Test func aKeptHalfOfAReplyIsNotLost() {
        let session = World().connect()
        session.client(command("XREAD", "STREAMS", "a", "0"))
        let reply = streams(("a", [entry("1-0", "k", "v")]))
        #expect(session.upstream(String(reply.prefix(20))) == "")
        #expect(session.client("*1\r\n:1\r\n") == "*1\r\n:1\r\n")
        #expect(session.upstream(String(reply.dropFirst(20))) == reply)
        #expect(session.upstream(reply) == reply)
    }

    @Test func halfAFrameAtTheEndIsPassedOn() {
        let session = World().connect()
        session.client(command("XREAD", "STREAMS", "a", "0"))
        #expect(session.client("*5\r\n$4\r\nXADD\r\n$1") == "")
        #expect(session.clientFinished() == "*5\r\n$4\r\nXADD\r\n$1")
        #expect(session.clientFinished() == "")
        #expect(session.upstream("*1\r\n*2\r\n$1\r\na") == "")
        #expect(session.upstreamFinished() == "*1\r\n*2\r\n$1\r\na")
    }

    @Test func onlySoManyRepliesAreAwaited() {
        let world = World(pendingRepliesMax: 3)
        let session = world.connect()
        let three = command("GET", "x") + command("XADD", "a", "*", "k", "v") + command("GET", "x")
        #expect(session.client(three).contains("traceparent"))
        #expect(session.opaque == nil)
        let more = command("GET", "x") + command("XADD", "a", "*", "k", "v")
        #expect(session.client(more) == more)
        #expect(session.opaque == .pendingLimit)
        #expect(world.spans() == ["producer xadd a t1/s1 body 2 conversation trace unobserved"])
        #expect(session.upstream(ok) == ok)
    }

    @Test func onlySoManyCommandsAreQueued() {
        let world = World(pendingRepliesMax: 2)
        let session = world.connect()
        session.client(command("MULTI"))
        session.upstream(ok)
        for _ in 0..<3 {
            session.client(command("GET", "x"))
            #expect(session.upstream(queued) == queued)
        }
        #expect(session.opaque == .pendingLimit)
    }
}
