"""Publishes that carry an idempotency key, and a network that loses their replies: the broker is another `tacho run` with
the embedded log, which knows such keys as Redis 8.6 does."""

import itertools

import pytest

from harness import RawClient, ScriptedRedis, command, parse, wait_for

STREAM = "orders"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


def add(key, stream=STREAM):
    return command("XADD", stream, "IDMP", "shop", key, "*", "key", key)


@pytest.fixture
def log(world):
    """The broker: the embedded log."""
    return world.tacho("embedded", settings={"data": "./data"})


@pytest.fixture
def network(world, log):
    return world.relay(log.address)


def start(world, upstream, receiver=None, **resilience):
    # A busy machine may need long to connect again.
    usual = {"breaker": "fixed", "retry": {"within_milliseconds": 20_000}}
    return world.tacho(upstream, receiver, settings={"resilience": usual | resilience, "data": "./data",
                                                     "tracing": {"causality": "off"}})


def stored(log, stream=STREAM):
    """The entries that the broker has, ids with values of `key`."""
    with RawClient(log.address) as reader:
        entries = reader.ask("XRANGE", stream, "-", "+")
    return [(entry_id, dict(zip(fields[::2], fields[1::2])).get(b"key")) for entry_id, fields in entries]


def retries(tacho, outcome):
    return tacho.metrics().sum("tacho_retries_total", operation="publish", outcome=outcome)


def lose_reply(network, log, client, sent, entries):
    """The broker carries out what the client sends, and the connection is reset before its replies arrive."""
    network.hold()
    client.send(sent)
    wait_for(lambda: len(stored(log)) == entries, what="the broker to have carried it out")
    network.reset()
    network.release()


def test_a_reset_between_a_publish_and_its_reply(world, receiver, network, log):
    tacho = start(world, network.address, receiver)
    with tacho.raw() as client:
        assert client.ask("PING") == "PONG"
        lose_reply(network, log, client, add("a"), entries=1)
        told = parse(client.reply())
        assert stored(log) == [(told, b"a")]
        # The connection to the broker is gone, and so the client's ends behind what it could be told.
        assert client.rest() == b""
    with tacho.raw() as client:
        assert parse(client.call("XADD", STREAM, "IDMP", "shop", "a", "*", "key", "a")) == told
    assert retries(tacho, "retried") == 1
    view = receiver.wait_for(lambda view: any(one.events for one in view.named("xadd orders")))
    [span] = [one for one in view.named("xadd orders") if one.events]
    [event] = span.events
    assert event.name == "tacho.retry" and event.attributes["error.type"] == "connection_lost"
    assert span["messaging.message.id"] == told.decode()


def test_a_pipeline_is_answered_in_its_order_as_far_as_that_can_be(world, network, log):
    tacho = start(world, network.address)
    with tacho.raw() as client:
        assert client.ask("PING") == "PONG"
        keys = ["a", "b", "c"]
        sent = b"".join(map(add, keys)) + command("PING") + add("d")
        lose_reply(network, log, client, sent, entries=4)
        told = [parse(client.reply()) for _ in keys]
        # Nobody knows what the answer to PING would have been, so there is none to what is behind it.
        assert client.rest() == b""
    entries = stored(log)
    assert [entry_id for entry_id, _ in entries[:3]] == told and len(entries) == 4


def test_without_a_key_nothing_is_sent_twice(world, network, log):
    tacho = start(world, network.address)
    with tacho.raw() as client:
        assert client.ask("PING") == "PONG"
        lose_reply(network, log, client, command("XADD", STREAM, "*", "key", "a"), entries=1)
        assert client.rest() == b""
    assert len(stored(log)) == 1
    assert retries(tacho, "retried") == 0


def test_a_broker_that_is_silent_and_comes_back(world, network, log):
    tacho = start(world, network.address, call_timeout_milliseconds=100, retry={"within_milliseconds": 20_000})
    with tacho.raw() as client:
        assert client.ask("PING") == "PONG"
        network.hold()
        client.send(add("a"))
        wait_for(lambda: retries(tacho, "retried") >= 1, what="a retry")
        network.release()
        told = parse(client.reply())
        # The connection lives, and what the broker says late is for nobody.
        assert client.ask("PING") == "PONG"
    assert stored(log) == [(told, b"a")]


def test_switched_off_it_is_as_before(world, network, log):
    tacho = start(world, network.address, retry={"publishes": "off"})
    with tacho.raw() as client:
        assert client.ask("PING") == "PONG"
        lose_reply(network, log, client, add("a"), entries=1)
        assert client.rest() == b""
    assert len(stored(log)) == 1


@pytest.fixture
def script(world):
    return lambda answer: world.keep(ScriptedRedis(answer))


def test_errors_that_pass_are_not_told(world, script):
    publishes = itertools.count()
    ids = itertools.count(1)

    def answer(words):
        if words[0] != b"XADD":
            return b"+PONG\r\n"
        return LOADING if next(publishes) < 2 else b"$3\r\n%d-0\r\n" % next(ids)

    server = script(answer)
    tacho = start(world, server.address, retry={"within_milliseconds": 30_000})
    with tacho.raw() as client:
        client.send(command("PING") + add("a") + command("PING"))
        assert client.replies(3) == [b"+PONG\r\n", b"$3\r\n1-0\r\n", b"+PONG\r\n"]
        # One without a key is told what the broker says.
        publishes = itertools.count()
        assert client.call("XADD", STREAM, "*", "key", "b") == LOADING
    assert server.count(b"XADD") == 4
    assert retries(tacho, "retried") == 2


def test_a_storm_of_failures_stays_within_the_budget(world, script):
    server = script(lambda words: LOADING if words[0] == b"XADD" else b"+PONG\r\n")
    tacho = start(world, server.address, retry={"within_milliseconds": 500}, breaker="off")
    batch, batches = 60, 4
    with tacho.raw() as client:
        for number in range(batches):
            client.send(b"".join(add(f"{number}-{one}") for one in range(batch)))
            assert client.replies(batch) == [LOADING] * batch
    published = batch * batches
    more = server.count(b"XADD") - published
    # Ten in ten seconds are always affordable, and otherwise a fifth of the calls, which are themselves among them.
    assert 0 < more <= 10 + 0.2 * (published + more), more
    assert retries(tacho, "retried") >= more
    assert retries(tacho, "budget") + retries(tacho, "tokens") > 0


def test_a_client_that_sends_no_more_is_answered(world, script):
    publishes = itertools.count()
    server = script(lambda words: LOADING if next(publishes) == 0 else b"$3\r\n1-0\r\n")
    tacho = start(world, server.address, retry={"within_milliseconds": 30_000})
    with tacho.raw() as client:
        client.send(add("a"))
        client.half_close()
        assert client.rest() == b"$3\r\n1-0\r\n"
