public import EventGateway
public import Logging
import NIOCore
public import Pipeline
public import Proxy
public import Telemetry

/// Everything one sidecar process is told before it starts: a plain value, complete and checked.
public struct SidecarConfiguration: Sendable, Equatable {
    /// `service.name` of the application beside us. Default `unknown_service:tacho`; the `OTEL_*` environment
    /// (`OTEL_SERVICE_NAME`, then `service.name` of `OTEL_RESOURCE_ATTRIBUTES`) stands in for the default only.
    public var service = "unknown_service:tacho"
    /// Where metrics, health and the admin API are served; always TCP. Default 127.0.0.1:9464, nil = not served.
    public var httpListen: Endpoint? = .tcp(host: "127.0.0.1", port: 9464)
    /// What the HTTP server does beside that.
    public var http = HTTPConfiguration()
    /// The directory for what must survive a restart. Default `./tacho-data`.
    public var dataDirectory = "./tacho-data"
    /// The buses that are proxied, one listener each. No default; at least one after loading.
    public var listeners: [ListenerConfiguration] = []
    /// Where spans go.
    public var otlp = OTLPConfiguration()
    /// How spans relate to each other.
    public var tracing = TracingConfiguration()
    /// Which traces are kept.
    public var sampling = SamplingConfiguration()
    /// What is held of recent traces.
    public var traces = TracesConfiguration()
    /// How calls to a broker in trouble are guarded.
    public var resilience = ResilienceConfiguration()
    /// The bounds of what is held.
    public var limits = LimitsConfiguration()
    /// Event loops. Default the cores this process may use, at most 4.
    public var threads = min(4, System.coreCount)
    /// The least severe level that is logged. Default info; `OTEL_LOG_LEVEL` stands in for the default only.
    public var logLevel = Logger.Level.info

    /// The defaults, without a listener.
    public init() {}
}

/// What the HTTP server serves and takes on.
public struct HTTPConfiguration: Sendable, Equatable {
    /// Whether the event log is served.
    public enum Events: String, Sendable, CaseIterable {
        case auto
        case on
        case off
    }

    /// Default auto: where some listener uses the log.
    public var events = Events.auto
    /// Connections at once. Default 1,024.
    public var connections = 1_024
    /// What requests with events may be.
    public var limits = EventGatewayLimits()
}

/// The buses whose wire protocol a listener can speak.
public enum BusProtocol: String, Sendable, CaseIterable {
    case redis
    case nats
}

/// One proxied bus: where the application connects, and where its bytes go.
public struct ListenerConfiguration: Sendable, Equatable {
    /// The `listener` label in metrics and logs. Default `PROTOCOL@LISTEN`, such as `redis@127.0.0.1:16379`.
    public var name: String
    /// `service.name` of the application that connects here; nil, the default, for that of the process.
    public var service: String?
    /// What is spoken here.
    public var busProtocol: BusProtocol
    /// Where the application connects. Port 0 lets the system choose.
    public var listen: Endpoint
    /// The broker.
    public var upstream: Endpoint
    /// What happens to trace context in messages.
    public var context: ContextPolicy
    /// Which sides are encrypted.
    public var tls: ListenerTLSConfiguration
    /// What only a NATS listener is told.
    public var nats: NATSConfiguration
    /// With what the sidecar signs in on connections of its own.
    public var credentials: CredentialsConfiguration
    /// A second broker, for what the upstream may not be given.
    public var secondary: SecondaryConfiguration

    /// A listener; the name defaults to `PROTOCOL@LISTEN`.
    public init(
        name: String? = nil, service: String? = nil, busProtocol: BusProtocol, listen: Endpoint, upstream: Endpoint,
        context: ContextPolicy = ContextPolicy(), tls: ListenerTLSConfiguration = ListenerTLSConfiguration(),
        nats: NATSConfiguration = NATSConfiguration(),
        credentials: CredentialsConfiguration = CredentialsConfiguration(),
        secondary: SecondaryConfiguration = SecondaryConfiguration()
    ) {
        self.name = name ?? "\(busProtocol.rawValue)@\(listen)"
        self.service = service
        self.busProtocol = busProtocol
        self.listen = listen
        self.upstream = upstream
        self.context = context
        self.tls = tls
        self.nats = nats
        self.credentials = credentials
        self.secondary = secondary
    }
}

