"""A real nats-server on loopback with a scratch directory: alone, as a leaf of another, or in a cluster of three."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from .net import LOOPBACK, PATIENCE, Address, free_port, wait_for
from .process import end

BINARY = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")


class NatsServer:
    """One nats-server. `settings` is the text of its configuration beside addresses and JetStream."""

    def __init__(self, scratch, settings="", jetstream=True, name=None, domain=None):
        if BINARY is None:
            pytest.skip("nats-server is not installed")
        self.scratch = Path(scratch)
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.name = name or f"server-{free_port()}"
        self.address = Address(port=free_port())
        self.monitor = Address(port=free_port())
        self.settings = settings
        self.jetstream = jetstream
        self.domain = domain
        self.process = None

    @property
    def url(self):
        return f"nats://{self.address}"

    def start(self):
        assert not self.address.listens(), f"port {self.address.port} belongs to somebody else"
        configuration = self.scratch / "nats.conf"
        configuration.write_text(self._configuration())
        with open(self.scratch / "nats.log", "ab") as log:
            self.process = subprocess.Popen([BINARY, "-c", str(configuration)], stdout=log, stderr=log)
        wait_for(self._answers_as_mine, what="nats-server to answer")
        return self

    def _configuration(self):
        lines = [f"server_name: {self.name}", f"listen: {self.address}", f"http: {self.monitor}"]
        if self.jetstream:
            domain = f", domain: {self.domain}" if self.domain else ""
            lines.append(f'jetstream {{ store_dir: "{self.scratch / "jetstream"}"{domain} }}')
        return "\n".join([*lines, self.settings, ""])

    def _answers_as_mine(self):
        assert self.process.poll() is None, f"nats-server ended with {self.process.returncode}:\n{self.log()[-2000:]}"
        try:
            return self.greeting()["server_name"] == self.name
        except (OSError, ValueError, KeyError):
            return False

    def greeting(self):
        """INFO as a new connection gets it. Without one (a server that begins with TLS) the monitor must do."""
        with self.address.connect(timeout=10) as connection:
            line = connection.makefile("rb").readline()
        assert line.startswith(b"INFO "), line
        return json.loads(line[5:])

    def ask_monitor(self, path):
        """What the monitoring port says, such as `/connz`."""
        with urllib.request.urlopen(f"http://{self.monitor}{path}", timeout=PATIENCE) as response:
            return json.loads(response.read())

    def connections(self):
        """How many clients are connected."""
        return self.ask_monitor("/connz")["num_connections"]

    def log(self):
        path = self.scratch / "nats.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def enter_lame_duck_mode(self):
        """It accepts nobody any more and lets its clients go one by one (`lame_duck_duration`, `_grace_period`)."""
        self.process.send_signal(signal.SIGUSR2)

    def kill(self):
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, number):
        end(self.process, number)
        self.process = None

    def restart(self):
        """Up again on the same port, with what JetStream has stored."""
        self._end(signal.SIGKILL)
        return self.start()


def leaf_pair(place):
    """A hub and a leaf of it, each with a JetStream domain of its own. `place(kind)` gives a scratch directory."""
    port = free_port()
    hub = NatsServer(place("hub"), f"leafnodes {{ listen: {LOOPBACK}:{port} }}", domain="hub")
    leaf = NatsServer(
        place("leaf"), f'leafnodes {{ remotes [ {{ url: "nats-leaf://{LOOPBACK}:{port}" }} ] }}', domain="leaf")
    return hub, leaf


def wait_for_leaf(hub, leaf):
    wait_for(lambda: hub.ask_monitor("/leafz")["leafnodes"] == 1, what="the leaf to reach its hub")
    # From then on requests for the hub's JetStream find it.
    wait_for(lambda: hears_of(leaf, "$JS.hub.API.CONSUMER.>"), what="the leaf to hear of its hub's domain")


def hears_of(leaf, subject):
    """Whether the leaf knows that its hub has a subscription."""
    return any(subject in each.get("subscriptions_list", []) for each in leaf.ask_monitor("/leafz?subs=1")["leafs"])


def cluster_of_three(place, settings=""):
    """Three servers that know each other; each names the others to its clients."""
    ports = [free_port() for _ in range(3)]
    routes = ", ".join(f'"nats-route://{LOOPBACK}:{port}"' for port in ports)
    return [NatsServer(place("nats"), f"cluster {{ name: three, listen: {LOOPBACK}:{port}, routes: [{routes}] }}\n"
                       + settings, jetstream=False) for port in ports]


def wait_for_cluster(servers):
    for server in servers:
        wait_for(lambda: len({route["remote_id"] for route in server.ask_monitor("/routez")["routes"]}) == 2,
                 what=f"{server.name} to know the others")


def require_cc():
    """The C compiler and libnats, or a skip."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("a C compiler is not installed")
    if not any(os.path.exists(f"{root}/nats/nats.h") for root in ("/usr/include", "/usr/local/include")):
        pytest.skip("libnats-dev is not installed")
    return compiler
