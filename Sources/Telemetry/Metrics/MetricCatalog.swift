// Each family's help text is its documentation.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// Every metric name of this program. Dashboards, alerts and tests are checked against this one file.
///
/// The messaging and database metrics are those of the OpenTelemetry semantic conventions 1.44 with dots written as
/// underscores; our own stand under `tacho_`.
public enum MetricCatalog {
    // MARK: OpenTelemetry messaging and database metrics

    public static let messagingOperationDuration = MetricFamily(
        "messaging_client_operation_duration_seconds", .histogram,
        "Time from a messaging command to its reply, as the client sees it.", unit: "seconds",
        labels: [
            system, operationName, "messaging_operation_type", destination, group, errorType, serverAddress, serverPort,
        ],
        bounds: Bounds.messaging)

    public static let messagingProcessDuration = MetricFamily(
        "messaging_process_duration_seconds", .histogram,
        "Time from delivery of a message to its acknowledgement, estimated from outside the consumer.",
        unit: "seconds",
        labels: [system, operationName, destination, group, errorType, serverAddress, serverPort],
        bounds: Bounds.messaging)

    public static let messagingSentMessages = MetricFamily(
        "messaging_client_sent_messages_total", .counter, "Messages that a producer attempted to send.",
        labels: [system, operationName, destination, errorType, serverAddress, serverPort])

    public static let messagingConsumedMessages = MetricFamily(
        "messaging_client_consumed_messages_total", .counter, "Messages delivered to consumers, once per delivery.",
        labels: [system, operationName, destination, group, errorType, serverAddress, serverPort])

    public static let databaseOperationDuration = MetricFamily(
        "db_client_operation_duration_seconds", .histogram,
        "Time from a command that is not a messaging operation to its reply.", unit: "seconds",
        labels: ["db_system_name", "db_operation_name", errorType, serverAddress, serverPort],
        bounds: Bounds.database)

    // MARK: Messages

    public static let queueTime = MetricFamily(
        "tacho_queue_seconds", .histogram, "Time a message waited on the bus, from publish to delivery.",
        unit: "seconds", labels: [system, destination, group], bounds: Bounds.queue)

    public static let clockSkew = MetricFamily(
        "tacho_clock_skew_seconds", .histogram,
        "By how much messages were published later than delivered: the clock that stamped them is ahead of ours.",
        unit: "seconds", labels: [system, destination, group], bounds: Bounds.skew)

    public static let injectedMessages = MetricFamily(
        "tacho_injected_messages_total", .counter, "Messages that were given a trace context.",
        labels: [listener, destination])

    public static let notInjectedMessages = MetricFamily(
        "tacho_not_injected_messages_total", .counter, "Messages that were sent on without adding a trace context.",
        labels: [listener, reason])

    public static let strippedMessages = MetricFamily(
        "tacho_stripped_messages_total", .counter,
        "Delivered messages from which our own context fields were removed.", labels: [listener])

    public static let redeliveries = MetricFamily(
        "tacho_redeliveries_total", .counter, "Messages delivered again before they were acknowledged.",
        labels: [system, destination, group])

    public static let deadLetters = MetricFamily(
        "tacho_dead_letters_total", .counter,
        "Messages given up: `published` to a dead-letter stream, `terminated` by their consumer, at `max_deliveries` as "
            + "the broker says, or `inferred` to be so.", labels: [system, destination, group, reason])

    public static let deliveriesOpen = MetricFamily(
        "tacho_deliveries_open", .gauge, "Deliveries that wait for their acknowledgement.")

    public static let deliveriesEvicted = MetricFamily(
        "tacho_deliveries_evicted_total", .counter, "Open deliveries that were given up before an acknowledgement.",
        labels: [reason])

    public static let causesEvicted = MetricFamily(
        "tacho_causes_evicted_total", .counter,
        "Messages in a client's hands that can be no cause of what it publishes any more, because it holds too many.")

    // MARK: Proxy

    public static let connections = MetricFamily(
        "tacho_connections", .gauge, "Client connections that are open.", labels: [listener])

    /// Not `tacho_connections_total`: OpenMetrics would call that family `tacho_connections`, which is the gauge.
    public static let connectionsAccepted = MetricFamily(
        "tacho_connections_accepted_total", .counter, "Client connections that were accepted.", labels: [listener])

    public static let upstreamFailures = MetricFamily(
        "tacho_upstream_failures_total", .counter, "Connections to the upstream that failed or were lost.",
        labels: [listener, reason])

