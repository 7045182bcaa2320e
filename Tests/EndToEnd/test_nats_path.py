"""Servers that trace messages (2.11 and newer): a script stands for one, as the distribution's is older."""

import pytest

from harness import NatsApp, RawNats, TracingNats, collect, run

ASKS = {"nats": {"message_path": "on"}}


@pytest.fixture
def traced(world, receiver):
    """(server, sidecar) with the option on; further words are what the server does to headers on the way."""
    def start(marks=(), **options):
        server = world.keep(TracingNats(marks))
        return server, world.tacho(server, receiver, protocol="nats", options=options or ASKS)

    return start


async def there_and_back(tacho, headers=None):
    app = await NatsApp.connect(tacho)
    subscription = await app.subscribe("orders")
    await app.publish("orders", b"book", headers=headers)
    got = await collect(subscription, 1)
    # Nothing else came, on any subscription: what servers tell is not for the application.
    assert app.stats["in_msgs"] == 1
    return got[0]


def test_the_way_through_the_server_is_under_the_publishing_span(traced, receiver):
    server, tacho = traced()
    message = run(there_and_back(tacho))
    assert message.data == b"book" and "traceparent" in message.headers
    view = receiver.wait_for_names("publish orders", "route orders", "process orders")
    published, route = view.one("publish orders"), view.one("route orders")
    assert route.parent_id == published.span_id and route.trace_id == published.trace_id
    assert route.resource["service.name"] == "nats:east-1"
    assert published.start <= route.end and route.start <= route.end
    assert b"SUB _INBOX.tacho." in server.heard
    assert tacho.metrics().sum("tacho_sessions_opaque_total") == 0


def test_nobody_is_asked_unless_it_is_said(traced, receiver):
    server, tacho = traced(nats={"message_path": "off"})
    run(there_and_back(tacho))
    receiver.wait_for_names("publish orders", "process orders")
    assert b"Nats-Trace-Dest" not in server.heard and b"_INBOX.tacho" not in server.heard


def test_what_is_told_is_kept_from_a_client_that_counts_bytes(traced, receiver):
    server, tacho = traced()
    client = RawNats(tacho).connect()
    client.send(b"SUB orders 1\r\n")
    for number in range(3):
        client.publish("orders", str(number).encode())
        message = client.next()
        assert message.subject == "orders" and message.subscription == "1" and message.payload == str(number).encode()
    client.ping()
    view = receiver.wait_for(lambda view: len(view.named("route orders")) == 3)
    assert {span.parent_id for span in view.named("route orders")} == {
        span.span_id for span in view.named("publish orders")}


def test_a_marked_context_is_the_same_context(traced, receiver):
    """Servers overwrite the first letter of a context with which they were asked to trace and did not."""
    _, tacho = traced(marks=[(b"traceparent:", b"Xraceparent:")])
    message = run(there_and_back(tacho))
    assert "Xraceparent" in message.headers and "traceparent" not in message.headers
    view = receiver.wait_for_names("publish orders", "process orders")
    published, processed = view.one("publish orders"), view.one("process orders")
    assert processed.trace_id == published.trace_id and processed.parent_id == published.span_id
