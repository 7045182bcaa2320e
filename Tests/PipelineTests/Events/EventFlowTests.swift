import Testing

@testable import Pipeline
@testable import Telemetry

@Suite("Events that come as values")
struct EventFlowTests {
    private let world = World(system: "tachograph")
    private let orders = Array("orders".utf8)
    private let billing = Array("billing".utf8)
    private let id = MessageID.streamEntry(milliseconds: World.startUnixMilliseconds, sequence: 0)
    private static let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    /// Publishes one event and returns the attributes that it was given.
    private func publish(
        _ flow: EventFlow, _ context: EventContext = EventContext(), caller: String? = nil,
        causes: EventSelection? = nil
    ) -> [String: String] {
        let (open, attributes) = flow.publishing(
            EventToPublish(
                stream: orders, context: context, callerParent: caller, causes: causes, bodySize: 3), at: world.now)
        world.advance(milliseconds: 1)
        flow.published(open, .succeeded, id: id, at: world.now)
        return Dictionary(attributes) { first, _ in first }
    }

    private func receive(_ flow: EventFlow, _ attributes: [String: String], attempt: UInt32 = 1) {
        let reception = flow.receiving(
            "receive", stream: orders, group: billing, consumer: Array("alice".utf8), at: world.now)
        world.advance(milliseconds: 9)
        flow.received(
            reception,
            [
                EventDelivery(
                    id: id, storedUnixNanoseconds: World.startUnixMilliseconds * 1_000_000, attempt: attempt,
                    context: EventContext(
                        traceParent: attributes["traceparent"], traceState: attributes["tracestate"],
                        correlationID: attributes["correlationid"]), bodySize: 3)
            ], at: world.now)
    }

    private var selection: EventSelection { EventSelection(stream: orders, group: billing, ids: [id]) }

    @Test func oneTraceFromPublishToAcknowledgement() {
        let flow = EventFlow(lane: world.lane, listener: world.profile)
        let attributes = publish(flow)
        #expect(Set(attributes.keys) == ["traceparent", "correlationid"])
        receive(flow, attributes)
        flow.settled(selection, "ack", as: .acknowledged, .succeeded, startedAt: world.now, at: world.now)
        #expect(
            world.spans()
                == [
                    "producer publish orders t1/s1 id \(id) body 3 conversation trace took 1ms",
                    "client receive orders t1/s2 under s1 link t1/s1(\(id) 10ms) group billing consumer alice id \(id) body 3 queued 10ms conversation trace took 9ms",
                    "consumer process orders t1/s3 under s1 link t1/s1 group billing consumer alice id \(id) body 3 queued 10ms attempt 1 conversation trace acknowledged",
                    "client ack orders t1/s4 under s3 link t1/s1 group billing id \(id)",
                ].map { $0.replacing(" acknowledged", with: "") })
        #expect(world.metric("messaging_client_sent_messages_total", "publish") == 1)
        #expect(world.metric("tacho_queue_seconds_count", "billing") == 1)
    }

    @Test func aContextOfItsOwnIsNotAltered() {
        let flow = EventFlow(lane: world.lane, listener: world.profile)
        #expect(publish(flow, EventContext(traceParent: Self.own), caller: Self.own) == [:])
        #expect(world.metric("tacho_not_injected_messages_total", "own_context") == 1)
        #expect(publish(flow, EventContext(traceParent: "mine")) == [:])
        #expect(world.metric("tacho_not_injected_messages_total", "foreign_field") == 1)
    }

    @Test func theContextOfTheRequestIsContinued() throws {
        world.know(Self.own, as: "caller")
        let flow = EventFlow(lane: world.lane, listener: world.profile)
        let attributes = publish(flow, EventContext(correlationID: "c-1"), caller: Self.own)
        #expect(attributes["traceparent"]?.contains("0af7651916cd43dd8448eb211c80319c") == true)
        #expect(attributes["correlationid"] == nil)
        #expect(
            world.spans() == [
                "producer publish orders caller/s1 under caller link caller/caller id \(id) body 3 conversation c-1 took 1ms"
            ])
    }

    @Test func aTransactionNamesItsCause() throws {
        let flow = EventFlow(lane: world.lane, listener: world.profile)
        receive(flow, publish(flow))
        _ = world.records()
        let attributes = publish(flow, causes: selection)
        #expect(attributes["causationid"] == "\(id)")
        let span = try #require(world.records().first)
        #expect(span.causality == .transactionCertain)
        #expect(span.parentSpanID.isValid)
    }

    @Test func anEventWhoseLastAttemptIsGivenBackIsADeadLetter() {
        let flow = EventFlow(lane: world.lane, listener: world.profile)
        receive(flow, publish(flow), attempt: 3)
        flow.settled(selection, "nack", as: .rejected(exhausted: [id]), .succeeded, startedAt: world.now, at: world.now)
        let spans = world.spans()
        #expect(spans.filter { $0.hasPrefix("consumer") && $0.contains("dead_lettered") }.count == 1, "\(spans)")
        #expect(spans.filter { $0.hasPrefix("client nack") && $0.contains("link") }.count == 1, "\(spans)")
        #expect(world.metric("tacho_dead_letters_total", "max_deliveries") == 1)
    }

    @Test func anEventThatIsGivenBackIsDeliveredAgain() {
        let flow = EventFlow(lane: world.lane, listener: world.profile)
        let attributes = publish(flow)
        receive(flow, attributes)
        flow.settled(selection, "nack", as: .rejected(exhausted: []), .succeeded, startedAt: world.now, at: world.now)
        receive(flow, attributes, attempt: 2)
        flow.settled(selection, "nack", as: .deadLettered, .succeeded, startedAt: world.now, at: world.now)
        let processed = world.spans().filter { $0.hasPrefix("consumer") }
        #expect(processed.count == 2)
        #expect(processed[0].contains("attempt 1") && processed[0].contains("rejected"))
        #expect(processed[1].contains("attempt 2") && processed[1].contains("terminated"))
        #expect(world.metric("tacho_redeliveries_total") == 1)
    }
}
