"""Who keeps events in `scripts/bench log`, and how each of them is loaded: Redis, the embedded log, JetStream."""

import csv
import io
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contenders import BenchError, Running, Stage, free_port
from measure import Speed, run_generator

PAYLOAD_BYTES = 512
STREAM = "bench"


@dataclass(frozen=True)
class Generators:
    """The load generators, built."""

    http: Path
    nats: Path
    reader: Path


@dataclass(frozen=True)
class Contender:
    """A program that keeps events, and the load that fits it: publishers and events to a speed."""

    name: str
    running: Running
    load: Callable[[int, int], Speed]


def redis_load(running: Running, *, pipeline: int = 1) -> Callable[[int, int], Speed]:
    """XADD by redis-benchmark."""

    def drive(publishers: int, events: int) -> Speed:
        output = run_generator(f"{publishers} publishers, {running.name}", [
            "redis-benchmark", "-h", "127.0.0.1", "-p", running.port, "-c", publishers, "-n", events, "-P", pipeline,
            "--csv", "--precision", 3, "XADD", STREAM, "*", "f", "x" * PAYLOAD_BYTES,
        ])  # fmt: skip
        rows = list(csv.DictReader(io.StringIO(output)))
        if len(rows) != 1:
            raise BenchError(f"{running.name}: redis-benchmark said {output[-2000:]}")
        return Speed(*(float(rows[0][key]) for key in ("rps", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms")))

    return drive


def http_load(running: Running, generator: Path) -> Callable[[int, int], Speed]:
    """CloudEvents in binary mode, by http_load.c."""

    def drive(publishers: int, events: int) -> Speed:
        command = [generator, running.http_port, f"/streams/{STREAM}/events", PAYLOAD_BYTES, publishers, events]
        output = run_generator(f"{publishers} publishers over HTTP, {running.name}", command)
        return Speed(*map(float, output.split(",")))

    return drive


def jetstream_load(running: Running, generator: Path) -> Callable[[int, int], Speed]:
    """Publishes that wait for their acknowledgement, by nats_load.c."""

    def drive(publishers: int, events: int) -> Speed:
        command = [generator, running.port, "jetstream", PAYLOAD_BYTES, publishers, 1, events]
        output = run_generator(f"{publishers} publishers, {running.name}", command)
        return Speed(*map(float, output.split(",")))

    return drive


def durable_redis(stage: Stage, name: str) -> Running:
    """A Redis that syncs its append-only file before it answers."""
    port = free_port()
    place = stage.scratch / f"redis-{port}"
    place.mkdir()
    return stage.start(name, [
        "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync",
        "always", "--dir", place, "--auto-aof-rewrite-percentage", "0",
    ], port)  # fmt: skip


def tacho(
    stage: Stage, name: str, binary: Path, upstream: str, collector: int | None, data: Path | None = None,
    breaker: str = "auto",
) -> Running:  # fmt: skip
    """A sidecar with the given upstream. Without a collector no span is kept."""
    port, http_port = free_port(), free_port()
    command = [
        binary, "run", "--redis", f"127.0.0.1:{port}={upstream}", "--http", f"127.0.0.1:{http_port}", "--service",
        "bench", "--data", data or stage.scratch / f"data-{port}", "--otlp",
        f"http://127.0.0.1:{collector}" if collector else "none",
    ]  # fmt: skip
    environment = {"TACHO_RESILIENCE_BREAKER": breaker}
    if not collector:
        environment["OTEL_TRACES_SAMPLER"] = "always_off"
    return stage.start(name, command, port, http_port, environment)


def jetstream(stage: Stage, name: str) -> Running:
    """A NATS server with a stream on disk, which it syncs every two minutes: 2.9 has no setting to sync before it
    answers."""
    port = free_port()
    place = stage.scratch / f"nats-{port}"
    place.mkdir()
    running = stage.start(name, ["nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd", place], port)
    settings = {"name": "BENCH", "subjects": ["bench.>"], "storage": "file", "retention": "limits", "num_replicas": 1}
    body = json.dumps(settings).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        lines = connection.makefile("rb")
        lines.readline()
        connection.sendall(
            b'CONNECT {"verbose":false,"headers":true}\r\nSUB _INBOX.prepare 1\r\n'
            + f"PUB $JS.API.STREAM.CREATE.BENCH _INBOX.prepare {len(body)}\r\n".encode() + body + b"\r\n")
        while not (line := lines.readline()).startswith(b"MSG "):
            if not line:
                raise BenchError("NATS closed the connection while the stream was made")
        answer = json.loads(lines.read(int(line.split()[-1]) + 2))
    if "error" in answer:
        raise BenchError(f"the stream could not be made: {answer['error']}")
    return running


def takes_http(running: Running) -> bool:
    """Whether this build serves the log over HTTP."""
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=10) as connection:
        connection.sendall(
            b"POST /streams/probe/events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n"
            b"Content-Type: application/octet-stream\r\nce-specversion: 1.0\r\nce-type: probe\r\nce-source: /bench\r\n"
            b"ce-id: 1\r\n\r\n{}")
        return b" 2" in connection.recv(64)[:12]


def all_contenders(stage: Stage, options, generators: Generators) -> list[Contender]:
    """Everything that is compared, the measure of all first."""
    redis = durable_redis(stage, "redis always")
    contenders = [Contender(redis.name, redis, redis_load(redis))]
    nats = jetstream(stage, "jetstream, no sync")
    contenders.append(Contender(nats.name, nats, jetstream_load(nats, generators.nats)))
    if options.tacho == "none":
        return contenders
    binary, collector = Path(options.tacho).resolve(), stage.sink(Path(options.sink).resolve())
    behind = tacho(stage, "redis through tacho", binary, f"127.0.0.1:{durable_redis(stage, 'redis behind').port}",
                   collector.port)
    embedded = tacho(stage, "embedded", binary, "embedded", collector.port)
    unsampled = tacho(stage, "embedded, no spans", binary, "embedded", None)
    contenders += [Contender(each.name, each, redis_load(each)) for each in (behind, embedded, unsampled)]
    if takes_http(embedded):
        over_http = tacho(stage, "embedded, HTTP", binary, "embedded", collector.port)
        contenders.append(Contender(over_http.name, over_http, http_load(over_http, generators.http)))
    return contenders
