"""A Redis client that knows nothing but bytes, for everything where the exact bytes are the point."""

import errno
import socket
import struct

from .net import PATIENCE


def command(*parts):
    """One command as RESP bytes."""
    out = [b"*%d\r\n" % len(parts)]
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


class RawClient:
    """A blocking connection: sends bytes as told, returns whole replies byte for byte."""

    def __init__(self, address, timeout=PATIENCE):
        self.socket = address.connect(timeout)
        self._buffer = bytearray()
        self._start = 0
        self.was_reset = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def drip(self, data):
        """Sends one byte at a time, each in a write of its own."""
        for position in range(len(data)):
            self.socket.sendall(data[position:position + 1])

    def call(self, *parts):
        """Sends one command and returns its reply's bytes."""
        self.send(command(*parts))
        return self.reply()

    def ask(self, *parts):
        """Sends one command and returns its reply parsed."""
        return parse(self.call(*parts))

    def _fill(self):
        received = self.socket.recv(1 << 18)
        if not received:
            raise EOFError(f"the connection ended; unread: {bytes(self._buffer[self._start:])[:200]!r}")
        if self._start > 1 << 20:
            del self._buffer[:self._start]
            self._start = 0
        self._buffer += received

    def read_exact(self, count):
        while len(self._buffer) - self._start < count:
            self._fill()
        taken = bytes(self._buffer[self._start:self._start + count])
        self._start += count
        return taken

    def read_until(self, marker):
        """Everything up to and with `marker`."""
        searched = self._start
        while (found := self._buffer.find(marker, searched)) < 0:
            searched -= self._start
            self._fill()
            searched = max(self._start, searched + self._start - len(marker))
        return self.read_exact(found + len(marker) - self._start)

    def skip(self, count):
        """Reads and forgets `count` bytes, however many those are."""
        held = min(count, len(self._buffer) - self._start)
        self._start += held
        count -= held
        room = memoryview(bytearray(1 << 20))
        while count > 0:
            received = self.socket.recv_into(room, min(count, len(room)))
            if received == 0:
                raise EOFError(f"the connection ended {count} bytes early")
            count -= received

    def reply(self):
        """The bytes of one whole reply or push, of either protocol."""
        parts = []
        missing = 1
        while missing:
            missing -= 1
            line = self.read_until(b"\r\n")
            parts.append(line)
            kind = line[:1]
            if kind in b"+-:_#,(":
                continue
            length = int(line[1:-2])
            if kind in b"$!=":
                if length >= 0:
                    parts.append(self.read_exact(length + 2))
            elif kind in b"*~>":
                missing += max(length, 0)
            elif kind == b"%":
                missing += 2 * length
            elif kind == b"|":
                missing += 2 * length + 1
            else:
                raise ValueError(f"not the beginning of a reply: {line[:100]!r}")
        return b"".join(parts)

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def rest(self):
        """Everything until the other side ends the connection; a reset counts as the end, and may eat what was sent."""
        out = bytearray(self._buffer[self._start:])
        try:
            while received := self.socket.recv(1 << 18):
                out += received
        except ConnectionResetError:
            self.was_reset = True
        return bytes(out)

    def half_close(self):
        """Sends no more. The other side may have ended the connection already."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            self.was_reset = True

    def abort(self):
        """Ends the connection with a reset (on TCP) instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class RedisError(str):
    """The text of an error reply."""


class Push(list):
    """A RESP3 push message."""


def parse(data):
    """The value in the bytes of one reply: maps become lists of pairs, so that order is kept."""
    value, end = _parse(data, 0)
    assert end == len(data), f"{len(data) - end} bytes after the reply"
    return value


def _parse(data, start):
    stop = data.index(b"\r\n", start)
    kind, text, after = data[start:start + 1], data[start + 1:stop], stop + 2
    if kind == b"+":
        return text.decode(), after
    if kind == b"-":
        return RedisError(text.decode()), after
    if kind in b":(":
        return int(text), after
    if kind == b",":
        return float(text), after
    if kind == b"#":
        return text == b"t", after
    if kind == b"_":
        return None, after
    length = int(text)
    if length < 0:
        return None, after
    if kind in b"$!=":
        return data[after:after + length], after + length + 2
    if kind == b"|":
        _, after = _items(data, after, 2 * length)
        return _parse(data, after)
    if kind == b"%":
        flat, after = _items(data, after, 2 * length)
        return list(zip(flat[::2], flat[1::2])), after
    items, after = _items(data, after, length)
    return (Push(items) if kind == b">" else items), after


def _items(data, start, count):
    items = []
    for _ in range(count):
        item, start = _parse(data, start)
        items.append(item)
    return items, start
