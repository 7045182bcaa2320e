import Pipeline
import Telemetry
import Testing

/// What a consumer's settings make of its deliveries: who is covered by an acknowledgement, and which delivery is the last.
@Suite struct JetStreamConsumerTests {
    private let inbox = "_INBOX.abc.1"
    private let stored = World.startUnixMilliseconds * 1_000_000
    private let world = World(unsettledSeconds: 300, system: "nats")

    private func client(_ config: String = "", consumer: String = "worker") -> Conversation<NATSSession> {
        let session = world.natsClient()
        session.client("SUB _INBOX.abc.* 1\r\nSUB deliver.here 3\r\n")
        guard !config.isEmpty else { return session }
        session.client(pub("$JS.API.CONSUMER.INFO.ORDERS.\(consumer)", "", reply: inbox))
        session.upstream(
            msg(
                inbox, "1",
                #"{"stream_name":"ORDERS","name":"\#(consumer)","config":{"durable_name":"\#(consumer)",\#(config)}}"#))
        return session
    }

    private func ack(_ sequence: Int, attempt: Int = 1, consumer: String = "worker") -> String {
        "$JS.ACK.ORDERS.\(consumer).\(attempt).\(sequence).\(sequence).\(stored).0"
    }

    private func push(_ sequence: Int, attempt: Int = 1, consumer: String = "worker") -> String {
        msg("orders.a", "3", "x", reply: ack(sequence, attempt: attempt, consumer: consumer))
    }

    private func advisory(_ kind: String, _ sequence: Int) -> String {
        msg(
            "$JS.EVENT.ADVISORY.CONSUMER.\(kind).ORDERS.worker", "8",
            #"{"type":"x","stream":"ORDERS","consumer":"worker","stream_seq":\#(sequence),"deliveries":3}"#)
    }

    private func tick(afterSeconds seconds: UInt64) {
        world.advance(milliseconds: seconds * 1_000)
        world.lane.tick(at: world.now)
    }

    /// Outcome and number of each process span.
    private func ended() -> [String] {
        world.records().filter { $0.kind == .consumer }.map {
            "\($0.messageID) \($0.outcome.text)\($0.deadLetter == .none ? "" : " " + $0.deadLetter.text)"
        }
    }

    // MARK: Acknowledging all

    @Test func anAcknowledgementOfAllEndsWhatCameBefore() {
        let session = client(#""ack_policy":"all""#)
        session.upstream(push(3) + push(5) + push(9) + push(12))
        session.client(pub(ack(9), ""))
        #expect(
            world.spans().filter { $0.hasPrefix("client ack") } == [
                "client ack ORDERS t4/s4 group worker batch 3"
            ])
        #expect(world.deliveries.count == 1)
        #expect(world.metric("messaging_process_duration_seconds_count") == 3)
        // What is given back is that message alone, and no later acknowledgement names it again.
        session.upstream(push(13))
        session.client(pub(ack(12), "-NAK"))
        #expect(ended() == ["12 rejected"])
        session.client(pub(ack(13), "+ACK"))
        #expect(ended() == ["13 "])
    }

    @Test func thePolicyIsThatOfTheConsumer() {
        let session = client(#""ack_policy":"explicit""#)
        session.upstream(push(1) + push(2) + push(3, consumer: "other"))
        session.client(pub(ack(2), ""))
        #expect(ended() == ["2 "])
        #expect(world.deliveries.count == 2)
    }

    @Test func whatOneAcknowledgementCoversIsBounded() {
        let session = client(#""ack_policy":"all""#)
        for sequence in 1...1_500 { session.upstream(push(sequence)) }
        session.client(pub(ack(1_500), ""))
        #expect(world.deliveries.count == 475)
        session.upstream(push(1_501))
        session.client(pub(ack(1_501), ""))
        #expect(world.deliveries.count == 0)
    }

    // MARK: The last delivery

    @Test func givingBackTheLastDeliveryGivesTheMessageUp() {
        let session = client(#""ack_policy":"explicit","max_deliver":2,"ack_wait":30000000000"#)
        session.upstream(push(5))
        session.client(pub(ack(5), "-NAK"))
        session.upstream(push(5, attempt: 2))
        session.client(pub(ack(5, attempt: 2), "-NAK"))
        #expect(ended() == ["5 rejected", "5 dead_lettered inferred"])
        #expect(world.metric("tacho_dead_letters_total", #"reason="inferred""#) == 1)
        // The broker says so too: that is no second one.
        session.upstream(advisory("MAX_DELIVERIES", 5))
        #expect(world.spans() == [])
        #expect(world.metric("tacho_dead_letters_total") == 1)
    }

    @Test(arguments: [
        (#""max_deliver":1,"ack_wait":5000000000"#, 5),
        (#""max_deliver":1,"ack_wait":1,"backoff":[1000000000,9000000000]"#, 9),
        (#""max_deliver":1"#, 30),
    ])
    func aLastDeliveryThatIsNotAcknowledgedInTimeIsGivenUp(_ config: String, seconds: Int) {
        let session = client(#""ack_policy":"explicit",\#(config)"#)
        session.upstream(push(5) + push(6))
        session.client(pub(ack(6), ""))
        _ = ended()
        tick(afterSeconds: UInt64(seconds))
        #expect(ended() == [])
        tick(afterSeconds: 2)
        #expect(ended() == ["5 dead_lettered inferred"])
        #expect(world.deliveries.count == 0)
        tick(afterSeconds: 300)
        #expect(ended() == [])
    }

    @Test func workThatGoesOnIsNotGivenUp() {
        let session = client(#""ack_policy":"explicit","max_deliver":1,"ack_wait":5000000000"#)
        session.upstream(push(5))
        tick(afterSeconds: 4)
        session.client(pub(ack(5), "+WPI"))
        tick(afterSeconds: 4)
        #expect(ended() == [])
        session.client(pub(ack(5), "+ACK"))
        #expect(ended() == ["5 "])
        tick(afterSeconds: 10)
        #expect(world.metric("tacho_dead_letters_total") == 0)
    }

    @Test func withoutALimitNothingIsInferred() {
        let session = client(#""ack_policy":"explicit","max_deliver":-1,"ack_wait":1000000000"#)
        session.upstream(push(5, attempt: 40))
        session.client(pub(ack(5, attempt: 40), "-NAK 1500ms"))
        #expect(world.spans().first?.contains("rejected again in 1500ms") == true)
        tick(afterSeconds: 100)
        #expect(world.metric("tacho_dead_letters_total") == 0)
    }

    // MARK: Late words

    @Test func aDeadLetterStandsOnItsTraceAlsoAfterTheDeliveryHasEnded() {
        world.know(Context.sampled, as: "app")
        let session = client()
        session.upstream(
            hmsg("orders.a", "3", [("traceparent", Context.sampled)], "x", reply: ack(5, attempt: 3)))
        session.client(pub(ack(5, attempt: 3), "-NAK"))
        _ = world.spans()
        world.advance(milliseconds: 60_000)
        session.upstream(advisory("MAX_DELIVERIES", 5))
        #expect(
            world.spans() == [
                "internal dead_letter ORDERS app/s3 under s1 link app/app group worker id 5 attempt 3 dead_lettered "
                    + "given up: max_deliveries"
            ])
        #expect(world.metric("tacho_dead_letters_total", #"group_name="worker""#) == 1)
        session.upstream(advisory("MAX_DELIVERIES", 5))
        #expect(world.spans() == [])
    }

    @Test func aTerminatedMessageIsGivenUpOnce() {
        let session = client()
        session.upstream(push(5))
        session.client(pub(ack(5), "+TERM"))
        #expect(ended() == ["5 terminated terminated"])
        session.upstream(advisory("MSG_TERMINATED", 5))
        #expect(world.spans() == [])
        #expect(world.metric("tacho_dead_letters_total") == 1)
    }

    @Test func whatEndedWellOrLongAgoIsForgotten() {
        let session = client()
        session.upstream(push(5) + push(6))
        session.client(pub(ack(5), "") + pub(ack(6), "-NAK"))
        _ = world.spans()
        session.upstream(advisory("MAX_DELIVERIES", 5))
        #expect(world.spans() == [])
        tick(afterSeconds: 1_000)
        session.upstream(advisory("MAX_DELIVERIES", 6))
        #expect(world.spans() == [])
        #expect(world.metric("tacho_dead_letters_total") == 0)
    }
}
