"""Every panel of every dashboard, asked of a real Prometheus that scrapes sidecars under traffic: each must answer.

The traffic holds what a dashboard can show, good and bad: chains, errors, redeliveries, deliveries given up, messages
that cannot be edited, a session that is not understood, a broker that is not there.
"""

import json
import math
import shutil
import threading
import time
from pathlib import Path

import pytest
import redis

from harness import Address, Prometheus, free_port, wait_for

DASHBOARDS = sorted((Path(__file__).resolve().parents[2] / "Grafana" / "dashboards").glob("*.json"))
STREAM, NEXT, AHEAD, GROUP = "orders", "payments", "stamped", "billing"


class Traffic:
    """A day in the life of a shop, over and over, until it is stopped."""

    def __init__(self, shop, strict, lonely):
        self.shop, self.strict, self.lonely = shop, strict, lonely
        self.failures = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._ended.set()
        self._thread.join(timeout=60)

    def _run(self):
        try:
            client, strict = self.shop.client(), self.strict.client()
            for stream in (STREAM, NEXT, AHEAD):
                client.xgroup_create(stream, GROUP, id="0", mkstream=True)
            client.set("text", "x")
            rounds = 0
            while not self._ended.is_set():
                self._round(client, strict, rounds)
                rounds += 1
                time.sleep(0.05)
        except Exception as error:  # told by the test
            self.failures.append(error)

    def _round(self, client, strict, number):
        client.xadd(STREAM, {"item": "book"})
        client.xadd(STREAM, {"item": "pen"})
        client.xadd(STREAM, {"traceparent": "mine", "item": "ring"})
        client.xadd(STREAM, {"item": "x" * 4_000})
        [[_, entries]] = client.xreadgroup(GROUP, "worker-1", {STREAM: ">"}, count=10)
        client.xadd(NEXT, {"sum": "12"})
        client.xack(STREAM, GROUP, *[entry for entry, _ in entries[1:]])
        client.xautoclaim(STREAM, GROUP, "worker-2", min_idle_time=0, count=1)
        [[_, entries]] = strict.xreadgroup(GROUP, "mailer-1", {NEXT: ">"}, count=10)
        strict.xack(NEXT, GROUP, *[entry for entry, _ in entries])
        with pytest.raises(redis.ResponseError):
            client.xadd("text", {"item": "book"})
        client.get("text")
        client.xadd("orders-dlq", {"item": "given up"})
        # From a producer whose clock is five seconds ahead.
        client.xadd(AHEAD, {"item": "book"}, id=f"{int(time.time() * 1000) + 5_000}-{number}")
        [[_, entries]] = client.xreadgroup(GROUP, "worker-1", {AHEAD: ">"}, count=10)
        client.xack(AHEAD, GROUP, *[entry for entry, _ in entries])
        if number % 10 == 0:
            raw = self.shop.raw()
            raw.send(b"*1\r\n!\r\n")
            raw.close()
            with pytest.raises(redis.RedisError):
                self.lonely.client().ping()
            with self.lonely.raw() as raw:
                raw.call("XADD", STREAM, "*", "item", "book")


@pytest.fixture
def prometheus(world, redis_server, receiver, tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    shop = world.tacho(redis_server, receiver,
                       environment={"TACHO_LIMITS_FRAME_BYTES": "2048", "TACHO_LIMITS_UNSETTLED_SECONDS": "1",
                                    "TACHO_HTTP_EVENTS": "on"})
    strict = world.tacho(redis_server, receiver, context={"deliver": "strip"})
    lonely = world.tacho(Address(port=free_port()), environment={"TACHO_RESILIENCE_ON_OPEN": "spool"})
    traffic = world.keep(Traffic(shop, strict, lonely))
    made = world.keep(Prometheus(tmp_path / "prometheus", [each.http for each in (shop, strict, lonely)])).start()
    yield made
    assert not traffic.failures, traffic.failures


def panels(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def filled_in(expression):
    for variable, text in (("$__rate_interval", "20s"), ("$job", ".+"), ("$instance", ".+"), ("$destination", ".*")):
        expression = expression.replace(variable, text)
    return expression


def has_numbers(samples):
    return any(math.isfinite(float(sample["value"][1])) for sample in samples)


@pytest.mark.partial_traces
def test_every_panel_has_data(prometheus):
    waiting = {(path.stem, title, expression) for path in DASHBOARDS
               for title, expression in panels(json.loads(path.read_text()))}
    assert len(waiting) > 50

    def all_answered():
        for panel in list(waiting):
            if has_numbers(prometheus.query(filled_in(panel[2]))):
                waiting.discard(panel)
        return not waiting

    deadline = time.monotonic() + 200
    while not all_answered() and time.monotonic() < deadline:
        time.sleep(1)
    assert not waiting, "\n".join(f"{board}: {title}: {filled_in(expression)}" for board, title, expression in
                                  sorted(waiting))


@pytest.mark.partial_traces
def test_variables_find_their_values(prometheus):
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] != "query":
                continue
            metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            wait_for(lambda: any(sample["metric"].get(label) for sample in prometheus.query(filled_in(metric))),
                     what=f"values of {variable['name']} in {path.stem}")
