"""What `scripts/bench log` measures once: reading, open deliveries, the limit of the queue, and ten million events."""

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

from contenders import BenchError, Running, Stage, stop
from load_log import STREAM, Generators, durable_redis, redis_load, tacho

MEBIBYTE = 2**20
READ_AT_ONCE = 1_000


def command(*words) -> bytes:
    """A command as an array of bulk strings."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def ask(running: Running, *words) -> bytes:
    """One command, and the first line of its reply."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
        connection.sendall(command(*words))
        line = connection.makefile("rb").readline().strip()
    if line[:1] == b"-":
        raise BenchError(f"{running.name}: {words[0]} was answered {line.decode()}")
    return line


def read(running: Running, generators: Generators, entries: int) -> float:
    """Entries per second of reading the stream from its beginning, `READ_AT_ONCE` with each XRANGE."""
    result = subprocess.run(
        [str(generators.reader), str(running.port), STREAM, str(READ_AT_ONCE), str(entries)],
        capture_output=True, text=True, timeout=600, check=False)  # fmt: skip
    if result.returncode != 0:
        raise BenchError(f"reading from {running.name} failed: {result.stderr[-2000:]}")
    count, seconds, _ = result.stdout.split(",")
    if int(count) == 0:
        raise BenchError(f"{running.name} has no entries to read")
    return int(count) / float(seconds)


def open_deliveries(running: Running, generators: Generators, deliveries: int) -> list[str]:
    """Resident memory for each entry that was delivered to a group and is not acknowledged."""
    ask(running, "XGROUP", "CREATE", STREAM, "open", "0")
    read(running, generators, deliveries)  # so that what reading needs is there before
    before = running.resident_bytes()
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
        lines = connection.makefile("rb")
        taken = 0
        while taken < deliveries:
            connection.sendall(command("XREADGROUP", "GROUP", "open", "c", "COUNT", READ_AT_ONCE, "STREAMS", STREAM, ">"))
            entries = skip_read(lines)
            if entries == 0:
                break
            taken += entries
    if taken == 0:
        raise BenchError(f"{running.name} delivered nothing")
    grown = running.resident_bytes() - before
    return [f"{running.name:22}{taken:10,} open deliveries: {grown / taken:8.0f} bytes of resident memory each"]


def skip_read(lines) -> int:
    """The number of entries in a reply of XREADGROUP of one stream, which is read to its end."""
    head = lines.readline()
    if head[:1] == b"-":
        raise BenchError(head.decode().strip())
    if head.strip() in (b"*-1", b"*0", b"_"):
        return 0

    def skip():
        line = lines.readline()
        if line[:1] == b"*":
            for _ in range(int(line[1:])):
                skip()
        elif line[:1] == b"$" and int(line[1:]) >= 0:
            lines.read(int(line[1:]) + 2)

    lines.readline()  # the pair of key and entries
    skip()
    count = int(lines.readline()[1:])
    for _ in range(count):
        skip()
    return count


