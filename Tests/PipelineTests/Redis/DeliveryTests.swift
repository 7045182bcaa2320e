import Pipeline
import Telemetry
import Testing

/// Messages in replies: what is read, by whom, after how long.
@Suite struct DeliveryTests {
    private let read = command("XREADGROUP", "GROUP", "workers", "c1", "COUNT", "9", "BLOCK", "0", "STREAMS", "s", ">")
    private let now = World.startUnixMilliseconds

    @Test func publishReadAcknowledgeIsOneTrace() throws {
        let world = World()
        let session = world.connect()
        let forwarded = session.client(command("XADD", "s", "*", "k", "v"))
        let id = "\(now)-0"
        session.upstream(bulk(id))
        world.advance(milliseconds: 250)
        session.client(read)
        world.advance(milliseconds: 50)
        let reply = streams(("s", [entry(id, fields: ["k", "v"] + (try #require(AddedFields(forwarded))).fields)]))
        #expect(session.upstream(reply) == reply)
        world.advance(milliseconds: 40)
        session.client(command("XACK", "s", "workers", id))
        world.advance(milliseconds: 2)
        session.upstream(integer(1))
        #expect(
            world.spans() == [
                "producer xadd s t1/s1 id \(id) body 2 conversation trace",
                "client xreadgroup s t1/s2 under s1 link t1/s1(\(id) 300ms) group workers consumer c1 id \(id) body 2 "
                    + "queued 300ms conversation trace took 50ms",
                "consumer process s t1/s3 under s1 link t1/s1 group workers consumer c1 id \(id) body 2 "
                    + "queued 300ms attempt 1 conversation trace took 42ms",
                "client xack s t1/s4 under s3 link t1/s1 group workers id \(id) took 2ms",
            ])
        #expect(world.metric("tacho_queue_seconds_sum") == 0.3)
        #expect(world.metric("messaging_process_duration_seconds_sum") == 0.042)
        #expect(world.deliveries.count == 0)
    }

    @Test("a message from the future has waited for no time, and says by how much the clocks differ")
    func clockSkew() {
        let world = World()
        let session = world.connect()
        session.client(read)
        session.upstream(streams(("s", [entry("\(now + 1_500)-0", "k", "v"), entry("\(now - 20)-0", "k", "v")])))
        #expect(world.metric("tacho_queue_seconds_sum") == 0.02)
        #expect(world.metric("tacho_queue_seconds_count") == 2)
        #expect(world.metric("tacho_clock_skew_seconds_sum") == 1.5)
        #expect(world.metric("tacho_clock_skew_seconds_count", #"messaging_consumer_group_name="workers""#) == 1)
    }

    @Test(arguments: [false, true]) func aBatchOfThreeLinksToEach(_ inMap: Bool) {
        let world = World()
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        session.client(read)
        let entries = [
            entry("\(now - 10)-0", "k", "1", "traceparent", Context.sampled), entry("\(now - 5)-0", "k", "2"),
            entry("\(now)-0", fields: ["k", "3"] + Context.injected().fields),
        ]
        session.upstream(inMap ? streamMap(("s", entries)) : streams(("s", entries)))
        #expect(
            world.spans() == [
                "client xreadgroup s t1/s1 link app/app(\(now - 10)-0 10ms) link t2/s2(\(now)-0 0ms) "
                    + "group workers consumer c1 batch 3"
            ])
        #expect(world.deliveries.count == 3)
        #expect(world.metric("messaging_client_consumed_messages_total") == 3)
        session.client(command("XACK", "s", "workers", "\(now - 10)-0", "\(now - 5)-0", "\(now)-0"))
        session.upstream(integer(3))
        #expect(
            world.spans() == [
                "consumer process s app/s3 under app link app/app group workers consumer c1 id \(now - 10)-0 body 68 "
                    + "queued 10ms attempt 1",
                "consumer process s t3/s4 group workers consumer c1 id \(now - 5)-0 body 2 queued 5ms attempt 1",
                "consumer process s t2/s5 under s2 link t2/s2 group workers consumer c1 id \(now)-0 body 2 queued 0ms "
                    + "attempt 1 conversation trace",
                "client xack s t4/s6 link app/app link t2/s2 group workers batch 3",
            ])
    }

    @Test(arguments: [false, true]) func everyStreamHasItsOwnSpan(_ inMap: Bool) {
        let world = World()
        let session = world.connect()
        session.client(
            command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "a", "b", "c", ">", ">", ">"))
        let a = ("a", [entry("1-0", "k", "1")])
        let b = ("b", [entry("2-0", "k", "1"), entry("2-1", "k", "1")])
        session.upstream(inMap ? streamMap(a, b) : streams(a, b))
        #expect(
            world.spans() == [
                "client xreadgroup a t1/s1 group g consumer c id 1-0 body 2",
                "client xreadgroup b t2/s2 group g consumer c batch 2",
            ])
        #expect(world.deliveries.count == 3)
    }

