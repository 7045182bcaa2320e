"""What Jaeger's map and its Monitor tab are made from: spans of the bus itself, and span metrics."""

import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

STREAM, GROUP = "orders", "workers"
ON = {"TACHO_TRACING_BUS_SPANS": "on"}


@pytest.fixture
def mapped(world, redis_server, receiver):
    return world.tacho(redis_server, receiver, environment=ON)


def edges(view):
    """service(parent) -> service(child), as Jaeger's memory store counts them: parents only, links ignored."""
    by_id = {(span.trace_id, span.span_id): span for span in view.spans}
    found = set()
    for span in view.spans:
        parent = by_id.get((span.trace_id, span.parent_id))
        if parent is not None:
            found.add((parent.resource["service.name"], span.resource["service.name"]))
    return found


def deliver(client, direct, count=1):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    ids = [client.xadd(STREAM, {"n": str(number)}) for number in range(count)]
    client.xreadgroup(GROUP, "alice", {STREAM: ">"})
    client.xack(STREAM, GROUP, *ids)
    return ids


def test_the_bus_stands_between_producer_and_consumer(receiver, mapped, direct):
    [message_id] = deliver(mapped.client(), direct)
    view = receiver.wait_for_names("xadd orders", "queue orders", "process orders", "xack orders")
    published, queued, processed = (view.one(f"{name} orders") for name in ("xadd", "queue", "process"))
    assert {published.trace_id} == {queued.trace_id} == {processed.trace_id}
    assert queued.parent_id == published.span_id and processed.parent_id == queued.span_id
    assert (published.kind, queued.kind, processed.kind) == ("PRODUCER", "PRODUCER", "CONSUMER")
    assert queued.resource["service.name"] == "redis:orders"
    assert queued.resource["host.name"] == published.resource["host.name"]
    assert queued["messaging.message.id"] == message_id
    assert "messaging.operation.type" not in queued.attributes
    # The bar is the time in the queue, to the nanosecond that the attribute has.
    assert abs((queued.end - queued.start) / 1e9 - processed["tacho.queue.seconds"]) < 1e-6
    assert queued.end == processed.start
    # The publishing span stays linked, for those who follow links.
    assert processed.links_to(published)
    assert {("shop", "redis:orders"), ("redis:orders", "shop")} <= edges(view)


def test_each_message_of_a_batch_has_its_wait(receiver, mapped, direct):
    deliver(mapped.client(), direct, count=5)
    view = receiver.wait_for(5 + 1 + 5 + 5 + 1)
    assert len([span for span in view.spans if span.name == "queue orders"]) == 5
    parents = {span.span_id: span.name for span in view.spans}
    assert {parents[span.parent_id] for span in view.spans if span.name == "process orders"} == {"queue orders"}


def test_a_second_delivery_did_not_wait_in_the_queue(receiver, mapped, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    client = mapped.client()
    message_id = client.xadd(STREAM, {"n": "1"})
    client.xreadgroup(GROUP, "alice", {STREAM: ">"})
    client.xclaim(STREAM, GROUP, "bob", 0, [message_id])
    client.xack(STREAM, GROUP, message_id)
    view = receiver.wait_for_names("xadd orders", "queue orders", "xclaim orders", "xack orders")
    assert len([span for span in view.spans if span.name == "queue orders"]) == 1
    first, second = sorted((span for span in view.spans if span.name == "process orders"), key=lambda span: span.start)
    assert (first["tacho.delivery.attempt"], second["tacho.delivery.attempt"]) == (1, 2)
    assert second.parent_id == view.one("xadd orders").span_id


def test_an_unsampled_message_leaves_no_span_of_the_bus(world, redis_server, receiver, direct):
    tacho = world.tacho(redis_server, receiver, environment=ON | {"OTEL_TRACES_SAMPLER": "parentbased_always_off"})
    deliver(tacho.client(), direct)
    seen = tacho.wait_for_metric("tacho_spans_not_sampled_total", lambda got: got >= 4)
    assert seen.sum("tacho_spans_sampled_total") == 0


def test_the_monitor_tab_counts_every_message(world, redis_server, receiver, direct):
    tacho = world.tacho(redis_server, receiver, environment=ON | {"OTEL_TRACES_SAMPLER": "parentbased_always_off"})
    client = tacho.client()
    deliver(client, direct, count=10)
    direct.set("text", "1")
    with pytest.raises(Exception, match="WRONGTYPE"):
        client.xadd("text", {"n": "1"})
    with urllib.request.urlopen(f"http://{tacho.http}/metrics/spm", timeout=60) as answer:
        families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    calls = {tuple(sample.labels[name] for name in ("service_name", "span_name", "span_kind", "status_code")):
             sample.value for sample in families["traces_span_metrics_calls"].samples}
    assert calls[("shop", "xadd orders", "SPAN_KIND_PRODUCER", "STATUS_CODE_UNSET")] == 10
    assert calls[("shop", "process orders", "SPAN_KIND_CONSUMER", "STATUS_CODE_UNSET")] == 10
    assert calls[("shop", "xack orders", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET")] == 1
    assert calls[("shop", "xadd text", "SPAN_KIND_PRODUCER", "STATUS_CODE_ERROR")] == 1
    buckets = [sample for sample in families["traces_span_metrics_duration_milliseconds"].samples
               if sample.name.endswith("_bucket") and sample.labels["span_name"] == "process orders"]
    assert buckets[-1].labels["le"] == "+Inf" and buckets[-1].value == 10
