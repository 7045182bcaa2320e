"""The programs of a benchmark: started on free loopback ports, waited for, stopped whatever happens."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

START_LIMIT_SECONDS = 15

HAPROXY_CONFIGURATION = """\
global
    nbthread 1
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen bus
    bind 127.0.0.1:{listen}
    server bus 127.0.0.1:{upstream}
"""


class BenchError(Exception):
    """Something that ends the benchmark; its text is for the person who started it."""


@dataclass
class Running:
    """A started program and where it is reached."""

    name: str
    process: subprocess.Popen
    port: int
    http_port: int | None = None
    log: Path | None = None

    def cpu_seconds(self) -> float:
        """User and system time of all threads, ended ones included, in nanosecond resolution.

        This is clock_getcpuclockid(3) spelt out: the kernel derives a process's CPU clock id from its pid.
        """
        return time.clock_gettime(((~self.process.pid) << 3) | 2)

    def resident_bytes(self) -> int:
        """VmRSS."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise BenchError(f"{self.name} has no resident memory: it ended")

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics summed over their labels; empty without an HTTP port."""
        if self.http_port is None:
            return {}
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=10) as response:
            text = response.read().decode()
        totals: dict[str, float] = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                name = series.split("{", 1)[0]
                totals[name] = totals.get(name, 0.0) + float(value)
        return totals


@dataclass
class Stage:
    """Everything that runs during one benchmark, in one scratch directory."""

    scratch: Path
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self, name, command, port, http_port=None, environment=None) -> Running:
        """Starts a program and returns when its port accepts connections."""
        log = self.scratch / f"{name.replace(' ', '-').replace('%', 'pct')}.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TACHO_"))}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.scratch,
                env=inherited | (environment or {}),
            )
        self.stack.callback(stop, process)
        running = Running(name, process, port, http_port, log)
        deadline = time.monotonic() + START_LIMIT_SECONDS
        for awaited in filter(None, (port, http_port)):
            while not accepts(awaited):
                if process.poll() is not None or time.monotonic() > deadline:
                    tail = log.read_text(errors="replace")[-2000:]
                    raise BenchError(f"{name} did not open port {awaited}: {' '.join(map(str, command))}\n{tail}")
                time.sleep(0.02)
        return running

    def redis(self) -> Running:
        """A Redis that only keeps its data in memory."""
        port = free_port()
        command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return self.start("direct", command, port)

    def nats(self) -> Running:
        """A NATS server with JetStream below the scratch directory."""
        port, http_port = free_port(), free_port()
        configuration = self.scratch / "nats.conf"
        configuration.write_text(
            f'listen: 127.0.0.1:{port}\nhttp: 127.0.0.1:{http_port}\n'
            f'jetstream {{ store_dir: "{self.scratch / "jetstream"}" }}\n'
        )
        return self.start("direct", ["nats-server", "-c", configuration], port)

    def haproxy(self, upstream: int) -> Running:
        """HAProxy in TCP mode on one thread, without logs."""
        port = free_port()
        configuration = self.scratch / "haproxy.cfg"
        configuration.write_text(HAPROXY_CONFIGURATION.format(listen=port, upstream=upstream))
        return self.start("haproxy", ["haproxy", "-db", "-f", configuration], port)

    def sink(self, binary: Path) -> Running:
        """The receiver that accepts spans and keeps none."""
        port = free_port()
        return self.start("sink", [binary, port], port)

    def tacho(
        self, name: str, binary: Path, protocol: str, upstream: int, collector: int, environment: dict[str, str]
    ) -> Running:
        """A sidecar in front of the server that exports to the sink, with the given environment on top."""
        port, http_port = free_port(), free_port()
        command = [
            binary, "run", f"--{protocol}", f"127.0.0.1:{port}=127.0.0.1:{upstream}", "--http", f"127.0.0.1:{http_port}",
            "--otlp", f"http://127.0.0.1:{collector}", "--service", "bench", "--data", self.scratch / f"data-{port}",
        ]  # fmt: skip
        return self.start(name, command, port, http_port, environment)


def stop(process: subprocess.Popen) -> None:
    """Asks, then insists."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A loopback port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    """Whether something listens on the loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False
