"""Writes the NATS fixtures: bytes as nats-server and its clients exchange them, and the operations they mean.

Usage: capture.py    (needs nats-server and nats-py; starts a server of its own on a free loopback port)

For each conversation NAME this writes client-NAME.nats, server-NAME.nats and, beside each, an .ops file: one line per
operation, `KIND BYTES` and then what its control line says; under an operation with headers one line per header. Other
than printable ASCII is shown as \\xHH, cut after 64 bytes. The lines come from the plain parser below, which shares
nothing with the decoder under test.
"""

import asyncio
import pathlib
import re
import socket
import subprocess
import tempfile

import nats
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import APIError

HERE = pathlib.Path(__file__).parent
KINDS = {"+OK": "ok", "-ERR": "error"}


def printable(value):
    shown = "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02X}" for b in value[:64])
    return shown + ("..." if len(value) > 64 else "")


def operations(data):
    """One text line per operation of the captured bytes."""
    lines, at = [], 0
    while at < len(data):
        start = at
        end = data.index(b"\n", at)
        line, at = data[at:end].rstrip(b"\r"), end + 1
        word = re.match(rb"[A-Za-z+-]+", line)[0]
        verb, rest = word.decode().upper(), line[len(word):]
        kind = KINDS.get(verb, verb.lower())
        parts = rest.split()
        said, headers = [], b""
        if kind in ("pub", "hpub", "msg", "hmsg"):
            sizes = 2 if kind.startswith("h") else 1
            numbers = [int(part) for part in parts[-sizes:]]
            names = parts[:-sizes]
            said.append("subject " + printable(names.pop(0)))
            if kind.endswith("msg"):
                said.append("sid " + printable(names.pop(0)))
            if names:
                said.append("reply " + printable(names.pop(0)))
            total = numbers[-1]
            if sizes == 2:
                headers = data[at:at + numbers[0]]
            body = data[at + len(headers):at + total]
            said.append(f"headers {len(headers)} body {len(body)} {printable(body)}".rstrip())
            assert data[at + total:at + total + 2] == b"\r\n"
            at += total + 2
        elif kind == "sub":
            said.append("subject " + printable(parts[0]))
            if len(parts) == 3:
                said.append("queue " + printable(parts[1]))
            said.append("sid " + printable(parts[-1]))
        elif kind == "unsub":
            said.append("sid " + printable(parts[0]))
            said.append(f"max {int(parts[1]) if len(parts) > 1 else 0}")
        elif kind in ("info", "connect", "error"):
            said.append(printable(rest.strip()))
        lines.append(" ".join([f"{kind} {at - start}"] + said).rstrip())
        if headers:
            first, *others = headers[:-4].split(b"\r\n")
            status = first[len(b"NATS/1.0"):].split(maxsplit=1)
            if status:
                lines.append(f"  status {int(status[0])} {printable(b''.join(status[1:]))}".rstrip())
            for header in others:
                name, _, value = header.partition(b":")
                lines.append(f"  {printable(name)} = {printable(value.strip())}".rstrip())
    return lines


