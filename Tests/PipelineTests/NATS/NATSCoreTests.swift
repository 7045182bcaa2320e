import Pipeline
import TestSupport
import Testing

/// Plain messages: publish, subscribe, queue groups, requests.
@Suite struct NATSCoreTests {
    @Test func publishBecomesOneWithHeaders() throws {
        let world = World(system: "nats")
        let session = world.natsClient()
        let forwarded = session.client(pub("shop.orders", "hello", reply: "elsewhere"))
        let added = try #require(addedHeaders(forwarded))
        #expect(forwarded == hpub("shop.orders", added.headers, "hello", reply: "elsewhere"))
        #expect(world.spans() == ["producer publish shop.orders t1/s1 body 5 conversation trace"])
        #expect(added.traceparent.dropFirst(3).prefix(32) == added.correlation)
        #expect(world.metric("tacho_injected_messages_total") == 1)
        #expect(world.metric("messaging_client_sent_messages_total") == 1)
    }

    @Test func ownHeadersStayByteForByteInFrontOfOurs() throws {
        let world = World(system: "nats")
        let session = world.natsClient()
        let own = "NATS/1.0\r\nA:1\r\na: two \r\nA: 3\r\n\r\n"
        let sent = "hpub  shop\t\(own.utf8.count) \(own.utf8.count + 2)\r\n\(own)hi\r\n"
        let forwarded = session.client(sent)
        let added = try #require(addedHeaders(forwarded))
        let lines = added.headers.map { "\($0): \($1)\r\n" }.joined()
        let block = String(own.dropLast(1)) + lines + "\r\n"
        let expected = "hpub  shop\t\(block.utf8.count) \(block.utf8.count + 2)\r\n\(block)hi\r\n"
        #expect(Array(forwarded.utf8) == Array(expected.utf8))
    }

    @Test(arguments: ["traceparent", "Traceparent", "Xraceparent"]) func ownContextIsLeftAlone(_ name: String) {
        let world = World(system: "nats")
        world.know(Context.sampled, as: "app")
        let session = world.natsClient()
        let sent = hpub("a", [(name, Context.sampled), ("tracestate", "x=1"), ("x-correlation-id", "c1")], "b")
        #expect(session.client(sent) == sent)
        #expect(world.spans() == ["client publish a app/s1 under app link app/app body 1 conversation c1"])
        #expect(world.metric("tacho_not_injected_messages_total", "own_context") == 1)
    }

    @Test func aHeaderOfOurNameThatHoldsNoContextIsLeftAlone() {
        let world = World(system: "nats")
        let session = world.natsClient()
        let sent = hpub("a", [("traceparent", "rubbish")], "b")
        #expect(session.client(sent) == sent)
        #expect(world.metric("tacho_not_injected_messages_total", "foreign_field") == 1)
    }

    @Test func whatWouldPassTheLimitIsNotGivenAContext() {
        let world = World(system: "nats")
        let session = world.natsClient()
        session.upstream(#"INFO {"headers":true,"max_payload":1000}"# + "\r\n")
        let large = pub("a", String(repeating: "x", count: 919))
        #expect(session.client(large) == large)
        // There is room for the context, and for nothing else.
        let fitting = session.client(pub("a", String(repeating: "x", count: 918)))
        #expect(fitting.hasPrefix("HPUB a 82 1000\r\n") && !fitting.contains("correlationid"))
        #expect(session.client(pub("a", "x")) != pub("a", "x"))
        #expect(world.metric("tacho_not_injected_messages_total", "too_large") == 1)
    }

    @Test func aLargePayloadPassesAsItComes() throws {
        let session = World(frameBytesMax: 100, system: "nats").natsClient()
        let head = session.client("PUB a 500000\r\nxx")
        #expect(head.hasPrefix("HPUB a ") && head.hasSuffix("\r\n\r\nxx"))
        let piece = String(repeating: "y", count: 400_000)
        #expect(session.client(piece) == piece)
        #expect(session.client(String(repeating: "z", count: 99_998)).utf8.count == 99_998)
        #expect(session.client("\r\nPING\r\n") == "\r\nPING\r\n")
        #expect(session.opaque == nil)
    }

    @Test func aSubscribersSpanIsUnderThePublishers() {
        let world = World(system: "nats")
        let session = world.natsClient()
        #expect(session.client("SUB shop.> workers 7\r\n") == "SUB shop.> workers 7\r\n")
        let forwarded = session.client(pub("shop.orders.1", "hello"))
        let message = delivered(forwarded, to: "7")
        #expect(session.upstream(message) == message)
        #expect(
            world.spans() == [
                "producer publish shop.orders.1 t1/s1 body 5 conversation trace",
                "consumer process shop.> t1/s2 under s1 link t1/s1 channel shop.orders.1 group workers body 5 "
                    + "conversation trace",
            ])
        #expect(world.metric("messaging_client_consumed_messages_total", "\"shop.>\"") == 1)
    }

