import Pipeline
import Testing

/// JetStream: storing, pulling, pushing, acknowledging.
@Suite struct JetStreamTests {
    private let inbox = "_INBOX.abc.1"
    private let pullInbox = "_INBOX.pull"
    private let stored = World.startUnixMilliseconds * 1_000_000

    /// A client with an inbox for answers and one for messages.
    private func client(_ world: World) -> Conversation<NATSSession> {
        let session = world.natsClient()
        session.client("SUB _INBOX.abc.* 1\r\nSUB \(pullInbox) 2\r\n")
        return session
    }

    private func ack(_ sequence: Int, attempt: Int = 1, pending: Int = 0, consumer: String = "worker") -> String {
        "$JS.ACK.ORDERS.\(consumer).\(attempt).\(sequence).\(sequence).\(stored).\(pending)"
    }

    private func pull(_ batch: Int, expires: Int = 5_000_000_000) -> String {
        pub(
            "$JS.API.CONSUMER.MSG.NEXT.ORDERS.worker", #"{"batch": \#(batch), "expires": \#(expires)}"#,
            reply: pullInbox)
    }

    @Test func publishPullAcknowledgeIsOneTrace() throws {
        let world = World(system: "nats")
        let session = client(world)
        let forwarded = session.client(pub("orders.new", "hello", reply: inbox))
        world.advance(milliseconds: 2)
        let stored = #"{"stream":"ORDERS", "seq":7}"#
        #expect(session.upstream(msg(inbox, "1", stored)) == msg(inbox, "1", stored))
        world.advance(milliseconds: 100)
        #expect(session.client(pull(1)) == pull(1))
        world.advance(milliseconds: 10)
        let message = delivered(forwarded.replacing(" \(inbox)", with: ""), to: "2", reply: ack(7, pending: 3))
        #expect(session.upstream(message) == message)
        world.advance(milliseconds: 40)
        #expect(session.client(pub(ack(7, pending: 3), "")) == pub(ack(7, pending: 3), ""))
        #expect(
            world.spans() == [
                "producer publish orders.new t1/s1 id 7 body 5 conversation trace in ORDERS took 2ms",
                "client fetch ORDERS t1/s2 under s1 link t1/s1(7 112ms) group worker id 7 body 5 queued 112ms "
                    + "conversation trace took 10ms",
                "consumer process ORDERS t1/s3 under s1 link t1/s1 group worker id 7 body 5 queued 112ms attempt 1 "
                    + "conversation trace delivery 7 before 3 took 40ms",
                "client ack ORDERS t1/s4 under s3 link t1/s1 group worker id 7",
            ])
        #expect(world.metric("tacho_queue_seconds_sum") == 0.112)
        #expect(world.metric("messaging_client_consumed_messages_total") == 1)
        #expect(world.deliveries.count == 0)
        #expect(!world.exposition().contains("_INBOX"))
    }

    @Test func aDuplicateIsSaidToBeOne() {
        let world = World(system: "nats")
        let session = client(world)
        session.client(hpub("orders.new", [("Nats-Msg-Id", "1")], "x", reply: inbox))
        session.upstream(msg(inbox, "1", #"{"stream":"ORDERS","seq":7,"duplicate": true}"#))
        #expect(
            world.spans() == [
                "producer publish orders.new t1/s1 id 7 body 1 conversation trace duplicate in ORDERS"
            ])
    }

    @Test func aRefusalTellsItsCode() {
        let world = World(system: "nats")
        let session = client(world)
        session.client(pub("orders.new", "x", reply: inbox))
        session.upstream(
            msg(inbox, "1", #"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"}}"#))
        session.client(pub("nowhere", "x", reply: inbox))
        session.upstream(hmsg(inbox, "1", [], "", status: "503 No Responders"))
        #expect(
            world.spans() == [
                "producer publish orders.new t1/s1 body 1 conversation trace error 10071",
                "client request nowhere t2/s2 body 1 conversation trace error 503",
            ])
    }

    @Test func aBatchIsLinkedAndEachMessageHasItsSpan() {
        let world = World(system: "nats")
        world.know(Context.sampled, as: "app")
        let session = client(world)
        session.client(pull(3))
        session.upstream(
            hmsg("orders.a", "2", [("traceparent", Context.sampled)], "1", reply: ack(1))
                + msg("orders.b", "2", "22", reply: ack(2)))
        #expect(world.spans() == [])
        world.advance(milliseconds: 5_000)
        session.upstream(hmsg(pullInbox, "2", [("Nats-Pending-Messages", "1")], "", status: "408 Request Timeout"))
        #expect(
            world.spans() == ["client fetch ORDERS t1/s1 link app/app(1 0ms) group worker batch 2"])
        session.client(pub(ack(1), "+ACK") + pub(ack(2), "-NAK {\"delay\": 1500000000}"))
        #expect(
            world.spans() == [
                "consumer process ORDERS app/s2 under app link app/app group worker id 1 body 1 queued 0ms attempt 1 "
                    + "delivery 1 before 0 took 5000ms",
                "client ack ORDERS app/s3 under s2 link app/app group worker id 1",
                "consumer process ORDERS t2/s4 group worker id 2 body 2 queued 0ms attempt 1 rejected "
                    + "again in 1500ms delivery 2 before 0 took 5000ms",
                "client nack ORDERS t2/s5 under s4 group worker id 2 again in 1500ms",
            ])
        #expect(world.metric("messaging_process_duration_seconds_count") == 1)
    }

    @Test(arguments: [
        ("404 No Messages", ""), ("408 Request Timeout", ""), ("409 Consumer Deleted", "409"), ("503", "503"),
    ])
    func nothingCame(status: String, error: String) {
        let world = World(system: "nats")
        let session = client(world)
        session.client(pull(1))
        session.upstream(hmsg(pullInbox, "2", [], "", status: status))
        let expected = error.isEmpty ? [] : ["client fetch ORDERS t1/s1 group worker error \(error)"]
        #expect(world.spans() == expected)
        #expect(world.metric("messaging_client_operation_duration_seconds_count", "\"fetch\"") == 1)
    }

    @Test func redeliveryCountsAttempts() {
        let world = World(system: "nats")
        let session = client(world)
        for attempt in 1...2 {
            session.client(pull(1))
            session.upstream(msg("orders.a", "2", "1", reply: ack(5, attempt: attempt)))
        }
        session.client(pub(ack(5, attempt: 2), "+WPI"))
        #expect(world.deliveries.count == 1)
        session.client(pub(ack(5, attempt: 2), "+TERM no use"))
        #expect(
            world.spans() == [
                "client fetch ORDERS t1/s1 group worker id 5 body 1",
                "consumer process ORDERS t2/s2 group worker id 5 body 1 queued 0ms attempt 1 redelivered "
                    + "delivery 5 before 0",
                "client fetch ORDERS t3/s3 group worker id 5 body 1",
                "consumer process ORDERS t4/s4 group worker id 5 body 1 attempt 2 terminated "
                    + "given up: terminated delivery 5 before 0",
                "client term ORDERS t4/s5 under s4 group worker id 5",
            ])
        #expect(world.metric("tacho_redeliveries_total") == 1)
    }

    @Test func workThatGoesOnIsNotGivenUp() {
        let world = World(unsettledSeconds: 5, system: "nats")
        let session = client(world)
        session.upstream(msg("orders.a", "2", "1", reply: ack(5)) + msg("orders.a", "2", "1", reply: ack(6)))
        world.advance(milliseconds: 4_000)
        session.client(pub(ack(5), "+WPI"))
        world.advance(milliseconds: 500)
        world.lane.tick(at: world.now)
        #expect(world.deliveries.count == 2)
    }

    @Test func aPushedMessageIsProcessedUntilItIsAcknowledged() {
        let world = World(system: "nats")
        let session = client(world)
        session.client("SUB deliver.here 3\r\n")
        session.upstream(msg("orders.a", "3", "1", reply: ack(5, consumer: "pusher")))
        world.advance(milliseconds: 30)
        session.client(pub(ack(5, consumer: "pusher"), "", reply: inbox))
        #expect(world.spans() == [])
        world.advance(milliseconds: 3)
        session.upstream(msg(inbox, "1", ""))
        #expect(
            world.spans() == [
                "consumer process ORDERS t1/s1 group pusher id 5 body 1 queued 0ms attempt 1 delivery 5 before 0 "
                    + "took 33ms",
                "client ack ORDERS t1/s2 under s1 group pusher id 5 took 3ms",
            ])
    }

    @Test func theNewerAckSubjectIsUnderstood() {
        let world = World(system: "nats")
        let session = client(world)
        let subject = "$JS.ACK.hub.ACCHASH.ORDERS.worker.2.5.9.\(stored).4.rAnd0m"
        session.upstream(msg("orders.a", "2", "1", reply: subject))
        session.client(pub(subject, "+ACK"))
        #expect(
            world.spans().first
                == "consumer process ORDERS t1/s1 group worker id 5 body 1 attempt 2 delivery 9 before 4")
    }

    @Test func acknowledgingAndAskingForMoreIsBoth() {
        let world = World(system: "nats")
        let session = client(world)
        session.upstream(msg("orders.a", "2", "1", reply: ack(5)))
        session.client(pub(ack(5), "+NXT 1", reply: pullInbox))
        session.upstream(msg("orders.b", "2", "1", reply: ack(6)))
        let spans = world.spans()
        #expect(
            spans.map { $0.split(separator: " ").prefix(3).joined(separator: " ") } == [
                "consumer process ORDERS", "client ack ORDERS", "client fetch ORDERS",
            ])
    }

    @Test func heartbeatsAndFlowControlAreNoMessages() {
        let world = World(system: "nats")
        let session = client(world)
        let beat = hmsg(pullInbox, "2", [("Nats-Last-Consumer", "3")], "", status: "100 Idle Heartbeat")
        #expect(session.upstream(beat) == beat)
        session.upstream(hmsg(pullInbox, "2", [], "", reply: "$JS.FC.x", status: "100 FlowControl Request"))
        #expect(session.client(pub("$JS.FC.x", "")) == pub("$JS.FC.x", ""))
        #expect(world.spans() == [])
        #expect(world.deliveries.count == 0)
        #expect(world.metric("messaging_client_consumed_messages_total") == 0)
    }

    @Test func consumersThatNeedNoAcknowledgementAreLearnt() {
        let world = World(system: "nats")
        let session = client(world)
        session.client(pub("$JS.API.CONSUMER.CREATE.ORDERS", "{}", reply: inbox))
        session.upstream(
            msg(inbox, "1", #"{"stream_name":"ORDERS","name":"k0oT7d1A","config":{"ack_policy":"none"}}"#))
        session.upstream(msg("orders.a", "2", "1", reply: ack(5, consumer: "k0oT7d1A")))
        #expect(
            world.spans() == [
                "consumer process ORDERS t1/s1 group _ephemeral id 5 body 1 queued 0ms delivery 5 before 0"
            ])
        #expect(world.deliveries.count == 0)
        #expect(!world.exposition().contains("k0oT7d1A"))
    }

    @Test func keysAndObjectsHaveTheNameOfTheirStore() {
        let world = World(system: "nats")
        let session = client(world)
        let stored = msg(inbox, "1", #"{"stream":"KV_settings","seq":1}"#)
        session.client(pub("$KV.settings.secret.key", "v", reply: inbox))
        session.upstream(stored)
        session.client(hpub("$KV.settings.secret.key", [("KV-Operation", "DEL")], "", reply: inbox))
        session.upstream(stored)
        session.client(pub("$O.files.C.nuid", "chunk", reply: inbox))
        session.upstream(msg(inbox, "1", #"{"stream":"OBJ_files","seq":1}"#))
        session.client(pub("$JS.API.DIRECT.GET.KV_settings.$KV.settings.secret.key", "", reply: inbox))
        session.upstream(hmsg(inbox, "1", [("Nats-Stream", "KV_settings")] + Context.injected().headers, "v"))
        session.upstream(
            msg("$KV.settings.secret.key", "2", "v", reply: "$JS.ACK.KV_settings.watch.1.1.1.\(self.stored).0"))
        #expect(
            world.spans() == [
                "producer put $KV.settings t1/s1 id 1 body 1 conversation trace in KV_settings",
                "producer delete $KV.settings t2/s2 id 1 body 0 conversation trace in KV_settings",
                "producer put_chunk $O.files t3/s3 id 1 body 5 conversation trace in OBJ_files",
                "client get $KV.settings t4/s4 under s5 link t4/s5 body 1 conversation trace",
            ])
        #expect(world.deliveries.count == 1)
        #expect(!world.exposition().contains("secret"))
    }

    @Test func theLastDeliveryIsADeadLetter() {
        let world = World(system: "nats")
        world.know(Context.sampled, as: "app")
        let session = client(world)
        session.client("SUB $JS.EVENT.ADVISORY.> 8\r\n")
        session.upstream(
            hmsg("orders.a", "2", [("traceparent", Context.sampled)], "1", reply: ack(5, attempt: 3)))
        let advisory = msg(
            "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ORDERS.worker", "8",
            #"{"type":"x","stream":"ORDERS","consumer":"worker","stream_seq":5,"deliveries":3}"#)
        #expect(session.upstream(advisory) == advisory)
        #expect(
            world.spans() == [
                "consumer process ORDERS app/s1 under app link app/app group worker id 5 body 1 attempt 3 "
                    + "dead_lettered given up: max_deliveries delivery 5 before 0"
            ])
        #expect(world.deliveries.count == 0)
    }

    @Test func whatIsPublishedMeanwhileIsUnderTheProcessSpan() throws {
        let world = World(system: "nats")
        let session = client(world)
        session.client(pull(1))
        session.upstream(msg("orders.a", "2", "1", reply: ack(5)))
        let further = session.client(pub("audit", "x"))
        session.client(pub(ack(5), ""))
        #expect(further.contains("causationid: 5\r\n"))
        #expect(
            world.spans() == [
                "client fetch ORDERS t1/s1 group worker id 5 body 1",
                "producer publish audit t2/s2 under s3 link t2/s3(5) body 1 conversation trace",
                "consumer process ORDERS t2/s3 group worker id 5 body 1 queued 0ms attempt 1 delivery 5 before 0",
                "client ack ORDERS t2/s4 under s3 group worker id 5",
            ])
    }

    @Test func whatIsPublishedOnAnotherBusMeanwhileIsUnderItToo() {
        let world = World(system: "nats")
        let peer = ClientPeer.process(1, startedAt: 1)
        let session = world.natsClient(peer)
        session.client("SUB svc 1\r\n")
        session.upstream(msg("orders.a", "2", "1", reply: ack(5)))
        let stored = world.connect(peer).client(command("XADD", "s", "*", "k", "v"))
        #expect(stored.hasPrefix("*11\r\n") && stored.hasSuffix("$11\r\ncausationid\r\n$1\r\n5\r\n"))
        session.client(pub(ack(5), ""))
        // A request has no id that could be told.
        session.upstream(msg("svc", "1", "1", reply: "_INBOX.x"))
        let answered = world.connect(peer).client(command("XADD", "s", "*", "k", "v"))
        #expect(answered.hasPrefix("*9\r\n") && !answered.contains("causationid"))
    }

    @Test func fetchesEndWithTheirTimeTheirSubscriptionOrTheConnection() {
        let world = World(system: "nats")
        let session = client(world)
        session.client(pull(2, expires: 1_000_000_000))
        session.upstream(msg("orders.a", "2", "1", reply: ack(1)))
        world.advance(milliseconds: 3_000)
        session.tick()
        #expect(world.spans().count == 1)
        session.client(pull(2))
        session.upstream(msg("orders.a", "2", "1", reply: ack(2)))
        session.client("UNSUB 2\r\n")
        #expect(world.spans().count == 1)
        session.client(pull(2))
        session.upstream(msg("orders.a", "2", "1", reply: ack(3)))
        session.close()
        #expect(world.spans().count == 1)
    }
}
