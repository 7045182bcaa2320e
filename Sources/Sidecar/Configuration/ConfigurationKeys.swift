import EventGateway
import Pipeline
import Proxy

/// Every key there is, each written once.
enum ConfigurationKeys {
    /// Begins the name of every environment variable of ours.
    static let variablePrefix = "TACHO_"
    /// Names the configuration file, where `--config` does not.
    static let fileVariable = "TACHO_CONFIG"
    /// The sequence of listeners in the file, and the middle of the variables that refine one of them.
    static let listenersPath = "listeners"
    /// The sequence of rules in the file, and the beginning of the variables that make them up.
    static let rulesPath = "resilience.rules"
    /// The protocols that have a flag and a variable for listeners; those of `BusProtocol` are available.
    static let protocols = ["redis", "nats", "kafka"]
    /// Paths of the contract that belong to a later version, named so that nobody searches for a typing error.
    static let laterPaths: Set<String> = []

    /// The settings of the process.
    static let process = ConfigurationKeyTable<SidecarConfiguration>(keys: general + resilience)

    private static let general: [ConfigurationKey<SidecarConfiguration>] = [
        ConfigurationKey(
            "service", \.service, .text("a name", maximumBytes: 255), flag: "service",
            default: "`OTEL_SERVICE_NAME`, else `unknown_service:tacho`",
            "name of the application beside the sidecar (`service.name`)"),
        ConfigurationKey(
            "http.listen", \.httpListen, ValueSyntax.http.orNone(), flag: "http",
            "where metrics, health and the admin API are served"),
        ConfigurationKey(
            "http.events", \.http.events, .word(),
            "whether the event log is served over HTTP: `auto` where a listener has the upstream `embedded`; `on` opens "
                + "it without one"),
        ConfigurationKey(
            "http.connections", \.http.connections, .number(1...65_536),
            "connections of HTTP clients at once; more wait to be accepted"),
        ConfigurationKey(
            "http.limits.body_bytes", \.http.limits.bodyBytes, .bytes(1024...67_108_864),
            "bytes of one HTTP request's body with events"),
        ConfigurationKey(
            "http.limits.batch_events", \.http.limits.batchEvents, .number(1...100_000),
            "events of one batch, and of one answer"),
        ConfigurationKey(
            "http.limits.events_per_second", \.http.limits.eventsPerSecond, .number(0...10_000_000),
            "events that are taken over HTTP and WebSocket per second; 0 sets no limit"),
        ConfigurationKey(
            "http.limits.sockets", \.http.limits.sockets.connectionsMax, .number(0...65_536),
            "WebSockets at once"),
        ConfigurationKey(
            "http.limits.socket_stall_seconds", \.http.limits.sockets.stallSeconds, .number(1...3600),
            "seconds that the client of a WebSocket may leave unread what waits for it, before it is dropped"),
        ConfigurationKey(
            "data", \.dataDirectory, .text("a path", maximumBytes: 1024), flag: "data",
            "the directory for what must survive a restart"),
        ConfigurationKey(
            "otlp.endpoint", \.otlp.endpoint, ValueSyntax.otlp.optional(), flag: "otlp",
            default: "`OTEL_EXPORTER_OTLP_*`, else `http://localhost:4318`",
            "where spans are sent; none exports nothing"),
        ConfigurationKey(
            "otlp.compression", \.otlp.compression, ValueSyntax.word().optional(),
            default: "`OTEL_EXPORTER_OTLP_COMPRESSION`, else `none`", "how request bodies are compressed"),
        ConfigurationKey(
            "tracing.consumer_relation", \.tracing.consumerRelation, .word(),
            "how a process span relates to the publishing span: its child, or a root linked to it"),
        ConfigurationKey(
            "tracing.causality", \.tracing.causality, .word(),
            "whether a message published without a context continues the trace of the message that caused it"),
        ConfigurationKey(
            "tracing.correlation_fields", \.tracing.correlationFields, .correlationFields,
            "fields that hold the application's own correlation id, in any case of letters"),
        ConfigurationKey(
            "tracing.bus_spans", \.tracing.busSpans, .word(),
            "whether the time in the queue is a span of the bus's own, so that service maps show the bus"),
        ConfigurationKey(
            "sampling.spans_per_second", \.sampling.spansPerSecond, .number(0...10_000_000),
            "spans per second of traces kept by probability, shared by all destinations; 0 keeps none"),
        ConfigurationKey(
            "sampling.always", \.sampling.always, .keepRules,
            "what keeps a trace in any case"),
        ConfigurationKey(
            "sampling.ring", \.sampling.ring, .number(16...16_777_216),
            "unsampled spans held for 10 s in case a rule wants their trace"),
        ConfigurationKey(
            "traces.keep_spans", \.traces.keepSpans, .number(0...1_000_000),
            "spans of recent traces held in memory; the oldest gives way, 0 holds none"),
        ConfigurationKey(
            "limits.frame_bytes", \.limits.frameBytes, .bytes(1024...67_108_864),
            "bytes of one frame that may be held for editing; larger ones pass unedited"),
        ConfigurationKey(
            "limits.destinations", \.limits.destinations, .number(1...1_000_000),
            "destinations with metrics of their own; the rest share `_other`"),
        ConfigurationKey(
            "limits.open_deliveries", \.limits.openDeliveries, .number(1...16_777_216),
            "deliveries waiting for their acknowledgement; the oldest gives way"),
        ConfigurationKey(
            "limits.unsettled_seconds", \.limits.unsettledSeconds, .number(1...604_800),
            "seconds until a delivery without acknowledgement is closed as unsettled"),
        ConfigurationKey(
            "limits.pending_replies", \.limits.pendingReplies, .number(1...16_777_216),
            "commands of one session that wait for their reply"),
        ConfigurationKey(
            "limits.drain_seconds", \.limits.drainSeconds, .number(0...3600),
            "seconds that open sessions get to finish on SIGTERM"),
        ConfigurationKey(
            "limits.connect_timeout_milliseconds", \.limits.connectTimeoutMilliseconds, .number(1...600_000),
            "milliseconds to wait for an upstream to accept a connection, and for a TLS handshake of either side"),
        ConfigurationKey(
            "threads", \.threads, .number(1...256), default: "the cores of the process, at most 4", "event loops"),
        ConfigurationKey(
            "log.level", \.logLevel, .logLevel, flag: "log-level", default: "`OTEL_LOG_LEVEL`, else `info`",
            "the least severe level that is logged"),
    ]

