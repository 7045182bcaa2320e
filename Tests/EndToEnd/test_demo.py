"""`tacho demo` as its users start it: in a terminal and without one, on the embedded log and on their own broker."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from harness import Address, free_port, tacho as program, wait_for
from harness.redis_server import client


class Demo:
    """A running demonstration, and all it has printed so far."""

    def __init__(self, scratch, *arguments, terminal=False, environment=None):
        self.scratch = scratch
        self.http = free_port()
        self.redis = free_port()
        command = [program.binary(), "demo", "--http", f"127.0.0.1:{self.http}", "--listen", f"127.0.0.1:{self.redis}",
                   *arguments]
        variables = {key: text for key, text in os.environ.items() if not key.startswith(("OTEL_", "TACHO_"))}
        variables |= {"TMPDIR": str(scratch), "TERM": "xterm", "OTEL_BSP_SCHEDULE_DELAY": "50"} | (environment or {})
        self.output = b""
        if terminal:
            self.reader, other = pty.openpty()
        else:
            self.reader, other = os.pipe()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=other, stderr=other, env=variables,
                                        cwd=scratch)
        os.close(other)
        os.set_blocking(self.reader, False)

    def text(self):
        while select.select([self.reader], [], [], 0)[0]:
            try:
                more = os.read(self.reader, 65536)
            except (BlockingIOError, OSError):
                break
            if not more:
                break
            self.output += more
        return self.output.decode(errors="replace")

    def wait_for(self, pattern, timeout=60):
        return wait_for(lambda: re.search(pattern, self.text()), timeout=timeout, what=f"{pattern!r} in the output")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=60) as answer:
            return json.loads(answer.read())

    def interrupt(self, timeout=90):
        self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < deadline:
            self.text()
            time.sleep(0.05)
        return self.process.poll(), self.text()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.reader)


@pytest.fixture
def demo(tmp_path):
    made = []

    def start(*arguments, **options):
        made.append(Demo(tmp_path, *arguments, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()
    assert not list(Path(tmp_path).glob("tacho-demo-*")), "a demonstration has left its directory behind"


def test_every_accident_is_seen_and_the_end_is_told(demo, world, receiver):
    shown = demo("--rest", "1", "--learn", "5", environment={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
    shown.wait_for("\nready\n")
    # It can be used like any sidecar.
    pong = subprocess.run(["redis-cli", "-p", str(shown.redis), "PING"], capture_output=True, text=True, timeout=60)
    assert pong.stdout.strip() == "PONG"

    shown.wait_for("accident: a consumer of orders dies")
    shown.wait_for("accident: an order that shipping cannot read")
    shown.wait_for("accident: the broker answers 400 ms late")
    shown.wait_for("breaker '[^']+' of [a-z]+ opens: ")
    shown.wait_for("accident: every call to the broker fails")
    shown.wait_for(r"accident: every call to the broker fails(.|\n)* opens: (.|\n)* closes again")
    # What waited meanwhile is worked off.
    app = world.keep(client(Address(port=shown.redis)))
    wait_for(lambda: app.xlen("shipments") > 0.9 * app.xlen("orders"), what="the orders to be shipped")
    code, text = shown.interrupt()
    assert code == 0, text[-2000:]

    # The collector has whole traces: a till's order, through both services.
    names = {(span.resource["service.name"], span.name) for span in receiver.view().spans}
    assert {("checkout", "xadd orders"), ("payments", "process orders"), ("payments", "xadd payments"),
            ("shipping", "process payments"), ("shipping", "xadd shipments")} <= names, names

    summary = text[text.index("Thresholds that tuned themselves"):]
    assert re.search(r"slow_call_seconds +0\.5 -> [0-9.]+, \d+ steps? +A call usually takes", summary), summary
    assert re.search(r"'[^']+' of [a-z]+: opened (once|\d+ times), refused \d+ calls, back after", summary), summary
    assert re.search(r"orders to payments: [0-9.]+ [mu]?s on average", summary), summary
    trace = summary[summary.index("One message's way"):summary.index("What happened")]
    for name in ["checkout: xadd orders", "queue orders", "payments: process orders", "payments: xadd payments",
                 "shipping: process payments", "shipping: xadd shipments"]:
        assert name in trace, trace
    placed, shipped, dead = map(int, re.search(
        r"(\d+) orders placed, \d+ paid, (\d+) shipped, (\d+) dead letters", summary).groups())
    assert placed > 100 and dead >= 1 and shipped > placed * 0.8, summary
    assert int(re.search(r"(\d+) were refused by breakers", summary)[1]) > 0, summary


def test_a_terminal_gets_a_live_view(demo):
    shown = demo("--accidents", "none", terminal=True)
    shown.wait_for(r"QUEUE +DELIVERED +WAIT, MEAN")
    shown.wait_for(r"\x1b\[\d+F")  # drawn over, not below
    shown.wait_for(r"orders publish +closed +trial")
    shown.wait_for(r"now       the broker is well")
    code, text = shown.interrupt()
    assert code == 0 and "What happened" in text, text[-2000:]


def test_somebody_elses_redis_is_left_as_it_was(demo, world):
    server = world.redis()
    direct = server.client()
    direct.xadd("orders", {"theirs": "1"})
    shown = demo("--accidents", "none", "--redis", str(server.address))
    shown.wait_for("demo-orders -> demo-payments -> demo-shipments")
    wait_for(lambda: direct.xlen("demo-shipments") > 5, what="orders to be shipped")
    code, text = shown.interrupt()
    assert code == 0 and "demo-orders to payments" in text, text[-2000:]
    assert direct.keys("*") == ["orders"] and direct.xlen("orders") == 1


def test_somebody_elses_nats_is_left_as_it_was(demo, nats):
    shown = demo("--accidents", "none", "--nats", str(nats.address))
    shown.wait_for("demo-orders -> demo-payments -> demo-shipments")
    wait_for(lambda: any(trace["root"] == "publish demo-orders" and trace["spans"] >= 8
                         for trace in _traces(shown)), what="a trace through the whole chain")
    assert nats.ask_monitor("/jsz")["streams"] > 0
    code, text = shown.interrupt()
    assert code == 0 and "demo-orders to payments" in text, text[-2000:]
    assert nats.ask_monitor("/jsz")["streams"] == 0


def _traces(shown):
    try:
        return shown.get("/api/v1/traces?limit=200")["traces"]
    except OSError:
        return []


def test_what_cannot_work_is_said_at_once(demo):
    for arguments, words in [(["--rest=-1"], "expected 0 to 3600"), (["--accidents", "flood"], "'flood' is none of them"),
                             (["--redis", "nowhere"], "expected HOST:PORT"), (["--nats", "a:1", "--redis", "b:1"], "exclude")]:
        done = subprocess.run([program.binary(), "demo", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and words in done.stderr, (arguments, done)
