"""Decoded spans, flattened and indexed the way a test wants to ask about them."""

from collections import defaultdict
from dataclasses import dataclass

KINDS = {0: "UNSPECIFIED", 1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
STATUSES = {0: "UNSET", 1: "OK", 2: "ERROR"}


@dataclass(frozen=True)
class Link:
    trace_id: str
    span_id: str
    attributes: dict

    @property
    def context(self):
        return (self.trace_id, self.span_id)


@dataclass(frozen=True)
class Event:
    """Something that happened within a span."""

    name: str
    attributes: dict


@dataclass(frozen=True)
class Span:
    """One span with the resource and scope it arrived under. Ids are lowercase hex; no parent is the empty text."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start: int
    end: int
    attributes: dict
    attribute_keys: tuple
    links: tuple
    events: tuple
    status: str
    message: str
    flags: int
    trace_state: str
    resource: dict
    scope: str
    schema_url: str

    @property
    def context(self):
        return (self.trace_id, self.span_id)

    def __getitem__(self, key):
        assert key in self.attributes, f"{self.name} has no {key}: {self.attributes}"
        return self.attributes[key]

    def get(self, key, otherwise=None):
        return self.attributes.get(key, otherwise)

    def links_to(self, other):
        return other.context in [link.context for link in self.links]


class TraceView:
    """Spans by name and by trace."""

    def __init__(self, spans):
        self.spans = list(spans)
        self.traces = defaultdict(list)
        for span in self.spans:
            self.traces[span.trace_id].append(span)

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def one(self, name):
        found = self.named(name)
        assert len(found) == 1, f"{len(found)} spans named {name!r} instead of one:\n{self}"
        return found[0]

    def with_message(self, name, message_id):
        """The spans of that name about one message."""
        return [span for span in self.named(name) if span.get("messaging.message.id") == message_id]

    def children(self, parent):
        return [span for span in self.traces[parent.trace_id] if span.parent_id == parent.span_id]

    def roots(self, trace_id):
        known = {span.span_id for span in self.traces[trace_id]}
        return [span for span in self.traces[trace_id] if span.parent_id not in known]

    def tree(self, trace_id):
        """The trace as indented text, children in order of their start."""
        lines = []

        def write(span, depth):
            links = "".join(f" ~{link.span_id[:4]}" for link in span.links)
            lines.append(f"{'  ' * depth}{span.name} [{span.kind} {span.span_id[:4]}]{links} {span.status}")
            for child in sorted(self.children(span), key=lambda each: each.start):
                write(child, depth + 1)

        for root in sorted(self.roots(trace_id), key=lambda each: each.start):
            write(root, 0)
        return "\n".join(lines)

    def __str__(self):
        shown = list(self.traces)[:20]
        text = "\n".join(f"trace {trace_id}\n{self.tree(trace_id)}" for trace_id in shown)
        more = len(self.traces) - len(shown)
        return (text or "(no spans)") + (f"\n... and {more} more traces" if more > 0 else "")


def _value(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


def _attributes(pairs):
    return {pair.key: _value(pair.value) for pair in pairs}


def spans_of(request):
    """All spans of an ExportTraceServiceRequest."""
    found = []
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                found.append(Span(
                    trace_id=span.trace_id.hex(), span_id=span.span_id.hex(), parent_id=span.parent_span_id.hex(),
                    name=span.name, kind=KINDS.get(span.kind, str(span.kind)),
                    start=span.start_time_unix_nano, end=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    attribute_keys=tuple(pair.key for pair in span.attributes),
                    links=tuple(Link(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
                                for link in span.links),
                    events=tuple(Event(event.name, _attributes(event.attributes)) for event in span.events),
                    status=STATUSES.get(span.status.code, str(span.status.code)), message=span.status.message,
                    flags=span.flags, trace_state=span.trace_state, resource=resource,
                    scope=scope_spans.scope.name,
                    schema_url=scope_spans.schema_url or resource_spans.schema_url))
    return found
