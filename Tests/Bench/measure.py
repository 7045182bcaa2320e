"""One measurement: a fixed number of messages through one contender, and what they cost."""

import subprocess
import time
from dataclasses import asdict, dataclass

from contenders import BenchError, Running

RUN_LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Speed:
    """What a load generator says of one run."""

    messages_per_second: float
    p50_milliseconds: float
    p95_milliseconds: float
    p99_milliseconds: float


@dataclass
class Sample:
    """What one measurement found. Times in the unit of the name; spans are counted from the contender's own metrics."""

    messages: int
    messages_per_second: float
    p50_milliseconds: float
    p95_milliseconds: float
    p99_milliseconds: float
    cpu_microseconds_per_message: float
    server_microseconds_per_message: float
    spans_started: int
    spans_exported: int
    spans_dropped: int

    def as_json(self) -> dict:
        """Plain values."""
        return asdict(self)


def run_generator(what: str, command: list) -> str:
    """Runs a load generator and returns what it prints."""
    try:
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=RUN_LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{what}: took over {RUN_LIMIT_SECONDS} s") from None
    if result.returncode != 0:
        raise BenchError(f"{what}: the load generator failed: {(result.stdout + result.stderr)[-2000:]}")
    return result.stdout


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


def measure(contender: Running, server: Running, load, workload, messages: int) -> Sample:
    """Sends the messages through the contender. CPU time counts from the first message until the contender is idle."""
    load.prepare(server.port)
    spans_before = contender.metrics()
    wait_until_idle(contender)
    cpu_before, server_before = contender.cpu_seconds(), server.cpu_seconds()
    speed = load.drive(contender, workload, messages)
    server_after = server.cpu_seconds()
    wait_until_idle(contender)
    cpu_after = contender.cpu_seconds()
    spans_after = contender.metrics()

    def grown(name: str) -> int:
        return int(spans_after.get(name, 0) - spans_before.get(name, 0))

    return Sample(
        messages=messages,
        **asdict(speed),
        cpu_microseconds_per_message=(cpu_after - cpu_before) / messages * 1e6,
        server_microseconds_per_message=(server_after - server_before) / messages * 1e6,
        spans_started=grown("tacho_spans_started_total"),
        spans_exported=grown("tacho_spans_exported_total"),
        spans_dropped=grown("tacho_spans_dropped_total"),
    )