/// What happens to trace context in the messages of one listener.
public struct ContextPolicy: Sendable, Equatable {
    /// Default always.
    public var inject = InjectionRule.always
    /// Default keep.
    public var deliver = DeliveryRule.keep

    /// A policy; the defaults add context to every message and leave it visible.
    public init(inject: InjectionRule = .always, deliver: DeliveryRule = .keep) {
        self.inject = inject
        self.deliver = deliver
    }
}

/// Where spans go. What is nil here was not set and is left to the `OTEL_EXPORTER_OTLP_*` environment.
public struct OTLPConfiguration: Sendable, Equatable {
    /// The base endpoint, or the wish to export nothing.
    public enum Endpoint: Sendable, Equatable {
        /// An `http` or `https` URL without credentials, query and fragment; the signal path is appended to it.
        case url(String)
        /// Spans are not exported.
        case disabled
    }

    /// How request bodies are compressed.
    public enum Compression: String, Sendable, CaseIterable {
        case uncompressed = "none"
        case gzip
    }

    /// Default: the `OTEL_*` environment, else http://localhost:4318.
    public var endpoint: Endpoint?
    /// Default: the `OTEL_*` environment, else none.
    public var compression: Compression?
}

/// How spans relate to each other.
public struct TracingConfiguration: Sendable, Equatable {
    /// Default parent.
    public var consumerRelation = ConsumerRelation.parent
    /// Default inferred.
    public var causality = CausalityMode.inferred
    /// Fields that hold the application's own correlation id. Default `CorrelationFields.standard`.
    public var correlationFields = CorrelationFields.standard
    /// Whether the time in the queue is a span of the bus's own, so that service maps show it.
    public enum BusSpans: String, Sendable, CaseIterable {
        case on
        case off
    }

    /// Default on.
    public var busSpans = BusSpans.on
}

/// Which traces are kept. `OTEL_TRACES_SAMPLER`, where it is set, decides instead of the budget.
public struct SamplingConfiguration: Sendable, Equatable {
    /// Spans per second of traces that are kept by probability. Default 1,000; 0 keeps none.
    public var spansPerSecond = 1_000
    /// What keeps a trace in any case. Default all.
    public var always = KeepRules.all
    /// Unsampled spans that are held in case a rule wants their trace. Default 16,384.
    public var ring = 16_384
}

/// What is held of recent traces, for `tacho trace` and the admin API.
public struct TracesConfiguration: Sendable, Equatable {
    /// Spans in memory, 200 bytes and more each; the oldest gives way. Default 20,000; 0 holds none.
    public var keepSpans = 20_000
}

/// The bounds of what is held; every one of them counts what it turns away.
public struct LimitsConfiguration: Sendable, Equatable {
    /// Bytes of one frame that may be held for editing; larger ones pass unedited. Default 1 MiB.
    public var frameBytes = 1_048_576
    /// Destinations with metrics of their own in the process; the rest share `_other`. Default 1,000.
    public var destinations = 1_000
    /// Deliveries waiting for their acknowledgement in the process. Default 65,536.
    public var openDeliveries = 65_536
    /// Seconds until a delivery without acknowledgement is closed as unsettled. Default 300.
    public var unsettledSeconds = 300
    /// Commands of one session that wait for their reply. Default 1,048,576.
    public var pendingReplies = 1_048_576
    /// Seconds that open sessions get to finish when the process is asked to stop. Default 10.
    public var drainSeconds = 10
    /// Milliseconds to wait for an upstream to accept a connection. Default 5,000.
    public var connectTimeoutMilliseconds = 5_000
}
