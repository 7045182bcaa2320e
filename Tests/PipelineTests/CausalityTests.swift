import NIOCore
import Pipeline
import Synchronization
import Telemetry
import Testing

/// Which message caused another: transcripts of what clients send, and what the sidecar writes into it.
@Suite("The cause of a message without a context is inferred")
struct CausalityTests {
    @Test("one message in hand is the parent: the trace goes on, with the correlation id and the id of the cause")
    func oneMessage() throws {
        let scene = Scene()
        let worker = scene.connect()
        let job = worker.read("1-0")
        let (fields, span) = try worker.publish("n", "1")
        #expect(fields.names == ["n", "traceparent", "correlationid", "causationid"])
        #expect(fields["traceparent"]?.dropFirst(3).prefix(32) == "\(job.traceID)")
        #expect(fields["correlationid"] == "\(job.traceID)")
        #expect(fields["causationid"] == "1-0")
        #expect(span.causality == .connectionCertain)
        #expect(span.kind == .producer)
        #expect(span.conversationIsTraceID)
        let process = try #require(worker.acknowledge("1-0"))
        #expect(span.parentSpanID == process.spanID)
        #expect(span.link?.messageID == .streamEntry(milliseconds: 1, sequence: 0))
        #expect(try worker.publish("n", "2").span.causality == .none)
    }

    @Test("what a client holds beyond the bound is counted")
    func bound() {
        let scene = Scene()
        let worker = scene.connect()
        let evicted = scene.lane.metrics.counter(MetricCatalog.causesEvicted, [])
        for number in 1...1_024 { _ = worker.read("\(number)-0") }
        #expect(evicted.value == 0)
        for number in 1_025...1_027 { _ = worker.read("\(number)-0") }
        #expect(evicted.value == 3)
    }

    @Test("one message of another connection of the same process is the parent, but not for certain")
    func process() throws {
        let scene = Scene()
        let (reader, publisher, stranger) = (scene.connect(), scene.connect(), scene.connect(.process(9, startedAt: 1)))
        let job = reader.read("1-0")
        #expect(try publisher.publish("n", "1").span.causality == .processLikely)
        #expect(try publisher.publish("n", "1").span.traceID == job.traceID)
        #expect(try stranger.publish("n", "1").span.traceID != job.traceID)
    }

    @Test("a message that another event loop hands over before this one gets round to what had come is no cause of it")
    func ordering() throws {
        let scene = Scene()
        let (reader, publisher) = (scene.connect(), scene.connect())
        let came = scene.now
        scene.advance(seconds: 1)
        let later = reader.read("1-0")
        let read = scene.now
        // The publish was read from its socket a second ago; only now does its loop look at it.
        scene.now = came
        let early = try publisher.publish("n", "1").span
        #expect(early.causality == .none && early.links.isEmpty)
        #expect(!later.traceIDs.contains(early.traceID))
        scene.now = read
        #expect(try publisher.publish("n", "2").span.causality == .processLikely)
    }

    @Test("of two messages in hand, the one that was handed over too late comes not into question")
    func orderingOfSeveral() throws {
        let scene = Scene()
        let (reader, publisher) = (scene.connect(), scene.connect())
        let first = reader.read("1-0")
        let came = scene.now
        scene.advance(seconds: 1)
        _ = reader.read("2-0")
        scene.now = came
        let span = try publisher.publish("n", "1").span
        #expect(span.causality != .none && span.traceID == first.traceID)
    }

    @Test("connections from one address are one client, told apart by the names they give themselves")
    func names() throws {
        let scene = Scene()
        let address = ClientPeer.address("10.0.0.7")
        let (reader, same, named) = (scene.connect(address), scene.connect(address), scene.connect(address))
        named.exchange(["CLIENT", "SETNAME", "other"], "+OK\r\n")
        _ = reader.read("1-0")
        #expect(try same.publish("n", "1").span.causality == .processLikely)
        #expect(try named.publish("n", "1").span.causality == .none)
    }

