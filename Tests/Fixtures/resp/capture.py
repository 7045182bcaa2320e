"""Writes the RESP fixtures: bytes as redis-server and its clients exchange them, and the frames they mean.

Usage: capture.py    (needs redis-server; starts one of its own on a free loopback port)

For each conversation NAME this writes requests-NAME.resp, replies-NAME.resp and, beside each, a .frames file: one line
"frame BYTES" per frame, then one line per token, indented by depth: kind, length (pairs for maps, -1 null, -2
streamed) and the value of a scalar, other than printable ASCII as \\xHH, cut after 64 bytes. The frames come from the
plain recursive parser below, which shares nothing with the decoder under test. What redis-server does not send
(streamed types, some RESP3 types) is written by hand at the end.
"""

import pathlib
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).parent
LINES = {
    b"+": "simpleString", b"-": "error", b":": "integer", b"_": "null", b",": "double",
    b"#": "boolean", b"(": "bigNumber", b".": "streamEnd",
}
BULKS = {b"$": "bulkString", b"!": "bulkError", b"=": "verbatimString", b";": "streamPart"}
AGGREGATES = {b"*": "array", b"%": "map", b"~": "set", b"|": "attribute", b">": "push"}


class Incomplete(Exception):
    """The bytes end before the frame does."""


class Parser:
    """Parses frames from bytes, collecting one text line per token."""

    def __init__(self, data):
        self.data, self.at, self.lines = data, 0, []

    def line(self):
        end = self.data.find(b"\r\n", self.at)
        if end < 0:
            raise Incomplete
        line, self.at = self.data[self.at:end], end + 2
        return line

    def emit(self, depth, kind, length, value=None):
        text = "  " * depth + f"{kind} {length}"
        if value:
            shown = "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02X}" for b in value[:64])
            text += " " + shown + ("..." if len(value) > 64 else "")
        self.lines.append(text)

    def value(self, depth):
        """One value with everything in it; returns its type byte."""
        line = self.line()
        sign, rest = line[:1], line[1:]
        if sign in LINES:
            self.emit(depth, LINES[sign], len(rest), rest)
        elif sign in BULKS:
            self.bulk(depth, sign, rest)
        elif sign in AGGREGATES:
            self.aggregate(depth, sign, rest)
        else:
            raise ValueError(line)
        return sign

    def bulk(self, depth, sign, rest):
        length = -2 if rest == b"?" else int(rest)
        if length < 0 or (sign == b";" and length == 0):
            self.emit(depth, BULKS[sign], length)
            while length == -2 and self.lines[-1].strip() != "streamPart 0":
                assert self.value(depth + 1) == b";"
            return
        if len(self.data) < self.at + length + 2:
            raise Incomplete
        self.emit(depth, BULKS[sign], length, self.data[self.at:self.at + length])
        assert self.data[self.at + length:self.at + length + 2] == b"\r\n"
        self.at += length + 2

    def aggregate(self, depth, sign, rest):
        length = -2 if rest == b"?" else int(rest)
        self.emit(depth, AGGREGATES[sign], length)
        if length == -2:
            while self.value(depth + 1) != b".":
                pass
        for _ in range(max(length, 0) * (2 if sign in b"%|" else 1)):
            self.value(depth + 1)
        if sign == b"|":
            self.value(depth)


def frames(data, inline=False):
    """The text of all frames of some bytes, and how many bytes whole frames take."""
    parser, text, whole = Parser(data), [], 0
    while whole < len(data):
        parser.lines = []
        try:
            if inline and data[whole:whole + 1] != b"*":
                end = data.find(b"\n", whole)
                line = data[whole:end].removesuffix(b"\r")
                parser.emit(0, "inlineCommand", len(line), line)
                parser.at = end + 1
            else:
                parser.value(0)
        except Incomplete:
            break
        text += [f"frame {parser.at - whole}"] + parser.lines
        whole = parser.at
    return text, whole


def write(name, data):
    text, whole = frames(data, inline=name.startswith("requests"))
    assert whole == len(data), name
    (HERE / f"{name}.resp").write_bytes(data)
    (HERE / f"{name}.frames").write_text("\n".join(text) + "\n")


