"""The load on Redis: redis-benchmark with one thread and 50 connections, and a server that is emptied before."""

import csv
import io
import socket
from dataclasses import dataclass

from contenders import BenchError, Running
from measure import Speed, run_generator

CONNECTIONS = 50
PAYLOAD_BYTES = 512


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

    def cpu_aim(self, contender: str) -> float:
        """CPU per message as a multiple of HAProxy's: more where every message is sampled and exported."""
        is_sampled = "100%" in contender and self.name == "XADD"
        return {(False, 1): 1.3, (False, 16): 2.0, (True, 1): 1.5, (True, 16): 3.0}[is_sampled, self.pipeline]

    @property
    def rate_aim(self) -> float | None:
        """Messages per second as a multiple of HAProxy's."""
        return 0.85 if self.pipeline == 1 else None


# redis-benchmark of 7.0 replaces nothing but __rand_int__ in a command that it is given: the value is written out.
VALUE = "x" * PAYLOAD_BYTES

COMMANDS = (
    ("XADD", ("XADD", "bench-stream", "*", "f", VALUE), True),
    ("SET", ("SET", "bench", VALUE), False),
    ("GET", ("GET", "bench"), False),
)


class RedisLoad:
    """What `scripts/bench redis` runs."""

    protocol = "redis"
    version_command = ("redis-server", "--version")
    calibration_messages = 20_000
    most_messages = 1_000_000  # a million entries of a stream are half a gigabyte of Redis
    workloads = tuple(Workload(*command, pipeline) for pipeline in (1, 16) for command in COMMANDS)

    def drive(self, target: Running, workload: Workload, messages: int) -> Speed:
        """Runs redis-benchmark."""
        what = f"{workload.label}, {target.name}"
        output = run_generator(what, [
            "redis-benchmark", "-h", "127.0.0.1", "-p", target.port, "-c", CONNECTIONS, "-P", workload.pipeline,
            "-n", messages, "--csv", "--precision", 3, *workload.command,
        ])  # fmt: skip
        rows = list(csv.DictReader(io.StringIO(output)))
        if len(rows) != 1:
            raise BenchError(f"{what}: redis-benchmark said {output[-2000:]}")
        row = rows[0]
        return Speed(*(float(row[key]) for key in ("rps", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms")))

    def prepare(self, port: int) -> None:
        """Empties Redis and stores the value that GET reads, past every proxy: all contenders find the same state."""
        value = VALUE.encode()
        request = b"FLUSHALL SYNC\r\n" + b"*3\r\n$3\r\nSET\r\n$5\r\nbench\r\n$%d\r\n%s\r\n" % (len(value), value)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            replies = b""
            while replies.count(b"\r\n") < 2:
                received = connection.recv(4096)
                if not received:
                    raise BenchError("Redis closed the connection while being emptied")
                replies += received
        if replies != b"+OK\r\n+OK\r\n":
            raise BenchError(f"Redis could not be emptied: {replies!r}")