    @Test("a client that nothing is known of has one connection")
    func unknownPeer() throws {
        let scene = Scene()
        let (reader, other) = (scene.connect(.unknown), scene.connect(.unknown))
        _ = reader.read("1-0")
        #expect(try other.publish("n", "1").span.causality == .none)
        #expect(try reader.publish("n", "1").span.causality == .connectionCertain)
    }

    @Test("several messages in hand: none is the parent, all are linked to, and the trace is a new one")
    func several() throws {
        let scene = Scene()
        let worker = scene.connect()
        let jobs = worker.read("1-0", "2-0", "3-0")
        let (fields, span) = try worker.publish("n", "1")
        #expect(span.causality == .none && span.parentSpanID == .none)
        #expect(!jobs.traceIDs.contains(span.traceID))
        #expect(fields.names == ["n", "traceparent", "correlationid"])
        #expect(span.links.map(\.isCandidate) == [true, true, true])
        #expect(span.links.map { "\($0.messageID)" } == ["1-0", "2-0", "3-0"])
    }

    @Test("the links to candidates are bounded, and those left out are counted")
    func boundedLinks() throws {
        let scene = Scene()
        let worker = scene.connect()
        _ = worker.read(ids: (1...40).map { "\($0)-0" })
        let span = try worker.publish("n", "1").span
        #expect(span.links.map { "\($0.messageID)" } == (9...40).map { "\($0)-0" })
        #expect(span.detail?.droppedLinkCount == 8)
    }

    @Test("a message that names one of several by its id, or by its correlation id, has it as parent")
    func content() throws {
        let scene = Scene()
        let worker = scene.connect()
        let jobs = worker.read(
            ids: ["1700000000001-0", "1700000000002-0"], extra: { ["order_id", "order-\($0)-of-2"] })
        #expect(try worker.publish("source", "1700000000002-0").span.causality == .contentLikely)
        #expect(try worker.publish("source", "1700000000002-0").span.traceID == jobs.traceIDs[1])
        #expect(try worker.publish("flow", "\(jobs.traceIDs[0])").span.traceID == jobs.traceIDs[0])
        let both = try worker.publish("a", "1700000000001-0", "b", "1700000000002-0").span
        #expect(both.causality == .none && both.links.count == 2)
        #expect(try worker.publish("a", "1700000000003-0").span.causality == .none)
    }

    @Test("the last read decides for a client that works one after the other; one that does not loses that trust")
    func sequential() throws {
        let scene = Scene()
        let worker = scene.connect()
        _ = worker.read("1-0")
        let second = worker.read("2-0")
        let span = try worker.publish("n", "1").span
        #expect(span.causality == .connectionLikely && span.traceID == second.traceID)
        #expect(span.links.dropFirst().map { "\($0.messageID)" } == ["1-0"])
        worker.acknowledge("1-0")
        worker.acknowledge("2-0")
        _ = worker.read("3-0")
        _ = worker.read("4-0")
        #expect(try worker.publish("n", "1").span.causality == .none)
    }

    @Test("a client that publishes out of nothing is never certain to have a cause")
    func origins() throws {
        let scene = Scene()
        let worker = scene.connect()
        #expect(try worker.publish("n", "0").span.causality == .none)
        _ = worker.read("1-0")
        #expect(try worker.publish("n", "1").span.causality == .connectionLikely)
    }

    @Test("a client that comes back holds what its former connection has read, which is no certain cause, now or later")
    func comesBack() throws {
        let scene = Scene()
        let former = scene.connect()
        let job = former.read("1-0")
        former.close()
        let worker = scene.connect()
        let span = try worker.publish("n", "1").span
        #expect(span.causality == .processLikely && span.traceID == job.traceID)
        _ = worker.read("2-0")
        #expect(try worker.publish("n", "2").span.causality == .connectionLikely)
        worker.acknowledge("1-0")
        // It has published before it had read anything: perhaps it did so out of nothing.
        #expect(try worker.publish("n", "3").span.causality == .connectionLikely)
    }

    @Test("a client that comes back and takes up its message again is certain as before")
    func takesUpAgain() throws {
        let scene = Scene()
        let former = scene.connect()
        _ = former.read("1-0")
        former.close()
        let worker = scene.connect()
        _ = worker.read("1-0")
        #expect(try worker.publish("n", "1").span.causality == .connectionCertain)
    }

