"""A flow from Redis Streams over core NATS and JetStream: one trace, whether the application passes contexts on or not."""

import pytest
from nats.js.api import StreamConfig

from harness import NatsApp, run, wait_for

APP_TRACE, APP_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def buses(world, receiver):
    """One program with two listeners, and what is behind them."""
    redis, nats = world.redis(), world.nats()
    tacho = world.tacho(redis, receiver, also=[{"protocol": "nats", "upstream": nats.address}])
    redis.client().xgroup_create("orders", "shop", id="0", mkstream=True)
    return tacho, tacho.addresses[1]


async def flow(tacho, nats_address, headers_of):
    """Consumes from Redis, publishes to JetStream while the job is in its hands, consumes that, publishes to Redis."""
    redis = tacho.client(client_name="worker")
    app = await NatsApp.connect(nats_address, name="worker")
    js = app.jetstream()
    await js.add_stream(StreamConfig(name="BILLS", subjects=["bills.>"]))
    bills = await js.pull_subscribe("bills.>", durable="printers", stream="BILLS")

    [(_, [(job_id, fields)])] = redis.xreadgroup("shop", "w", {"orders": ">"}, count=1)
    await js.publish("bills.new", b"bill", headers=headers_of(fields))
    redis.xack("orders", "shop", job_id)

    [bill] = await bills.fetch(1, timeout=10)
    redis.xadd("printed", {"n": "1"} | ({"traceparent": bill.headers["traceparent"]} if headers_of(fields) else {}))
    await bill.ack()
    await app.flush()


def test_the_program_finds_the_causes(buses, receiver):
    """The application knows nothing of traces: what a client holds on one bus causes what it publishes on another."""
    tacho, nats_address = buses
    tacho.client(client_name="shop").xadd("orders", {"n": "1"})
    run(flow(tacho, nats_address, lambda fields: None))
    view = receiver.wait_for_names("xadd orders", "process orders", "publish bills.new", "process BILLS",
                                   "xadd printed")
    order, bill, printed = view.one("xadd orders"), view.one("publish bills.new"), view.one("xadd printed")
    work, printing = view.one("process orders"), view.one("process BILLS")
    assert {span.trace_id for span in (order, work, bill, printing, printed)} == {order.trace_id}
    assert (work.parent_id, bill.parent_id) == (order.span_id, work.span_id)
    assert (printing.parent_id, printed.parent_id) == (bill.span_id, printing.span_id)
    assert bill["tacho.causality"] and printed["tacho.causality"]
    systems = [span["messaging.system"] for span in (order, work, bill, printing, printed)]
    assert systems == ["redis", "redis", "nats", "nats", "redis"]
    conversation = order["messaging.message.conversation_id"]
    assert {span["messaging.message.conversation_id"] for span in (bill, printing, printed)} == {conversation}


def test_the_application_passes_its_context_on(world, buses, receiver):
    tacho, nats_address = buses
    context = world.app_context(APP_TRACE, APP_SPAN)
    tacho.client(client_name="shop").xadd("orders", {"n": "1", "traceparent": context})
    run(flow(tacho, nats_address, lambda fields: {"traceparent": fields["traceparent"]}))
    view = receiver.wait_for_names("xadd orders", "process orders", "publish bills.new", "process BILLS",
                                   "xadd printed")
    for name in ("xadd orders", "process orders", "publish bills.new", "process BILLS", "xadd printed"):
        assert view.one(name).trace_id == APP_TRACE
        assert view.one(name).parent_id == APP_SPAN


def test_what_passes_is_seen_and_drawn_as_one(buses, receiver):
    """`tacho trace` and the admin API show both buses in one tree."""
    tacho, nats_address = buses
    tacho.client(client_name="shop").xadd("orders", {"n": "1"})
    run(flow(tacho, nats_address, lambda fields: None))
    trace_id = receiver.wait_for_names("xadd printed").one("xadd printed").trace_id
    names = ("xadd orders", "process orders", "publish bills.new", "process BILLS", "xadd printed")

    def shown():
        status, body = tacho.get(f"/api/v1/traces/{trace_id}")
        return status == 200 and all(name.encode() in body for name in names)

    wait_for(shown, what="all of the trace")
