"""Spans reach the collector, whatever the collector does, and the account of them closes at every look."""

import os
import threading
import time

import pytest

from harness import Answer, wait_for
from harness.log_files import Closing

STREAM = "orders"
OUTAGE_SECONDS = float(os.environ.get("TACHO_E2E_OUTAGE_SECONDS", "20"))


class Auditor:
    """Scrapes all the time; every scrape's account must close."""

    def __init__(self, tacho):
        self.tacho = tacho
        self.looks = 0
        self.failure = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def _run(self):
        while not self._stop.is_set():
            try:
                self.tacho.metrics().assert_ledger_closes()
                self.looks += 1
            except Exception as failure:  # noqa: BLE001  (told to the test's own thread)
                self.failure = failure
                return
            self._stop.wait(0.03)

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)
        if self.failure is not None:
            raise self.failure
        assert self.looks > 0


def publish(app, count, stream=STREAM):
    pipeline = app.pipeline(transaction=False)
    for number in range(count):
        pipeline.xadd(stream, {"n": number})
    return pipeline.execute()


def ids_of(view, stream=STREAM):
    return [span["messaging.message.id"] for span in view.named(f"xadd {stream}")]


def test_the_request_is_what_collectors_expect(receiver, tacho, app):
    app.xadd(STREAM, {"n": "1"})
    receiver.wait_for(1)
    request = receiver.requests[0]
    headers = {key.lower(): text for key, text in request.headers.items()}
    assert request.path == "/v1/traces"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["user-agent"].startswith("tacho/") and "OTel-OTLP-Exporter-" in headers["user-agent"]
    assert "expect" not in headers and "content-encoding" not in headers
    [span] = receiver.view().spans
    assert span.scope
    assert span.resource["service.name"] == "shop"
    assert span.resource["telemetry.distro.name"]


def test_the_environment_names_service_and_resource(world, redis_server, receiver):
    tacho = world.tacho(redis_server, receiver, service=None, environment={
        "OTEL_SERVICE_NAME": "till", "OTEL_RESOURCE_ATTRIBUTES":
            "service.name=loses,deployment.environment.name=test,team=a%2Cb"})
    tacho.client().xadd(STREAM, {"n": "1"})
    [span] = receiver.wait_for(1).spans
    assert span.resource["service.name"] == "till"
    assert span.resource["deployment.environment.name"] == "test"
    assert span.resource["team"] == "a,b"


