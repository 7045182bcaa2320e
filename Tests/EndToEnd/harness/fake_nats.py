"""NATS servers that are scripts: one says what it is told and remembers what it hears, one traces messages as 2.11 does."""

import datetime
import json
import re
import threading

from .net import wait_for
from .scripted_server import ScriptedServer

GREETING = (b'INFO {"server_id":"SCRIPTED","server_name":"scripted","version":"2.9.10","proto":1,"headers":true,'
            b'"max_payload":1048576,"jetstream":true,"client_id":7}\r\n')


class FakeNats(ScriptedServer):
    """Serves one client after the other. `heard` is everything of the latest; `say` speaks to it."""

    def __init__(self, greeting=GREETING):
        self.greeting = greeting
        self.heard = bytearray()
        self._client = None
        super().__init__()

    def accepted(self, client):
        self.heard = bytearray()
        self._client = client
        client.sendall(self.greeting)
        threading.Thread(target=self._listen_to, args=(client, self.heard), daemon=True).start()

    def _listen_to(self, client, heard):
        try:
            while data := client.recv(1 << 18):
                heard += data
            client.close()  # as a server does, once its client has gone
        except OSError:
            pass

    def say(self, data, sizes=None):
        """Sends the bytes, in writes of these sizes if there are any."""
        if sizes is None:
            return self._client.sendall(data)
        start = 0
        while start < len(data):
            step = next(sizes)
            self._client.sendall(data[start:start + step])
            start += step

    def wait_for_bytes(self, count):
        wait_for(lambda: len(self.heard) >= count, what=f"{count} bytes (there are {len(self.heard)})")

    def close(self):
        super().close()
        if self._client is not None:
            self._client.close()


class TracingNats(FakeNats):
    """As much of a server 2.11 as tracing needs: it delivers what is published on plain subjects, and tells whoever a
    `Nats-Trace-Dest` header names of the way that the message took (NATS architecture decision record 41).

    `marks` are what newer servers do to headers on the way, as pairs of bytes.
    """

    def __init__(self, marks=()):
        super().__init__(GREETING.replace(b"2.9.10", b"2.11.4").replace(b'"scripted"', b'"east-1"'))
        self.marks = marks
        self._subscriptions = {}

    def _listen_to(self, client, heard):
        self._subscriptions = {}
        lines = client.makefile("rb")
        try:
            while line := lines.readline():
                heard += line
                words = line.decode().split()
                match words[0].upper():
                    case "PING":
                        client.sendall(b"PONG\r\n")
                    case "SUB":
                        self._subscriptions[words[1]] = words[-1]
                    case "PUB" | "HPUB" as verb:
                        body = lines.read(int(words[-1]) + 2)
                        heard += body
                        header_bytes = int(words[-2]) if verb == "HPUB" else 0
                        self._publish(client, words[1], body[:header_bytes], body[header_bytes:-2])
        except (OSError, ValueError):
            pass

    def _publish(self, client, subject, header, payload):
        asked = re.search(rb"Nats-Trace-Dest: (\S+)\r\n", header)
        if asked and asked.group(1).decode() in self._subscriptions:
            self._deliver(client, asked.group(1).decode(), b"", self._told(subject, header))
        for before, after in self.marks:
            header = header.replace(before, after)
        self._deliver(client, subject, header, payload)

    def _deliver(self, client, subject, header, payload):
        if (sid := self._subscriptions.get(subject)) is None:
            return
        sizes = f"{len(header)} {len(header) + len(payload)}" if header else f"{len(payload)}"
        verb = "HMSG" if header else "MSG"
        client.sendall(f"{verb} {subject} {sid} {sizes}\r\n".encode() + header + payload + b"\r\n")

    @staticmethod
    def _told(subject, header):
        """What one server tells: the message came in from a client, and went out to one."""
        headers = {}
        for line in header.decode().split("\r\n")[1:]:
            if ":" in line:
                name, value = line.split(":", 1)
                headers.setdefault(name, []).append(value.strip())
        now = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
        return json.dumps({
            "server": {"name": "east-1", "id": "NABC", "ver": "2.11.4"},
            "request": {"header": headers, "msgsize": len(header)},
            "events": [{"type": "in", "ts": now, "kind": 0, "cid": 7, "acc": "$G", "subj": subject},
                       {"type": "eg", "ts": now, "kind": 0, "cid": 8, "sub": subject}],
        }).encode()
