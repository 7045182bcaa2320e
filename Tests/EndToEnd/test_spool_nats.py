"""`on_open: spool` in front of NATS: publishes to JetStream that a breaker would refuse reach their stream later."""

import asyncio

import pytest
from nats.errors import NoRespondersError
from nats.js.api import StreamConfig
from nats.js.errors import ServiceUnavailableError
from test_nats_tls_auth import server_tls

from harness import NatsApp, run, until
from harness.spool import SPOOL, operate, spooled

STREAM, SUBJECT = "ORDERS", "orders.new"
KEY = f"{SUBJECT} publish"
FORWARDED = "tacho_spool_forwarded_total"


def start(world, upstream, receiver=None, data="./data", listen=None, options=None, **resilience):
    settings = {"resilience": {**SPOOL, **resilience}, "data": str(data), "tracing": {"causality": "off"}}
    return world.tacho(upstream, receiver, protocol="nats", settings=settings, listen=listen,
                       options={"name": "shop", **(options or {})})


async def shop(tacho, window=120, **options):
    """A client with its stream, and one message in it: so much has to be known of a subject."""
    app = await NatsApp.connect(tacho, **options)
    js = app.jetstream()
    await js.add_stream(StreamConfig(name=STREAM, subjects=["orders.>"], duplicate_window=window))
    await js.publish(SUBJECT, b"0")
    return app, js


async def stored(server, **options):
    """What the stream holds of the subject, in order."""
    app = await NatsApp.connect(server, **options)
    subscription = await app.jetstream().subscribe(SUBJECT, ordered_consumer=True)
    info = await app.jetstream().stream_info(STREAM)
    messages = [await subscription.next_msg(timeout=10) for _ in range(info.state.messages)]
    await app.close()
    return messages


def numbers(messages):
    return [int(message.data) for message in messages]


async def drained(tacho, timeout=30):
    await until(lambda: spooled(tacho) == 0, timeout=timeout, what="the spool to drain")


async def fill(tacho, js, first, count):
    """Publishes until messages are spooled, and then `count` more; returns the acknowledgements of the spool."""
    acks, number = [], first
    while len(acks) < count:
        ack = await js.publish(SUBJECT, b"%d" % number)
        number += 1
        if ack.domain == "tacho-spool":
            acks.append(ack)
    return acks, number


def test_an_open_breaker_loses_nothing_and_keeps_the_order(world, nats, receiver):
    tacho = start(world, nats, receiver)

    async def scenario():
        app, js = await shop(tacho)
        await asyncio.to_thread(operate, tacho, "open", KEY)
        acks, number = await fill(tacho, js, 1, 30)
        assert {ack.stream for ack in acks} == {STREAM} and not any(ack.duplicate for ack in acks)
        assert [ack.seq for ack in acks] == sorted({ack.seq for ack in acks})
        # Whoever waits for no answer is stored as well, where the stream of the subject is known.
        await app.publish(SUBJECT, b"%d" % number)
        await app.flush()
        await until(lambda: spooled(tacho) == 31, what="the plain publish to be stored")
        # Other subjects pass, and reads.
        assert (await js.publish("orders.old", b"x")).domain is None
        before = (await js.stream_info(STREAM)).state.messages
        assert before <= number
        await js.purge_stream(STREAM, subject="orders.old")
        await asyncio.to_thread(operate, tacho, "close", KEY)
        # Whoever publishes meanwhile queues behind.
        for later in range(number + 1, number + 60):
            await js.publish(SUBJECT, b"%d" % later)
        await drained(tacho)
        messages = await stored(nats)
        assert numbers(messages) == list(range(number + 60))
        assert all(message.headers["Nats-Msg-Id"] for message in messages[-70:-60])
        assert (await js.publish(SUBJECT, b"last")).domain is None, "directly again"

    run(scenario())
    seen = tacho.metrics()
    assert seen.sum("tacho_spool_stored_total") == seen.sum(FORWARDED, outcome="forwarded") >= 31


def test_a_trace_tells_of_the_time_in_the_spool(world, nats, receiver):
    tacho = start(world, nats, receiver)

    async def scenario():
        _, js = await shop(tacho)
        await asyncio.to_thread(operate, tacho, "open", KEY)
        (ack,), number = await fill(tacho, js, 1, 1)
        await asyncio.to_thread(operate, tacho, "close", KEY)
        await drained(tacho)
        return ack, (await stored(nats))[number - 1]

    ack, message = run(scenario())
    seen = receiver.wait_for_names("forward orders.new")
    (forward,) = seen.named("forward orders.new")
    (publish,) = [span for span in seen.named("publish orders.new") if span.span_id == forward.parent_id]
    assert publish["tacho.outcome"] == "spooled" and publish["tacho.stream.name"] == STREAM
    assert publish["messaging.message.id"] == str(ack.seq)
    assert forward["messaging.message.id"] == str(message.metadata.sequence.stream)
    assert message.headers["traceparent"].split("-")[1:3] == [publish.trace_id, publish.span_id]


