"""What each dashboard asks, and what the answer means. generate.py turns this into what Grafana reads.

In an expression, `{}` stands for the selection of job and instance, `{$d}` also for that of the destination; further
matchers may follow behind a comma. `limits` are where a number turns orange and red, or red.
"""

_INSTANCE = 'job=~"$job",instance=~"$instance"'
SELECTORS = {"": _INSTANCE, "$d": _INSTANCE + ',messaging_destination_name=~"$destination"'}

_RATE = "[$__rate_interval]"
_DESTINATION = ("destination", "Destination",
                "label_values(messaging_client_operation_duration_seconds_count{}, messaging_destination_name)")


def row(title):
    return {"type": "row", "title": title}


def stat(title, text, unit, expression, **more):
    return {"type": "stat", "title": title, "text": text, "unit": unit, "queries": [(expression, title)], **more}


def graph(title, text, unit, *queries, **more):
    return {"type": "timeseries", "title": title, "text": text, "unit": unit, "queries": list(queries), **more}


def heatmap(title, text, unit, expression, **more):
    return {"type": "heatmap", "title": title, "text": text, "unit": unit, "queries": [(expression, "{{le}}")], **more}


def quantile(share, metric, select="{$d}", by=""):
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{select}{_RATE})))"


def rate(metric, select="{}", by=""):
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{select}{_RATE}))"


def failing(select):
    """The rate of what matches; zero while nothing of the kind has happened."""
    return f"({select} or vector(0))"


_SENT, _CONSUMED = "messaging_client_sent_messages_total", "messaging_client_consumed_messages_total"
_OPERATION, _PROCESS = "messaging_client_operation_duration_seconds", "messaging_process_duration_seconds"
_NAME, _GROUP = "messaging_destination_name", "messaging_consumer_group_name"
_GLANCE = [
    stat("Published", "Messages per second that producers attempted to send.", "mps", rate(_SENT, "{$d}")),
    stat("Delivered", "Messages per second that consumers were given, each delivery counted.", "mps",
         rate(_CONSUMED, "{$d}")),
    stat("Failed publishes", "Share of the published messages that the broker refused or never answered.",
         "percentunit", failing(rate(_SENT, '{$d,error_type!=""}')) + " / " + rate(_SENT, "{$d}"),
         limits=(0.001, 0.01)),
    stat("Publish, p95", "Time from a publish to the broker's answer.", "s",
         quantile(0.95, _OPERATION, '{$d,messaging_operation_type="send"}'), limits=(0.1, 1)),
    stat("Queue time, p95", "Time from publish to delivery.", "s", quantile(0.95, "tacho_queue_seconds"),
         limits=(1, 10)),
    stat("Time in the sidecar, p99", "What the sidecar adds to a command or a reply.", "s",
         quantile(0.99, "tacho_proxy_seconds", "{}"), limits=(0.001, 0.01)),
]

