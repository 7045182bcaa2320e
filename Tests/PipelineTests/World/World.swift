import NIOCore
import Pipeline
import Resilience
import Synchronization
import Telemetry
import Testing

/// A lane with everything around it that is not under test: collected spans, metrics, and a clock that stands still
/// until the test moves it.
final class World {
    let registry = MetricsRegistry()
    let deliveries: OpenDeliveries
    let lane: Lane
    /// 2023-11-14T22:13:20Z.
    static let startUnixMilliseconds: UInt64 = 1_700_000_000_000

    static let seed: (UInt64, UInt64, UInt64, UInt64) = (
        0x1234_5678_9abc_def1, 0x0fed_cba9_8765_4321, 0x1357_9bdf_0246_8ace, 0xfdb9_7531_eca8_6420
    )

    private(set) var now = Instant(
        monotonicNanoseconds: 1_000_000_000, unixNanoseconds: World.startUnixMilliseconds * 1_000_000)
    let shared: Lane.SharedState
    private let collected = CollectedSpans()
    let profile: ListenerProfile
    private var counters: RedisCounters?
    private var natsCounters: NATSCounters?
    private var idNames = SpanIDNames()

    init(
        inject: InjectionRule = .always, deliver: DeliveryRule = .keep,
        sampler: SamplerChoice = .parentBased(root: .alwaysOn), relation: ConsumerRelation = .parent,
        frameBytesMax: Int = 1 << 20, pendingRepliesMax: Int = 1 << 20, openDeliveriesMax: Int = 1_600,
        unsettledSeconds: UInt64 = 60, destinationsMax: Int = 1_000, system: String = "redis",
        tls: SessionTLS = SessionTLS(), nats: NATSOptions = NATSOptions(), guards: GuardTable? = nil,
        spool: Spool? = nil, fallback: FallbackPolicy? = nil, consumerGroups: ConsumerGroups? = nil,
        listener: UInt32 = 0,
        retries: PublishRetryLimits? = nil
    ) {
        deliveries = OpenDeliveries(
            capacity: openDeliveriesMax, unsettledNanoseconds: unsettledSeconds * 1_000_000_000)
        shared = Lane.SharedState(
            destinations: NameTable(capacity: destinationsMax + NameTable.reserved), names: NameTable(capacity: 1_000),
            groups: NameTable(capacity: 1_000), catalog: SpanCatalog(), deliveries: deliveries,
            sampler: Sampler(sampler), sink: collected, consumerRelation: relation, guards: guards,
            consumerGroups: consumerGroups, spool: spool)
        // A lane finds listeners by their numbers.
        let listeners = (0...listener).map { number in
            ListenerProfile(
                number: number, name: system, service: "shop", system: system,
                broker: BrokerAddress(server: "broker.test", port: 6379), inject: inject, deliver: deliver,
                frameBytesMax: frameBytesMax, pendingRepliesMax: pendingRepliesMax, tls: tls, nats: nats,
                fallback: fallback ?? (spool == nil ? .fail : World.spooling), retries: retries)
        }
        profile = listeners[Int(listener)]
        lane = Lane(shared: shared, listeners: listeners, metrics: registry.makeShard(), seed: Self.seed)
    }

    /// The disk gets a second.
    static let spooling = FallbackPolicy(
        FallbackPlan([.spool]) ?? .fail,
        deadlines: FallbackDeadlines(secondary: 2_000_000_000, spool: 1_000_000_000, deadLetter: 1_000_000_000))

    /// One more client connection with its upstream connection.
    func connect(_ peer: ClientPeer = .unknown) -> Conversation<RedisSession> {
        let counters = counters ?? RedisCounters(lane: lane, listener: profile)
        self.counters = counters
        return Conversation(
            world: self, session: RedisSession(lane: lane, listener: profile, counters: counters, peer: peer))
    }

    /// The same for NATS, before the first byte.
    func connectNATS(_ peer: ClientPeer = .unknown) -> Conversation<NATSSession> {
        let counters = natsCounters ?? NATSCounters(lane: lane, listener: profile)
        natsCounters = counters
        return Conversation(
            world: self, session: NATSSession(lane: lane, listener: profile, counters: counters, peer: peer))
    }

    /// The same, after the usual handshake of a client that reads headers.
    func natsClient(_ peer: ClientPeer = .unknown) -> Conversation<NATSSession> {
        let conversation = connectNATS(peer)
        conversation.upstream(#"INFO {"headers":true,"max_payload":1048576} "# + "\r\n")
        conversation.client(#"CONNECT {"headers":true,"no_responders":true}"# + "\r\nPING\r\n")
        conversation.upstream("PONG\r\n")
        return conversation
    }

    func advance(milliseconds: UInt64) { advance(nanoseconds: milliseconds * 1_000_000) }

    func advance(nanoseconds: UInt64) {
        now.monotonicNanoseconds += nanoseconds
        now.unixNanoseconds += nanoseconds
    }

    /// Sets the wall clock alone, as an administrator may.
    func setWallClock(unixMilliseconds: UInt64) {
        now.unixNanoseconds = unixMilliseconds * 1_000_000
    }

    /// Gives the ids of a context that the test itself brings in a name for the lines of spans.
    func know(_ text: String, as name: String) {
        guard let context = TraceContext(parsing: Array(text.utf8).span) else {
            Issue.record("the test's own context is not valid: \(text)")
            return
        }
        idNames.set(context.traceID, name)
        idNames.set(context.spanID, name)
    }

    /// The spans that have ended since the last call, one line each.
    func spans() -> [String] {
        lane.flush()
        let records = collected.take()
        return records.map { SpanLine($0, shared, &idNames).text }
    }

    func records() -> [SpanRecord] {
        lane.flush()
        return collected.take()
    }

    /// The sum of all series of a metric whose labels contain `part`.
    func metric(_ name: String, _ part: String = "") -> Double {
        exposition().split(separator: "\n").reduce(0) { sum, line in
            guard line.hasPrefix(name + "{") || line.hasPrefix(name + " "), part.isEmpty || line.contains(part),
                let value = line.split(separator: " ").last
            else { return sum }
            return sum + (Double(value) ?? 0)
        }
    }

    func exposition() -> String {
        String(decoding: registry.render(.prometheusText), as: UTF8.self)
    }
}

/// A sink that keeps everything.
private final class CollectedSpans: SpanSink {
    private let spans = Mutex<[SpanRecord]>([])

    func offer(_ batch: inout [SpanRecord]) {
        let offered = batch
        spans.withLock { $0 += offered }
        batch.removeAll(keepingCapacity: true)
    }

    func take() -> [SpanRecord] {
        spans.withLock { spans in
            defer { spans = [] }
            return spans
        }
    }
}