class Recorder:
    """Passes bytes between a client and the server and remembers both directions."""

    def __init__(self, upstream):
        self.upstream, self.directions = upstream, {"client": b"", "server": b""}

    async def __aenter__(self):
        self.listener = await asyncio.start_server(self.join, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.listener.close()

    async def join(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        await asyncio.gather(
            self.copy("client", reader, up_writer), self.copy("server", up_reader, writer), return_exceptions=True)

    async def copy(self, direction, reader, writer):
        while data := await reader.read(65536):
            self.directions[direction] += data
            writer.write(data)
            await writer.drain()
        writer.close()


async def core(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}", name="core")
    got = asyncio.Queue()
    await client.subscribe("shop.orders.*", cb=got.put)
    await client.subscribe("shop.>", queue="workers", cb=got.put)
    await client.publish("shop.orders.1", b"hello")
    await client.publish("shop.orders.2", b"", headers={"A": "1", "a": "two", "Empty": ""})
    await client.publish("shop.orders.3", bytes(range(256)))
    limited = await client.subscribe("shop.orders.9", cb=got.put)
    await limited.unsubscribe(limit=1)
    for _ in range(2):
        await client.publish("shop.orders.9", b"x")
    await client.flush()
    for _ in range(11):
        await asyncio.wait_for(got.get(), 5)
    await client.close()


async def requests(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}")

    async def answer(message):
        await message.respond(b"re: " + message.data)

    await client.subscribe("svc.echo", queue="echoes", cb=answer)
    await client.request("svc.echo", b"one", timeout=5)
    await client.request("svc.echo", b"two", timeout=5, headers={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    try:
        await client.request("svc.nobody", b"", timeout=5)
    except nats.errors.NoRespondersError:
        pass
    await client.close()


async def verbose(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}", verbose=True, pedantic=True, no_echo=True)
    await client.publish("quiet", b"nobody")
    await client.flush()
    await client.close()


async def jetstream(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    js = client.jetstream()
    await js.add_stream(StreamConfig(name="ORDERS", subjects=["orders.*"]))
    await js.publish("orders.new", b"1", headers={"Nats-Msg-Id": "m1"})
    await js.publish("orders.new", b"1", headers={"Nats-Msg-Id": "m1"})
    await js.publish("orders.new", b"2")
    for headers in ({"Nats-Expected-Last-Sequence": "9"}, {"Nats-Expected-Stream": "OTHER"}):
        try:
            await js.publish("orders.new", b"3", headers=headers)
        except APIError:
            pass
    pull = await js.pull_subscribe("orders.*", durable="puller")
    first, second = await pull.fetch(2, timeout=2)
    await first.ack()
    await second.nak(delay=0.01)
    (again,) = await pull.fetch(1, timeout=2)
    await again.in_progress()
    await again.term()
    try:
        await pull.fetch(1, timeout=0.2)
    except nats.errors.TimeoutError:
        pass
    await js.publish("orders.new", b"4")
    push = await js.subscribe(
        "orders.*", durable="pusher", manual_ack=True,
        config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, idle_heartbeat=0.5, flow_control=True))
    for _ in range(3):
        message = await push.next_msg(timeout=2)
        await message.ack_sync()
    await asyncio.sleep(1.2)
    await client.close()


async def ordered(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    js = client.jetstream()
    await js.add_stream(StreamConfig(name="LOG", subjects=["log"]))
    for number in range(5):
        await js.publish("log", b"line %d" % number)
    subscription = await js.subscribe("log", ordered_consumer=True)
    for _ in range(5):
        await subscription.next_msg(timeout=2)
    await client.close()


async def stores(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    js = client.jetstream()
    kv = await js.create_key_value(bucket="settings", history=3)
    await kv.put("a", b"1")
    await kv.get("a")
    await kv.update("a", b"2", last=1)
    try:
        await kv.create("a", b"3")
    except Exception:
        pass
    await kv.delete("a")
    objects = await js.create_object_store(bucket="files")
    await objects.put("name", b"x" * 300)
    await objects.get("name")
    await client.close()


async def errors(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'CONNECT {"verbose":true,"pedantic":true,"name":"by hand"}\r\n')
    writer.write(b"PUB orders. 1\r\nx\r\nping\r\n")
    writer.write(b"pub\tok  2\nhi\r\nPub ok2 0\r\n\r\nSUB >.a 1\r\nsub b 2\nUNSUB 2 3\r\n")
    await asyncio.sleep(0.2)
    writer.write(b"NONSENSE\r\n")
    await reader.read()
    await asyncio.sleep(0.2)
    writer.close()


async def main():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as store:
        server = subprocess.Popen(
            ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", store], stderr=subprocess.DEVNULL)
        try:
            await asyncio.sleep(1)
            for talk in (core, requests, verbose, jetstream, ordered, stores, errors):
                async with Recorder(port) as recorder:
                    await talk(recorder.port)
                    await asyncio.sleep(0.1)
                for direction, data in recorder.directions.items():
                    if talk is errors and direction == "client":
                        data = data.partition(b"NONSENSE")[0]
                    path = HERE / f"{direction}-{talk.__name__}.nats"
                    path.write_bytes(data)
                    path.with_suffix(".ops").write_text("\n".join(operations(data)) + "\n")
        finally:
            server.terminate()
            server.wait()


asyncio.run(main())