    public static let tlsHandshakes = MetricFamily(
        "tacho_tls_handshakes_total", .counter, "TLS handshakes with clients and with the upstream.",
        labels: [listener, "side", "outcome"])

    public static let proxyTime = MetricFamily(
        "tacho_proxy_seconds", .histogram, "Time that bytes spent inside this process.", unit: "seconds",
        labels: [listener, direction], bounds: Bounds.proxy)

    public static let forwardedBytes = MetricFamily(
        "tacho_forwarded_bytes_total", .counter, "Bytes passed on.", unit: "bytes", labels: [listener, direction])

    public static let uneditedFrames = MetricFamily(
        "tacho_unedited_frames_total", .counter, "Frames that were passed on unedited although an edit was wanted.",
        labels: [listener, reason])

    public static let opaqueSessions = MetricFamily(
        "tacho_sessions_opaque_total", .counter,
        "Sessions whose bytes were no longer understood and were passed on untouched.", labels: [listener, reason])

    // MARK: Sockets and projections of the embedded log

    public static let sockets = MetricFamily("tacho_sockets", .gauge, "WebSockets on the embedded log that are open.")

    public static let socketsClosed = MetricFamily(
        "tacho_sockets_closed_total", .counter,
        "WebSockets that have ended: the client wanted it, was lost, too slow or silent, sent what no client may send, or "
            + "the process drained.", labels: [reason])

    public static let socketEvents = MetricFamily(
        "tacho_socket_events_total", .counter, "Events that came and went by WebSocket.", labels: [direction])

    public static let projectionLag = MetricFamily(
        "tacho_projection_lag_events", .gauge, "Events of its stream that a projection has still to look at.",
        labels: [projection])

    public static let projectionEvents = MetricFamily(
        "tacho_projection_events_total", .counter,
        "Events that a projection has looked at since it was begun or rebuilt, by what became of them.",
        labels: [projection, "outcome"])

    public static let projectionRows = MetricFamily(
        "tacho_projection_rows", .gauge, "Rows in the table of a projection.", labels: [projection])

    // MARK: Guards

    public static let breakerState = MetricFamily(
        "tacho_breaker_state", .gauge, "State of a circuit breaker: 0 closed, 1 half-open, 2 open.",
        labels: guardLabels)

    public static let breakerTransitions = MetricFamily(
        "tacho_breaker_transitions_total", .counter, "Changes of a circuit breaker's state.",
        labels: guardLabels + ["from", "to"])

    public static let breakerRejected = MetricFamily(
        "tacho_breaker_rejected_total", .counter, "Calls that a circuit breaker refused.", labels: guardLabels)

    public static let breakerWouldReject = MetricFamily(
        "tacho_breaker_would_reject_total", .counter,
        "Calls that passed and that a circuit breaker in shadow mode would have refused.", labels: guardLabels)

    public static let guardedCalls = MetricFamily(
        "tacho_guarded_calls_total", .counter,
        "Calls that the guards saw end: ok, slow, mistake of the client, or a class of failure.",
        labels: guardLabels + ["outcome"])

    public static let guardedInFlight = MetricFamily(
        "tacho_guarded_calls_in_flight", .gauge, "Guarded calls that wait for their reply.", labels: guardLabels)

    public static let retries = MetricFamily(
        "tacho_retries_total", .counter, "Retries that were made, and those that were not, by why not.",
        labels: [listener, "operation", "outcome"])

    public static let bulkheadLimit = MetricFamily(
        "tacho_bulkhead_limit", .gauge, "Calls that may be under way at once, where there is a limit.",
        labels: guardLabels)

    public static let bulkheadWaiting = MetricFamily(
        "tacho_bulkhead_waiting", .gauge, "Calls that wait for a place among those under way.", labels: guardLabels)

    public static let bulkheadRejected = MetricFamily(
        "tacho_bulkhead_rejected_total", .counter, "Calls that found no place among those under way in time.",
        labels: guardLabels)

    public static let spoolMessages = MetricFamily(
        "tacho_spool_messages", .gauge, "Published messages that wait on disk to be sent on.", labels: [listener])

    public static let spoolBytes = MetricFamily(
        "tacho_spool_bytes", .gauge, "Bytes of the messages that wait on disk to be sent on.", unit: "bytes",
        labels: [listener])