    /// The settings of one listener.
    static let listener = ConfigurationKeyTable<ListenerDraft>(keys: [
        ConfigurationKey(
            "name", \.name, ValueSyntax.text("a name", maximumBytes: 64).optional(), default: "`PROTOCOL@LISTEN`",
            "the `listener` label in metrics and logs"),
        ConfigurationKey(
            "service", \.service, ValueSyntax.text("a name", maximumBytes: 255).optional(),
            default: "that of the process",
            "name of the application that connects here, where one process serves several"),
        ConfigurationKey(
            "protocol", \.busProtocol, ValueSyntax.word(later: ["kafka"]).optional(), default: "required",
            "what is spoken here"),
        ConfigurationKey(
            "listen", \.listen, ValueSyntax.listen.optional(), default: "required", "where the application connects"),
        ConfigurationKey(
            "upstream", \.upstream, ValueSyntax.upstream.optional(), default: "required", "the broker"),
        ConfigurationKey(
            "context.inject", \.context.inject, .word(),
            "which published messages without a trace context receive one"),
        ConfigurationKey(
            "context.deliver", \.context.deliver, .word(),
            "whether consumers see the context that the sidecar added"),
        ConfigurationKey(
            "tls.listen.mode", \.tls.listen.mode, .word(),
            "whether clients speak TLS: `on` in NATS after the greeting, else from the first byte; `handshake_first` "
                + "always from the first byte"),
        ConfigurationKey(
            "tls.listen.certificate", \.tls.listen.certificate, file.optional(),
            "PEM file: the certificate that clients are shown, and those between it and its root"),
        ConfigurationKey(
            "tls.listen.key", \.tls.listen.key, file.optional(), "PEM file: its key, without a passphrase"),
        ConfigurationKey(
            "tls.listen.client_ca", \.tls.listen.clientCA, file.optional(), default: "clients need no certificate",
            "PEM file: authorities of which one must have signed the certificate that a client shows"),
        ConfigurationKey(
            "tls.upstream.mode", \.tls.upstream.mode, .word(),
            "whether the upstream speaks TLS: `on` in NATS after the greeting, else from the first byte; "
                + "`handshake_first` always from the first byte"),
        ConfigurationKey(
            "tls.upstream.ca", \.tls.upstream.ca, file.optional(), default: "the authorities that the system trusts",
            "PEM file: authorities of which one must have signed the upstream's certificate"),
        ConfigurationKey(
            "tls.upstream.certificate", \.tls.upstream.certificate, file.optional(),
            "PEM file: the certificate that the upstream is shown"),
        ConfigurationKey(
            "tls.upstream.key", \.tls.upstream.key, file.optional(), "PEM file: its key, without a passphrase"),
        ConfigurationKey(
            "tls.upstream.server_name", \.tls.upstream.serverName, ValueSyntax.serverName.optional(),
            default: "the host of `upstream`", "the name that the upstream's certificate must bear"),
        ConfigurationKey(
            "tls.upstream.verify", \.tls.upstream.verify, .word(),
            "what is checked of that certificate: authority and name, the authority alone, or nothing; then whoever "
                + "stands in between reads and changes every message"),
        ConfigurationKey(
            "credentials.username", \.credentials.username, ValueSyntax.text("a name", maximumBytes: 255).optional(),
            default: "the default user",
            "with which the sidecar signs in where it works for itself: dead letters, spool"),
        ConfigurationKey(
            "credentials.password_file", \.credentials.passwordFile, file.optional(), default: "no password",
            "file with the password to that; its last line end does not count"),
        ConfigurationKey(
            "secondary.address", \.secondary.address, ValueSyntax.secondary.optional(), default: "there is none",
            "a second broker, for what the upstream may not be given (`resilience.on_open`)"),
        ConfigurationKey(
            "secondary.tls.mode", \.secondary.tls.mode, .word(), "whether it speaks TLS, as in `tls.upstream.*`"),
        ConfigurationKey("secondary.tls.ca", \.secondary.tls.ca, file.optional(), "as `tls.upstream.ca`"),
        ConfigurationKey(
            "secondary.tls.certificate", \.secondary.tls.certificate, file.optional(), "as `tls.upstream.certificate`"),
        ConfigurationKey("secondary.tls.key", \.secondary.tls.key, file.optional(), "as `tls.upstream.key`"),
        ConfigurationKey(
            "secondary.tls.server_name", \.secondary.tls.serverName, ValueSyntax.serverName.optional(),
            default: "the host of `secondary.address`", "as `tls.upstream.server_name`"),
        ConfigurationKey(
            "secondary.tls.verify", \.secondary.tls.verify, .word(), "as `tls.upstream.verify`"),
        ConfigurationKey(
            "secondary.credentials.username", \.secondary.credentials.username,
            ValueSyntax.text("a name", maximumBytes: 255).optional(), default: "the default user",
            "with which the sidecar signs in there"),
        ConfigurationKey(
            "secondary.credentials.password_file", \.secondary.credentials.passwordFile, file.optional(),
            default: "no password", "file with the password to that; its last line end does not count"),
        ConfigurationKey(
            "nats.advertise", \.nats.advertise, .advertised,
            "servers that clients hear of for reconnecting: none keeps them behind the sidecar, `server` passes on what "
                + "the server says"),
        ConfigurationKey(
            "nats.failover", \.nats.failover, .word(),
            "whether servers of the cluster, as the upstream names them, stand in while it cannot be reached"),
        ConfigurationKey(
            "nats.message_path", \.nats.messagePath, .word(),
            "whether servers from 2.11 on are asked for the way of traced messages (`Nats-Trace-Dest`), as spans"),
    ])