FLEET = {
    "file": "fleet", "uid": "tachograph-fleet", "title": "Fleet",
    "text": "Rate, errors and duration of every destination, and what the sidecars themselves add.",
    "variables": [_DESTINATION],
    "panels": [
        row("At a glance"), *_GLANCE,
        row("Rate"),
        graph("Published by destination", "Messages per second that producers attempted to send.", "mps",
              (rate(_SENT, "{$d}", _NAME), f"{{{{{_NAME}}}}}")),
        graph("Delivered by destination and group", "Messages per second given to consumers; redeliveries count.",
              "mps", (rate(_CONSUMED, "{$d}", f"{_NAME}, {_GROUP}"), f"{{{{{_NAME}}}}} {{{{{_GROUP}}}}}")),
        graph("Commands that are not messages", "The ten busiest commands that neither publish nor consume.", "ops",
              ("topk(10, " + rate("db_client_operation_duration_seconds_count", "{}", "db_operation_name") + ")",
               "{{db_operation_name}}")),
        row("Errors"),
        graph("Failed operations by error", "By what the broker said, or how the connection ended.", "ops",
              (rate(f"{_OPERATION}_count", '{$d,error_type!=""}', "messaging_operation_name, error_type"),
               "{{messaging_operation_name}} {{error_type}}")),
        graph("Upstream failures", "Connections to the broker that could not be opened or were lost.", "cps",
              (rate("tacho_upstream_failures_total", "{}", "listener, reason"), "{{listener}} {{reason}}")),
        graph("Sessions not understood", "Sessions whose bytes pass untouched from here on, without spans.", "cps",
              (rate("tacho_sessions_opaque_total", "{}", "listener, reason"), "{{listener}} {{reason}}")),
        row("Duration"),
        graph("Operation duration", "Publishing, receiving and settling. The dots are traced messages.", "s",
              (quantile(0.5, _OPERATION), "p50"), (quantile(0.95, _OPERATION), "p95"),
              (quantile(0.99, _OPERATION), "p99")),
        graph("Publish duration by destination, p95", "Time from a publish to the broker's answer.", "s",
              (quantile(0.95, _OPERATION, '{$d,messaging_operation_type="send"}', _NAME), f"{{{{{_NAME}}}}}")),
        graph("Queue time by destination and group, p95", "Time from publish to delivery.", "s",
              (quantile(0.95, "tacho_queue_seconds", by=f"{_NAME}, {_GROUP}"),
               f"{{{{{_NAME}}}}} {{{{{_GROUP}}}}}")),
        graph("Lag by destination and group",
              "Messages that wait for their consumers: as the broker tells, or rate times queue time.", "short",
              (f"max by ({_NAME}, {_GROUP}) (tacho_lag_messages{{$d}})", f"{{{{{_NAME}}}}} {{{{{_GROUP}}}}}")),
        row("What the sidecars add"),
        heatmap("Time in the sidecar", "From the arrival of bytes to their departure.", "s",
                rate("tacho_proxy_seconds_bucket", "{}", "le"), width=12),
        graph("Connections", "Client connections that are open.", "short",
              ("sum by (listener) (tacho_connections{})", "{{listener}}"), width=6),
        graph("Bytes passed on", "To the broker and back.", "Bps",
              (rate("tacho_forwarded_bytes_total", "{}", "listener, direction"), "{{listener}} {{direction}}"),
              width=6),
    ],
}

LIFE = {
    "file": "message-life", "uid": "tachograph-message-life", "title": "Message life",
    "text": "From publish over the queue and the consumer to the acknowledgement, with what goes wrong on the way.",
    "variables": [_DESTINATION],
    "panels": [
        row("Publish"),
        heatmap("Publish duration", "Every publish by the time until the broker's answer. The dots are traces.", "s",
                rate(f"{_OPERATION}_bucket", '{$d,messaging_operation_type="send"}', "le"), width=12),
        graph("Context written into messages",
              "Messages that were given a trace context, and why others were not.", "mps",
              (rate("tacho_injected_messages_total"), "given a context"),
              (rate("tacho_not_injected_messages_total", "{}", "reason"), "left alone: {{reason}}"),
              (rate("tacho_stripped_messages_total"), "removed for consumers"), width=12),
        row("Queue"),
        heatmap("Time from publish to delivery", "Every delivered message by its wait on the bus. The dots are traces.",
                "s", rate("tacho_queue_seconds_bucket", "{$d}", "le"), width=12),
        graph("Queue time by destination and group", "p95. A growing line means consumers fall behind.", "s",
              (quantile(0.95, "tacho_queue_seconds", by=f"{_NAME}, {_GROUP}"),
               f"{{{{{_NAME}}}}} {{{{{_GROUP}}}}}"), width=12),
        row("Process"),
        graph("Processing duration by group, p95", "From delivery to acknowledgement, seen from outside.", "s",
              (quantile(0.95, _PROCESS, by=_GROUP), f"{{{{{_GROUP}}}}}")),
        graph("Delivered and acknowledged", "Where the first stays above the second, work is left undone.", "mps",
              (rate(_CONSUMED, "{$d}"), "delivered"), (rate(f"{_PROCESS}_count", "{$d}"), "acknowledged")),
        graph("Open deliveries", "Deliveries that wait for their acknowledgement.", "short",
              ("sum by (instance) (tacho_deliveries_open{})", "{{instance}}")),
        row("Settle, redeliver, give up"),
        graph("Acknowledgement duration, p95", "Time from an acknowledgement to the broker's answer.", "s",
              (quantile(0.95, _OPERATION, '{$d,messaging_operation_type="settle"}', _GROUP), f"{{{{{_GROUP}}}}}")),
        graph("Redeliveries", "Messages delivered again before they were acknowledged.", "mps",
              (rate("tacho_redeliveries_total", "{$d}", f"{_NAME}, {_GROUP}"),
               f"{{{{{_NAME}}}}} {{{{{_GROUP}}}}}")),
        graph("Dead letters", "Messages given up, by why.", "mps",
              (rate("tacho_dead_letters_total", "{$d}", f"{_NAME}, reason"), f"{{{{{_NAME}}}}} {{{{reason}}}}")),
        graph("Clocks that run ahead, p95", "By how much messages seem to arrive before they were sent.", "s",
              (quantile(0.95, "tacho_clock_skew_seconds", by=_NAME), f"{{{{{_NAME}}}}}")),
        graph("Deliveries given up", "No acknowledgement was seen in time, or the table was full.", "cps",
              (rate("tacho_deliveries_evicted_total", "{}", "reason"), "{{reason}}")),
    ],
}