    @Test(arguments: ["*-1\r\n", "_\r\n", "$-1\r\n"]) func nothingInTime(_ null: String) {
        let world = World()
        let session = world.connect()
        session.client(read)
        world.advance(milliseconds: 1_000)
        #expect(session.upstream(null) == null)
        #expect(world.spans() == [])
        #expect(world.metric("messaging_client_operation_duration_seconds_count", "\"xreadgroup\"") == 1)
    }

    @Test func aRefusedReadIsASpan() {
        let world = World()
        let session = world.connect()
        session.client(read)
        session.upstream("-NOGROUP No such key 's' or consumer group 'workers'\r\n")
        #expect(world.spans() == ["client xreadgroup s t1/s1 group workers consumer c1 error NOGROUP"])
    }

    @Test func whatNeedsNoAcknowledgementIsNotWaitedFor() {
        let world = World()
        let session = world.connect()
        session.client(command("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "s", ">"))
        session.upstream(streams(("s", [entry("\(now - 7)-0", "k", "1")])))
        session.client(command("XREAD", "STREAMS", "s", "$"))
        session.upstream(streams(("s", [entry("\(now - 9)-0", "k", "1")])))
        #expect(
            world.spans() == [
                "client xreadgroup s t1/s1 group g consumer c id \(now - 7)-0 body 2",
                "client xread s t2/s2 id \(now - 9)-0 body 2",
            ])
        #expect(world.deliveries.count == 0)
        #expect(world.metric("tacho_queue_seconds_count") == 2)
    }

    @Test func readingOnesHistoryIsASecondAttempt() {
        let world = World()
        let session = world.connect()
        session.client(command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "0"))
        session.upstream(streams(("s", [entry("\(now - 7)-0", "k", "1"), array([bulk("\(now - 6)-0"), "*-1\r\n"])])))
        session.client(command("XACK", "s", "g", "\(now - 7)-0"))
        session.upstream(integer(1))
        #expect(
            world.spans() == [
                "client xreadgroup s t1/s1 group g consumer c id \(now - 7)-0 body 2",
                "consumer process s t2/s2 group g consumer c id \(now - 7)-0 body 2 attempt 2",
                "client xack s t2/s3 under s2 group g id \(now - 7)-0",
            ])
        #expect(world.metric("tacho_queue_seconds_count") == 0)
        #expect(world.metric("tacho_redeliveries_total") == 1)
    }

    @Test(arguments: ["XRANGE", "XREVRANGE"]) func lookingIsNotDelivery(_ name: String) {
        let world = World()
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        session.client(command(name, "s", "-", "+"))
        session.upstream(array([entry("\(now - 7)-0", "traceparent", Context.sampled)]))
        #expect(
            world.spans() == [
                "client \(name.lowercased()) s app/s1 under app link app/app(\(now - 7)-0) id \(now - 7)-0 body 66"
            ])
        #expect(world.metric("tacho_queue_seconds_count") == 0)
        #expect(world.deliveries.count == 0)
    }

    @Test(arguments: ["0-1", "5", "526-0", "99999999999999999-0", "18446744073709551615-18446744073709551615"])
    func anIDThatIsNoTimeGivesNoQueueTime(_ id: String) {
        let world = World()
        let session = world.connect()
        session.client(command("XREAD", "STREAMS", "s", "0"))
        session.upstream(streams(("s", [entry(id, "k", "v")])))
        #expect(world.metric("tacho_queue_seconds_count") == 0)
        #expect(world.spans().count == 1)
    }

    @Test func clocksMayDisagree() {
        let world = World()
        let session = world.connect()
        session.client(command("XREAD", "STREAMS", "s", "0"))
        session.upstream(streams(("s", [entry("\(now + 500)-0", "k", "v")])))
        #expect(world.metric("tacho_queue_seconds_count") == 1)
        #expect(world.metric("tacho_queue_seconds_sum") == 0)
        // A machine that has just started without a clock of its own.
        world.setWallClock(unixMilliseconds: 5_000)
        session.client(command("XREAD", "STREAMS", "s", "0"))
        session.upstream(streams(("s", [entry("\(now)-0", "k", "v")])))
        #expect(world.metric("tacho_queue_seconds_count") == 1)
    }

    @Test(arguments: [
        ":1\r\n", "+OK\r\n", array([bulk("s")]), array([array([bulk("s"), bulk("x")])]),
        streams(("s", [bulk("x")])), streams(("s", [array([bulk("id"), array([])])])),
        streams(("s", [entry("1-0", "odd")])), map([(integer(1), array([]))]),
    ])
    func anUnknownShapePasses(_ reply: String) {
        let world = World(deliver: .strip)
        let session = world.connect()
        session.client(read)
        #expect(session.upstream(reply) == reply)
        #expect(session.opaque == nil)
        #expect(world.metric("tacho_unedited_frames_total", "unknown_shape") == 1)
    }

    @Test func aReplyAboveTheLimitPasses() {
        let world = World(deliver: .strip, frameBytesMax: 1_000)
        let session = world.connect()
        session.client(read)
        let fields = ["k", String(repeating: "v", count: 2_000)] + Context.injected().fields
        let reply = streams(("s", [entry("1-0", fields: fields)]))
        var passed = ""
        for piece in reply.utf8.chunks(of: 600) { passed += session.upstream(piece) }
        #expect(passed == reply)
        #expect(session.opaque == nil)
        #expect(session.isIdle)
        #expect(world.metric("tacho_unedited_frames_total", "frame_too_large") == 1)
        #expect(world.metric("messaging_client_operation_duration_seconds_count") == 1)
    }

    @Test func linkOnlyKeepsTracesApart() {
        let world = World(relation: .link)
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        session.client(read)
        session.upstream(streams(("s", [entry("1-0", "traceparent", Context.sampled)])))
        session.client(command("XACK", "s", "workers", "1-0"))
        session.upstream(integer(1))
        #expect(
            world.spans() == [
                "client xreadgroup s t1/s1 link app/app(1-0) group workers consumer c1 id 1-0 body 66",
                "consumer process s t2/s2 link app/app group workers consumer c1 id 1-0 body 66 attempt 1",
                "client xack s t2/s3 under s2 link app/app group workers id 1-0",
            ])
    }

    @Test func anUnsampledMessageLeavesNoSpans() {
        let world = World()
        let session = world.connect()
        session.client(read)
        session.upstream(streams(("s", [entry("\(now)-0", "traceparent", Context.unsampled)])))
        session.client(command("XACK", "s", "workers", "\(now)-0"))
        session.upstream(integer(1))
        #expect(world.spans() == [])
        #expect(world.metric("tacho_spans_not_sampled_total") == 3)
        #expect(world.metric("messaging_process_duration_seconds_count") == 1)
        #expect(world.metric("tacho_queue_seconds_count") == 1)
    }

    @Test func linksAreBounded() throws {
        let world = World()
        let session = world.connect()
        session.client(read)
        let fields = ["traceparent", Context.sampled]
        session.upstream(streams(("s", (1...300).map { entry("\($0)-0", fields: fields) })))
        let span = try #require(world.records().first)
        #expect(span.batchCount == 300)
        #expect(span.detail?.moreLinks.count == 127)
        #expect(span.detail?.droppedLinkCount == 172)
    }

    @Test func readsInATransaction() {
        let world = World()
        let session = world.connect()
        session.client(command("MULTI") + read + command("XACK", "s", "workers", "1-0") + command("EXEC"))
        session.upstream(ok + queued + queued)
        session.upstream(array([streams(("s", [entry("1-0", "k", "v")])), integer(1)]))
        #expect(
            world.spans() == [
                "client xreadgroup s t1/s1 group workers consumer c1 id 1-0 body 2",
                "consumer process s t2/s2 group workers consumer c1 id 1-0 body 2 attempt 1",
                "client xack s t2/s3 under s2 group workers id 1-0",
            ])
    }
}
