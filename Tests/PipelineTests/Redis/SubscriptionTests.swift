import Pipeline
import Testing

/// Subscriptions in both protocols: what is a reply and what is not.
@Suite struct SubscriptionTests {
    /// RESP2 sends arrays where RESP3 sends pushes.
    enum Form: CaseIterable {
        case array, push

        func callAsFunction(_ elements: String...) -> String {
            (self == .array ? "*" : ">") + "\(elements.count)\r\n" + elements.joined()
        }
    }

    @Test(arguments: Form.allCases) func messagesGiveSpansAndPassUntouched(_ form: Form) {
        let world = World()
        let session = world.connect()
        session.client(command("SUBSCRIBE", "news", "sport"))
        session.upstream(form(bulk("subscribe"), bulk("news"), integer(1)))
        #expect(!session.isIdle)
        session.upstream(form(bulk("subscribe"), bulk("sport"), integer(2)))
        #expect(session.isIdle)
        let message = form(bulk("message"), bulk("news"), bulk("hello"))
        #expect(session.upstream(message) == message)
        #expect(world.spans() == ["consumer process news t1/s1 body 5"])
        #expect(world.metric("messaging_client_consumed_messages_total", "\"news\"") == 1)
        #expect(world.metric("db_client_operation_duration_seconds_count", "\"SUBSCRIBE\"") == 1)
    }

    @Test("a subscription too large to be looked at leaves nobody to tell its replies from others")
    func tooLargeToBeSeen() {
        let name = String(repeating: "x", count: 2 << 20)
        let session = World().connect()
        let subscription = command("SUBSCRIBE", "a", name)
        let passed =
            session.client(String(subscription.prefix(90))) + session.client(String(subscription.dropFirst(90)))
        #expect(passed == subscription)
        #expect(session.opaque == .subscriptionTooLarge)
        #expect(session.client(command("PING")) == command("PING"))
    }

    @Test(arguments: Form.allCases) func aConfirmationTooLargeToBeSeen(_ form: Form) {
        let name = String(repeating: "x", count: 2 << 20)
        let session = World().connect()
        session.client(command("SUBSCRIBE", "a"))
        let confirmation = form(bulk("subscribe"), bulk(name), integer(1))
        let passed = [String(confirmation.prefix(90)), String(confirmation.dropFirst(90))].map { session.upstream($0) }
        #expect(passed.joined() == confirmation)
        #expect(session.opaque == .subscriptionTooLarge)
        #expect(session.isIdle)
    }

    @Test(arguments: Form.allCases) func thePatternIsTheTemplate(_ form: Form) {
        let world = World()
        let session = world.connect()
        session.client(command("PSUBSCRIBE", "news.*"))
        session.upstream(form(bulk("psubscribe"), bulk("news.*"), integer(1)))
        session.upstream(form(bulk("pmessage"), bulk("news.*"), bulk("news.it"), bulk("hello")))
        #expect(world.spans() == ["consumer process news.* t1/s1 channel news.it body 5"])
        #expect(world.metric("messaging_client_consumed_messages_total", "messaging_destination_name=\"news.*\"") == 1)
    }

    @Test(arguments: Form.allCases) func shardChannelsAreCountedApart(_ form: Form) {
        let world = World()
        let session = world.connect()
        session.client(command("SUBSCRIBE", "a") + command("SSUBSCRIBE", "b") + command("SUNSUBSCRIBE"))
        session.upstream(form(bulk("subscribe"), bulk("a"), integer(1)))
        session.upstream(form(bulk("ssubscribe"), bulk("b"), integer(1)))
        session.upstream(form(bulk("smessage"), bulk("b"), bulk("hello")))
        #expect(world.spans() == ["consumer process b t1/s1 body 5"])
        session.upstream(form(bulk("sunsubscribe"), bulk("b"), integer(0)))
        #expect(session.isIdle)
        session.upstream(form(bulk("message"), bulk("a"), bulk("still here")))
        #expect(world.spans() == ["consumer process a t2/s2 body 10"])
    }

