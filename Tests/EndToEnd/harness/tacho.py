"""The program under test as a child process."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from . import metrics, redis_server
from .net import PATIENCE, Address, free_port, wait_for
from .raw import RawClient

ROOT = Path(__file__).resolve().parents[3]


def binary():
    """TACHO_BIN, else the release build, else the debug build."""
    named = os.environ.get("TACHO_BIN")
    candidates = [Path(named)] if named else [ROOT / ".build/release/tacho", ROOT / ".build/debug/tacho"]
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate)
    raise FileNotFoundError(f"no tacho binary at {', '.join(map(str, candidates))}: build it or set TACHO_BIN")


class Tacho:
    """`tacho run` in front of one server, a Redis unless `protocol` says otherwise.

    `context` (inject, deliver), other keys of the listener (`options`) and of the process (`settings`) go into a
    configuration file, as do further listeners (`also`, as in the file but for `listen`: `addresses` says where those
    are); without any, the listener is given as a flag. `environment` is added to an environment without OTEL_* and TACHO_* variables of the caller's.
    """

    def __init__(self, scratch, upstream, receiver=None, listen=None, context=None, settings=None, service="shop",
                 environment=None, otlp_flag=True, protocol="redis", options=None, also=()):
        self.scratch = Path(scratch)
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.upstream = upstream
        self.receiver = receiver
        self.address = listen or Address(port=free_port())
        self.http = Address(port=free_port())
        self.context = context
        self.protocol = protocol
        self.options = options or {}
        self.also = [{"listen": str(Address(port=free_port())), **each, "upstream": str(each["upstream"])}
                     for each in also]
        self.addresses = [self.address] + [Address(port=int(each["listen"].rpartition(":")[2])) for each in self.also]
        self.settings = settings or {}
        self.service = service
        self.environment = environment or {}
        self.otlp_flag = otlp_flag
        self.process = None
        self.exit_code = None
        self.banner = []
        self._said = queue.Queue()
        self._log_path = self.scratch / "tacho.log"
        self._clients = []

    # Starting

    def arguments(self):
        options = [binary(), "run", "--http", str(self.http)]
        if self.service:
            options += ["--service", self.service]
        if self.otlp_flag:
            options += ["--otlp", self.receiver.url if self.receiver else "none"]
        if self.context is None and not self.settings and not self.options and not self.also:
            return options + [f"--{self.protocol}", f"{self.address}={self.upstream}"]
        listener = {"protocol": self.protocol, "listen": str(self.address), "upstream": str(self.upstream),
                    **self.options}
        if self.context is not None:
            listener["context"] = self.context
        path = self.scratch / "tacho.yaml"
        path.write_text(json.dumps({"listeners": [listener, *self.also], **self.settings}, indent=1))  # JSON is YAML
        return options + ["--config", str(path)]

    def start(self, timeout=PATIENCE):
        environment = {key: text for key, text in os.environ.items() if not key.startswith(("OTEL_", "TACHO_"))}
        environment |= {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_TRACES_SAMPLER": "parentbased_always_on",
                        "OTEL_BSP_MAX_QUEUE_SIZE": "200000",
                        # One span fewer per delivery to count; test_service_map.py is about these.
                        "TACHO_TRACING_BUS_SPANS": "off"}
        environment |= self.environment
        with open(self._log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.arguments(), stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                cwd=self.scratch, env=environment)
        self.banner, self._said = [], queue.Queue()
        threading.Thread(target=self._listen_to, args=(self.process.stdout, self._said), daemon=True).start()
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._said.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                code = self.process.poll()
                raise AssertionError(f"tacho is not ready (exit code {code}); it said {self.banner}; "
                                     f"log:\n{self.logs()[-4000:]}")
            self.banner.append(line)
            if "ready" in line:
                return self

    @staticmethod
    def _listen_to(stdout, said):
        for line in stdout:
            said.put(line.decode(errors="replace").rstrip("\n"))
        said.put(None)
        stdout.close()

    # Clients

    def client(self, **options):
        """redis-py through the program."""
        made = redis_server.client(self.address, **options)
        self._clients.append(made)
        return made

    def raw(self, timeout=PATIENCE):
        return RawClient(self.address, timeout)

    # What it says about itself

    def logs(self):
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def log_lines(self):
        return [json.loads(line) for line in self.logs().splitlines()]

    def output(self):
        return "\n".join(self.banner)

    def metrics(self, accept=""):
        return metrics.Metrics.scrape(f"http://{self.http}/metrics", accept)

    def openmetrics(self):
        return self.metrics("application/openmetrics-text; version=1.0.0")

    def get(self, path):
        """(status, body) of an HTTP path."""
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=PATIENCE) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def wait_for_metric(self, name, value, timeout=PATIENCE, **labels):
        """Waits until the sum over the series is `value`, or until it satisfies it when it is a function."""
        holds = value if callable(value) else lambda got: got == value
        seen = []

        def matches():
            seen[:] = [self.metrics()]
            return holds(seen[0].sum(name, **labels))

        try:
            wait_for(matches, timeout, what=name)
        except AssertionError:
            raise AssertionError(f"{name}{labels} is {seen[0].sum(name, **labels)}") from None
        return seen[0]

    def rss_kib(self):
        return self._status("VmRSS")

    def peak_rss_kib(self):
        """The highest resident size since `reset_peak`."""
        return self._status("VmHWM")

    def reset_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _status(self, key):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise AssertionError(f"no {key} in the process status")

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # Ending

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def sigterm(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout=PATIENCE):
        self.exit_code = self.process.wait(timeout)
        return self.exit_code

    def kill(self):
        if self.is_running:
            self.process.kill()
            self.wait()

    def close_clients(self):
        for made in self._clients:
            made.close()
        self._clients.clear()

    def stop(self, timeout=PATIENCE):
        """Drains; returns the exit code. What does not end in time is killed, and then the code says so."""
        self.close_clients()
        if self.is_running:
            self.sigterm()
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.exit_code
