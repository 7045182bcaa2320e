"""Core NATS through the program: publish and subscribe, queue groups, requests, headers, limits, and awkward clients."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from nats.errors import NoRespondersError

from harness import NatsApp, RawNats, collect, run, wait_for
from harness.entries import TRACEPARENT
from harness.nats_server import require_cc

WORKERS = Path(__file__).parent / "workers" / "nats_c"
APP_TRACE, APP_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def context_in(message):
    """(trace id, span id) of the context that a delivered message carries."""
    match = TRACEPARENT.fullmatch(message.headers["traceparent"])
    assert match, message.headers
    return match.groups()


async def one_delivery(target, subject="orders.new", pattern=None, body=b"x", headers=None, **options):
    app = await NatsApp.connect(target, **options)
    subscription = await app.subscribe(pattern or subject)
    await app.publish(subject, body, headers=headers)
    return await subscription.next_msg(timeout=10)


def test_one_message(nats, nats_tacho, receiver):
    message = run(one_delivery(nats_tacho, body=b"hello", name="shop-app"))
    assert message.data == b"hello" and set(message.headers) == {"traceparent", "correlationid"}
    view = receiver.wait_for_names("publish orders.new", "process orders.new")
    send, process = view.one("publish orders.new"), view.one("process orders.new")
    assert (send.kind, send.parent_id, process.kind) == ("PRODUCER", "", "CONSUMER")
    assert process.parent_id == send.span_id and process.links_to(send)
    assert context_in(message) == send.context
    for span in (send, process):
        assert span["messaging.system"] == "nats"
        assert span["messaging.destination.name"] == "orders.new"
        assert (span["server.address"], span["server.port"]) == ("127.0.0.1", nats.address.port)
        assert span["messaging.message.body.size"] == 5
        assert span["messaging.client.id"] == "shop-app"
        assert span["messaging.message.conversation_id"] == message.headers["correlationid"]
    metrics = nats_tacho.metrics()
    assert metrics.sum("tacho_injected_messages_total") == 1
    assert metrics.sum("messaging_client_sent_messages_total", messaging_system="nats") == 1
    assert metrics.sum("messaging_client_consumed_messages_total", messaging_system="nats") == 1


def test_the_subscription_is_the_template(nats_tacho, receiver):
    run(one_delivery(nats_tacho, "orders.eu.4711", "orders.*.>"))
    span = receiver.wait_for_names("process orders.*.>").one("process orders.*.>")
    assert span["messaging.destination.template"] == "orders.*.>"
    assert span["messaging.destination.name"] == "orders.eu.4711"


def test_queue_groups_and_fan_out(nats_tacho, receiver):
    async def scenario():
        app = await NatsApp.connect(nats_tacho)
        everybody = [await (await NatsApp.connect(nats_tacho)).subscribe("jobs") for _ in range(3)]
        team = [await (await NatsApp.connect(nats_tacho)).subscribe("jobs", queue="team") for _ in range(2)]
        for subscription in everybody + team:
            await subscription._conn.flush()
        for number in range(20):
            await app.publish("jobs", str(number).encode())
        for subscription in everybody:
            assert [message.data for message in await collect(subscription, 20)] == [b"%d" % n for n in range(20)]
        await app.flush()
        for subscription in team:
            await subscription._conn.flush()
        assert sum(subscription.pending_msgs for subscription in team) == 20

    run(scenario())
    view = receiver.wait_for(lambda seen: (len(seen.named("process jobs")), len(seen.named("publish jobs"))) == (80, 20))
    for send in view.named("publish jobs"):
        children = view.children(send)
        assert len(children) == 4
        assert [span.get("messaging.consumer.group.name") for span in children].count("team") == 1
    assert len(view.named("publish jobs")) == 20


def test_a_context_of_the_application_is_never_touched(world, nats_tacho, receiver):
    sent = {"traceparent": world.app_context(APP_TRACE, APP_SPAN), "tracestate": "vendor=1", "X-Own": "value"}
    message = run(one_delivery(nats_tacho, headers=sent))
    assert message.headers == sent
    view = receiver.wait_for_names("publish orders.new", "process orders.new")
    send, process = view.one("publish orders.new"), view.one("process orders.new")
    assert send.kind == "CLIENT" and send.parent_id == APP_SPAN and send.trace_id == APP_TRACE
    assert (APP_TRACE, APP_SPAN) in [link.context for link in send.links]
    assert process.trace_id == APP_TRACE and process.parent_id == APP_SPAN


def test_headers_stay_as_they_are_and_in_their_order(nats, nats_tacho):
    """Repeated keys, odd cases and blanks: what the application wrote stands first, byte for byte."""
    own = b"NATS/1.0\r\nB: 2\r\na:1\r\nB:  3 \r\nX-Empty:\r\nzz: \xc3\xa4\r\n"
    with RawNats(nats).connect() as direct, RawNats(nats_tacho).connect() as raw:
        direct.send(b"SUB orders 1\r\n")
        direct.ping()
        raw.publish("orders", b"body", header=own + b"\r\n")
        delivery = direct.next()
        assert delivery.payload == b"body"
        assert delivery.header.startswith(own) and delivery.header.endswith(b"\r\n\r\n")
        added = delivery.header[len(own):-2].split(b"\r\n")[:-1]
        assert [line.partition(b": ")[0] for line in added] == [b"traceparent", b"correlationid"]
        raw.publish("orders", b"", header=b"NATS/1.0\r\n\r\n")
        assert direct.next().header.startswith(b"NATS/1.0\r\ntraceparent: 00-")


def test_requests_and_replies(nats_tacho, receiver):
    async def scenario():
        worker = await NatsApp.connect(nats_tacho, name="worker")

        async def answer(message):
            await message.respond(b"answer to " + message.data)

        await worker.subscribe("sums.*", cb=answer)
        await worker.flush()
        app = await NatsApp.connect(nats_tacho, name="asker")
        for old_style in (False, True):
            assert (await app.request("sums.add", b"q", timeout=10, old_style=old_style)).data == b"answer to q"

    run(scenario())
    view = receiver.wait_for_names(*["request sums.add", "process sums.*"] * 2)
    for request in view.named("request sums.add"):
        assert request.kind == "CLIENT" and request.status == "UNSET"
        [process] = view.children(request)
        assert process.name == "process sums.*" and process.links_to(request)
        assert request.start <= process.start <= process.end <= request.end
        assert request["messaging.message.conversation_id"] == process["messaging.message.conversation_id"]
    for span in view.spans:
        assert "_INBOX" not in span.name + str(span.attributes)
    assert "_INBOX" not in nats_tacho.metrics().text


def test_a_request_that_nobody_answers(nats_tacho, receiver):
    async def scenario():
        app = await NatsApp.connect(nats_tacho)
        with pytest.raises(NoRespondersError):
            await app.request("nobody.there", b"q", timeout=10)

    run(scenario())
    span = receiver.wait_for_names("request nobody.there").one("request nobody.there")
    assert span.status == "ERROR" and span["error.type"] == "503"


def test_the_reply_is_part_of_the_conversation_that_the_application_began(world, nats_tacho, receiver):
    async def scenario():
        worker = await NatsApp.connect(nats_tacho)

        async def answer(message):
            await worker.publish("audit", b"asked")
            await message.respond(b"")

        await worker.subscribe("q", cb=answer)
        await worker.flush()
        app = await NatsApp.connect(nats_tacho)
        headers = {"traceparent": world.app_context(APP_TRACE, APP_SPAN), "correlationid": "order-17"}
        await app.request("q", b"", headers=headers, timeout=10)

    run(scenario())
    view = receiver.wait_for_names("request q", "process q", "publish audit")
    for span in view.spans:
        assert span.trace_id == APP_TRACE and span["messaging.message.conversation_id"] == "order-17", span
    assert view.one("publish audit").parent_id == view.one("process q").span_id


def test_eight_megabytes(world, receiver):
    server = world.nats("max_payload: 8388608")
    tacho = world.tacho(server, receiver)

    async def scenario():
        app = await NatsApp.connect(tacho)
        subscription = await app.subscribe("large")
        bodies = [os.urandom(8_000_000), os.urandom(1), os.urandom(4_000_000)]
        for body in bodies:
            await app.publish("large", body)
        assert [message.data for message in await collect(subscription, 3, timeout=40)] == bodies

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.named("process large")) == 3)
    assert {span["messaging.message.body.size"] for span in view.spans} == {8_000_000, 1, 4_000_000}


def test_a_message_that_fits_just_so_is_left_alone(world, receiver):
    """The limit counts headers: what has no room for ours passes without, and is counted."""
    tacho = world.tacho(world.nats("max_payload: 1000"), receiver)
    with RawNats(tacho).connect() as raw:
        raw.send(b"SUB orders 1\r\n")
        for size, added in ((1000, []), (950, []), (900, [b"traceparent"]), (700, [b"traceparent", b"correlationid"])):
            raw.publish("orders", b"x" * size)
            delivery = raw.next()
            assert len(delivery.payload) == size
            lines = (delivery.header or b"").split(b"\r\n")[1:-2]
            assert [line.partition(b":")[0] for line in lines] == added
        raw.publish("orders", b"x" * 1001)
        assert raw.line() == b"-ERR 'Maximum Payload Violation'\r\n"
    assert tacho.metrics().sum("tacho_not_injected_messages_total", reason="too_large") == 3
    assert tacho.metrics().sum("tacho_injected_messages_total") == 2


def test_drip_fed_bytes_in_both_directions(world, nats, receiver):
    relay = world.relay(nats.address, crumb=1)
    tacho = world.tacho(relay, receiver, protocol="nats")
    with RawNats(tacho) as raw:
        raw.drip(b'connect {"verbose":false,"headers":true,"no_responders":true}\r\nsub orders.* team 7\r\nPing\r\n')
        assert raw.line() == b"PONG\r\n"
        raw.drip(b"hpub orders.new 17 22\r\nNATS/1.0\r\na:b\r\n\r\nhello\r\n")
        delivery = raw.next()
        assert (delivery.subject, delivery.subscription, delivery.reply) == ("orders.new", "7", None)
        assert delivery.header.startswith(b"NATS/1.0\r\na:b\r\ntraceparent: 00-") and delivery.payload == b"hello"
        raw.drip(b"PUB orders.new 0\r\n\r\n")
        assert raw.next().payload == b""
        raw.drip(b"UNSUB 7\r\nPING\r\n")
        assert raw.line() == b"PONG\r\n"
    view = receiver.wait_for(lambda seen: len(seen.named("process orders.*")) == 2)
    assert {span["messaging.consumer.group.name"] for span in view.named("process orders.*")} == {"team"}
    assert tacho.metrics().sum("tacho_sessions_opaque_total") == 0


def test_a_client_without_headers(nats, nats_tacho, receiver):
    """It is told nothing of them, and the others get them all the same."""
    with RawNats(nats_tacho).connect(headers=False, no_responders=False) as old, RawNats(nats).connect() as direct:
        old.send(b"SUB orders 1\r\n")
        direct.send(b"SUB orders 1\r\n")
        old.ping()
        direct.ping()
        old.publish("orders", b"from the old")
        assert old.next().header is None
        assert b"traceparent" in direct.next().header
        direct.publish("orders", b"from outside", header=b"NATS/1.0\r\nx: y\r\n\r\n")
        delivery = old.next()
        assert delivery.header is None and delivery.payload == b"from outside"
    receiver.wait_for(lambda seen: len(seen.named("process orders")) == 2)


def test_a_client_that_wants_to_hear_every_ok(nats_tacho, receiver):
    with RawNats(nats_tacho).connect(verbose=True, pedantic=True) as raw:
        raw.send(b"SUB orders 1\r\n")
        assert raw.line() == b"+OK\r\n"
        raw.publish("orders", b"x")
        lines = {raw.line() for _ in range(1)}
        assert lines == {b"+OK\r\n"} or next(iter(lines)).startswith(b"HMSG ")
        if lines == {b"+OK\r\n"}:
            assert raw.next().payload == b"x"
        raw.send(b"UNSUB 1\r\n")
        assert raw.line() == b"+OK\r\n"
        raw.publish("bad..subject", b"x")
        assert raw.line().startswith((b"-ERR", b"+OK"))
    receiver.wait_for_names("publish orders", "process orders")


def test_a_client_that_does_not_hear_itself(nats_tacho, receiver):
    with RawNats(nats_tacho).connect(echo=False) as quiet, RawNats(nats_tacho).connect() as other:
        for raw in (quiet, other):
            raw.send(b"SUB orders 1\r\n")
            raw.ping()
        quiet.publish("orders", b"x")
        assert other.next().payload == b"x"
        quiet.ping()
    assert len(receiver.wait_for_names("process orders").named("process orders")) == 1


def test_unsubscribing_after_so_many(nats_tacho, receiver):
    with RawNats(nats_tacho).connect() as raw:
        raw.send(b"SUB orders 1\r\nUNSUB 1 2\r\nSUB orders ab.c-1\r\n")
        for _ in range(4):
            raw.publish("orders", b"x")
        raw.send(b"PING\r\n")
        got = [raw.next().subscription for _ in range(6)]
        assert got.count("1") == 2 and got.count("ab.c-1") == 4
    receiver.wait_for(lambda seen: len(seen.named("process orders")) == 6)


def test_what_we_added_can_be_taken_away_again(world, nats, receiver):
    tacho = world.tacho(nats, receiver, context={"inject": "always", "deliver": "strip"})
    with RawNats(nats).connect() as direct, RawNats(tacho).connect() as raw:
        direct.send(b"SUB orders 1\r\n")
        raw.send(b"SUB orders 1\r\n")
        direct.ping()
        raw.ping()
        raw.publish("orders", b"plain")
        own = b"NATS/1.0\r\na: b\r\n\r\n"
        raw.publish("orders", b"own", header=own)
        first, second = raw.next(), raw.next()
        assert (first.header, first.payload) == (None, b"plain")
        assert (second.header, second.payload) == (own, b"own")
        assert b"traceparent" in direct.next().header and b"traceparent" in direct.next().header
    assert tacho.metrics().sum("tacho_stripped_messages_total") == 2


def test_the_mark_that_servers_leave_on_a_context(world, nats_tacho, receiver):
    """Servers 2.11 and 2.12 overwrite the first letter when they do not trace a message."""
    world.app_context(APP_TRACE, APP_SPAN)
    header = f"NATS/1.0\r\nXraceparent: 00-{APP_TRACE}-{APP_SPAN}-01\r\nNats-Trace-Dest: trace disabled\r\n\r\n".encode()
    with RawNats(nats_tacho).connect() as raw:
        raw.send(b"SUB orders 1\r\n")
        raw.publish("orders", b"x", header=header)
        assert raw.next().header == header
    view = receiver.wait_for_names("publish orders", "process orders")
    assert {span.trace_id for span in view.spans} == {APP_TRACE}


def test_clients_stay_behind_the_program(world, receiver):
    servers = world.nats_cluster()
    wait_for(lambda: len(servers[0].greeting().get("connect_urls", [])) == 3, what="the server to name its cluster")
    said = servers[0].greeting()["connect_urls"]
    for advertise, expected in ((None, None), ("server", said), ("edge.example:4222", ["edge.example:4222"])):
        options = {"nats": {"advertise": advertise}} if advertise else None
        tacho = world.tacho(servers[0], receiver, options=options)
        with RawNats(tacho) as raw:
            assert raw.info.get("connect_urls") == expected or sorted(raw.info["connect_urls"]) == sorted(expected)
            raw.connect()


# The C client library

@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Our own small programs, built against the distribution's libnats."""
    compiler = require_cc()
    made = {}
    for source in sorted(WORKERS.glob("*.c")):
        made[source.stem] = tmp_path_factory.mktemp("programs") / source.stem
        subprocess.run([compiler, "-O1", "-Wall", "-Wextra", "-o", made[source.stem], source, "-lnats"], check=True)
    return made


def run_program(path, *arguments):
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_c_client(programs, nats_tacho, receiver):
    lines = run_program(programs["core"], f"nats://{nats_tacho.address}")
    assert lines == ["published 100", "received 100", "with context 100", "own headers intact", "reply: pong",
                     "no responders"]
    view = receiver.wait_for(lambda seen: len(seen.named("process c.orders")) == 100)
    assert len(view.named("publish c.orders")) == 100
    assert view.one("request c.ping").status == "UNSET"
    assert view.one("request c.nobody")["error.type"] == "503"
    assert nats_tacho.metrics().sum("tacho_sessions_opaque_total") == 0


def test_the_greeting_is_the_servers_own_but_for_its_addresses(nats, nats_tacho):
    with RawNats(nats) as direct, RawNats(nats_tacho) as raw:
        theirs, ours = direct.info, raw.info
    for volatile in ("client_id", "client_ip", "connect_urls"):
        theirs.pop(volatile, None)
        ours.pop(volatile, None)
    assert json.dumps(ours) == json.dumps(theirs)
