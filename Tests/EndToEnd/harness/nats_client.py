"""NATS clients: nats-py as applications use it, and one that knows nothing but bytes."""

import asyncio
import functools
import json
from dataclasses import dataclass

import nats

from .net import PATIENCE
from .raw import RawClient


def run(scenario, timeout=4 * PATIENCE):
    """Runs one coroutine to its end, and closes what `connect` has opened meanwhile, whatever happens."""
    async def closing():
        NatsApp.opened = []
        try:
            return await asyncio.wait_for(scenario, timeout)
        finally:
            for app in NatsApp.opened:
                await app.close()

    return asyncio.run(closing())


class NatsApp:
    """nats-py, with short patience for servers that are not there: tests find out at once."""

    opened = []

    @classmethod
    async def connect(cls, target, scheme="nats", **options):
        """A client of whatever has an `address`, or of that address. It does not reconnect unless it is told to."""
        address = getattr(target, "address", target)
        settings = {"connect_timeout": 10, "allow_reconnect": False, "max_reconnect_attempts": 200,
                    "reconnect_time_wait": 0.05, "error_cb": cls._ignore, **options}
        app = await nats.connect(f"{scheme}://{address}", **settings)
        # Short patience is for connecting; what was asked of a server that is there may take its time.
        app.jetstream = functools.partial(app.jetstream, timeout=PATIENCE)
        app.flush = functools.partial(app.flush, timeout=PATIENCE)
        cls.opened.append(app)
        return app

    @staticmethod
    async def _ignore(error):
        """Errors of the connection are what many tests are about; nats-py would print them."""


async def collect(subscription, count, timeout=PATIENCE):
    """The next `count` messages."""
    return [await subscription.next_msg(timeout=timeout) for _ in range(count)]


async def until(condition, timeout=PATIENCE, what="the condition"):
    """`wait_for` for coroutines: the loop goes on meanwhile."""
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        answer = condition()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < deadline, f"waited {timeout:g} s in vain for {what}"
        await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Delivery:
    """A MSG or HMSG as it came; `header` is None without a header block."""

    subject: str
    subscription: str
    reply: str | None
    header: bytes | None
    payload: bytes


class RawNats(RawClient):
    """A connection whose bytes are all its owner's. `info` is the greeting."""

    def __init__(self, target, timeout=PATIENCE):
        super().__init__(getattr(target, "address", target), timeout)
        self.info = self.next_info()

    def line(self):
        return self.read_until(b"\r\n")

    def next_info(self):
        line = self.line()
        assert line.startswith(b"INFO "), line
        return json.loads(line[5:])

    def connect(self, **fields):
        """CONNECT with plain defaults, and a PING that says when it was taken."""
        settings = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "raw",
                    "version": "1", "protocol": 1, **fields}
        self.send(b"CONNECT " + json.dumps(settings).encode() + b"\r\nPING\r\n")
        if settings["verbose"]:
            assert self.line() == b"+OK\r\n"
        answer = self.line()
        assert answer == b"PONG\r\n", answer
        return self

    def ping(self):
        """Returns when everything before it has been carried out; no message may come before the PONG."""
        self.send(b"PING\r\n")
        while (answer := self.line()) == b"PING\r\n":
            self.send(b"PONG\r\n")
        assert answer == b"PONG\r\n", answer

    def publish(self, subject, payload=b"", reply="", header=None):
        words = " ".join(filter(None, [subject, reply]))
        if header is None:
            self.send(f"PUB {words} {len(payload)}\r\n".encode() + payload + b"\r\n")
        else:
            total = len(header) + len(payload)
            self.send(f"HPUB {words} {len(header)} {total}\r\n".encode() + header + payload + b"\r\n")

    def next(self):
        """The next message; the server's PINGs are answered on the way."""
        while (line := self.line()) == b"PING\r\n":
            self.send(b"PONG\r\n")
        words = line.decode().split()
        assert words[0] in ("MSG", "HMSG"), line
        header_bytes = int(words[-2]) if words[0] == "HMSG" else 0
        body = self.read_exact(int(words[-1]) + 2)
        assert body.endswith(b"\r\n")
        plain = words[1:-2] if words[0] == "HMSG" else words[1:-1]
        return Delivery(plain[0], plain[1], plain[2] if len(plain) > 2 else None,
                        body[:header_bytes] if words[0] == "HMSG" else None, body[header_bytes:-2])