SELF = {
    "file": "sidecar", "uid": "tachograph-sidecar", "title": "Tachograph itself",
    "text": "Whether the sidecar keeps up: span accounts, export, memory, and sessions it does not understand.",
    "panels": [
        row("At a glance"),
        stat("Sidecars", "Processes that are scraped.", "short", "count(tacho_build_info{})"),
        stat("Spans lost", "Sampled spans that no collector will ever see.", "cps",
             failing(rate("tacho_spans_dropped_total")), limits=(0.001,)),
        stat("Spans waiting", "Spans in the queue and in requests under way.", "short",
             "sum(tacho_spans_queued{}) + sum(tacho_spans_in_flight{})", limits=(20_000, 50_000)),
        stat("Processor", "Cores in use by all sidecars.", "short", rate("process_cpu_seconds_total")),
        stat("Memory", "Resident memory of the largest sidecar.", "bytes",
             "max(process_resident_memory_bytes{})", limits=(134_217_728, 536_870_912)),
        stat("Up for", "Since the youngest sidecar started.", "s",
             "time() - max(process_start_time_seconds{})"),
        row("Span accounts"),
        graph("Started = sampled + not sampled", "Every span begun is one of the two.", "cps",
              (rate("tacho_spans_started_total"), "started"), (rate("tacho_spans_sampled_total"), "sampled"),
              (rate("tacho_spans_not_sampled_total"), "not sampled")),
        graph("Sampled = exported + dropped + waiting", "Every sampled span is one of the three.", "cps",
              (rate("tacho_spans_exported_total"), "exported"),
              (rate("tacho_spans_dropped_total", "{}", "reason"), "dropped: {{reason}}")),
        graph("Waiting for the collector", "Grows while the collector is slow or away; bounded.", "short",
              ("sum(tacho_spans_queued{})", "queued"), ("sum(tacho_spans_in_flight{})", "in flight")),
        row("Sampling"),
        graph("Kept, by reason", "Why the traces of kept spans were kept.", "cps",
              (rate("tacho_spans_kept_total", "{}", "reason"), "{{reason}}"), width=12),
        graph("Share of traces kept", "Per destination where traces begin; adapted to the budget.", "percentunit",
              (f"avg by ({_NAME}) (tacho_sampling_ratio{{}})", f"{{{{{_NAME}}}}}"), width=12),
        row("Export"),
        graph("Export requests, p95", "Duration of requests to the collector, by how they ended.", "s",
              (quantile(0.95, "tacho_export_seconds", "{}", "outcome"), "{{outcome}}")),
        graph("Export volume", "Bytes of request bodies.", "Bps", (rate("tacho_export_bytes_total"), "sent")),
        graph("Log lines withheld", "By the rate limit of the log.", "cps",
              (rate("tacho_log_lines_suppressed_total"), "withheld")),
        row("Sessions"),
        graph("Connections", "Open now.", "short",
              ("sum by (listener) (tacho_connections{})", "{{listener}}")),
        graph("Connections accepted", "New client connections per second.", "cps",
              (rate("tacho_connections_accepted_total", "{}", "listener"), "{{listener}}")),
        graph("WebSockets", "Open on the embedded log.", "short", ("sum(tacho_sockets{})", "open")),
        graph("Not understood, not edited", "Sessions that turned opaque, and frames that passed unedited.", "cps",
              (rate("tacho_sessions_opaque_total", "{}", "listener, reason"), "opaque: {{listener}} {{reason}}"),
              (rate("tacho_unedited_frames_total", "{}", "reason"), "unedited: {{reason}}")),
        row("Process"),
        graph("Processor", "Cores in use.", "short",
              (rate("process_cpu_seconds_total", "{}", "instance"), "{{instance}}")),
        graph("Memory", "Resident.", "bytes",
              ("sum by (instance) (process_resident_memory_bytes{})", "{{instance}}")),
        graph("File descriptors", "Open: two for each session, and a few.", "short",
              ("sum by (instance) (process_open_fds{})", "{{instance}}")),
    ],
}