def test_what_cannot_be_promised_is_refused(world, nats, receiver):
    tacho = start(world, nats, receiver, spool={"messages": 2})

    async def scenario():
        app, js = await shop(tacho)

        async def answer(message):
            await message.respond(b"done")

        worker = await NatsApp.connect(nats)
        await worker.subscribe("questions", cb=answer)
        await worker.flush()
        assert (await app.request("questions", b"", timeout=10)).data == b"done"
        await asyncio.to_thread(operate, tacho, "open", KEY)
        await asyncio.to_thread(operate, tacho, "open", "questions publish")
        await fill(tacho, js, 1, 1)
        with pytest.raises(ServiceUnavailableError, match="breaker|still spooled"):
            await js.publish(SUBJECT, b"x", headers={"Nats-Expected-Last-Sequence": "1"})
        await until(lambda: refuses(app), what="the breaker of questions to open")
        await js.publish(SUBJECT, b"2")
        with pytest.raises(ServiceUnavailableError, match="the spool is full"):
            await js.publish(SUBJECT, b"3")
        # A client of its own that nobody has acknowledged anything to yet, as the server sees it.
        stranger = await NatsApp.connect(tacho, user="stranger", password="x")
        with pytest.raises(Exception, match="(?i)unavailable|no response|responders"):
            await stranger.jetstream().publish(SUBJECT, b"x")

    async def refuses(app):
        try:
            await app.request("questions", b"", timeout=10)
        except NoRespondersError:
            return True
        return False

    run(scenario())
    seen = tacho.metrics()
    assert seen.sum("tacho_spool_refused_total", reason="full") == 1
    assert seen.sum("tacho_spool_refused_total", reason="not_spoolable") >= 2


@pytest.mark.expect_exit
def test_a_kill_between_sending_and_noting_sends_nothing_twice(world, nats, receiver, tmp_path):
    """JetStream has forgotten the ids by then, and others have published to the subject meanwhile."""
    network = world.relay(nats.address)
    tacho = start(world, network.address, receiver, data=tmp_path / "data")

    async def before():
        app, js = await shop(tacho, window=0.1)
        await asyncio.to_thread(operate, tacho, "open", KEY)
        _, number = await fill(tacho, js, 1, 80)
        await app.close()
        waits = spooled(tacho)
        # Answers come late: some messages are there that the sidecar does not know of when it dies.
        network.delay(0.02)
        await asyncio.to_thread(operate, tacho, "close", KEY)
        direct = (await NatsApp.connect(nats)).jetstream()

        async def arrived():
            return (await direct.stream_info(STREAM)).state.messages > number - waits + 5

        await until(arrived, what="a few to arrive")
        return number

    number = run(before())
    listen = tacho.address
    tacho.kill()
    network.heal()

    async def after():
        await (await NatsApp.connect(nats)).jetstream().publish(SUBJECT, b"1000")
        tacho = start(world, network.address, receiver, data=tmp_path / "data", listen=listen)
        assert "spooled messages of an earlier run are sent on" in tacho.logs()
        await drained(tacho)
        mine = [one for one in numbers(await stored(nats)) if one != 1000]
        assert mine == list(range(number))
        assert tacho.metrics().sum(FORWARDED, outcome="already_there") > 0

    run(after())


@pytest.mark.expect_exit
def test_a_server_that_dies_under_the_forwarder(world, nats, receiver):
    tacho = start(world, nats, receiver)

    async def scenario():
        app, js = await shop(tacho)
        await asyncio.to_thread(operate, tacho, "open", KEY)
        _, number = await fill(tacho, js, 1, 20)
        await app.close()
        nats.kill()
        await asyncio.to_thread(operate, tacho, "close", KEY)
        await until(lambda: "does not get on" in tacho.logs(), what="word of the failure")
        nats.restart()
        await drained(tacho)
        assert numbers(await stored(nats)) == list(range(number))

    run(scenario())
    assert "gets on again" in tacho.logs()


def test_signing_in_over_tls_and_a_message_that_the_stream_will_never_take(world, receiver, tmp_path):
    authority = world.authority()
    theirs = authority.issue("server")
    server = world.nats(server_tls(theirs) + "\nauthorization { users: [ { user: app, password: secret }, "
                        "{ user: tacho, password: hush } ] }")
    (tmp_path / "password").write_text("hush\n")
    tacho = start(world, server, receiver, options={
        "credentials": {"username": "tacho", "password_file": str(tmp_path / "password")},
        "tls": {"upstream": {"mode": "on", "ca": str(authority.certificate)}}})
    signed = {"user": "app", "password": "secret"}

    async def scenario():
        _, js = await shop(tacho, **signed)
        await asyncio.to_thread(operate, tacho, "open", KEY)
        _, number = await fill(tacho, js, 1, 1)
        await js.publish(SUBJECT, b"9" * 5000)
        await js.publish(SUBJECT, b"%d" % number)
        await js.update_stream(StreamConfig(name=STREAM, subjects=["orders.>"], max_msg_size=1000))
        await asyncio.to_thread(operate, tacho, "close", KEY)
        await drained(tacho)
        direct = {**signed, "tls": authority.issue("reader").client_context()}
        assert numbers(await stored(server, **direct)) == list(range(number + 1))

    run(scenario())
    assert tacho.metrics().sum(FORWARDED, outcome="refused") == 1
    assert "is kept aside" in tacho.logs() and "hush" not in tacho.logs()