    private static let file = ValueSyntax.text("a path", maximumBytes: 1024)

    /// The keys of a listener that `LISTEN=UPSTREAM` cannot say, and variables therefore name one by one.
    static let refinable = Set(listener.keys.map(\.path)).subtracting(["protocol", "listen", "upstream"])
}

/// A listener while the layers are read: what is required may still be missing.
struct ListenerDraft: ConfigurationItem {
    var name: String?
    var service: String?
    var busProtocol: BusProtocol?
    var listen: Endpoint?
    var upstream: Endpoint?
    var context = ContextPolicy()
    var tls = ListenerTLSConfiguration()
    var nats = NATSConfiguration()
    var credentials = CredentialsConfiguration()
    var secondary = SecondaryConfiguration()
    var origin = ConfigurationOrigin.builtIn
    var origins: [String: ConfigurationOrigin] = [:]

    /// What runs when nobody has asked for a listener: the event log of this process, on loopback.
    static var embedded: ListenerDraft {
        var draft = ListenerDraft()
        draft.busProtocol = .redis
        draft.listen = .tcp(host: "127.0.0.1", port: 16_379)
        draft.upstream = .embedded
        draft.origins = ["protocol": .builtIn, "listen": .builtIn, "upstream": .builtIn]
        return draft
    }
}