_KEY = f"operation, {_NAME}, {_GROUP}"
_KEY_LEGEND = f"{{{{operation}}}} {{{{{_NAME}}}}} {{{{{_GROUP}}}}}"
_STATES = ((0, "closed", "green"), (1, "half-open", "orange"), (2, "open", "red"))


def learned_and_applied(title, text, unit, parameter):
    """What was learned beside what acts: they part in shadow, on trial, and at the operator's bounds."""
    return graph(title, text, unit,
                 (f'max by ({_KEY}) (tacho_threshold{{$d,parameter="{parameter}",kind="applied"}})',
                  f"applied: {_KEY_LEGEND}"),
                 (f'max by ({_KEY}) (tacho_threshold{{$d,parameter="{parameter}",kind="learned"}})',
                  f"learned: {_KEY_LEGEND}"), steps=True)


BREAKERS = {
    "file": "breakers", "uid": "tachograph-breakers", "title": "Breakers and thresholds",
    "text": "What the circuit breakers do, what they have learned, and why. Every change of a threshold is marked.",
    "variables": [_DESTINATION],
    "annotations": [
        ("Threshold changed", "blue", f"sum by ({_KEY}, parameter, direction) "
         "(changes(tacho_threshold_changes_total{$d}[15s])) > 0", "{{parameter}}: {{direction}}", _KEY_LEGEND),
        ("Breaker", "red", f"sum by ({_KEY}, from, to) (changes(tacho_breaker_transitions_total{{$d}}[15s])) > 0",
         "{{from}} to {{to}}", _KEY_LEGEND),
    ],
    "panels": [
        row("At a glance"),
        stat("Worst state", "The state of the breaker that is worst off.", "short",
             "max(tacho_breaker_state{$d})", words=_STATES, limits=(1, 2)),
        stat("Not closed", "Breakers that are open or half-open.", "short",
             "sum(tacho_breaker_state{$d} > bool 0)", limits=(1,)),
        stat("Rejected", "Calls that were answered by a breaker and not by the broker.", "ops",
             failing(rate("tacho_breaker_rejected_total", "{$d}")), limits=(0.001,)),
        stat("Would have been rejected", "Calls that breakers in shadow let pass and would have refused.", "ops",
             failing(rate("tacho_breaker_would_reject_total", "{$d}"))),
        stat("Worst anomaly", "The highest score of detector B; from 0.8 on it warns and thresholds freeze.", "short",
             'max(tacho_anomaly_score{$d,signal=~"failures|latency|queue_time"})', limits=(0.26, 0.8)),
        stat("Threshold changes", "Per minute, of all breakers.", "cpm",
             failing(rate("tacho_threshold_changes_total", "{$d}")) + " * 60"),
        row("State"),
        graph("State", "0 closed, 1 half-open, 2 open.", "short",
              (f"max by ({_KEY}) (tacho_breaker_state{{$d}})", _KEY_LEGEND), steps=True, width=12),
        graph("Changes of state", "Per second, by what became what.", "cps",
              (rate("tacho_breaker_transitions_total", "{$d}", "from, to"), "{{from}} to {{to}}"), width=12),
        graph("Rejected, and what shadow would reject", "Calls per second.", "ops",
              (rate("tacho_breaker_rejected_total", "{$d}", _KEY), _KEY_LEGEND),
              (rate("tacho_breaker_would_reject_total", "{$d}", _KEY), f"shadow: {_KEY_LEGEND}"), width=12),
        graph("Calls by how they ended", "As the guards saw them.", "ops",
              (rate("tacho_guarded_calls_total", "{$d}", "outcome"), "{{outcome}}"), width=12),
        row("Thresholds, learned and applied"),
        learned_and_applied("Failure share that opens", "Of the calls of the window.", "percentunit", "failure_rate"),
        learned_and_applied("A call is slow from", "The usual latency and its tail, with a margin.", "s",
                            "slow_call_seconds"),
        learned_and_applied("Slow share that opens", "Of the calls of the window.", "percentunit", "slow_call_rate"),
        learned_and_applied("Window", "The calls of so long are looked at together.", "s", "window_seconds"),
        learned_and_applied("Calls before anything is decided", "In the window.", "short", "minimum_calls"),
        learned_and_applied("Open time", "The longest wait between two probes; shorter while the outage is young.", "s",
                            "open_seconds"),
        row("Why"),
        graph("Anomaly scores", "Detector B, 0 to 1: each against the stream's own range so far.", "short",
              (f'max by ({_KEY}, signal) (tacho_anomaly_score{{$d,signal=~"failures|latency|queue_time"}})',
               f"{{{{signal}}}}: {_KEY_LEGEND}")),
        graph("Deviations from the usual", "Detector A, in standard deviations: of the last second, or of ten for what is no call.", "short",
              (f'max by ({_KEY}, signal) (tacho_anomaly_score{{$d,signal=~".*_deviation"}})',
               f"{{{{signal}}}}: {_KEY_LEGEND}"), zero=False),
        graph("Calls under way", "Guarded calls that wait for their answer.", "short",
              (f"sum by ({_KEY}) (tacho_guarded_calls_in_flight{{$d}})", _KEY_LEGEND)),
        graph("Threshold changes", "Per second, by parameter and reason.", "cps",
              (rate("tacho_threshold_changes_total", "{$d}", "parameter, direction, reason"),
               "{{parameter}} {{direction}} ({{reason}})"), width=16),
        graph("Lag", "Messages that wait for their consumers: as the broker tells, or rate times queue time.", "short",
              (f"max by ({_KEY}) (tacho_lag_messages{{$d}})", _KEY_LEGEND)),
        row("Spool"),
        graph("Messages in the spool", "Published while a breaker was open or the broker away; sent on in order.", "short",
              ("sum by (listener) (tacho_spool_messages{})", "{{listener}}")),
        graph("Oldest in the spool", "For how long the first of them has been waiting.", "s",
              ("max by (listener) (tacho_spool_age_seconds{})", "{{listener}}")),
        graph("Set aside by the spool", "Kept until somebody redrives or purges them: `tacho spool`.", "short",
              ("sum by (listener) (tacho_spool_set_aside_messages{})", "{{listener}}")),
    ],
}

BOARDS = [FLEET, LIFE, BREAKERS, SELF]
