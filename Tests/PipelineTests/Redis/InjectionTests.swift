import Pipeline
import Telemetry
import Testing

/// What becomes of an XADD on its way to the broker.
@Suite struct InjectionTests {
    @Test func anEntryWithoutContextIsGivenOne() throws {
        let world = World()
        let session = world.connect()
        let forwarded = session.client(command("XADD", "orders", "*", "item", "7"))
        let added = try #require(AddedFields(forwarded))
        #expect(
            forwarded
                == command(
                    "XADD", "orders", "*", "item", "7", "traceparent", added.traceparent, "correlationid",
                    added.correlation))
        #expect(added.correlation == String(added.traceparent.dropFirst(3).prefix(32)))
        #expect(added.traceparent.hasSuffix("-03"))
        world.advance(milliseconds: 2)
        #expect(session.upstream(bulk("1700000000001-0")) == bulk("1700000000001-0"))
        #expect(
            world.spans() == ["producer xadd orders t1/s1 id 1700000000001-0 body 5 conversation trace took 2ms"])
        #expect(world.metric("tacho_injected_messages_total", "messaging_destination_name=\"orders\"") == 1)
        #expect(world.metric("messaging_client_sent_messages_total") == 1)
    }

    @Test func theIdsAreThoseOfTheSeed() {
        let session = World().connect()
        #expect(
            session.client(command("XADD", "s", "*", "k", "v"))
                == command(
                    "XADD", "s", "*", "k", "v", "traceparent", InjectionTests.firstTraceparent, "correlationid",
                    InjectionTests.firstCorrelation))
    }

    /// Worked out from the definition of the generator and the mark by a program of another language.
    static let firstTraceparent = "00-66666666666667df7b883dc77b882444-8700189f9fbf2150-03"
    static let firstCorrelation = "66666666666667df7b883dc77b882444"

    @Test func aValidContextOfTheApplicationStays() {
        let world = World()
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        let sent = command("XADD", "orders", "*", "item", "7", "traceparent", Context.sampled)
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd orders app/s1 under app link app/app id 5-0 body 71"])
        #expect(world.metric("tacho_not_injected_messages_total", "own_context") == 1)
        #expect(world.metric("tacho_injected_messages_total") == 0)
    }

    @Test func theFieldNameMayBeInAnyCaseAndAnyPlace() {
        let world = World()
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        let sent = command("xadd", "orders", "*", "TraceParent", Context.sampled, "item", "7")
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd orders app/s1 under app link app/app id 5-0 body 71"])
    }

    @Test(arguments: [
        "", "nonsense", Context.uppercase, Context.zeroTrace, Context.zeroSpan, Context.sampled + "x",
        "ff" + Context.sampled.dropFirst(2),
    ])
    func whatIsNoContextIsLeftAlone(_ value: String) {
        let world = World()
        let session = world.connect()
        let sent = command("XADD", "orders", "*", "traceparent", value)
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd orders t1/s1 id 5-0 body \(11 + value.utf8.count)"])
        #expect(world.metric("tacho_not_injected_messages_total", "foreign_field") == 1)
    }

    @Test func aContextOfALaterVersionCounts() {
        let world = World()
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        let sent = command("XADD", "o", "*", "traceparent", "cc" + Context.sampled.dropFirst(2) + "-more")
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd o app/s1 under app link app/app id 5-0 body 71"])
    }

    @Test func theFirstValidContextOfSeveralCounts() {
        let world = World()
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        let sent = command("XADD", "o", "*", "traceparent", "?", "traceparent", Context.sampled)
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd o app/s1 under app link app/app id 5-0 body 78"])
    }

    @Test func anExistingCorrelationIDStays() throws {
        let world = World()
        let session = world.connect()
        let forwarded = session.client(command("XADD", "orders", "*", "correlationid", "order-7"))
        let added = try #require(AddedFields(forwarded))
        #expect(
            forwarded
                == command("XADD", "orders", "*", "correlationid", "order-7", "traceparent", added.traceparent))
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["producer xadd orders t1/s1 id 5-0 body 20 conversation order-7"])
    }

    @Test func aLongCorrelationIDIsCutInTheSpanOnly() {
        let world = World()
        let session = world.connect()
        let long = String(repeating: "x", count: 600)
        #expect(session.client(command("XADD", "o", "*", "correlationid", long)).contains(long))
        session.upstream(bulk("5-0"))
        #expect(world.spans()[0].hasSuffix(" conversation " + String(repeating: "x", count: 512)))
    }

    // MARK: Rules

    @Test func neverMeansNever() {
        let world = World(inject: .never)
        let session = world.connect()
        let sent = command("XADD", "orders", "*", "item", "7")
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd orders t1/s1 id 5-0 body 5"])
        #expect(world.metric("tacho_not_injected_messages_total", "configured") == 1)
    }

    @Test func onlySampledMessagesWhenToldSo() throws {
        let unsampled = World(inject: .sampled, sampler: .alwaysOff)
        let sent = command("XADD", "orders", "*", "item", "7")
        let session = unsampled.connect()
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(unsampled.spans() == [])
        #expect(unsampled.metric("tacho_spans_not_sampled_total") == 1)
        #expect(unsampled.metric("tacho_not_injected_messages_total", "configured") == 1)

        let forwarded = World(inject: .sampled).connect().client(sent)
        #expect(try #require(AddedFields(forwarded)).traceparent.hasSuffix("-03"))
    }

    @Test func anUnsampledContextSaysSo() throws {
        let world = World(sampler: .alwaysOff)
        let session = world.connect()
        let forwarded = session.client(command("XADD", "orders", "*", "item", "7"))
        #expect(try #require(AddedFields(forwarded)).traceparent.hasSuffix("-02"))
        session.upstream(bulk("5-0"))
        #expect(world.spans() == [])
        #expect(world.metric("tacho_spans_not_sampled_total") == 1)
        #expect(world.metric("messaging_client_operation_duration_seconds_count") == 1)
    }

    @Test func anUnsampledContextOfTheApplicationIsFollowed() {
        let world = World()
        let session = world.connect()
        session.client(command("XADD", "orders", "*", "traceparent", Context.unsampled))
        session.upstream(bulk("5-0"))
        #expect(world.spans() == [])
        #expect(world.metric("tacho_spans_not_sampled_total") == 1)
    }

    @Test func aSpanUnderAnUnsampledParentIsARootWithALink() {
        let world = World(sampler: .alwaysOn)
        world.know(Context.unsampled, as: "app")
        let session = world.connect()
        session.client(command("XADD", "orders", "*", "traceparent", Context.unsampled))
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd orders app/s1 link app/app id 5-0 body 66"])
    }

    // MARK: Forms of the command

    @Test(arguments: [
        ["NOMKSTREAM", "*"], ["MAXLEN", "1000", "*"], ["MAXLEN", "=", "1000", "*"], ["MAXLEN", "~", "1000", "*"],
        ["MAXLEN", "~", "1000", "LIMIT", "50", "*"], ["MINID", "=", "5-0", "*"],
        ["MINID", "~", "5", "LIMIT", "9", "*"],
        ["nomkstream", "maxlen", "~", "10", "*"], ["1700000000000-7"], ["1700000000000-*"], ["1700000000000"],
        ["KEEPREF", "*"], ["DELREF", "*"], ["ACKED", "*"], ["KEEPREF", "MAXLEN", "5", "*"],
        ["IDMP", "producer", "17", "*"], ["NOMKSTREAM", "IDMP", "MAXLEN", "LIMIT", "*"],
    ])
    func everyFormIsUnderstood(_ options: [String]) throws {
        let words = ["XADD", "orders"] + options + ["item", "7"]
        let forwarded = World().connect().client(array(words.map(bulk)))
        let added = try #require(AddedFields(forwarded))
        #expect(
            forwarded
                == array(
                    (words + ["traceparent", added.traceparent, "correlationid", added.correlation]).map(bulk)))
    }

    @Test func aBrokerThatHashesTheFieldsIsNotConfused() {
        let world = World()
        let session = world.connect()
        let sent = command("XADD", "orders", "IDMPAUTO", "producer", "*", "item", "7")
        #expect(session.client(sent) == sent)
        session.upstream(bulk("5-0"))
        #expect(world.spans() == ["client xadd orders t1/s1 id 5-0 body 5"])
        #expect(world.metric("tacho_not_injected_messages_total", "content_hashed") == 1)
    }

    @Test(arguments: [
        ["orders"], ["orders", "*"], ["orders", "*", "odd"], ["orders", "*", "a", "1", "odd"],
        ["orders", "MAXLEN"], ["orders", "MAXLEN", "~"], ["orders", "NOMKSTREAM"], ["orders", "IDMP", "a", "b"],
    ])
    func whatTheBrokerWillRefuseIsNotEdited(_ words: [String]) {
        let world = World()
        let session = world.connect()
        let sent = array((["XADD"] + words).map(bulk))
        #expect(session.client(sent) == sent)
        session.upstream("-ERR wrong number of arguments for 'xadd' command\r\n")
        #expect(world.spans() == ["client xadd orders t1/s1 error ERR"])
        #expect(world.metric("tacho_not_injected_messages_total", "malformed") == 1)
    }

    @Test func theCommandAloneIsPassed() {
        let session = World().connect()
        #expect(session.client(command("XADD")) == command("XADD"))
        #expect(session.upstream("-ERR wrong number\r\n") == "-ERR wrong number\r\n")
        #expect(session.opaque == nil)
    }

    @Test func anInlineCommandIsFollowedButNotEdited() {
        let world = World()
        let session = world.connect()
        #expect(session.client("XADD orders * item \"a b\"\r\n") == "XADD orders * item \"a b\"\r\n")
        session.upstream(bulk("5-0"))
        #expect(session.client("ping\r\n") == "ping\r\n")
        session.upstream("+PONG\r\n")
        #expect(world.spans() == ["client xadd orders t1/s1 id 5-0 body 7"])
        #expect(world.metric("tacho_not_injected_messages_total", "inline") == 1)
        #expect(world.metric("db_client_operation_duration_seconds_count", "PING") == 1)
        #expect(session.isIdle)
    }

    @Test func whatRedisDoesNotAnswerIsNotWaitedFor() {
        let session = World().connect()
        let sent = "*0\r\n\r\n   \r\n*-1\r\n"
        #expect(session.client(sent) == sent)
        #expect(session.isIdle)
        session.client(command("PING"))
        session.upstream("+PONG\r\n")
        #expect(session.opaque == nil)
        #expect(session.isIdle)
    }

    @Test func quotesThatDoNotCloseAreAnsweredWithAnError() {
        let session = World().connect()
        #expect(session.client("SET \"a\r\n") == "SET \"a\r\n")
        #expect(!session.isIdle)
        session.upstream("-ERR Protocol error: unbalanced quotes in request\r\n")
        #expect(session.opaque == nil)
    }

    // MARK: Pipelines

    @Test func onlyWhatNeedsItIsEditedInAPipeline() throws {
        let world = World()
        world.know(Context.sampled, as: "app")
        let session = world.connect()
        let own = command("XADD", "b", "*", "traceparent", Context.sampled)
        let forwarded = session.client(
            command("GET", "x") + command("XADD", "a", "*", "k", "1") + own + "PING\r\n"
                + command("XADD", "a", "*", "k", "2") + command("SET", "x", "traceparent"))
        let added = AddedFields.all(forwarded)
        try #require(added.count == 2)
        #expect(added[0].correlation != added[1].correlation)
        #expect(
            forwarded
                == command("GET", "x") + command("XADD", "a", "*", fields: ["k", "1"] + added[0].fields) + own
                + "PING\r\n" + command("XADD", "a", "*", fields: ["k", "2"] + added[1].fields)
                + command("SET", "x", "traceparent"))
        let replies = "$-1\r\n" + bulk("1-0") + bulk("2-0") + "+PONG\r\n" + bulk("3-0") + ok
        #expect(session.upstream(replies) == replies)
        #expect(
            world.spans() == [
                "producer xadd a t1/s1 id 1-0 body 2 conversation trace",
                "client xadd b app/s2 under app link app/app id 2-0 body 66",
                "producer xadd a t2/s3 id 3-0 body 2 conversation trace",
            ])
    }

    // MARK: Limits

    @Test func aFrameAboveTheLimitPassesUnedited() {
        let world = World(frameBytesMax: 1_000)
        let session = world.connect()
        let large = command("XADD", "orders", "*", "a", String(repeating: "x", count: 600), "b", "tail")
        let more = command("XADD", "orders", "*", "a", String(repeating: "x", count: 2_000))
        #expect(session.client(String(large.prefix(500))) == "")
        #expect(session.client(String(large.dropFirst(500))).contains("traceparent"))
        #expect(session.client(String(more.prefix(1_100))) == String(more.prefix(1_100)))
        #expect(session.client(String(more.dropFirst(1_100))) == String(more.dropFirst(1_100)))
        #expect(world.metric("tacho_unedited_frames_total", "frame_too_large") == 1)
        session.upstream(bulk("1-0") + bulk("2-0"))
        #expect(session.opaque == nil)
        #expect(session.isIdle)
        #expect(world.spans().count == 1)
        #expect(session.client(command("XADD", "orders", "*", "a", "b")).contains("traceparent"))
    }

    @Test func anAnnouncedHugeValueIsNotHeldAtAll() {
        let world = World()
        let session = world.connect()
        let head = "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$4\r\nbody\r\n$536870912\r\n"
        #expect(session.client(head) == head)
        for _ in 0..<8 { #expect(session.client([UInt8](repeating: 0x61, count: 1 << 16)).count == 1 << 16) }
        #expect(world.metric("tacho_unedited_frames_total", "frame_too_large") == 1)
        #expect(!session.isIdle)
    }
}
