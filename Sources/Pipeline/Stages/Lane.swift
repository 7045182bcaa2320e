import Resilience
public import Telemetry

/// Everything that one event loop owns of the pipeline, and the straight line of stages that messages take through it:
/// decide the context, open, close, measure, record.
///
/// Confined to its event loop and therefore not `Sendable`. Bindings call it with messages in neutral words; it knows
/// no protocol. What it shares with other lanes is in `SharedState`.
public final class Lane {
    /// What all lanes have in common.
    public struct SharedState: Sendable {
        /// Streams and channels; its capacity bounds the labels.
        public var destinations: NameTable
        /// Consumers, clients and error types.
        public var names: NameTable
        /// Consumer groups.
        public var groups: NameTable
        /// What spans have in common.
        public var catalog: SpanCatalog
        /// Messages that wait for their acknowledgement, on whichever loop they were read.
        public var deliveries: OpenDeliveries
        /// Decides which traces are kept.
        public var sampler: Sampler
        /// Where finished spans go.
        public var sink: any SpanSink
        /// How the span of a single delivered message is tied to its publishing span.
        public var consumerRelation: ConsumerRelation
        /// Whether causes are inferred.
        public var causality: CausalityMode
        /// Where applications put their correlation ids.
        public var correlationFields: CorrelationFields
        /// What connections of one client have in common.
        public let clients = ClientProcesses()
        /// Whether the time in the queue is a span of the bus's own.
        public var busSpans: Bool
        /// Decides for traces that begin here.
        public var sampling: SamplingController
        /// Spans that were not sampled but may be wanted yet; nil when no rule keeps any.
        public var provisional: ProvisionalRing?
        /// Where every step of every message is told, while somebody watches.
        public var tap: MessageTap
        /// What keeps calls from a broker in trouble; nil when nothing is guarded.
        public var guards: GuardTable?
        /// Groups whose dead letters are moved; nil when none are.
        public var consumerGroups: ConsumerGroups?
        /// Publishes that wait on disk to be sent on; nil where they are refused.
        public var spool: Spool?

        /// All parts are given; only the relation has a usual value.
        public init(
            destinations: NameTable, names: NameTable, groups: NameTable, catalog: SpanCatalog,
            deliveries: OpenDeliveries, sampler: Sampler, sink: any SpanSink,
            consumerRelation: ConsumerRelation = .parent, busSpans: Bool = false,
            causality: CausalityMode = .inferred, correlationFields: CorrelationFields = .standard,
            sampling: SamplingController? = nil, provisional: ProvisionalRing? = nil,
            tap: MessageTap? = nil, guards: GuardTable? = nil, consumerGroups: ConsumerGroups? = nil,
            spool: Spool? = nil
        ) {
            self.destinations = destinations
            self.names = names
            self.groups = groups
            self.catalog = catalog
            self.deliveries = deliveries
            self.sampler = sampler
            self.sink = sink
            self.consumerRelation = consumerRelation
            self.causality = causality
            self.correlationFields = correlationFields
            self.busSpans = busSpans
            self.sampling = sampling ?? SamplingController(SamplingBudget(fixed: sampler))
            self.provisional = provisional
            self.tap = tap ?? MessageTap(catalog: catalog)
            self.guards = guards
            self.consumerGroups = consumerGroups
            self.spool = spool
        }
    }

    /// By number.
    public let listeners: [ListenerProfile]
    /// What this event loop counts into.
    public let metrics: MetricsShard
    let shared: SharedState
    /// Every step of every message is told here, while somebody watches.
    let tap: MessageTap
    // What messages touch is exempt from the dynamic check for overlapping accesses, which took a fifth of the
    // instructions of a message: the lane is confined to its event loop, no access spans a call to code outside this
    // module, and the tests run with all other checks on.
    @exclusivity(unchecked) var identifiers: IdentifierSource
    @exclusivity(unchecked) var routes = RouteTable()
    var busDescriptors = BusDescriptors()
    var hopDescriptors = HopDescriptors()
    /// Empty between calls; kept so that a settlement needs no new memory.
    @exclusivity(unchecked) var endedDeliveries: [OpenDelivery] = []
    /// The same for the messages of a reply.
    @exclusivity(unchecked) var deliveredMessages: [Delivered] = []
    /// The same for header lines that are written into messages.
    @exclusivity(unchecked) var headerLines: [UInt8] = []
    /// By the number of the destination's name.
    @exclusivity(unchecked) var sampling: ContiguousArray<SamplingSlot> = []
    /// When the thresholds were last exchanged, on the monotonic clock.
    @exclusivity(unchecked) var intervalBeganAt: UInt64 = 0
    /// By number of the listener; empty when nothing is guarded.
    let upstreamGuards: [GuardHandle]
    /// What retries of connections each upstream can bear, by number of the listener.
    var connectBudgets: [RetryBudget]
    /// What retries of publishes each destination can bear, by number of the route; only of those that had a key.
    var publishBudgets: [Int: RetryBudget] = [:]
    /// The monotonic time of the last tick: fine enough for what counts in seconds.
    private(set) var lastTickAt: UInt64 = 0
    /// The guards of secondaries, by number of the listener.
    let secondaryGuards: [UInt32: GuardHandle]
    /// By number of the route; only of those that were taken by a secondary.
    var secondaryDescriptors: [Int: SpanDescriptorID] = [:]
    /// This lane's tallies, by guard: several routes may share one.
    var guardHandles: [ObjectIdentifier: GuardHandle] = [:]
    /// The groups that clients of this lane read from, while anybody looks after them.
    var watchedGroups: [UInt64: ConsumerGroup] = [:]
    @exclusivity(unchecked) private var destinationCache: NameCache
    @exclusivity(unchecked) private var groupCache: NameCache
    @exclusivity(unchecked) private var nameCache: NameCache
    @exclusivity(unchecked) private var spans: [SpanRecord] = []
    /// Spans that were not sampled, on their way into the ring.
    @exclusivity(unchecked) var unsampledBatch = UnsampledBatch()
    private let notSampled: Counter
    private let kept: [Counter]
    private let otherError: NameID
    private var errorNames: Set<NameID> = []
    /// The operation name of every process span, whatever the protocol calls its own commands.
    let processOperation: NameID
    private let evictions: [SpanOutcome: Counter]
    let causesEvicted: Counter
    /// Why spans that are not sampled may be kept; nil where none are.
    let keepRules: KeepRules?

