"""Projections of the embedded log: over HTTP, from the command line, and after the process was killed."""

import json
import subprocess

import pytest

from harness import wait_for
from harness.tacho import binary

DEFINITION = {"stream": "orders", "key": {"field": "who"}, "columns": {
    "n": {"fold": "count"}, "total": {"fold": "sum", "of": {"field": "amount"}},
    "last": {"fold": "last", "of": {"field": "amount"}}}}


@pytest.fixture
def log(world):
    return world.tacho("embedded", context={"inject": "never", "deliver": "keep"})


def ask(log, *words, code=0, text=None):
    done = subprocess.run([binary(), "projections", *words, "--http", str(log.http)], input=text,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done.stdout.splitlines() if code == 0 else done.stderr


def order(log, *orders):
    pipe = log.client().pipeline(transaction=False)
    for who, amount in orders:
        pipe.xadd("orders", {"who": who, "amount": str(amount)})
    pipe.execute()


def rows(log, name="totals"):
    status, body = log.get(f"/projections/{name}/rows")
    assert status == 200
    return {row["key"]: row["values"] for row in json.loads(body)["rows"]}


def caught_up(log, name="totals"):
    status, body = log.get(f"/projections/{name}")
    return status == 200 and json.loads(body)["lag"] == 0


def test_a_table_from_the_command_line(log):
    order(log, ("ann", 5), ("bob", 2))
    assert "of orders" in ask(log, "define", "totals", "-", text=json.dumps(DEFINITION))[0]
    order(log, ("ann", 3), ("bob", "many"))
    wait_for(lambda: caught_up(log) and rows(log).get("ann", {}).get("n") == 2)
    assert ask(log, "rows", "totals") == ["ann  last=3  n=2  total=8", "bob  last=many  n=2  total=2"]
    assert ask(log, "rows", "totals", "--key", "ann") == ["ann  last=3  n=2  total=8"]
    assert ask(log, "rows", "totals", "--limit", "1")[-1] == "more: --after 'ann'"
    assert ask(log, "rows", "totals", "--after", "ann") == ["bob  last=many  n=2  total=2"]
    [listed] = json.loads(ask(log, "ls", "-o", "json")[0])["projections"]
    assert (listed["position"], listed["rows"], listed["unusable_values"]) == (4, 2, 1)
    assert listed["definition"]["stream"] == "orders"
    assert ask(log)[0].startswith("totals  of orders  rows 2  position 4  lag 0")
    assert "lag 0" in ask(log, "rebuild", "totals", "--wait")[0]
    assert rows(log)["ann"] == {"n": 2, "total": 8, "last": "3"}
    metrics = log.metrics()
    assert metrics.sum("tacho_projection_events_total", projection="totals", outcome="folded") == 4
    assert metrics.sum("tacho_projection_rows", projection="totals") == 2
    assert ask(log, "rm", "totals") == []
    assert "no projection of this name" in ask(log, "rows", "totals", code=1)
    assert "fold: one of count" in ask(
        log, "define", "bad", "-", code=1, text='{"stream":"s","columns":{"n":{"fold":"average"}}}')


def test_events_are_folded_once_whatever_kills_the_process(log):
    ask(log, "define", "totals", "-", text=json.dumps(DEFINITION))
    for _ in range(4):
        order(log, *(("ann", 1) for _ in range(200)))
        log.close_clients()
        log.kill()
        log.start()
    length = log.client().xlen("orders")
    assert length == 800
    wait_for(lambda: caught_up(log))
    assert rows(log)["ann"] == {"n": length, "total": length, "last": "1"}