def encode(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def converse(port, name, commands):
    """Sends commands one by one: words, raw bytes, or a pair of words and the number of frames that answer."""
    sent = received = b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(5)
        for command in commands:
            words, count = command if isinstance(command, tuple) else (command, 1)
            request = words if isinstance(words, bytes) else encode(*(words.split() if isinstance(words, str) else words))
            connection.sendall(request)
            reply = b""
            while sum(line.startswith("frame ") for line in frames(reply)[0]) < count:
                chunk = connection.recv(65536)
                assert chunk, name
                reply += chunk
            sent, received = sent + request, received + reply
    write(f"requests-{name}", sent)
    write(f"replies-{name}", received)


def entries(stream, count, size=20):
    return [["XADD", stream, f"{1700000000000 + i}-{i % 3}", "order", f"{i:06}", "note", "n" * (i % size)]
            for i in range(count)]


def conversations(port):
    converse(port, "basics", [
        "PING", ["SET", "key", b"\x00binary\r\n\xff"], "GET key", "GET missing", "INCR counter", "DECRBY counter 100",
        "LPUSH key x", "NOSUCH command", ["SET", "empty", b""], "GET empty", "LRANGE none 0 -1", "MGET empty missing",
        "EVAL return{1,{2,{3,{}}},redis.status_reply('fine'),false} 0", "COMMAND COUNT",
    ])
    converse(port, "inline", [
        b"PING\r\n", b"SET words \"two words\"\n", b"  GET   words  \r\n", (b"\r\n*0\r\n*-1\r\n\nPING done\r\n", 1),
        b"SET odd 'single \\' quote'\r\n", "GET odd",
    ])
    for protocol in (2, 3):
        hello = [f"HELLO {protocol}", "FLUSHALL"]
        group = "XREADGROUP GROUP billing worker-1"
        converse(port, f"streams-resp{protocol}", hello + [
            "XGROUP CREATE orders billing 0 MKSTREAM", "XGROUP CREATE refunds billing $ MKSTREAM",
            *entries("orders", 30), *entries("refunds", 3),
            f"{group} COUNT 25 STREAMS orders refunds > >", f"{group} STREAMS orders 0", f"{group} STREAMS refunds >",
            f"{group} BLOCK 1 STREAMS orders refunds > >", "XACK orders billing 1700000000000-0 1-1",
            "XREAD COUNT 2 STREAMS orders refunds 0 0", "XREAD BLOCK 1 STREAMS orders $",
            "XRANGE orders - + COUNT 3", "XDEL orders 1700000000001-1", "XPENDING orders billing",
            "XPENDING orders billing - + 3", "XCLAIM orders billing worker-2 0 1700000000002-2",
            "XAUTOCLAIM orders billing worker-2 0 0-0 COUNT 4", "XINFO STREAM orders FULL COUNT 2",
            "XREADGROUP GROUP nobody worker STREAMS orders >",
        ])
        converse(port, f"transactions-resp{protocol}", hello + [
            "MULTI", "XADD s 1-1 f v", "INCR n", "HSET h a 1 b 2", "HGETALL h", "EXEC", "WATCH n", "INCR n", "MULTI",
            "GET n", "EXEC", "MULTI", "NOSUCH", "EXEC", "MULTI", "PING", "DISCARD",
        ])
        converse(port, f"types-resp{protocol}", hello + [
            f"DEBUG PROTOCOL {kind}" for kind in (
                "string", "integer", "double", "null", "array", "set", "map", "attrib", "verbatim", "bignum", "true",
                "false")
        ] + ["ZADD z 1.5 m inf n", "ZRANGE z 0 -1 WITHSCORES", "SADD s a b", "SMEMBERS s", "ZSCORE z none"])
        converse(port, f"subscribe-resp{protocol}", hello + [
            ("SUBSCRIBE news orders", 2), "PSUBSCRIBE n*", "PING", ("UNSUBSCRIBE", 2), "PUNSUBSCRIBE",
        ])
    converse(port, "tracking-resp3", [
        "HELLO 3", "CLIENT TRACKING ON", "GET key", ("SET key 1", 2), "GET key", ("FLUSHALL", 2),
        "SUBSCRIBE self", ("PUBLISH self hello", 2),
    ])


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory,
             "--enable-debug-command", "yes"], stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            conversations(port)
        finally:
            server.terminate()
            server.wait()

    write("replies-streamed", b"".join([
        b"$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;2\r\nld\r\n;0\r\n", b"$?\r\n;0\r\n", b"*?\r\n:1\r\n:2\r\n*?\r\n.\r\n.\r\n",
        b"%?\r\n+a\r\n:1\r\n+b\r\n%?\r\n.\r\n.\r\n", b"~?\r\n+x\r\n$?\r\n;1\r\ny\r\n;0\r\n.\r\n",
        b">?\r\n+message\r\n*1\r\n+deep\r\n.\r\n", b"*2\r\n*?\r\n_\r\n.\r\n+after\r\n",
    ]))
    write("replies-attributes", b"".join([
        b"|1\r\n+ttl\r\n:3600\r\n+OK\r\n", b"|0\r\n:1\r\n", b"*2\r\n|1\r\n+k\r\n*1\r\n+v\r\n:1\r\n|2\r\n+a\r\n+b\r\n+c\r\n"
        b"|1\r\n+on\r\n+value\r\n+d\r\n$3\r\nend\r\n", b"|1\r\n+a\r\n+b\r\n|1\r\n+c\r\n+d\r\n*0\r\n",
        b"|1\r\n+a\r\n+b\r\n>1\r\n+push\r\n", b"*?\r\n|1\r\n+a\r\n+b\r\n:1\r\n.\r\n", b"%1\r\n|1\r\n+a\r\n+b\r\n+k\r\n+v\r\n",
    ]))
    write("replies-types", b"".join([
        b"!21\r\nSYNTAX invalid syntax\r\n", b"!0\r\n\r\n", b"=8\r\ntxt:Some\r\n", b"=4\r\nmkd:\r\n", b",inf\r\n", b",-inf\r\n",
        b",nan\r\n", b",-1.5e+10\r\n", b"(-3492890328409238509324850943850943825024385\r\n", b":+7\r\n", b"_\r\n", b"#t\r\n",
        b"#f\r\n", b"%0\r\n", b"~0\r\n", b">0\r\n", b"*0\r\n", b"*-1\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"+\r\n", b"-\r\n",
        b"*3\r\n*0\r\n*-1\r\n%0\r\n", b"*1\r\n" * 20 + b"$1\r\nx\r\n", b"%2\r\n:1\r\n%1\r\n+k\r\n~2\r\n#t\r\n,1\r\n*0\r\n_\r\n",
    ]))


main()