def test_the_environment_names_the_collector(world, redis_server, receiver):
    tacho = world.tacho(redis_server, receiver, otlp_flag=False, environment={
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url + "/prefix", "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=blue",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
    tacho.client().xadd(STREAM, {"n": "1"})
    receiver.wait_for(1)
    headers = {key.lower(): text for key, text in receiver.requests[0].headers.items()}
    assert receiver.requests[0].path == "/prefix/v1/traces"
    assert headers["x-tenant"] == "blue" and headers["content-encoding"] == "gzip"


def test_the_signal_endpoint_is_used_as_it_is(world, redis_server, receiver):
    tacho = world.tacho(redis_server, receiver, otlp_flag=False, environment={
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": receiver.url + "/elsewhere"})
    tacho.client().xadd(STREAM, {"n": "1"})
    receiver.wait_for(1)
    assert receiver.requests[0].path == "/elsewhere"


@pytest.mark.parametrize("variable, value", [
    ("OTEL_TRACES_SAMPLER", "always_off"), ("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_switched_off(world, redis_server, receiver, variable, value):
    tacho = world.tacho(redis_server, receiver, otlp_flag=False, environment={
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, variable: value})
    publish(tacho.client(), 20)
    assert tacho.metrics().sum("messaging_client_sent_messages_total") == 20, "metrics stay"
    assert tacho.stop() == 0
    assert receiver.requests == []


def test_a_ratio_keeps_whole_traces(world, redis_server, receiver, direct):
    tacho = world.tacho(redis_server, receiver, environment={
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"})
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    app = tacho.client()
    ids = publish(app, 400)
    for message_id in ids:
        app.xreadgroup("g", "alice", {STREAM: ">"}, count=1)
        app.xack(STREAM, "g", message_id)
    tacho.wait_for_metric("tacho_spans_queued", 0)
    tacho.metrics().assert_ledger_closes()
    assert tacho.stop() == 0
    view = receiver.view()
    published, processed = view.named("xadd orders"), view.named("process orders")
    assert 40 < len(published) < 180, "a quarter of 400, give or take eight deviations"
    assert {span.context for span in published} == {(span.trace_id, span.parent_id) for span in processed}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_answer_worth_a_retry_is_retried_with_the_same_bytes(world, redis_server, status):
    receiver = world.receiver()
    receiver.script.append(Answer(status=status, retry_after="1"))
    tacho = world.tacho(redis_server, receiver)
    with Auditor(tacho):
        message_id = tacho.client().xadd(STREAM, {"n": "1"})
        view = receiver.wait_for(1)
    assert ids_of(view) == [message_id]
    assert receiver.requests[0].body == receiver.requests[1].body
    tacho.wait_for_metric("tacho_spans_exported_total", 1)


def test_a_connection_closed_without_an_answer_is_retried(world, redis_server):
    receiver = world.receiver()
    receiver.script.append(Answer(close=True))
    tacho = world.tacho(redis_server, receiver)
    with Auditor(tacho):
        message_id = tacho.client().xadd(STREAM, {"n": "1"})
        assert ids_of(receiver.wait_for(1)) == [message_id]


@pytest.mark.partial_traces("spans are refused")
@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_a_refusal_for_good_is_dropped_and_counted(world, redis_server, status):
    receiver = world.receiver()
    receiver.usual = Answer(status=status)
    tacho = world.tacho(redis_server, receiver)
    publish(tacho.client(), 10)
    metrics = tacho.wait_for_metric("tacho_spans_dropped_total", 10)
    metrics.assert_ledger_closes()
    assert all(sample.labels["reason"] for sample in metrics.named("tacho_spans_dropped_total"))
    receiver.usual = Answer()
    last = tacho.client().xadd("last", {"n": "1"})
    assert ids_of(receiver.wait_for(1), "last") == [last]
    bodies = [request.body for request in receiver.requests]
    assert len(set(bodies)) == len(bodies), "what was refused for good is not sent again"


@pytest.mark.partial_traces("spans are refused")
def test_partial_success_is_not_retried_and_counted(world, redis_server):
    receiver = world.receiver()
    receiver.script.append(Answer(rejected_spans=1, message="too old"))
    tacho = world.tacho(redis_server, receiver)
    tacho.client().xadd(STREAM, {"n": "1"})
    tacho.wait_for_metric("tacho_spans_dropped_total", 1).assert_ledger_closes()
    tacho.client().xadd("last", {"n": "1"})
    receiver.wait_for_names("xadd last")
    assert len(receiver.requests) == 2


def test_a_slow_collector_never_slows_the_traffic(world, redis_server):
    """The collector holds every answer back until the traffic is over."""
    receiver = world.receiver()
    over = threading.Event()
    world.keep(Closing(over.set))
    receiver.usual = Answer(after=over)
    tacho = world.tacho(redis_server, receiver, environment={"OTEL_EXPORTER_OTLP_TIMEOUT": "120000"})
    with Auditor(tacho):
        ids = publish(tacho.client(), 3000)
        assert receiver.view().spans == [], "the traffic waited for the collector"
        over.set()
        view = receiver.wait_for(3000)
    assert sorted(ids_of(view)) == sorted(ids)


def test_many_spans_come_in_batches_that_are_not_too_large(receiver, tacho):
    with Auditor(tacho):
        ids = publish(tacho.client(), 20_000)
        view = receiver.wait_for(20_000)
    assert sorted(ids_of(view)) == sorted(ids)
    assert max(len(request.body) for request in receiver.requests) <= 4 << 20
    assert max(len(request.spans) for request in receiver.requests) <= 8192


@pytest.mark.timeout(120 + OUTAGE_SECONDS)
def test_a_collector_that_comes_up_late(world, redis_server):
    """Down from the start for TACHO_E2E_OUTAGE_SECONDS (20 by default), traffic all the while; then all spans come."""
    receiver = world.receiver(up=False)
    tacho = world.tacho(redis_server, receiver)
    ids = []
    with Auditor(tacho):
        app = tacho.client()
        deadline = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < deadline:
            ids += publish(app, 10)
            time.sleep(0.05)
        assert tacho.metrics().sum("tacho_spans_exported_total") == 0
        receiver.up()
        view = receiver.wait_for(len(ids))
        tacho.wait_for_metric("tacho_spans_exported_total", len(ids))
    assert sorted(ids_of(view)) == sorted(ids)
    assert tacho.metrics().sum("tacho_spans_dropped_total") == 0


def test_a_collector_that_goes_away_and_comes_back(world, redis_server):
    receiver = world.receiver()
    tacho = world.tacho(redis_server, receiver)
    app = tacho.client()
    with Auditor(tacho):
        ids = publish(app, 100)
        # What it has taken and was not thanked for would be sent again.
        tacho.wait_for_metric("tacho_spans_exported_total", 100)
        receiver.down()
        ids += publish(app, 100)
        wait_for(lambda: tacho.metrics().sum("tacho_spans_in_flight") + tacho.metrics().sum("tacho_spans_queued") > 0)
        receiver.up()
        view = receiver.wait_for(lambda seen: set(ids) <= set(ids_of(seen)))
    assert set(ids_of(view)) == set(ids)


@pytest.mark.partial_traces("the queue overflows")
def test_a_queue_that_overflows_drops_and_counts(world, redis_server):
    receiver = world.receiver(up=False)
    tacho = world.tacho(redis_server, receiver, environment={"OTEL_BSP_MAX_QUEUE_SIZE": "100",
                                                             "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50"})
    with Auditor(tacho):
        ids = publish(tacho.client(), 2000)
        # Spans are counted behind the reply.
        metrics = tacho.wait_for_metric("tacho_spans_sampled_total", 2000)
        sampled, exported, dropped, queued, in_flight = metrics.ledger()
        assert (sampled, exported) == (2000, 0)
        assert queued <= 100 and dropped >= 1000
        assert {sample.labels["reason"] for sample in metrics.named("tacho_spans_dropped_total") if sample.value}
        receiver.up()
        last = tacho.client().xadd("last", {"n": "1"})
        view = receiver.wait_for(lambda seen: seen.with_message("xadd last", last))
    kept = ids_of(view)
    assert set(kept) <= set(ids) and len(kept) < 1000
    assert ids[-1] in kept, "the oldest are dropped first"


@pytest.mark.partial_traces("nobody takes the spans")
def test_the_end_is_not_held_up_by_a_dead_collector(world, redis_server):
    receiver = world.receiver(up=False)
    tacho = world.tacho(redis_server, receiver)
    publish(tacho.client(), 100)
    assert tacho.stop(timeout=60) == 0


def test_without_a_collector(world, redis_server, direct):
    """`--otlp none`: metrics only."""
    tacho = world.tacho(redis_server)
    ids = publish(tacho.client(), 100)
    assert direct.xlen(STREAM) == len(ids) == 100
    metrics = tacho.metrics()
    metrics.assert_ledger_closes()
    assert metrics.sum("messaging_client_sent_messages_total") == 100
