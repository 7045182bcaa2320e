"""The load on NATS: nats_load.c, publishers and subscribers of core NATS, and publishers to a JetStream stream."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from contenders import BenchError, Running
from measure import Speed, run_generator

PAIRS = 25
STREAM = "BENCH"


@dataclass(frozen=True)
class Workload:
    """Messages of one size, so many of a publisher on their way at a time."""

    kind: str
    size: int
    depth: int

    @property
    def label(self) -> str:
        """As tables and result files name it."""
        return f"{self.kind} {self.size} B D={self.depth}"

    def cpu_aim(self, contender: str) -> float | None:
        """CPU per message as a multiple of HAProxy's: at 512 bytes, with one trace of a hundred kept."""
        return 2.0 if self.size == 512 and "1%" in contender else None

    @property
    def rate_aim(self) -> float | None:
        """Messages per second as a multiple of HAProxy's."""
        return 0.8 if self.size == 512 else None


class NatsLoad:
    """What `scripts/bench nats` runs."""

    protocol = "nats"
    version_command = ("nats-server", "--version")
    calibration_messages = 10_000
    most_messages = 2_000_000
    workloads = tuple(
        Workload(kind, size, depth) for kind in ("core", "jetstream") for size in (16, 512, 16_384) for depth in (1, 16)
    )

    def __init__(self, generator: Path):
        self.generator = generator

    def drive(self, target: Running, workload: Workload, messages: int) -> Speed:
        """Runs the generator."""
        what = f"{workload.label}, {target.name}"
        output = run_generator(
            what, [self.generator, target.port, workload.kind, workload.size, PAIRS, workload.depth, messages])
        return Speed(*map(float, output.split(",")))

    def prepare(self, port: int) -> None:
        """An empty stream in memory that forgets its oldest messages, past every proxy."""
        settings = {"name": STREAM, "subjects": ["bench.>"], "storage": "memory", "max_msgs": 20_000,
                    "discard": "old", "retention": "limits", "num_replicas": 1}  # fmt: skip
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            lines = connection.makefile("rb")
            lines.readline()
            connection.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB _INBOX.prepare 1\r\n')
            for subject, body in ((f"$JS.API.STREAM.DELETE.{STREAM}", b""),
                                  (f"$JS.API.STREAM.CREATE.{STREAM}", json.dumps(settings).encode())):
                connection.sendall(f"PUB {subject} _INBOX.prepare {len(body)}\r\n".encode() + body + b"\r\n")
                while not (line := lines.readline()).startswith(b"MSG "):
                    if not line:
                        raise BenchError("NATS closed the connection while the stream was made")
                answer = json.loads(lines.read(int(line.split()[-1]) + 2))
        if "error" in answer:
            raise BenchError(f"the stream could not be made: {answer['error']}")