    @Test(arguments: Form.allCases) func unsubscribingFromAllEndsWithTheLast(_ form: Form) {
        let session = World().connect()
        session.client(command("SUBSCRIBE", "a", "b") + command("PSUBSCRIBE", "c*") + command("UNSUBSCRIBE"))
        session.upstream(
            form(bulk("subscribe"), bulk("a"), integer(1)) + form(bulk("subscribe"), bulk("b"), integer(2)))
        session.upstream(form(bulk("psubscribe"), bulk("c*"), integer(3)))
        session.upstream(form(bulk("unsubscribe"), bulk("a"), integer(2)))
        #expect(!session.isIdle)
        session.upstream(form(bulk("unsubscribe"), bulk("b"), integer(1)))
        #expect(session.isIdle)
        session.client(command("PUNSUBSCRIBE", "c*") + command("UNSUBSCRIBE") + command("PING"))
        session.upstream(form(bulk("punsubscribe"), bulk("c*"), integer(0)))
        session.upstream(form(bulk("unsubscribe"), form == .array ? "$-1\r\n" : "_\r\n", integer(0)))
        #expect(!session.isIdle)
        session.upstream("+PONG\r\n")
        #expect(session.isIdle)
        #expect(session.opaque == nil)
    }

    @Test func namedUnsubscriptionsAnswerOnceEach() {
        let session = World().connect()
        session.client(command("UNSUBSCRIBE", "a", "b") + command("PING"))
        session.upstream(array([bulk("unsubscribe"), bulk("a"), integer(0)]))
        session.upstream(array([bulk("unsubscribe"), bulk("b"), integer(0)]))
        #expect(!session.isIdle)
        session.upstream("+PONG\r\n")
        #expect(session.isIdle)
    }

    @Test func repliesAndMessagesMixInRESP2() {
        let world = World()
        let session = world.connect()
        session.client(command("SUBSCRIBE", "a") + command("PING") + command("PING", "x"))
        session.upstream(array([bulk("subscribe"), bulk("a"), integer(1)]))
        session.upstream(array([bulk("message"), bulk("a"), bulk("1")]) + array([bulk("pong"), bulk("")]))
        session.upstream(array([bulk("message"), bulk("a"), bulk("2")]) + array([bulk("pong"), bulk("x")]))
        #expect(session.isIdle)
        #expect(session.opaque == nil)
        #expect(world.spans().count == 2)
        #expect(world.metric("db_client_operation_duration_seconds_count", "\"PING\"") == 2)
    }

