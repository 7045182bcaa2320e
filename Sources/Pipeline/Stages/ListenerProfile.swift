public import Telemetry

/// What the pipeline has to know of the listener that a session came in by.
public struct ListenerProfile: Sendable {
    /// Position in the list of listeners; identifies it in keys.
    public var number: UInt32
    /// The value of the `listener` label.
    public var name: String
    /// `service.name` of the application beside us.
    public var service: String
    /// `messaging.system`.
    public var system: String
    /// What spans and metrics name as the server.
    public var broker: BrokerAddress
    /// Which published messages get a context.
    public var inject: InjectionRule
    /// What consumers see of it.
    public var deliver: DeliveryRule
    /// The largest frame in bytes that is held so that it can be edited; larger ones pass unedited.
    public var frameBytesMax: Int
    /// The most commands of one connection that may wait for a reply and still be followed.
    public var pendingRepliesMax: Int
    /// Which sides are encrypted.
    public var tls: SessionTLS
    /// What only NATS has.
    public var nats: NATSOptions
    /// Listeners with the same scope lead to the same broker: what was read through one may be settled through another.
    public var deliveryScope: UInt32
    /// Whether calls to the upstream are guarded. Those that are not stand last in the list of listeners.
    public var isGuarded: Bool
    /// What is tried for publishes that may not pass.
    public var fallback: FallbackPolicy
    /// Some of them are stored and sent on later.
    public var spools: Bool { fallback.spools }
    /// Publishes that carry an idempotency key are tried again; nil where they are not.
    public var retries: PublishRetryLimits?

    /// The rules and limits have usual values; a listener has its deliveries for itself unless a scope is given.
    public init(
        number: UInt32, name: String, service: String, system: String, broker: BrokerAddress,
        inject: InjectionRule = .always, deliver: DeliveryRule = .keep, frameBytesMax: Int = 1 << 20,
        pendingRepliesMax: Int = 1 << 20, tls: SessionTLS = SessionTLS(), nats: NATSOptions = NATSOptions(),
        deliveryScope: UInt32? = nil, isGuarded: Bool = true, fallback: FallbackPolicy = .fail,
        retries: PublishRetryLimits? = nil
    ) {
        self.number = number
        self.name = name
        self.service = service
        self.system = system
        self.broker = broker
        self.inject = inject
        self.deliver = deliver
        self.frameBytesMax = frameBytesMax
        self.pendingRepliesMax = pendingRepliesMax
        self.tls = tls
        self.nats = nats
        self.deliveryScope = deliveryScope ?? number
        self.isGuarded = isGuarded
        self.fallback = fallback
        self.retries = retries
    }
}

/// Which messages get a context written into them.
public enum InjectionRule: String, Sendable, CaseIterable {
    /// All; those that are not sampled say so, and the decision stays consistent downstream.
    case always
    /// Only those whose trace is kept.
    case sampled
    case never
}

/// What a consumer sees of the fields that we added.
public enum DeliveryRule: String, Sendable, CaseIterable {
    /// The entry as it is stored.
    case keep
    /// The entry as the producer wrote it.
    case strip
}

/// How a span of a single delivered message is tied to the span that published it.
public enum ConsumerRelation: String, Sendable, CaseIterable {
    /// Child and link: one trace.
    case parent
    /// Link only: a trace of its own.
    case link
}
