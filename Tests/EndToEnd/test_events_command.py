"""`tacho events` and `tacho groups`: the bus from the command line, on the embedded log and on a Redis."""

import json
import subprocess
import threading

import pytest

from harness import free_port
from harness.tacho import binary


@pytest.fixture(params=["embedded", "redis"])
def bus(request, world):
    made = world.tacho("embedded" if request.param == "embedded" else world.redis(),
                       context={"inject": "never", "deliver": "keep"})
    return made


def tacho(bus, *words, code=0):
    done = subprocess.run([binary(), *words, "--bus", str(bus.address)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done.stdout.splitlines() if code == 0 else done.stderr


def test_append_read_and_list(bus):
    ids = [tacho(bus, "events", "append", "orders", "item=book", f"n={number}")[0] for number in range(3)]
    lines = tacho(bus, "events", "read", "orders")
    assert [line.split("  ")[0] for line in lines] == ids
    assert lines[0].endswith("item=book  n=0") and "T" in lines[0].split("  ")[1]
    newest = [json.loads(line) for line in tacho(bus, "events", "read", "orders", "--reverse", "--limit", "2", "-o", "json")]
    assert [event["id"] for event in newest] == ids[:0:-1]
    assert newest[0]["fields"] == {"item": "book", "n": "2"} and newest[0]["stream"] == "orders"
    assert tacho(bus, "events", "append", "returns", "a=b=c", "--id", "5-1") == ["5-1"]
    assert tacho(bus, "events", "read", "returns")[0].startswith("5-1  1970-01-01T00:00:00.005Z  a=b=c")
    listed = [json.loads(line) for line in tacho(bus, "events", "ls", "-o", "json")]
    assert [(stream["stream"], stream["length"]) for stream in listed] == [("orders", 3), ("returns", 1)]
    assert [line.split()[0] for line in tacho(bus, "events", "ls", "ret*")] == ["returns"]


def test_a_long_stream_is_read_in_pages(bus):
    app = bus.client()
    with app.pipeline(transaction=False) as pipeline:
        for number in range(1201):
            pipeline.xadd("many", {"n": str(number)})
        pipeline.execute()
    lines = tacho(bus, "events", "read", "many", "-o", "json")
    assert [json.loads(line)["fields"]["n"] for line in lines] == [str(number) for number in range(1201)]
    assert len(tacho(bus, "events", "read", "many", "--limit", "700")) == 700


def test_follow_prints_what_comes(bus):
    app = bus.client()
    app.xadd("orders", {"n": "before"})
    following = subprocess.Popen([binary(), "events", "follow", "orders", "-o", "json", "--bus", str(bus.address)],
                                 stdout=subprocess.PIPE, text=True)
    stopped = threading.Event()

    def publish():
        while not stopped.wait(0.05):
            app.xadd("orders", {"n": "after"})

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        assert json.loads(following.stdout.readline())["fields"] == {"n": "after"}
    finally:
        stopped.set()
        publisher.join()
        following.terminate()
        following.wait(60)
        following.stdout.close()


def test_groups_with_what_waits_for_them(bus):
    app = bus.client()
    app.xgroup_create("orders", "workers", id="0", mkstream=True)
    for number in range(3):
        app.xadd("orders", {"n": str(number)})
    app.xreadgroup("workers", "alice", {"orders": ">"}, count=2)
    [group] = [json.loads(line) for line in tacho(bus, "groups", "-o", "json")]
    assert (group["stream"], group["group"], group["consumers"], group["pending"], group["lag"]) == \
        ("orders", "workers", 1, 2, 1)
    assert tacho(bus, "groups")[0].startswith("orders  workers  consumers 1  pending 2  lag 1")


def test_mistakes_are_told(bus):
    tacho(bus, "events", "append", "orders", "a=b", "--id", "2-1")
    assert "equal or smaller" in tacho(bus, "events", "append", "orders", "a=b", "--id", "1-1", code=1)
    assert "NAME=VALUE" in tacho(bus, "events", "append", "orders", "nothing", code=2)
    nobody = subprocess.run([binary(), "events", "ls", "--bus", str(free_port())], capture_output=True, text=True,
                            timeout=60)
    assert nobody.returncode == 1 and "no bus answers" in nobody.stderr
