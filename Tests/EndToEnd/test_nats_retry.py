"""Publishes with Nats-Msg-Id that fail: the sidecar tries again, JetStream stores them once."""

import asyncio
import signal

import pytest
from nats.js.api import StreamConfig
from nats.js.errors import NoStreamResponseError

from harness import NatsApp, RawNats, run, until
from harness.process import freeze

STREAM, SUBJECT = "ORDERS", "orders.new"
STORED = StreamConfig(name=STREAM, subjects=["orders.>"])


def start(world, nats, receiver=None, retry=None, **resilience):
    return world.tacho(nats, receiver, settings={
        "resilience": {"retry": {"within_milliseconds": 20_000, **(retry or {})}, **resilience}})


def tries(tacho, outcome="retried"):
    return tacho.metrics().sum("tacho_retries_total", operation="publish", outcome=outcome)


def sent(tacho):
    """Tries, those under way and those that have ended however."""
    labels = {"operation": "publish", "messaging_destination_name": SUBJECT}
    seen = tacho.metrics()
    return seen.sum("tacho_guarded_calls_in_flight", **labels) + seen.sum("tacho_guarded_calls_total", **labels)


def key(text):
    return {"Nats-Msg-Id": text}


def test_a_stream_that_comes_a_moment_later(world, nats, receiver):
    tacho = start(world, nats, receiver)

    async def scenario():
        direct = (await NatsApp.connect(nats)).jetstream()
        js = (await NatsApp.connect(tacho)).jetstream()
        publish = asyncio.create_task(js.publish(SUBJECT, b"one", timeout=20, headers=key("7")))
        await until(lambda: tries(tacho) >= 1, what="a retry")
        await direct.add_stream(STORED)
        answer = await publish
        assert (answer.stream, answer.seq, answer.duplicate) == (STREAM, 1, None)
        assert (await direct.stream_info(STREAM)).state.messages == 1
        stored = await direct.get_msg(STREAM, 1)
        assert stored.data == b"one" and stored.headers["traceparent"]
        return stored.headers["traceparent"], tries(tacho)

    context, count = run(scenario())
    send = receiver.wait_for_names("publish orders.new").one("publish orders.new")
    assert send.status == "UNSET" and send["messaging.message.id"] == "1"
    assert context.split("-")[1:3] == [send.trace_id, send.span_id]
    assert [event.name for event in send.events] == ["tacho.retry"] * int(count)
    assert send.events[0].attributes == {"tacho.retry.attempt": 2, "error.type": "503"}


def test_what_has_no_key_is_sent_once(world, nats):
    tacho = start(world, nats)

    async def scenario():
        js = (await NatsApp.connect(tacho)).jetstream()
        with pytest.raises(NoStreamResponseError):
            await js.publish(SUBJECT, b"one", timeout=20, headers={"Other": "7"})
        with pytest.raises(NoStreamResponseError):
            await js.publish(SUBJECT, b"one", timeout=20)

    run(scenario())
    assert tacho.metrics().sum("tacho_retries_total") == 0


def test_an_answer_that_does_not_come_is_asked_for_again_and_told_once(world, nats):
    tacho = start(world, nats, call_timeout_milliseconds=1_000, breaker="shadow")

    async def scenario():
        direct = (await NatsApp.connect(nats)).jetstream()
        await direct.add_stream(STORED)
        client = world.keep(RawNats(tacho)).connect()
        client.send(b"SUB _INBOX.mine.* 1\r\n")
        header = b"NATS/1.0\r\nNats-Msg-Id: %s\r\n\r\n"
        client.publish(SUBJECT, b"known", reply="_INBOX.mine.0", header=header % b"0")
        assert client.next().subject == "_INBOX.mine.0"
        freeze(nats.process)
        client.publish(SUBJECT, b"once", reply="_INBOX.mine.1", header=header % b"1")
        await until(lambda: tries(tacho) >= 1, what="the decision to try again")
        await until(lambda: sent(tacho) >= 3, what="the second try")
        nats.process.send_signal(signal.SIGCONT)
        answer = client.next()
        assert answer.subject == "_INBOX.mine.1" and b'"seq":2' in answer.payload
        # Nothing else comes before the answer to this.
        client.ping()
        client.publish(SUBJECT, b"next", reply="_INBOX.mine.2", header=header % b"2")
        answer = client.next()
        assert answer.subject == "_INBOX.mine.2" and b'"seq":3' in answer.payload
        assert (await direct.stream_info(STREAM)).state.messages == 3

    run(scenario())


def test_a_storm_stays_within_the_budget(world, nats):
    tacho = start(world, nats, breaker="off")
    count = 300

    async def scenario():
        js = (await NatsApp.connect(tacho)).jetstream()
        publishes = [js.publish(SUBJECT, b"x", timeout=60, headers=key(str(number))) for number in range(count)]
        outcomes = await asyncio.gather(*publishes, return_exceptions=True)
        assert all(isinstance(outcome, NoStreamResponseError) for outcome in outcomes), outcomes

    run(scenario())
    # A fifth of all tries, or one a second.
    made = tries(tacho)
    assert 10 <= made <= (count + made) / 5 + 10
    assert tries(tacho, "budget") + tries(tacho, "tokens") + tries(tacho, "attempts") == count