    @Test("a connection counts as one worker's own only when it has been seen to be, and no more when it is not")
    func sharedConnections() throws {
        let scene = Scene()
        let (first, second) = (scene.connect(), scene.connect())
        _ = first.read("1-1")
        _ = second.read("1-2")
        #expect(try first.publish("n", "1").span.causality == .none)
        first.acknowledge("1-1")
        second.acknowledge("1-2")
        let own = first.read("5-1")
        _ = second.read("5-2")
        let span = try first.publish("n", "1").span
        #expect(span.causality == .connectionLikely && span.traceID == own.traceID)
        second.acknowledge("5-1")
        _ = first.read("6-1")
        #expect(try first.publish("n", "1").span.causality == .none)
    }

    @Test("messages that nobody settles are candidates until the next read begins")
    func unsettled() throws {
        let scene = Scene()
        let worker = scene.connect()
        let job = worker.read("1-0", group: false)
        let span = try worker.publish("n", "1").span
        #expect(span.causality == .connectionLikely && span.traceID == job.traceID)
        worker.send(["XREAD", "BLOCK", "0", "STREAMS", "jobs", "1-0"])
        worker.receive("*-1\r\n")
        #expect(try worker.publish("n", "1").span.causality == .none)
    }

    @Test("a settled, deleted, redelivered or expired message is no cause any more")
    func ends() throws {
        let scene = Scene()
        let (worker, other) = (scene.connect(), scene.connect(.process(9, startedAt: 1)))
        _ = worker.read("1-0")
        worker.exchange(["XDEL", "jobs", "1-0"], ":1\r\n")
        #expect(try worker.publish("n", "1").span.causality == .none)
        _ = worker.read("2-0")
        other.exchange(
            ["XCLAIM", "jobs", "g", "other", "0", "2-0"], array([other.entry("2-0", ["n", "1"])]))
        #expect(try worker.publish("n", "1").span.causality == .none)
        other.acknowledge("2-0")
        _ = worker.read("3-0")
        scene.advance(seconds: 61)
        scene.lane.tick(at: scene.now)
        #expect(try worker.publish("n", "1").span.causality == .none)
    }

    @Test("a context of the application's own wins, and a foreign field of the name is left alone")
    func explicitContext() throws {
        let worker = Scene().connect()
        _ = worker.read("1-0")
        let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let (fields, span) = try worker.publish("traceparent", own)
        #expect(fields.names == ["traceparent"] && span.causality == .none)
        #expect("\(span.traceID)" == "0af7651916cd43dd8448eb211c80319c")
        #expect(try worker.publish("traceparent", "mine").fields.names == ["traceparent"])
    }

    @Test("off means off")
    func off() throws {
        let worker = Scene(causality: .off).connect()
        let job = worker.read("1-0")
        let (fields, span) = try worker.publish("n", "1")
        #expect(span.causality == .none && span.traceID != job.traceID)
        #expect(fields.names == ["n", "traceparent", "correlationid"])
    }

