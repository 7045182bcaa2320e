import Pipeline
import Testing

/// The same stream name in two databases is two streams: which database a delivery belongs to.
@Suite struct RedisDatabaseTests {
    private let world = World()
    private let read = command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    private let wrong = "-ERR DB index is out of range\r\n"

    private func deliver(_ session: Conversation<RedisSession>) {
        session.client(read)
        session.upstream(streams(("s", [entry("1-0", "k", "v")])))
    }

    /// Whether an acknowledgement on this connection ends a delivery.
    private func settles(_ session: Conversation<RedisSession>) -> Bool {
        let before = world.deliveries.count
        session.client(command("XACK", "s", "g", "1-0"))
        session.upstream(integer(1))
        return world.deliveries.count < before
    }

    @Test func whatIsSentBehindASelectionIsMeantForIt() {
        let session = world.connect()
        deliver(session)
        session.client(command("SELECT", "3") + command("XACK", "s", "g", "1-0"))
        session.upstream(ok + integer(0))
        #expect(world.deliveries.count == 1)
        session.client(command("SELECT", "0"))
        session.upstream(ok)
        #expect(settles(session))
    }

    @Test func selectionsThatFailChangeNothing() {
        let session = world.connect()
        deliver(session)
        session.client(command("SELECT", "98") + command("SELECT", "99") + command("SELECT", "x"))
        session.upstream(wrong + wrong + "-ERR invalid DB index\r\n")
        #expect(settles(session))
        deliver(session)
        session.client(command("SELECT", "0") + command("SELECT", "99"))
        session.upstream(ok + wrong)
        #expect(settles(session))
    }

    @Test func theLastThatSucceedsCounts() {
        let session = world.connect()
        session.client(command("SELECT", "5") + command("SELECT", "99"))
        session.upstream(ok + wrong)
        deliver(session)
        let other = world.connect()
        #expect(!settles(other))
        #expect(settles(session))
    }

    @Test func whatATransactionSelectsHoldsOnceItIsCarriedOut() {
        let session = world.connect()
        deliver(session)
        session.client(command("MULTI") + command("SELECT", "5") + command("DISCARD"))
        session.upstream(ok + queued + ok)
        #expect(settles(session))
        deliver(session)
        session.client(command("MULTI") + command("SELECT", "5") + command("EXEC"))
        session.upstream(ok + queued + array([ok]))
        #expect(!settles(session))
        session.client(command("MULTI") + command("SELECT", "0") + command("SELECT", "99") + command("EXEC"))
        session.upstream(ok + queued + queued + array([ok, wrong]))
        #expect(settles(session))
    }

    @Test func silentSelectionsAndResetsAreFollowed() {
        let session = world.connect()
        deliver(session)
        session.client(command("CLIENT", "REPLY", "SKIP") + command("SELECT", "5"))
        #expect(!settles(session))
        session.client(command("RESET"))
        session.upstream("+RESET\r\n")
        #expect(settles(session))
        #expect(session.opaque == nil)
    }
}
