"""One measurement: a fixed number of commands through one contender, and what they cost."""

import csv
import io
import socket
import subprocess
import time
from dataclasses import asdict, dataclass

from contenders import BenchError, Running

CONNECTIONS = 50
PAYLOAD_BYTES = 512
RUN_LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Workload:
    """A command sent over and over, at one pipeline depth."""

    name: str
    command: tuple[str, ...]
    is_bus: bool
    pipeline: int

    @property
    def label(self) -> str:
        """As tables and result files name it."""
        return f"{self.name} P={self.pipeline}"


COMMANDS = (
    ("XADD", ("XADD", "bench-stream", "*", "f", "__data__"), True),
    ("SET", ("SET", "bench", "__data__"), False),
    ("GET", ("GET", "bench"), False),
)
WORKLOADS = tuple(Workload(*command, pipeline) for pipeline in (1, 16) for command in COMMANDS)


@dataclass
class Sample:
    """What one measurement found. Times in the unit of the name; spans are counted from the contender's own metrics."""

    messages: int
    messages_per_second: float
    p50_milliseconds: float
    p95_milliseconds: float
    p99_milliseconds: float
    cpu_microseconds_per_message: float
    redis_microseconds_per_message: float
    spans_started: int
    spans_exported: int
    spans_dropped: int

    def as_json(self) -> dict:
        """Plain values."""
        return asdict(self)


def drive(target: Running, workload: Workload, messages: int) -> dict[str, str]:
    """Runs redis-benchmark (one thread, 50 connections) and returns its row of results."""
    what = f"{workload.label}, {target.name}"
    command = [
        "redis-benchmark", "-h", "127.0.0.1", "-p", target.port, "-c", CONNECTIONS, "-P", workload.pipeline,
        "-n", messages, "-d", PAYLOAD_BYTES, "--csv", "--precision", 3, *workload.command,
    ]  # fmt: skip
    try:
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=RUN_LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{what}: {messages} commands took over {RUN_LIMIT_SECONDS} s") from None
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    if result.returncode != 0 or len(rows) != 1:
        raise BenchError(f"{what}: redis-benchmark failed: {(result.stdout + result.stderr)[-2000:]}")
    return rows[0]


def prepare(redis_port: int) -> None:
    """Empties Redis and stores the value that GET reads, past every proxy: all contenders find the same state."""
    value = b"x" * PAYLOAD_BYTES
    request = b"FLUSHALL SYNC\r\n" + b"*3\r\n$3\r\nSET\r\n$5\r\nbench\r\n$%d\r\n%s\r\n" % (len(value), value)
    with socket.create_connection(("127.0.0.1", redis_port), timeout=30) as connection:
        connection.sendall(request)
        replies = b""
        while replies.count(b"\r\n") < 2:
            received = connection.recv(4096)
            if not received:
                raise BenchError("Redis closed the connection while being emptied")
            replies += received
    if replies != b"+OK\r\n+OK\r\n":
        raise BenchError(f"Redis could not be emptied: {replies!r}")


def wait_until_idle(running: Running) -> None:
    """Returns when the contender has all but stopped computing, so that exports still under way are counted too."""
    deadline = time.monotonic() + 10
    before = running.cpu_seconds()
    while time.monotonic() < deadline:
        time.sleep(0.1)
        now = running.cpu_seconds()
        if now - before < 0.001:
            return
        before = now


def measure(contender: Running, redis: Running, workload: Workload, messages: int) -> Sample:
    """Sends the messages through the contender. CPU time counts from the first message until the contender is idle."""
    prepare(redis.port)
    spans_before = contender.metrics()
    wait_until_idle(contender)
    cpu_before, redis_before = contender.cpu_seconds(), redis.cpu_seconds()
    row = drive(contender, workload, messages)
    redis_after = redis.cpu_seconds()
    wait_until_idle(contender)
    cpu_after = contender.cpu_seconds()
    spans_after = contender.metrics()

    def grown(name: str) -> int:
        return int(spans_after.get(name, 0) - spans_before.get(name, 0))

    return Sample(
        messages=messages,
        messages_per_second=float(row["rps"]),
        p50_milliseconds=float(row["p50_latency_ms"]),
        p95_milliseconds=float(row["p95_latency_ms"]),
        p99_milliseconds=float(row["p99_latency_ms"]),
        cpu_microseconds_per_message=(cpu_after - cpu_before) / messages * 1e6,
        redis_microseconds_per_message=(redis_after - redis_before) / messages * 1e6,
        spans_started=grown("tacho_spans_started_total"),
        spans_exported=grown("tacho_spans_exported_total"),
        spans_dropped=grown("tacho_spans_dropped_total"),
    )
