"""The rules by which Jaeger draws a trace, and the conventions' rules for a span, as checks on what was exported.

`problems(view)` returns one line per breach. Contexts that the application made itself are given in `external`:
their spans are in nobody's export here, so they count as present.
"""

import re

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
SYSTEMS = {"redis", "nats", "tachograph"}
TYPES = {"create", "send", "receive", "process", "settle"}
KIND_OF_TYPE = {"send": {"PRODUCER", "CLIENT"}, "create": {"PRODUCER"}, "receive": {"CLIENT"},
                "process": {"CONSUMER"}, "settle": {"CLIENT"}}
DEAD = {"messaging.operation", "messaging.client_id", "messaging.kafka.consumer.group",
        "messaging.kafka.destination.partition", "messaging.kafka.message.offset", "messaging.message_id",
        "messaging.conversation_id", "messaging.destination", "messaging.destination_kind", "messaging.url",
        "net.peer.name", "net.peer.port", "net.peer.ip", "db.system", "db.statement", "db.operation"}
DEAD_PREFIXES = ("messaging.destination_publish.", "messaging.redis.")


def problems(view, external=()):
    external = set(external)
    found = []
    for span in view.spans:
        found += [f"{span.name} {span.span_id}: {problem}" for problem in _of_span(span)]
    for trace_id in view.traces:
        found += [f"trace {trace_id}: {problem}" for problem in _of_trace(view, trace_id, external)]
    hosts = {span.resource.get("host.name") for span in view.spans}
    if view.spans and (len(hosts) != 1 or not all(hosts)):
        found.append(f"one host.name on every resource is expected, found {hosts}")
    return found


def _of_span(span):
    operation, kind_of = span.get("messaging.operation.name"), span.get("messaging.operation.type")
    destination = span.get("messaging.destination.template") or span.get("messaging.destination.name") or ""
    if not re.fullmatch("[0-9a-f]{32}", span.trace_id) or int(span.trace_id, 16) == 0:
        yield f"bad trace id {span.trace_id!r}"
    if not re.fullmatch("[0-9a-f]{16}", span.span_id) or int(span.span_id, 16) == 0:
        yield f"bad span id {span.span_id!r}"
    if span.parent_id == span.span_id:
        yield "is its own parent"
    if span.name != f"{operation} {destination}".rstrip(" ") and span.name != f"{operation} {destination}":
        yield f"the name is not '{operation} {destination}'"
    if operation in ("queue", "route"):
        # The bus's own span, or that of a server of it: no operation of a client, so of no type.
        if kind_of is not None or span.kind != "PRODUCER" or not span.resource["service.name"].startswith(tuple(SYSTEMS)):
            yield f"a span of the bus with type {kind_of!r}, kind {span.kind}"
    elif operation == "dead_letter":
        # What a broker says of a message long after its last delivery, under that; or the move that the sidecar itself
        # makes.
        if (kind_of, span.kind) != ("settle", "CLIENT") and (
                kind_of is not None or span.kind != "INTERNAL" or not span.parent_id):
            yield f"a dead letter with type {kind_of!r}, kind {span.kind}"
    elif operation == "tune":
        # A guard's own span: no operation of a client, and nothing but its events.
        if kind_of is not None or span.kind != "INTERNAL" or span.parent_id:
            yield f"a span of a guard with type {kind_of!r}, kind {span.kind}"
    elif kind_of not in TYPES:
        yield f"operation type {kind_of!r}"
    elif span.kind not in KIND_OF_TYPE[kind_of]:
        yield f"kind {span.kind} with operation type {kind_of}"
    if span.get("messaging.system") not in SYSTEMS:
        yield f"messaging.system is {span.get('messaging.system')!r}"
    if not span.get("server.address"):
        yield "no server.address"
    for key in span.attribute_keys:
        if key in DEAD or key.startswith(DEAD_PREFIXES):
            yield f"dead attribute name {key}"
    if len(set(span.attribute_keys)) != len(span.attribute_keys):
        yield f"an attribute appears twice in {span.attribute_keys}"
    if "network.peer.port" in span.attributes and "network.peer.address" not in span.attributes:
        yield "network.peer.port without network.peer.address"
    if span.get("peer.service") != span.get("service.peer.name"):
        yield "peer.service and service.peer.name differ"
    if "messaging.batch.message_count" in span.attributes and "messaging.message.id" in span.attributes:
        yield "a batch count and a message id on one span"
    if (span.status == "ERROR") != ("error.type" in span.attributes):
        yield f"status {span.status} with error.type {span.get('error.type')!r}"
    if span.status == "OK":
        yield "status OK is the application's word; success stays unset"
    if span.end < span.start:
        yield f"ends {span.start - span.end} ns before it starts"
    if not span.flags & 0x01:
        yield f"exported without the sampled flag ({span.flags:#x})"
    if span.flags & ~0x3ff:
        yield f"unknown flag bits ({span.flags:#x})"
    if span.schema_url != SCHEMA:
        yield f"schema url {span.schema_url!r}"
    if not span.resource.get("service.name"):
        yield "no service.name"


def _of_trace(view, trace_id, external):
    spans = {}
    for span in view.traces[trace_id]:
        if spans.get(span.span_id, span) != span:
            yield f"two different spans share the id {span.span_id}"
        spans[span.span_id] = span
    roots = []
    for span in spans.values():
        if not span.parent_id:
            roots.append(span)
        elif span.parent_id in spans:
            parent = spans[span.parent_id]
            # Who asks waits for the answer: that edge does block.
            is_asked = parent.kind == "CLIENT" and parent.get("messaging.operation.name") == "request"
            if span.kind == "CONSUMER" and parent.kind != "PRODUCER" and not is_asked:
                yield f"{span.name} (CONSUMER) hangs under {parent.name} ({parent.kind}), not under a PRODUCER"
            if parent.kind == "CONSUMER" and span.kind == "PRODUCER" and span.start < parent.start:
                yield f"{span.name} began before {parent.name}, which it hangs under"
        elif (trace_id, span.parent_id) not in external:
            yield f"{span.name} is an orphan: parent {span.parent_id} is not there"
    outside = any((trace_id, span.parent_id) in external for span in spans.values())
    if len(roots) != (0 if outside else 1):
        yield f"{len(roots)} roots: {[span.name for span in roots]}"
    for span in spans.values():
        seen = set()
        while span is not None and span.span_id not in seen:
            seen.add(span.span_id)
            span = spans.get(span.parent_id)
        if span is not None:
            yield f"a circle of parents through {span.name}"
            return
