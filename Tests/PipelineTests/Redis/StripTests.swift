import Pipeline
import Testing

/// `deliver: strip`: a consumer sees the entry as its producer wrote it.
@Suite struct StripTests {
    private let read = command("XREAD", "STREAMS", "s", "0")
    private let ours = Context.injected().fields

    private func session() -> Conversation<RedisSession> { World(deliver: .strip).connect() }

    @Test func exactlyWhatWasAddedIsRemoved() {
        let session = session()
        session.client(read)
        #expect(
            session.upstream(streams(("s", [entry("1-0", fields: ["k", "v"] + ours), entry("2-0", "k", "v")])))
                == streams(("s", [entry("1-0", "k", "v"), entry("2-0", "k", "v")])))
        #expect(session.world.metric("tacho_stripped_messages_total") == 1)
    }

    @Test func theContextAloneIsRemovedToo() {
        let session = session()
        session.client(read)
        #expect(
            session.upstream(
                streamMap(("s", [entry("1-0", fields: ["correlationid", "order-7"] + ours.prefix(2))])))
                == streamMap(("s", [entry("1-0", "correlationid", "order-7")])))
    }

    @Test func headersShrinkByADigitWhenTheyMust() {
        let session = session()
        session.client(read)
        let fields = ["a", "1", "b", "2", "c", "3", "d", "4"]
        #expect(
            session.upstream(streams(("s", [entry("1-0", fields: fields + ours)])))
                == streams(("s", [entry("1-0", fields: fields)])))
    }

    @Test func everythingElseStays() {
        let other = Context.injected(seed: 8)
        let kept: [[String]] = [
            ["k", "v", "traceparent", Context.sampled],
            ["traceparent", Context.sampled, "correlationid", "0af7651916cd43dd8448eb211c80319c"],
            // Not in the place where injection puts them.
            ours + ["k", "v"], ["k", "v"] + ours + ["k", "v"],
            // Another correlation id than the one that goes with the context.
            ["k", "v", "traceparent", ours[1], "correlationid", other.correlation],
            ["k", "v", "correlationid", ours[3], "traceparent", ours[1], "x", "y"],
            // The first context counts.
            ["traceparent", Context.sampled] + ours,
            ["traceparent", ours[1].uppercased()], ["k", ours[1]], [],
        ]
        let session = session()
        for fields in kept {
            session.client(read)
            let reply = streams(("s", [entry("1-0", fields: fields)]))
            #expect(session.upstream(reply) == reply, "\(fields)")
        }
        #expect(session.world.metric("tacho_stripped_messages_total") == 0)
    }

    @Test func keepMeansKeep() {
        let session = World(deliver: .keep).connect()
        session.client(read)
        let reply = streams(("s", [entry("1-0", fields: ["k", "v"] + ours)]))
        #expect(session.upstream(reply) == reply)
    }

    @Test func insideOfATransaction() {
        let session = session()
        session.client(command("MULTI") + command("GET", "x") + read + command("GET", "x") + command("EXEC"))
        session.upstream(ok + queued + queued + queued)
        func reply(_ fields: [String]) -> String {
            array([bulk("x"), streams(("s", [entry("1-0", fields: fields)])), "$-1\r\n"])
        }
        #expect(session.upstream(reply(["k", "v"] + ours)) == reply(["k", "v"]))
    }

    @Test func inClaimsAndRanges() {
        let session = session()
        session.client(command("XCLAIM", "s", "g", "c", "0", "1-0") + command("XRANGE", "s", "-", "+"))
        session.client(command("XAUTOCLAIM", "s", "g", "c", "0", "0"))
        let with = array([entry("1-0", fields: ["k", "v"] + ours)])
        let without = array([entry("1-0", "k", "v")])
        #expect(
            session.upstream(with + with + array([bulk("0-0"), with, array([])]))
                == without + without + array([bulk("0-0"), without, array([])]))
    }

    @Test(arguments: [false, true]) func inDescriptionsOfAStream(_ inMap: Bool) {
        func full(_ fields: [String]) -> String {
            let pairs = [
                (bulk("length"), integer(1)), (bulk("entries-added"), integer(1)),
                (bulk("entries"), array([entry("1-0", fields: fields)])),
                (bulk("groups"), array([array([bulk("name"), bulk("g"), bulk("pel"), array([])])])),
            ]
            return inMap ? map(pairs) : array(pairs.flatMap { [$0.0, $0.1] })
        }
        func plain(_ fields: [String]) -> String {
            let pairs = [
                (bulk("length"), integer(2)), (bulk("first-entry"), entry("1-0", fields: fields)),
                (bulk("last-entry"), entry("2-0", fields: fields)),
            ]
            return inMap ? map(pairs) : array(pairs.flatMap { [$0.0, $0.1] })
        }
        let session = session()
        session.client(command("XINFO", "STREAM", "s", "FULL") + command("XINFO", "STREAM", "s"))
        #expect(
            session.upstream(full(["k", "v"] + ours) + plain(["k", "v"] + ours))
                == full(["k", "v"]) + plain(["k", "v"]))
        // An empty stream has no first entry.
        session.client(command("XINFO", "STREAM", "s"))
        let empty = array([bulk("first-entry"), "$-1\r\n", bulk("last-entry"), "*-1\r\n"])
        #expect(session.upstream(empty) == empty)
        #expect(session.world.metric("tacho_unedited_frames_total") == 0)
        #expect(session.world.metric("tacho_queue_seconds_count") == 0)
    }

    @Test func otherDescriptionsAreNotOurs() {
        let session = session()
        session.client(command("XINFO", "GROUPS", "s") + command("XINFO", "HELP"))
        let reply = array([array([bulk("name"), bulk("g")])])
        #expect(session.upstream(reply + array(["+help\r\n"])) == reply + array(["+help\r\n"]))
        #expect(session.isIdle)
    }

    @Test func thereAndBackIsInvisible() {
        let world = World(deliver: .strip)
        let session = world.connect()
        let stored = session.client(command("XADD", "s", "*", "a", "1", "b", ""))
        session.upstream(bulk("1-0"))
        session.client(read)
        let fields = Array(stored.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)[8...])
        // Every second line is a value; the lines between them are lengths.
        let values = stride(from: 0, to: fields.count - 1, by: 2).map { fields[$0] }
        #expect(
            session.upstream(streams(("s", [entry("1-0", fields: values)])))
                == streams(("s", [entry("1-0", "a", "1", "b", "")])))
    }
}