    /// Spans that one read can collect before they are handed over early.
    private static let spanBatch = 256
    private static let errorBytesMax = 32
    private static let errorNamesMax = 64

    /// A lane for one event loop. `seed` begins its ids and must differ from lane to lane.
    public init(
        shared: SharedState, listeners: [ListenerProfile], metrics: MetricsShard,
        seed: (UInt64, UInt64, UInt64, UInt64)
    ) {
        self.shared = shared
        tap = shared.tap
        self.listeners = listeners
        self.metrics = metrics
        identifiers = IdentifierSource(seed: seed)
        upstreamGuards = Self.upstreamGuards(shared.guards, listeners)
        secondaryGuards = Self.secondaryGuards(shared.guards, listeners)
        connectBudgets = listeners.map { _ in RetryBudget() }
        destinationCache = NameCache(shared.destinations)
        groupCache = NameCache(shared.groups)
        nameCache = NameCache(shared.names)
        otherError = shared.names.intern("_OTHER")
        processOperation = shared.names.intern("process")
        spans.reserveCapacity(Self.spanBatch)
        notSampled = metrics.counter(MetricCatalog.spansNotSampled, [])
        keepRules = shared.provisional?.rules
        causesEvicted = metrics.counter(MetricCatalog.causesEvicted, [])
        kept = KeepReason.allCases.map { metrics.counter(MetricCatalog.spansKept, [$0.text]) }
        evictions = Dictionary(
            uniqueKeysWithValues: [SpanOutcome.evicted, .unsettled].map {
                ($0, metrics.counter(MetricCatalog.deliveriesEvicted, [$0.text]))
            })
    }

    /// Hands finished spans over. Called once per read, after the bytes have been passed on.
    public func flush() {
        holdTogether()
        guard !spans.isEmpty else { return }
        shared.sink.offer(&spans)
    }

    /// Closes what has waited too long for its acknowledgement, each lane what the others have left, and brings the
    /// sampling up to date. Called about once a second on every lane.
    public func tick(at now: Instant) {
        lastTickAt = now.monotonicNanoseconds
        for (key, delivery) in shared.deliveries.expire(at: now, most: 1_024) {
            close(delivery, key, Ending(.unsettled), at: now)
        }
        giveUpLastDeliveries(at: now)
        exchangeSampling(at: now)
        flush()
    }

    /// Closes every open delivery of the process: it is about to stop, and will not see how they end.
    public func abandonDeliveries(at now: Instant) {
        for (key, delivery) in shared.deliveries.removeAll() {
            finish(delivery, key.messageID, as: .unobserved, at: now)
        }
        flush()
    }

    // MARK: Names