    @Test func repliesAndMessagesMixInRESP3() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(
            command("SUBSCRIBE", "a") + command("XADD", "s", "*", "k", "v") + command("LRANGE", "l", "0", "2"))
        session.upstream(push(bulk("subscribe"), bulk("a"), integer(1)) + push(bulk("message"), bulk("a"), bulk("1")))
        session.upstream(bulk("1-0") + push(bulk("message"), bulk("a"), bulk("2")))
        // A list that looks like a message is a reply all the same.
        session.upstream(array([bulk("message"), bulk("a"), bulk("3")]).replacing("*", with: "~"))
        #expect(session.isIdle)
        #expect(
            world.spans() == [
                "consumer process a t1/s1 body 1", "client xadd s t2/s2 id 1-0 body 2",
                "consumer process a t3/s3 body 1",
            ])
    }

    @Test func aRefusedSubscriptionIsOneReply() {
        let session = World().connect()
        session.client(command("SUBSCRIBE", "a", "b", "c") + command("PING"))
        session.upstream("-NOPERM No permissions to access a channel\r\n+PONG\r\n")
        #expect(session.isIdle)
        #expect(session.opaque == nil)
    }

    @Test func otherPushesArePassed() {
        let world = World()
        let session = world.connect()
        let pushes =
            push(bulk("invalidate"), array([bulk("key")])) + push(bulk("invalidate"), "_\r\n")
            + push(bulk("tracking-redir-broken")) + ">0\r\n" + push(integer(1), integer(2), integer(3))
            + push(bulk("message")) + push(bulk("subscribe"), bulk("x"), bulk("no number"))
        #expect(session.upstream(pushes) == pushes)
        #expect(session.opaque == nil)
        #expect(world.spans() == [])
    }

    @Test func aPushBetweenTheRepliesOfAPipeline() {
        let world = World(inject: .never)
        let session = world.connect()
        session.client(command("XADD", "s", "*", "k", "v") + command("GET", "x"))
        session.upstream(push(bulk("invalidate"), array([bulk("x")])) + bulk("1-0"))
        session.upstream(push(bulk("invalidate"), array([bulk("x")])) + "_\r\n")
        #expect(session.isIdle)
        #expect(world.spans() == ["client xadd s t1/s1 id 1-0 body 2"])
    }

    @Test(arguments: Form.allCases) func aHugeMessageIsCountedAndStreams(_ form: Form) {
        let world = World(frameBytesMax: 100_000)
        let session = world.connect()
        session.client(command("SUBSCRIBE", "a"))
        session.upstream(form(bulk("subscribe"), bulk("a"), integer(1)))
        let payload = String(repeating: "p", count: 200_000)
        let message = form(bulk("message"), bulk("a"), bulk(payload))
        #expect(session.upstream(String(message.prefix(60_000))).count == 60_000)
        #expect(world.spans() == ["consumer process a t1/s1 body 200000"])
        #expect(session.upstream(String(message.dropFirst(60_000))) == String(message.dropFirst(60_000)))
        session.upstream(form(bulk("message"), bulk("a"), bulk("small")))
        #expect(world.spans() == ["consumer process a t2/s2 body 5"])
        #expect(session.opaque == nil)
    }

    /// Payloads below the size that is announced, in a frame above the limit.
    @Test(arguments: Form.allCases) func aFrameThatOutgrowsTheLimitBitByBit(_ form: Form) {
        let world = World(frameBytesMax: 1_000)
        let session = world.connect()
        session.client(command("SUBSCRIBE", "a"))
        session.upstream(form(bulk("subscribe"), bulk("a"), integer(1)))
        let message = form(bulk("message"), bulk("a"), bulk(String(repeating: "p", count: 3_000)))
        var passed = ""
        for piece in (message + message).utf8.chunks(of: 601) { passed += session.upstream(piece) }
        #expect(passed == message + message)
        #expect(session.opaque == nil)
        session.upstream(form(bulk("message"), bulk("a"), bulk("small")))
        #expect(world.spans() == ["consumer process a t1/s1 body 5"])
    }

    /// An invalidation of more keys than tokens are remembered.
    @Test func anInvalidationOfManyKeys() {
        let session = World().connect()
        let keys = array((0..<40_000).map { bulk("key:\($0)") })
        let invalidation = push(bulk("invalidate"), keys)
        // The last read holds none of the bytes that tell what it is.
        #expect(session.upstream(String(invalidation.dropLast(2))) == invalidation.dropLast(2))
        #expect(session.upstream(String(invalidation.suffix(2))) == invalidation.suffix(2))
        #expect(session.opaque == nil)
        session.client(command("PING"))
        session.upstream("+PONG\r\n")
        #expect(session.isIdle)
    }

    @Test func publishingIsFollowedButNeverEdited() {
        let world = World()
        let session = world.connect()
        let sent = command("PUBLISH", "news", "hello") + command("SPUBLISH", "shard", "hi") + command("PUBLISH", "x")
        #expect(session.client(sent) == sent)
        session.upstream(integer(3) + integer(0) + "-ERR wrong number of arguments\r\n")
        #expect(world.spans() == ["client publish news t1/s1 body 5", "client spublish shard t2/s2 body 2"])
        #expect(world.metric("tacho_not_injected_messages_total", "configured") == 0)
    }
}

extension String.UTF8View {
    func chunks(of count: Int) -> [String] {
        var chunks: [String] = []
        var rest = self[...]
        while !rest.isEmpty {
            chunks.append(String(decoding: rest.prefix(count), as: UTF8.self))
            rest = rest.dropFirst(count)
        }
        return chunks
    }
}
