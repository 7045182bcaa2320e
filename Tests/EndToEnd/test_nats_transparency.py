"""Bytes in are bytes out, in NATS too: a scripted server compares what it hears, a raw client what it is told."""

import itertools
import random
import threading
from contextlib import suppress

import pytest

from harness import FakeNats, RawNats, wait_for

NEVER = {"inject": "never", "deliver": "keep"}


class Mix:
    """Seeded operations of both directions, legal in every way that the protocol allows them to be written."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def case(self, verb):
        return self.random.choice([verb, verb, verb.lower(), verb.title()])

    def gap(self):
        return self.random.choice([" ", " ", " ", "  ", "\t", " \t "])

    def line(self, *words):
        return self.gap().join(map(str, words)).encode() + self.random.choice([b"\r\n"] * 9 + [b" \r\n"])

    def subject(self):
        return self.random.choice(["orders", "orders.new", "a.b.c.d", "_INBOX.abc.1", "$JS.API.INFO", "$KV.b.k", "x" * 200,
                                   "$JS.ACK.S.C.1.2.3.1700000000000000000.0", "$JS.API.CONSUMER.MSG.NEXT.S.C"])

    def payload(self):
        length = self.random.choice([0, 1, 5, 17, 300, 5_000, 70_000 if self.random.random() < 0.1 else 30])
        return self.random.choice([b"\r\n", b"PING\r\n", b"\x00\xff", b"MSG a 1 3\r\n", b"x"]) * (length // 2 + 1)

    def header(self):
        lines = self.random.choices(
            [b"a: b\r\n", b"A:b\r\n", b"Nats-Msg-Id: 7\r\n", b"x:\r\n", b"a: c\r\n",
             b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", b"traceparent: nonsense\r\n",
             b"tracestate: a=1\r\n", b"correlationid: c\r\n", b"no colon\r\n"], k=self.random.randrange(5))
        status = self.random.choice([b"NATS/1.0", b"NATS/1.0", b"NATS/1.0 503", b"NATS/1.0 100 Idle Heartbeat"])
        return status + b"\r\n" + b"".join(lines) + b"\r\n"

    def reply(self):
        return self.random.choice([(), (), ("_INBOX.me.1",), ("reply.to",), ("$JS.ACK.S.C.1.2.3.17.0",)])

    def with_payload(self, verb, *words):
        body = self.payload()
        if not verb.startswith("H"):
            return self.line(self.case(verb), *words, len(body)) + body + b"\r\n"
        header = self.header()
        return self.line(self.case(verb), *words, len(header), len(header) + len(body)) + header + body + b"\r\n"

    def of_client(self):
        kind = self.random.randrange(10)
        if kind < 6:
            return self.with_payload(self.random.choice(["PUB", "HPUB"]), self.subject(), *self.reply())
        return self.random.choice([
            self.line(self.case("SUB"), self.random.choice(["orders.*", ">", "_INBOX.me.*"]), self.random.randrange(9)),
            self.line(self.case("SUB"), "orders", "team", self.random.randrange(9)),
            self.line(self.case("UNSUB"), self.random.randrange(9)), self.line(self.case("PING")),
            self.line(self.case("UNSUB"), self.random.randrange(9), 3), self.line(self.case("PONG"))])

    def of_server(self):
        kind = self.random.randrange(10)
        if kind < 7:
            verb = self.random.choice(["MSG", "HMSG"])
            return self.with_payload(verb, self.subject(), self.random.randrange(9), *self.reply())
        return self.random.choice([b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'Slow Consumer'\r\n", b"Pong\r\n"])

    def sizes(self):
        while True:
            yield self.random.choice([1, 3, 50, 1400, 9_000, 100_000])


def exchange(tacho, server, requests, deliveries, mix):
    """Sends both scripts at once, in pieces; returns what came out at the other ends."""
    with RawNats(tacho) as raw:
        def send():
            start = 0
            for step in mix.sizes():
                if start >= len(requests):
                    return
                raw.send(requests[start:start + step])
                start += step

        sender = threading.Thread(target=send, daemon=True)
        speaker = threading.Thread(target=server.say, args=(deliveries, mix.sizes()), daemon=True)
        sender.start()
        speaker.start()
        told = raw.read_exact(len(deliveries))
        server.wait_for_bytes(len(requests))
        sender.join(60)
        speaker.join(60)
        return bytes(server.heard), told


def first_difference(ours, theirs):
    for place, (one, other) in enumerate(itertools.zip_longest(ours, theirs)):
        if one != other:
            return f"at byte {place}: {ours[max(0, place - 60):place + 60]!r} instead of " \
                   f"{theirs[max(0, place - 60):place + 60]!r}"
    return ""


@pytest.fixture
def server(world):
    return world.keep(FakeNats())


@pytest.mark.partial_traces("a server that makes up its messages leaves no whole traces")
@pytest.mark.parametrize("seed", range(1, 7))
def test_a_long_mix_passes_byte_for_byte(world, server, receiver, seed):
    tacho = world.tacho(server, receiver, protocol="nats", context=NEVER)
    mix = Mix(seed)
    connect = b'CONNECT {"verbose":false,"headers":true,"protocol":1,"no_responders":true}\r\n'
    requests = connect + b"".join(mix.of_client() for _ in range(1_500))
    deliveries = b"".join(mix.of_server() for _ in range(1_500))
    heard, told = exchange(tacho, server, requests, deliveries, mix)
    assert heard == requests, first_difference(heard, requests)
    assert told == deliveries, first_difference(told, deliveries)
    assert tacho.metrics().sum("tacho_sessions_opaque_total") == 0


@pytest.mark.partial_traces("a server that makes up its messages leaves no whole traces")
@pytest.mark.parametrize("seed", [11, 12])
def test_with_injection_only_lines_of_ours_are_added(world, server, receiver, seed):
    """Deliveries are untouched; of what is published, everything but the added lines and the lengths is the same."""
    tacho = world.tacho(server, receiver, protocol="nats")
    mix = Mix(seed)
    requests = b'CONNECT {"verbose":false,"headers":true}\r\n' + b"".join(mix.of_client() for _ in range(300))
    deliveries = b"".join(mix.of_server() for _ in range(300))
    heard, told = exchange(tacho, server, requests, deliveries, mix)
    assert told == deliveries, first_difference(told, deliveries)
    wait_for(lambda: len(server.heard) > len(requests), what="more than was sent")
    tacho.wait_for_metric("tacho_injected_messages_total", lambda got: got > 10)
    assert tacho.metrics().sum("tacho_sessions_opaque_total") == 0


@pytest.mark.parametrize("garbage", [
    b"NONSENSE a b c\r\n", b"PUB\r\n", b"PUB a b c d e 5\r\n", b"PUB a -1\r\n", b"PUB a 99999999999999999999\r\n",
    b"HPUB a 9 4\r\n", b"HPUB a 5 5\r\nhello\r\n", b"PUB a 5\r\nhelloXX", b"SUB\r\n", b"\x00\x01\x02\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"CONNECT {\r\n"], ids=lambda data: repr(data[:24]))
def test_garbage_is_answered_by_the_server_itself(nats, nats_tacho, garbage):
    """What is not understood passes untouched, and the answer is the one that the server gives."""
    answers = []
    for target in (nats, nats_tacho):
        with RawNats(target).connect() as raw:
            raw.send(garbage)
            raw.half_close()
            answers.append(raw.rest())
    assert answers[0] == answers[1]
    with RawNats(nats_tacho).connect() as raw:
        raw.ping()


def test_a_flood_of_garbage_ends_as_the_server_ends_it(nats, nats_tacho):
    """It hangs up on bytes that it has not read, which resets the connection, and its last words may be lost with that."""
    for target in (nats, nats_tacho):
        with RawNats(target).connect() as raw:
            with suppress(ConnectionError):
                raw.send(b"x" * 70_000)
            raw.half_close()
            answer = raw.rest()
        assert answer == b"-ERR 'Unknown Protocol Operation'\r\n" or raw.was_reset and answer == b""
    with RawNats(nats_tacho).connect() as raw:
        raw.ping()


def test_random_bytes_never_harm_the_program(nats, nats_tacho):
    chance = random.Random(11)
    words = [b"PUB ", b"HPUB ", b"SUB ", b"orders ", b"5\r\n", b"NATS/1.0\r\n", b"\r\n", b"-1", b"99999999999", b"\x00\xff",
             b"CONNECT {", b'"headers":', b"}", b"UNSUB 1\r\n", b"PING\r\n", b" "]
    for _ in range(150):
        with RawNats(nats_tacho) as raw:
            raw.send(b"".join(chance.choices(words, k=chance.randrange(1, 30))))
            raw.half_close()
            raw.rest()
    assert nats_tacho.is_running
    nats_tacho.wait_for_metric("tacho_connections", 0)
    with RawNats(nats_tacho).connect() as raw:
        raw.ping()


@pytest.mark.partial_traces("a server that makes up its messages leaves no whole traces")
def test_random_bytes_of_the_server_never_harm_the_program(world, server, receiver):
    tacho = world.tacho(server, receiver, protocol="nats")
    chance = random.Random(13)
    words = [b"MSG ", b"HMSG ", b"orders ", b"1 ", b"5\r\n", b"NATS/1.0\r\n", b"\r\n", b"-1", b"9223372036854775807",
             b"INFO {", b'"max_payload":', b'"connect_urls":["a:1","', b"}", b"+OK\r\n", b"-ERR 'x'\r\n", b" ", b"\xff"]
    for _ in range(100):
        script = b"".join(chance.choices(words, k=chance.randrange(1, 30)))
        with RawNats(tacho) as raw:
            server.say(script)
            got = raw.read_exact(0)
            assert got == b""
            raw.half_close()
            wait_for(lambda: server._client is not None, what="a client")
            server._client.close()
            raw.rest()
    assert tacho.is_running
    tacho.wait_for_metric("tacho_connections", 0)