    @Test("the parent of what is not sampled is named to nobody")
    func unsampled() throws {
        let scene = Scene()
        let worker = scene.connect()
        let job = TraceContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), flags: [])
        worker.deliver(["1-0"]) { _ in ["traceparent", "\(job)"] }
        worker.send(["XADD", "results", "*", "n", "1"])
        worker.receive("$4\r\n99-0\r\n")
        let fields = try #require(worker.sentFields)
        #expect(fields["traceparent"]?.dropFirst(3).prefix(32) == "\(job.traceID)")
        #expect(fields["traceparent"]?.hasSuffix("-00") == true)
        #expect(scene.spans().isEmpty)
    }

    // MARK: Correlation

    @Test(
        "the application's correlation id is inherited from any of its usual fields",
        arguments: ["correlationid", "Correlation_ID", "correlationId", "X-Correlation-Id", "x_correlation_id"])
    func inherited(name: String) throws {
        let worker = Scene().connect()
        worker.read(ids: ["1-0"], extra: { _ in [name, "order-17"] })
        let (fields, span) = try worker.publish("n", "1")
        #expect(fields["correlationid"] == "order-17")
        #expect(span.detail?.conversationID == "order-17")
        let own = try worker.publish("n", "1", name, "order-18", "causationid", "mine")
        #expect(own.fields.names == ["n", name, "causationid", "traceparent"])
        #expect(own.span.detail?.conversationID == "order-18")
    }

    @Test("a correlation id that is no text, or too long to be kept, is not inherited in part")
    func notInherited() throws {
        let worker = Scene().connect()
        let job = worker.read(ids: ["1-0"], extra: { _ in ["correlationid", String(repeating: "x", count: 513)] })
        #expect(try worker.publish("n", "1").fields["correlationid"] == "\(job.traceIDs[0])")
    }

    @Test("the strip rule takes away what was added along the chain, and only that")
    func strip() throws {
        let worker = Scene(deliver: .strip).connect()
        worker.read(ids: ["1-0"], extra: { _ in ["correlation_id", "order-17"] })
        let inherits = try worker.publish("causationid", "mine", "n", "1").fields
        let causes = try worker.publish("correlationid", "order-18").fields
        let all = try worker.publish("n", "1").fields
        #expect(inherits.names == ["causationid", "n", "traceparent", "correlationid"])
        #expect(causes.names == ["correlationid", "traceparent", "causationid"])
        #expect(all.names == ["n", "traceparent", "correlationid", "causationid"])
        for (fields, kept) in [(inherits, 4), (causes, 2), (all, 2)] {
            worker.send(["XRANGE", "results", "-", "+"])
            let stripped = worker.receive(array([worker.entry("9-0", fields.flat)]))
            #expect(stripped == array([worker.entry("9-0", Array(fields.flat.prefix(kept)))]))
            worker.send(["XRANGE", "results", "-", "+"])
            let followed = array([worker.entry("9-0", fields.flat + ["last", "1"])])
            #expect(worker.receive(followed) == followed)
        }
    }
}

// MARK: - The scene

/// One lane, and clients that connect to it.
private final class Scene {
    let lane: Lane
    var now = Instant(monotonicNanoseconds: 1_000_000_000, unixNanoseconds: 1_700_000_000_000_000_000)
    private let listener: ListenerProfile
    private let counters: RedisCounters
    private let sink = Sink()
    private var seed: UInt64 = 0

    init(causality: CausalityMode = .inferred, deliver: DeliveryRule = .keep) {
        listener = ListenerProfile(
            number: 0, name: "redis", service: "shop", system: "redis",
            broker: BrokerAddress(server: "broker.test", port: 6379), deliver: deliver)
        let shared = Lane.SharedState(
            destinations: NameTable(capacity: 100), names: NameTable(capacity: 100), groups: NameTable(capacity: 100),
            catalog: SpanCatalog(),
            deliveries: OpenDeliveries(capacity: 1_600, unsettledNanoseconds: 60_000_000_000),
            sampler: Sampler(.parentBased(root: .alwaysOn)), sink: sink, causality: causality)
        lane = Lane(shared: shared, listeners: [listener], metrics: MetricsRegistry().makeShard(), seed: (1, 2, 3, 4))
        counters = RedisCounters(lane: lane, listener: listener)
    }

    func connect(_ peer: ClientPeer = .process(7, startedAt: 1)) -> Client {
        Client(self, RedisSession(lane: lane, listener: listener, counters: counters, peer: peer))
    }

    func advance(seconds: UInt64) {
        now.monotonicNanoseconds += seconds * 1_000_000_000
        now.unixNanoseconds += seconds * 1_000_000_000
    }

    func spans() -> [SpanRecord] {
        lane.flush()
        return sink.take()
    }

    /// A context as some sidecar has injected it.
    func injected() -> TraceContext {
        seed += 1
        var identifiers = IdentifierSource(seed: (seed, 5, 6, 7))
        let traceID = identifiers.traceID()
        return TraceContext(
            traceID: traceID, spanID: identifiers.markedSpanID(in: traceID), flags: [.sampled, .random])
    }
}