    public static let spoolAge = MetricFamily(
        "tacho_spool_age_seconds", .gauge, "For how long messages have been waiting on disk.", unit: "seconds",
        labels: [listener])

    public static let spoolSetAside = MetricFamily(
        "tacho_spool_set_aside_messages", .gauge,
        "Messages that the spool keeps apart on disk, until somebody redrives or purges them.",
        labels: [listener])

    public static let spoolStored = MetricFamily(
        "tacho_spool_stored_total", .counter, "Publishes that were stored on disk instead of being refused.",
        labels: [listener, destination])

    public static let spoolRefused = MetricFamily(
        "tacho_spool_refused_total", .counter, "Publishes that could not be stored, by why not.",
        labels: [listener, reason])

    public static let spoolForwarded = MetricFamily(
        "tacho_spool_forwarded_total", .counter,
        "Stored messages that were sent on: as promised, under a new id, found to be there already, perhaps a second time "
            + "(unverified), or refused for good.",
        labels: [listener, destination, "outcome"])

    public static let fallback = MetricFamily(
        "tacho_fallback_total", .counter,
        "What was tried for publishes to Redis that might not pass: who was to take them, and what came of it.",
        labels: [listener, "step", "outcome"])

    public static let deadLetterRule = MetricFamily(
        "tacho_dead_letter_rule_total", .counter,
        "Messages that were delivered too often: moved to the stream of dead letters, taken back because a consumer "
            + "was faster, held because there were too many, or failed.",
        labels: [listener, destination, group, "outcome"])

    public static let threshold = MetricFamily(
        "tacho_threshold", .gauge,
        "Parameters of circuit breakers: as learned, as applied, and the operator's least and greatest value.",
        labels: guardLabels + ["parameter", "kind"])

    public static let thresholdChanges = MetricFamily(
        "tacho_threshold_changes_total", .counter, "Changes of a parameter of circuit breakers.",
        labels: guardLabels + ["parameter", "direction", reason])

    public static let guardRecords = MetricFamily(
        "tacho_guard_records_total", .counter,
        "Records of the guards' audit trail: written, overflowed (too many waited), or why they could not be written.",
        labels: ["outcome"])

    public static let anomalyScore = MetricFamily(
        "tacho_anomaly_score", .gauge,
        "How far a signal lies from what is usual for it; what that means depends on "
            + "the signal.", labels: guardLabels + ["signal"])
    public static let lag = MetricFamily(
        "tacho_lag_messages", .gauge,
        "Messages that wait for their consumers: as the broker tells it in passing, or else the rate of "
            + "deliveries times their time in the queue.", labels: guardLabels)

    // MARK: Spans

    public static let spansStarted = MetricFamily("tacho_spans_started_total", .counter, "Spans begun.")

    public static let spansSampled = MetricFamily("tacho_spans_sampled_total", .counter, "Spans chosen for export.")

    public static let spansNotSampled = MetricFamily(
        "tacho_spans_not_sampled_total", .counter, "Spans not chosen for export.")

    public static let spansKept = MetricFamily(
        "tacho_spans_kept_total", .counter, "Spans chosen for export, by why their trace was kept.", labels: [reason])

    public static let samplingRatio = MetricFamily(
        "tacho_sampling_ratio", .gauge, "Share of the traces beginning with a destination that were lately kept.",
        labels: [destination])

    public static let spansExported = MetricFamily(
        "tacho_spans_exported_total", .counter, "Spans that the collector has accepted.")

    public static let spansDropped = MetricFamily(
        "tacho_spans_dropped_total", .counter, "Sampled spans that were lost before the collector accepted them.",
        labels: [reason])

    public static let spansQueued = MetricFamily("tacho_spans_queued", .gauge, "Spans that wait for export.")

    public static let spansInFlight = MetricFamily(
        "tacho_spans_in_flight", .gauge, "Spans in requests that the collector has not answered.")

    public static let exportTime = MetricFamily(
        "tacho_export_seconds", .histogram, "Duration of one export request.", unit: "seconds",
        labels: ["outcome"], bounds: Bounds.export)

    public static let exportBytes = MetricFamily(
        "tacho_export_bytes_total", .counter, "Bytes of request bodies sent to the collector.", unit: "bytes")

    // MARK: Process

    public static let buildInfo = MetricFamily(
        "tacho_build_info", .gauge, "The version that runs, as a label; the value is always 1.", labels: ["version"])

