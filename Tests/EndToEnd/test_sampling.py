"""Sampling: a budget, rules that keep what matters, and traces without orphans whatever is kept."""

import time

import pytest

from harness import stored

STREAM = "orders"
BUDGET = {"OTEL_TRACES_SAMPLER": ""}  # empty counts as unset: the budget decides


def sampled(world, redis_server, receiver, spans_per_second, always=None, **options):
    sampling = {"spans_per_second": spans_per_second}
    if always is not None:
        sampling["always"] = always
    return world.tacho(redis_server, receiver, settings={"sampling": sampling}, environment=BUDGET, **options)


def fields_of(server, stream=STREAM):
    return [dict(fields) for _, fields in stored(server, stream)]


def test_below_the_budget_everything_is_kept(world, redis_server, receiver):
    tacho = sampled(world, redis_server, receiver, 1000)
    app = tacho.client()
    for number in range(200):
        app.xadd(STREAM, {"n": number})
    receiver.wait_for(lambda view: len(view.named("xadd orders")) == 200)
    assert all("tracestate" not in fields for fields in fields_of(redis_server))
    tacho.wait_for_metric("tacho_spans_kept_total", 200, reason="probability")
    assert {span["sampling.reason"] for span in receiver.view().spans} == {"probability"}


def test_far_above_the_budget_few_are_kept_and_rare_streams_still_seen(world, redis_server, receiver):
    tacho = sampled(world, redis_server, receiver, 50, always=[])
    app = tacho.client()
    total = 0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        pipeline = app.pipeline(transaction=False)
        for number in range(100):
            pipeline.xadd(STREAM, {"n": number})
        pipeline.execute()
        total += 100
        time.sleep(0.01)  # far above is enough; all of it is read again below
    app.xadd("rare", {"n": "1"})
    view = receiver.wait_for_names("xadd rare")
    kept = view.named("xadd orders")
    assert 20 < len(kept) < min(total, 700), (len(kept), total)
    seconds = tacho.metrics()
    assert seconds.sum("tacho_spans_sampled_total") + seconds.sum("tacho_spans_not_sampled_total") == total + 1
    assert seconds.sum("tacho_sampling_ratio", messaging_destination_name=STREAM) < 1

    def adjusted(span):
        if not span.trace_state:
            return 1
        threshold = int(span.trace_state.removeprefix("ot=th:").ljust(14, "0"), 16)
        return (1 << 56) / ((1 << 56) - threshold)

    states = {span.trace_state for span in kept}
    assert any(state.startswith("ot=th:") for state in states), states
    estimate = sum(adjusted(span) for span in kept)
    sigma = sum(adjusted(span) * (adjusted(span) - 1) for span in kept) ** 0.5
    assert abs(estimate - total) <= 5 * sigma, (estimate, total, sigma)
    sent = [fields for fields in fields_of(redis_server) if fields["traceparent"].endswith("3")]
    assert {fields.get("tracestate", "") for fields in sent} == states


def test_an_error_is_kept_although_its_trace_was_not(world, redis_server, receiver):
    tacho = sampled(world, redis_server, receiver, 0)
    app = tacho.client()
    app.xadd(STREAM, {"n": "1"})
    app.set("plain", "text")
    with pytest.raises(Exception, match="WRONGTYPE"):
        app.xadd("plain", {"n": "2"})
    view = receiver.wait_for_names("xadd plain")
    [span] = view.spans
    assert span["sampling.reason"] == "error" and span.status == "ERROR" and span.trace_state == ""
    assert tacho.metrics().sum("tacho_spans_kept_total", reason="error") == 1


def test_a_dead_letter_is_kept(world, redis_server, receiver):
    app = sampled(world, redis_server, receiver, 0).client()
    app.xadd(STREAM, {"n": "1"})
    app.xadd("orders:dlq", {"n": "1"})
    [span] = receiver.wait_for_names("xadd orders:dlq").spans
    assert span["sampling.reason"] == "dead_letter"


def test_a_redelivery_keeps_the_whole_trace(world, redis_server, receiver, direct):
    tacho = sampled(world, redis_server, receiver, 0)
    app = tacho.client()
    other = tacho.client()
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"n": "1"})
    other.xreadgroup("g", "alice", {STREAM: ">"})
    other.xclaim(STREAM, "g", "bob", 0, [message_id])
    app.xack(STREAM, "g", message_id)
    # Of three connections: each has a place of its own where spans wait.
    view = receiver.wait_for_names("xadd orders", "xreadgroup orders", "xclaim orders", *["process orders"] * 2, "xack orders")
    assert {span["sampling.reason"] for span in view.spans} == {"redelivery"}
    assert len(view.traces) == 1, view
    [trace] = view.traces
    assert view.roots(trace) == [view.one("xadd orders")]
    assert fields_of(redis_server)[0]["traceparent"].startswith(f"00-{trace}-")


def test_a_context_that_says_no_is_respected_until_a_rule_fires(world, redis_server, receiver, direct):
    tacho = sampled(world, redis_server, receiver, 1000)
    app = tacho.client()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    app.xadd(STREAM, {"traceparent": parent, "tracestate": "ot=th:8"})
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    app.xreadgroup("g", "alice", {STREAM: ">"})
    app.xreadgroup("g", "alice", {STREAM: "0"})
    view = receiver.wait_for_names("xadd orders", "process orders", "xreadgroup orders")
    for span in view.spans:
        assert span["sampling.reason"] == "redelivery" and span.trace_state == ""
    assert ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7") in [
        link.context for link in view.one("xadd orders").links]


@pytest.mark.parametrize("sampler, spans", [("always_on", 30), ("always_off", 0)])
def test_the_standard_variable_decides_instead(world, redis_server, receiver, sampler, spans):
    tacho = world.tacho(redis_server, receiver, settings={"sampling": {"spans_per_second": 0 if spans else 1000}},
                        environment={"OTEL_TRACES_SAMPLER": sampler})
    app = tacho.client()
    for number in range(30):
        app.xadd(STREAM, {"n": number})
    app.set("plain", "text")
    with pytest.raises(Exception, match="WRONGTYPE"):
        app.xadd("plain", {"n": "2"})
    if spans:
        receiver.wait_for(lambda view: len(view.spans) == spans + 1)
    else:
        tacho.wait_for_metric("tacho_spans_not_sampled_total", 31)
        tacho.stop()
        assert receiver.view().spans == []