    func destination(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Destination {
        let (name, hash) = destinationCache.name(bytes, range)
        return Destination(name: name, hash: hash)
    }

    func group(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Destination {
        let (name, hash) = groupCache.name(bytes, range)
        return Destination(name: name, hash: hash)
    }

    func name(_ bytes: Span<UInt8>, _ range: Range<Int>) -> NameID {
        nameCache.name(bytes, range).name
    }

    func name(_ text: String) -> NameID { shared.names.intern(text) }

    func group(_ text: String) -> NameID { shared.groups.intern(text) }

    /// The `error.type` in an error text: its first word, if that looks like a code. Errors can be made up by scripts,
    /// so only so many are told apart; the others are `_OTHER`.
    func errorName(_ bytes: Span<UInt8>, _ text: Range<Int>) -> NameID {
        var end = text.lowerBound
        while end < text.upperBound, bytes[end] != UInt8(ascii: " ") {
            let byte = bytes[end]
            let isCode = (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5f
            guard isCode, end - text.lowerBound < Self.errorBytesMax else { return otherError }
            end += 1
        }
        guard end > text.lowerBound else { return otherError }
        let known = name(bytes, text.lowerBound..<end)
        if errorNames.contains(known) { return known }
        guard errorNames.count < Self.errorNamesMax else { return otherError }
        errorNames.insert(known)
        return known
    }

    // MARK: Spans

    func record(_ span: SpanRecord) {
        if let reason = span.reason { kept[Int(reason.rawValue)].add(1) }
        spans.append(span)
        if spans.count >= Self.spanBatch { shared.sink.offer(&spans) }
    }

    func countNotSampled(_ spans: Int = 1) {
        notSampled.add(UInt64(spans))
    }

    /// Ends a process span.
    func finish(_ delivery: OpenDelivery, _ messageID: MessageID, as outcome: SpanOutcome, at now: Instant) {
        finish(delivery, messageID, Ending(outcome), at: now)
    }

    /// Ends a process span. Only what the consumer acknowledged counts as processed in the metrics.
    func finish(_ delivery: OpenDelivery, _ messageID: MessageID, _ ending: Ending, at now: Instant) {
        let outcome = ending.outcome
        if outcome == .evicted || outcome == .unsettled { evictions[outcome]?.add(1) }
        delivery.holder?.process.release(delivery.process.spanID)
        let route = processRoute(delivery)
        if outcome == .acknowledged {
            let duration = now.nanoseconds(since: delivery.deliveredAt)
            observe(route, duration, delivery.process, .succeeded, now)
            routes.routes[route.index].guarding?.tally.processed(nanoseconds: duration)
        }
        if ending.deadLetter != .none { countDeadLetter(route, ending.deadLetter) }
        if tap.isWatched { tellSettled(delivery, messageID, outcome, route, at: now) }
        let rule = rule(processed: delivery, outcome, now.nanoseconds(since: delivery.deliveredAt))
        recordProcess(delivery, messageID, ending, route, keptFor: rule, at: now)
    }

    /// Records a process span that ends now, or leaves it with those that may be wanted yet.
    func recordProcess(
        _ delivery: OpenDelivery, _ messageID: MessageID, _ ending: Ending, _ route: RouteID,
        keptFor rule: KeepReason?, at now: Instant
    ) {
        let isSampled = delivery.process.isSampled
        guard isSampled || holdsUnsampled else { return countNotSampled() }
        let duration = now.nanoseconds(since: delivery.deliveredAt)
        var span = SpanRecord(
            descriptor: routes.routes[route.index].descriptor, kind: .consumer, traceID: delivery.process.traceID,
            spanID: delivery.process.spanID, flags: delivery.process.flags,
            startUnixNanoseconds: delivery.deliveredAt.unixNanoseconds,
            endUnixNanoseconds: delivery.deliveredAt.unixNanoseconds + duration)
        if let creation = delivery.creation {
            span.link = SpanLink(context: creation)
            // A parent that was not kept would leave an orphan behind; where neither is, the ring decides.
            if shared.consumerRelation == .parent, creation.isSampled || !isSampled {
                span.parentSpanID = delivery.dwell.isValid ? delivery.dwell : creation.spanID
            }
        }
        span.consumer = delivery.consumer
        span.client = delivery.client
        span.messageID = messageID
        span.outcome = ending.outcome == .acknowledged ? .unremarkable : ending.outcome
        span.deadLetter = ending.deadLetter
        span.redeliveryDelayMilliseconds = ending.redeliveryDelayMilliseconds
        span.attempt = delivery.attempt
        span.bodySize = delivery.bodySize
        span.queueNanoseconds = delivery.queueNanoseconds
        span.conversationIsTraceID = delivery.conversationIsTraceID
        guard isSampled else {
            return holdUnsampled(span, conversation: delivery.conversation, keptFor: rule, at: now)
        }
        if delivery.conversation != nil || delivery.traceState != nil || delivery.position != nil {
            span.detail = SpanDetail(
                conversationID: delivery.conversation, traceState: delivery.traceState, position: delivery.position)
        }
        record(span, of: delivery.destination, because: reason(ofContext: delivery.creation))
    }

    /// Measures one operation, with the trace as exemplar when it is kept.
    func observe(
        _ route: RouteID, _ nanoseconds: UInt64, _ context: TraceContext, _ outcome: Outcome, _ now: Instant
    ) {
        let histogram: Histogram
        switch outcome {
        case .succeeded:
            histogram = routes.routes[route.index].duration
        case .failed(let error):
            histogram = failureDuration(route, error)
        }
        if context.isSampled {
            histogram.record(nanoseconds: nanoseconds, exemplar: context, atUnixNanoseconds: now.unixNanoseconds)
        } else {
            histogram.record(nanoseconds: nanoseconds)
        }
    }
}