def replays(running: Running, entries: int) -> list[str]:
    """Replaying the stream from its beginning at once: each event appended to another stream, or made due for a group."""
    ask(running, "XGROUP", "CREATE", STREAM, "replays", "$")
    lines = []
    for target in ({"to_stream": "again"}, {"to_group": "replays"}):
        connection = http.client.HTTPConnection("127.0.0.1", running.http_port, timeout=600)
        began = time.monotonic()
        connection.request("POST", f"/streams/{STREAM}/replay", json.dumps({"from": 1, "to": entries, "pace": "immediate", **target}),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        last = json.loads(response.read().splitlines()[-1])
        seconds = time.monotonic() - began
        connection.close()
        if response.status != 200 or last.get("replayed") != entries:
            raise BenchError(f"a replay {target} of {entries} events ended with {response.status} {last}")
        (kind,) = target
        lines.append(f"{running.name:22}{kind:10} {entries / seconds:,.0f} events a second")
    return lines


def queue_limit(stage: Stage, binary: Path) -> list[str]:
    """More appends than may wait: those beyond the limit are refused with a reply, the others are there afterwards."""
    # Without the breaker, which would answer in the log's place before long.
    running = tacho(stage, "embedded, flooded", binary, "embedded", None, breaker="off")
    each, connections = 1_000, 64
    flood = command("XADD", STREAM, "*", "f", b"x" * 512) * each
    replies = {b"$": 0, b"-": 0}
    refusals = set()
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60))
                   for _ in range(connections)]
        for connection in sockets:
            connection.setblocking(False)
        unsent = {connection: memoryview(flood) for connection in sockets}
        while unsent:
            for connection in list(unsent):
                with contextlib.suppress(BlockingIOError):
                    unsent[connection] = unsent[connection][connection.send(unsent[connection]):]
                if not unsent[connection]:
                    del unsent[connection]
        for connection in sockets:
            connection.setblocking(True)
            connection.settimeout(60)
            lines = connection.makefile("rb")
            for _ in range(each):
                line = lines.readline()
                replies[line[:1]] = replies.get(line[:1], 0) + 1
                if line[:1] == b"$":
                    lines.readline()
                else:
                    refusals.add(line.decode().strip()[1:100])
    stored = int(ask(running, "XLEN", STREAM)[1:])
    if stored != replies[b"$"]:
        raise BenchError(f"{replies[b'$']} appends were acknowledged and {stored} are there")
    text = f"; refused with '{min(refusals)}'" if refusals else ""
    return [f"{each * connections:,} appends at once: {replies[b'$']:,} acknowledged, all there, {replies[b'-']:,} refused{text}"]


def once(stage: Stage, options, generators: Generators, redis: Running, embedded: Running) -> list[str]:
    """The parts that need no rounds."""
    lines = ["", "reading from the beginning, 1,000 entries with each XRANGE"]
    entries = 50_000 if options.quick else 500_000
    for running in (redis, embedded):
        missing = entries - int(ask(running, "XLEN", STREAM)[1:])
        if missing > 0:
            redis_load(running, pipeline=64)(50, missing)
    for number in range(1 if options.quick else 3):
        rates = {running.name: read(running, generators, entries) for running in (redis, embedded)}
        ratio = rates[embedded.name] / rates[redis.name]
        lines.append(f"  round {number + 1}: " + ", ".join(f"{name} {rate:,.0f} a second" for name, rate in rates.items())
                     + f", ratio {ratio:.2f}")
    lines += ["", "memory of what is open"]
    for running in (redis, embedded):
        lines += ["  " + line for line in open_deliveries(running, generators, entries // 5)]
    lines += ["", "replay, on disk before it is told"] + ["  " + line for line in replays(embedded, entries // 2)]
    lines += ["", "the limit of the queue", "  " + queue_limit(stage, Path(options.tacho).resolve())[0]]
    return lines


def ten_million(stage: Stage, options, generators: Generators) -> list[str]:
    """Resident memory at ten million stored events: after writing them, after a new start, and after reading them all."""
    binary, data = Path(options.tacho).resolve(), stage.scratch / "many"
    running = tacho(stage, "embedded, many", binary, "embedded", None, data)
    lines = ["", f"{options.events:,} events of 512 bytes"]
    at_once, left, began = 500_000, options.events, time.monotonic()
    highest = 0.0
    while left > 0:
        redis_load(running, pipeline=32)(50, min(at_once, left))
        left -= at_once
        highest = max(highest, running.resident_bytes() / MEBIBYTE)
    seconds = time.monotonic() - began
    size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    lines.append(f"  written in {seconds:.0f} s, pipelined by 32: {options.events / seconds:,.0f} a second; {size / 1e9:.1f} GB on disk")
    lines.append(f"  resident while writing: at most {highest:.1f} MiB after a piece of {at_once:,}")
    stop(running.process)
    running = tacho(stage, "embedded, again", binary, "embedded", None, data)
    lines.append(f"  resident after a new start: {running.resident_bytes() / MEBIBYTE:.1f} MiB")
    rate = read(running, generators, options.events)
    lines.append(f"  read from the beginning: {rate:,.0f} a second; resident afterwards {running.resident_bytes() / MEBIBYTE:.1f} MiB")
    stop(running.process)
    shutil.rmtree(data, ignore_errors=True)
    return lines
