"""What docker-compose.yml starts, started without containers: its commands and variables, with loopback for host names."""

import json
import os
import re
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness import free_port, tacho as program, wait_for

SERVICES = YAML(typ="safe", pure=True).load((Path(__file__).resolve().parents[2] / "docker-compose.yml").read_text())[
    "services"]


class Stack:
    """The containers of our own image as processes, each address of the file on a free port."""

    def __init__(self, bus, broker, collector, scratch):
        self.bus, self.scratch = bus, scratch
        self.ports = {name: free_port() for name in ["6380", "16379", "16380", "16381", "9464"]}
        self.replaced = {f"--broker {bus}": f"--broker {broker}", "http://jaeger:4318": collector}
        self.processes = {}

    def start(self, name):
        service = SERVICES[name]
        words = "\n".join(service["command"]).replace("${BUS:-redis}", self.bus)
        for host, port in self.ports.items():
            words = re.sub(rf"(0\.0\.0\.0|faults|sidecar):{host}\b", f"127.0.0.1:{port}", words)
        words = words.replace("/tmp/alive", str(self.scratch / f"alive-{name}"))
        for old, new in self.replaced.items():
            words = words.replace(old.replace(" ", "\n"), new.replace(" ", "\n"))
        variables = {key: text for key, text in os.environ.items() if not key.startswith(("OTEL_", "TACHO_"))}
        variables |= service.get("environment", {})
        variables |= {"TACHO_DATA": str(self.scratch / "data"), "OTEL_BSP_SCHEDULE_DELAY": "50"}
        self.processes[name] = subprocess.Popen(
            [program.binary(), *words.split("\n")], env=variables, cwd=self.scratch, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['9464']}{path}", timeout=60) as answer:
            return answer.read().decode()

    def is_ready(self):
        try:
            return self.get("/readyz") is not None
        except OSError:
            return False

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        return {name: process.wait(60) for name, process in self.processes.items()}

    def close(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.mark.parametrize("bus", ["redis", "nats"])
@pytest.mark.partial_traces("whole traces are those of test_demo.py; here orders are under way at the end")
def test_orders_go_through_within_thirty_seconds(bus, world, receiver, tmp_path):
    server = world.redis() if bus == "redis" else world.nats()
    stack = world.keep(Stack(bus, server.address, receiver.url, tmp_path))
    began = time.monotonic()
    stack.start("faults")
    stack.start("sidecar")
    wait_for(stack.is_ready, what="the sidecar")
    for name in ["checkout", "payments", "shipping"]:
        stack.start(name)
    for name in ["checkout", "payments", "shipping"]:
        wait_for((tmp_path / f"alive-{name}").exists, what=f"signs of life of {name}")
    publish = "xadd" if bus == "redis" else "publish"
    wait_for(lambda: {("checkout", f"{publish} orders"), ("payments", f"{publish} payments"),
                      ("shipping", f"{publish} shipments")}
             <= {(span.resource["service.name"], span.name) for span in receiver.view().spans},
             what="spans of all three services")
    assert "tacho_queue_seconds_count" in stack.get("/metrics")
    wait_for(lambda: json.loads(stack.get("/api/v1/traces?destination=shipments"))["traces"], what="their traces")
    assert time.monotonic() - began < 30
    assert stack.stop() == dict.fromkeys(["faults", "sidecar", "checkout", "payments", "shipping"], 0)