private final class Sink: SpanSink {
    private let spans = Mutex<[SpanRecord]>([])

    func offer(_ batch: inout [SpanRecord]) {
        let offered = batch
        batch.removeAll(keepingCapacity: true)
        spans.withLock { $0 += offered }
    }

    func take() -> [SpanRecord] {
        spans.withLock { spans in
            defer { spans = [] }
            return spans
        }
    }
}

/// The fields of an entry, in order.
private struct Fields {
    var flat: [String]

    var names: [String] { stride(from: 0, to: flat.count, by: 2).map { flat[$0] } }

    subscript(name: String) -> String? { names.firstIndex(of: name).map { flat[2 * $0 + 1] } }
}

private struct Jobs {
    var traceIDs: [TraceID]
    var traceID: TraceID { traceIDs[0] }
}

/// One connection of a client. Every step comes a millisecond after the one before.
private final class Client {
    private let scene: Scene
    private var session: RedisSession
    private(set) var sentFields: Fields?

    init(_ scene: Scene, _ session: RedisSession) {
        self.scene = scene
        self.session = session
    }

    func send(_ words: [String]) {
        step()
        let output = session.receiveFromClient(ByteBuffer(string: array(words.map(bulk))), at: scene.now)
        let lines = String(buffer: output.toUpstream ?? ByteBuffer()).split(separator: "\r\n").map(String.init)
        let sent = lines.indices.filter { $0 > 0 && $0.isMultiple(of: 2) }.map { lines[$0] }
        if sent.first == "XADD" { sentFields = Fields(flat: Array(sent.dropFirst(3))) }
    }

    @discardableResult
    func receive(_ reply: String) -> String {
        step()
        let output = session.receiveFromUpstream(ByteBuffer(string: reply), at: scene.now)
        return String(buffer: output.toClient ?? ByteBuffer())
    }

    func close() { session.closed(at: scene.now) }

    func exchange(_ words: [String], _ reply: String) {
        send(words)
        receive(reply)
    }

    @discardableResult
    func read(_ ids: String..., group: Bool = true) -> Jobs { read(ids: ids, group: group) }

    /// Reads messages that some sidecar has injected its context into, behind the fields `extra`.
    @discardableResult
    func read(ids: [String], group: Bool = true, extra: (Int) -> [String] = { _ in [] }) -> Jobs {
        let contexts = ids.map { _ in scene.injected() }
        deliver(ids, group: group) { index in
            let own = extra(index)
            let hasCorrelation = own.contains { $0.lowercased().contains("correlation") }
            let correlation = hasCorrelation ? [] : ["correlationid", "\(contexts[index].traceID)"]
            return own + ["traceparent", "\(contexts[index])"] + correlation
        }
        return Jobs(traceIDs: contexts.map(\.traceID))
    }

    func deliver(_ ids: [String], group: Bool = true, fields: (Int) -> [String]) {
        let words =
            group ? ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "jobs", ">"] : ["XREAD", "STREAMS", "jobs", "0"]
        let entries = ids.enumerated().map { entry($1, fields($0)) }
        exchange(words, array([array([bulk("jobs"), array(entries)])]))
        _ = scene.spans()
    }

    /// Publishes and returns what was sent and the span of it.
    func publish(_ fields: String...) throws -> (fields: Fields, span: SpanRecord) {
        exchange(["XADD", "results", "*"] + fields, bulk("99-0"))
        return (try #require(sentFields), try #require(scene.spans().last))
    }

    /// Returns the process span that ends.
    @discardableResult
    func acknowledge(_ id: String) -> SpanRecord? {
        exchange(["XACK", "jobs", "g", id], ":1\r\n")
        return scene.spans().first { $0.kind == .consumer }
    }

    func entry(_ id: String, _ fields: [String]) -> String { array([bulk(id), array(fields.map(bulk))]) }

    private func step() {
        scene.now.monotonicNanoseconds += 1_000_000
        scene.now.unixNanoseconds += 1_000_000
    }
}

extension SpanRecord {
    fileprivate var links: [SpanLink] { (link.map { [$0] } ?? []) + (detail?.moreLinks ?? []) }
}
