import Pipeline
import Telemetry
import Testing

/// What ends a delivery: acknowledgement, another consumer, deletion, the passing of time, want of room.
@Suite struct SettleTests {
    /// A world in which consumer c1 of group g has been given 1-0, 2-0 and 3-0 of stream s.
    private func delivered(_ world: World = World()) -> Conversation<RedisSession> {
        let session = world.connect()
        session.client(command("XREADGROUP", "GROUP", "g", "c1", "STREAMS", "s", ">"))
        session.upstream(streams(("s", (1...3).map { entry("\($0)-0", "k", "v") })))
        _ = world.records()
        return session
    }

    @Test func anotherConnectionMayAcknowledge() {
        let world = World()
        _ = delivered(world)
        let other = world.connect()
        other.client(command("XACK", "s", "g", "2-0"))
        world.advance(milliseconds: 4)
        other.upstream(integer(1))
        #expect(
            world.spans() == [
                "consumer process s t1/s1 group g consumer c1 id 2-0 body 2 attempt 1 took 4ms",
                "client xack s t1/s2 under s1 group g id 2-0 took 4ms",
            ])
        #expect(world.deliveries.count == 2)
    }

    @Test func anAcknowledgementOfNothing() {
        let world = World()
        let session = delivered(world)
        session.client(command("XACK", "s", "g", "9-0") + command("XACK", "s", "other", "1-0"))
        session.upstream(integer(0) + integer(0))
        session.client(command("XACK", "elsewhere", "g", "1-0") + command("XACK", "s", "g", "not-an-id"))
        session.upstream(integer(0) + "-ERR Invalid stream ID specified as stream command argument\r\n")
        #expect(
            world.spans() == [
                "client xack s t1/s1 group g id 9-0", "client xack s t2/s2 group other id 1-0",
                "client xack elsewhere t3/s3 group g id 1-0", "client xack s t4/s4 group g error ERR",
            ])
        #expect(world.deliveries.count == 3)
    }

    @Test func aRefusedAcknowledgementEndsNothing() {
        let world = World()
        let session = delivered(world)
        session.client(command("XACK", "s", "g", "1-0"))
        session.upstream("-NOPERM no\r\n")
        #expect(world.spans() == ["client xack s t1/s1 group g id 1-0 error NOPERM"])
        #expect(world.deliveries.count == 3)
    }

    @Test(arguments: [
        ["IDS", "2", "1-0", "2-0"], ["KEEPREF", "IDS", "2", "1-0", "2-0"], ["ACKED", "ids", "2", "1-0", "2-0"],
    ])
    func acknowledgeAndDelete(_ words: [String]) {
        let world = World()
        let session = delivered(world)
        session.client(command("XACKDEL", "s", "g", fields: words))
        session.upstream(array([integer(1), integer(1)]))
        #expect(
            world.spans() == [
                "consumer process s t1/s1 group g consumer c1 id 1-0 body 2 attempt 1",
                "consumer process s t2/s2 group g consumer c1 id 2-0 body 2 attempt 1",
                "client xackdel s t3/s3 group g batch 2",
            ])
    }

    @Test(arguments: [["XDEL", "s", "1-0", "9-9"], ["XDELEX", "s", "DELREF", "IDS", "1", "1-0"]])
    func deletionEndsADeliveryInEveryGroup(_ words: [String]) {
        let world = World()
        let session = delivered(world)
        session.client(command("XREADGROUP", "GROUP", "h", "c9", "STREAMS", "s", ">"))
        session.upstream(streams(("s", [entry("1-0", "k", "v")])))
        _ = world.records()
        session.client(array(words.map(bulk)))
        session.upstream(integer(1))
        #expect(
            world.spans() == [
                "consumer process s t1/s1 group g consumer c1 id 1-0 body 2 attempt 1 deleted",
                "consumer process s t2/s2 group h consumer c9 id 1-0 body 2 attempt 1 deleted",
            ])
        #expect(world.deliveries.count == 2)
        #expect(world.metric("messaging_process_duration_seconds_count") == 0)
    }

    @Test func aClaimedMessageChangesHands() {
        let world = World()
        let session = delivered(world)
        world.advance(milliseconds: 100)
        session.client(command("XCLAIM", "s", "g", "c2", "50", "1-0"))
        session.upstream(array([entry("1-0", "k", "v")]))
        session.client(command("XCLAIM", "s", "g", "c3", "0", "1-0", "IDLE", "5"))
        session.upstream(array([entry("1-0", "k", "v")]))
        session.client(command("XACK", "s", "g", "1-0"))
        session.upstream(integer(1))
        #expect(
            world.spans() == [
                "consumer process s t1/s1 group g consumer c1 id 1-0 body 2 attempt 1 redelivered took 100ms",
                "client xclaim s t2/s2 group g consumer c2 id 1-0 body 2",
                "consumer process s t3/s3 group g consumer c2 id 1-0 body 2 attempt 2 redelivered",
                "client xclaim s t4/s4 group g consumer c3 id 1-0 body 2",
                "consumer process s t5/s5 group g consumer c3 id 1-0 body 2 attempt 3",
                "client xack s t5/s6 under s5 group g id 1-0",
            ])
        #expect(world.metric("tacho_redeliveries_total") == 2)
    }

    @Test("XREADGROUP with CLAIM tells of each entry how often it was delivered before")
    func readingAndClaimingAtOnce() {
        let world = World()
        let session = world.connect()
        session.client(
            command("XREADGROUP", "GROUP", "g", "c1", "CLAIM", "1000", "STREAMS", "s", ">"))
        func told(_ id: String, idle: Int, before: Int) -> String {
            array([bulk(id), array([bulk("k"), bulk("v")]), integer(idle), integer(before)])
        }
        session.upstream(
            streams(
                (
                    "s",
                    [told("1-0", idle: 5_000, before: 2), told("\(World.startUnixMilliseconds)-0", idle: 0, before: 0)]
                )))
        session.client(command("XACK", "s", "g", "1-0", "\(World.startUnixMilliseconds)-0"))
        session.upstream(integer(2))
        #expect(
            world.records().filter { $0.kind == .consumer }.map { [$0.attempt, UInt32(clamping: $0.queueNanoseconds)] }
                == [[3, 0], [1, 0]])
        #expect(world.metric("tacho_redeliveries_total") == 1)
        #expect(world.metric("tacho_queue_seconds_count") == 1)
    }

    @Test func automaticClaims() {
        let world = World()
        let session = delivered(world)
        session.client(command("XAUTOCLAIM", "s", "g", "c2", "50", "0"))
        session.upstream(
            array([
                bulk("0-0"), array([entry("1-0", "k", "v"), "*-1\r\n", entry("7-0", "k", "v")]), array([bulk("3-0")]),
            ]))
        #expect(
            world.spans() == [
                "consumer process s t1/s1 group g consumer c1 id 1-0 body 2 attempt 1 redelivered",
                "client xautoclaim s t2/s2 group g consumer c2 batch 2",
            ])
        #expect(world.deliveries.count == 4)
        session.client(command("XAUTOCLAIM", "s", "g", "c2", "50", "0"))
        session.upstream(array([bulk("0-0"), array([]), array([])]))
        #expect(world.spans() == [])
    }

    @Test func ownershipAloneIsNoDelivery() {
        let world = World()
        let session = delivered(world)
        session.client(command("XCLAIM", "s", "g", "c2", "50", "1-0", "JUSTID"))
        session.client(command("XAUTOCLAIM", "s", "g", "c2", "50", "0", "COUNT", "5", "justid"))
        session.upstream(array([bulk("1-0")]) + array([bulk("0-0"), array([bulk("1-0")]), array([])]))
        #expect(world.spans() == [])
        #expect(world.deliveries.count == 3)
        #expect(world.metric("tacho_unedited_frames_total") == 0)
    }

    @Test func whatIsNeverAcknowledgedIsClosed() {
        let world = World(unsettledSeconds: 60)
        _ = delivered(world)
        world.advance(milliseconds: 59_999)
        world.lane.tick(at: world.now)
        #expect(world.spans() == [])
        world.advance(milliseconds: 2)
        world.lane.tick(at: world.now)
        let spans = world.spans().sorted { $0.suffix(60) < $1.suffix(60) }
        #expect(spans.count == 3)
        #expect(spans[0].hasSuffix("group g consumer c1 id 1-0 body 2 attempt 1 unsettled took 60001ms"))
        #expect(world.metric("tacho_deliveries_evicted_total", "unsettled") == 3)
        #expect(world.deliveries.count == 0)
    }

    @Test func theTableOfOpenDeliveriesIsBounded() {
        let world = World(openDeliveriesMax: 16)
        let session = world.connect()
        session.client(command("XREADGROUP", "GROUP", "g", "c1", "STREAMS", "s", ">"))
        session.upstream(streams(("s", (1...500).map { entry("\($0)-0", "k", "v") })))
        #expect(world.deliveries.count == 16)
        #expect(world.metric("tacho_deliveries_evicted_total", "evicted") == 484)
        #expect(world.spans().count { $0.hasSuffix("evicted") } == 484)
    }

    @Test func aHugeAcknowledgementIsFollowedInPart() {
        let world = World()
        let session = delivered(world)
        session.client(command("XACK", "s", "g", fields: (1...10_050).map { "\($0)-0" }))
        session.upstream(integer(3))
        #expect(world.spans().last == "client xack s t4/s4 group g batch 10050")
        #expect(world.deliveries.count == 0)
    }

    /// The same name means another stream in another database.
    @Test func databasesAreKeptApart() {
        let world = World()
        let session = delivered(world)
        session.client(command("SELECT", "1") + command("XACK", "s", "g", "1-0"))
        session.upstream(ok + integer(0))
        #expect(world.deliveries.count == 3)
        session.client(command("SELECT", "99"))
        session.upstream("-ERR DB index is out of range\r\n")
        session.client(command("SELECT", "0") + command("XACK", "s", "g", "1-0"))
        session.upstream(ok + integer(1))
        #expect(world.deliveries.count == 2)
    }

    /// What a reply is about was settled when its command was sent.
    @Test func aReplyBelongsToTheDatabaseOfItsCommand() {
        let world = World()
        let session = world.connect()
        session.client(command("XREADGROUP", "GROUP", "g", "c1", "STREAMS", "s", ">") + command("SELECT", "1"))
        session.upstream(streams(("s", [entry("1-0", "k", "v")])) + ok)
        let other = world.connect()
        other.client(command("XACK", "s", "g", "1-0"))
        other.upstream(integer(1))
        #expect(world.deliveries.count == 0)
    }
}