    public static let logLinesSuppressed = MetricFamily(
        "tacho_log_lines_suppressed_total", .counter, "Log lines withheld by the rate limit.")

    public static let processCPU = MetricFamily(
        "process_cpu_seconds_total", .counter, "User and system processor time used.", unit: "seconds")

    public static let processResidentMemory = MetricFamily(
        "process_resident_memory_bytes", .gauge, "Resident memory.", unit: "bytes")

    public static let processOpenDescriptors = MetricFamily(
        "process_open_fds", .gauge, "Open file descriptors.")

    public static let processStartTime = MetricFamily(
        "process_start_time_seconds", .gauge, "When the process started, in seconds since the Unix epoch.",
        unit: "seconds")

    /// Everything above. The tests compare it with the declarations in this file.
    public static let all: [MetricFamily] = [
        messagingOperationDuration, messagingProcessDuration, messagingSentMessages, messagingConsumedMessages,
        databaseOperationDuration,
        queueTime, clockSkew, injectedMessages, notInjectedMessages, strippedMessages, redeliveries, deadLetters,
        deliveriesOpen, deliveriesEvicted, causesEvicted,
        connections, connectionsAccepted, upstreamFailures, tlsHandshakes, proxyTime, forwardedBytes, uneditedFrames,
        opaqueSessions,
        sockets, socketsClosed, socketEvents, projectionLag, projectionEvents, projectionRows,
        breakerState, breakerTransitions, breakerRejected, breakerWouldReject, guardedCalls, guardedInFlight,
        retries, bulkheadLimit, bulkheadWaiting, bulkheadRejected, spoolMessages, spoolBytes, spoolAge,
        spoolSetAside, spoolStored, spoolRefused, spoolForwarded, fallback, deadLetterRule, threshold,
        thresholdChanges, anomalyScore, lag,
        spansStarted, spansSampled, spansNotSampled, spansKept, samplingRatio,
        spansExported, spansDropped, spansQueued, spansInFlight,
        exportTime, exportBytes, guardRecords,
        buildInfo, logLinesSuppressed, processCPU, processResidentMemory, processOpenDescriptors, processStartTime,
    ]

    private static let system = "messaging_system"
    private static let operationName = "messaging_operation_name"
    private static let destination = "messaging_destination_name"
    private static let group = "messaging_consumer_group_name"
    private static let errorType = "error_type"
    private static let serverAddress = "server_address"
    private static let serverPort = "server_port"
    private static let listener = "listener"
    private static let direction = "direction"
    private static let guardLabels = [listener, "operation", destination, group]
    private static let reason = "reason"
    private static let projection = "projection"
}

/// Bucket bounds in nanoseconds, written in the largest unit in which they are whole.
private enum Bounds {
    /// 5 ms to 10 s: semantic conventions 1.44, messaging-metrics.
    static let messaging = milliseconds(5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000)

    /// 1 ms to 10 s: semantic conventions 1.44, database-metrics.
    static let database = milliseconds(1, 5, 10, 50, 100, 500, 1000, 5000, 10_000)

    /// 1 us to 100 ms, where the cost of passing through us lies.
    static let proxy: [UInt64] =
        [1000, 2500] + microseconds(5, 10, 25, 50, 100, 250, 500, 1000, 2500) + milliseconds(5, 10, 25, 50, 100)

    /// 100 us to 1 h: a message may wait for as long as its consumer is down.
    static let queue: [UInt64] =
        microseconds(100, 250, 500, 1000, 2500) + milliseconds(5, 10, 25, 50, 100, 250, 500, 1000, 2500)
        + seconds(5, 10, 30, 60, 300, 900, 3600)

    /// 1 ms to 1 h: from clocks that are kept by NTP to those that nobody has set.
    static let skew: [UInt64] = milliseconds(1, 5, 10, 50, 100, 500) + seconds(1, 5, 30, 300, 3600)

    /// 1 ms to 30 s, three times what a request may take by default.
    static let export: [UInt64] =
        microseconds(1000, 2500) + milliseconds(5, 10, 25, 50, 100, 250, 500, 1000, 2500) + seconds(5, 10, 30)

    private static func microseconds(_ values: UInt64...) -> [UInt64] { values.map { $0 * 1000 } }
    private static func milliseconds(_ values: UInt64...) -> [UInt64] { values.map { $0 * 1_000_000 } }
    private static func seconds(_ values: UInt64...) -> [UInt64] { values.map { $0 * 1_000_000_000 } }
}