    @Test func everySubscriberHasASpanOfItsOwn() {
        let world = World(system: "nats")
        let publisher = world.natsClient()
        let forwarded = publisher.client(pub("news", "1"))
        for sid in ["1", "2"] {
            let subscriber = world.natsClient()
            subscriber.client("SUB news \(sid)\r\n")
            subscriber.upstream(delivered(forwarded, to: sid))
        }
        #expect(
            world.spans() == [
                "producer publish news t1/s1 body 1 conversation trace",
                "consumer process news t1/s2 under s1 link t1/s1 body 1 conversation trace",
                "consumer process news t1/s3 under s1 link t1/s1 body 1 conversation trace",
            ])
    }

    @Test func strippingGivesBackWhatThePublisherWrote() throws {
        let world = World(deliver: .strip, system: "nats")
        let session = world.natsClient()
        session.client("SUB a 1\r\n")
        let plain = session.client(pub("a", "x"))
        #expect(session.upstream(delivered(plain, to: "1")) == msg("a", "1", "x"))
        let withHeaders = session.client(hpub("a", [("A", "1"), ("B", "2")], "x"))
        #expect(session.upstream(delivered(withHeaders, to: "1")) == hmsg("a", "1", [("A", "1"), ("B", "2")], "x"))
        let foreign = hmsg("a", "1", [("traceparent", Context.sampled)], "x")
        #expect(session.upstream(foreign) == foreign)
        #expect(world.metric("tacho_stripped_messages_total") == 2)
    }

    @Test func aSubscriptionThatEndsByItselfIsForgotten() {
        let world = World(system: "nats")
        let session = world.natsClient()
        session.client("SUB shop.* q 1\r\nUNSUB 1 2\r\n")
        for _ in 0..<3 { session.upstream(msg("shop.a", "1", "x")) }
        let spans = world.spans()
        #expect(spans.filter { $0.contains("group q") }.count == 2)
        session.client("SUB shop.* q 1\r\nUNSUB 1\r\n")
        session.upstream(msg("shop.a", "1", "x"))
        #expect(world.spans().filter { $0.contains("group q") }.isEmpty)
    }

    @Test func splitAnywhereItComesToTheSame() {
        let steps: [Script.Step] = [
            .upstream(#"INFO {"headers":true,"max_payload":1048576,"connect_urls":["a:1"]}"# + "\r\n"),
            .client(#"CONNECT {"name":"n"}"# + "\r\nPING\r\nSUB a.* q 1\r\n"),
            .client(pub("a.b", "one") + hpub("a.b", [("A", "1")], "two", reply: "r") + pub("c", "")),
            .upstream("PONG\r\n" + msg("a.b", "1", "one") + hmsg("a.b", "1", Context.injected().headers, "two")),
        ]
        let script = Script(steps: steps)
        let whole = script.run(in: World(deliver: .strip, system: "nats"), with: { $0.connectNATS() }) { [$0[...]] }
        #expect(whole.spans.count == 5)
        let bytewise = script.run(in: World(deliver: .strip, system: "nats"), with: { $0.connectNATS() }) { bytes in
            bytes.indices.map { bytes[$0...$0] }
        }
        #expect(bytewise == whole)
        for seed in 1...50 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let cut = script.run(in: World(deliver: .strip, system: "nats"), with: { $0.connectNATS() }) { bytes in
                var pieces: [ArraySlice<UInt8>] = []
                var rest = bytes[...]
                while !rest.isEmpty {
                    let piece = rest.prefix(Int.random(in: 1...20, using: &random))
                    pieces.append(piece)
                    rest = rest.dropFirst(piece.count)
                }
                return pieces
            }
            #expect(cut == whole, "seed \(seed)")
        }
    }

    @Test func rubbishMakesTheSessionOpaque() {
        let session = World(system: "nats").natsClient()
        #expect(session.client("GET / HTTP/1.1\r\n") == "GET / HTTP/1.1\r\n")
        #expect(session.opaque == .malformedRequest)
        #expect(session.client(pub("a", "1")) == pub("a", "1"))
        let other = World(system: "nats").natsClient()
        #expect(other.upstream("PUB a 1\r\n") == "PUB a 1\r\n")
        #expect(other.opaque == .malformedReply)
    }
}
