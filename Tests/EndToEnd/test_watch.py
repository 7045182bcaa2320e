"""What people look at: the live tap and the traces in memory, without a collector."""

import json
import os
import subprocess
import threading
import time

import pytest

from harness import wait_for
from harness.tacho import binary

GROUP, STREAM = "workers", "orders"


PROBE = "newest"


class Watcher:
    """`tacho tap` as a child process; its lines as they come.

    That it watches is known when it shows a message: of `probe`, which sends one that its filter lets through.
    """

    def __init__(self, tacho, *arguments, probe=lambda client: client.publish(PROBE, "")):
        self.process = subprocess.Popen(
            [binary(), "tap", "--http", str(tacho.http), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={key: text for key, text in os.environ.items() if not key.startswith("TACHO_")})
        self.lines = []
        self._watches = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with tacho.client(client_name="probe") as client:
            wait_for(lambda: (probe(client), self._watches.wait(0.3))[1], what="the tap")

    @staticmethod
    def _watchers(tacho):
        port = f":{tacho.http.port:04X}"
        with open(f"/proc/{tacho.process.pid}/net/tcp") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return sum(1 for row in rows if row[1].endswith(port) and row[3] == "01")

    def _read(self):
        for line in self.process.stdout:
            if PROBE in line.decode():
                self._watches.set()
            else:
                self.lines.append(line.decode().rstrip("\n"))

    def wait_for_lines(self, count):
        wait_for(lambda: len(self.lines) >= count, what=f"{count} lines of {self.lines}")
        return self.lines

    def messages(self, count):
        return [json.loads(line) for line in self.wait_for_lines(count)]

    def end(self):
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=60)
        return code, self.process.stderr.read().decode()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()


@pytest.fixture
def quiet(world, redis_server):
    """No collector, and no trace is kept."""
    return world.tacho(redis_server, environment={"OTEL_TRACES_SAMPLER": "always_off"})


@pytest.fixture
def kept(world, redis_server):
    """No collector, and every trace is kept."""
    return world.tacho(redis_server)


def ask(tacho, *arguments):
    return subprocess.run(
        [binary(), *arguments, "--http", str(tacho.http)], capture_output=True, text=True, timeout=60,
        env={key: text for key, text in os.environ.items() if not key.startswith("TACHO_")})


def fail(client):
    """Publishes what is refused."""
    with pytest.raises(Exception, match="WRONGTYPE"):
        client.xadd(PROBE, {"a": "b"})


def live_a_life(client):
    """Published, delivered, acknowledged; returns the id."""
    message_id = client.xadd(STREAM, {"item": "book"})
    client.xreadgroup(GROUP, "alice", {STREAM: ">"})
    assert client.xack(STREAM, GROUP, message_id) == 1
    return message_id


def test_the_tap_shows_every_step_of_unsampled_messages(world, quiet, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    watcher = world.keep(Watcher(quiet, "-o", "json"))
    message_id = live_a_life(quiet.client(client_name="web"))
    published, delivered, settled = watcher.messages(3)

    assert [published["stage"], published["operation"]] == ["published", "xadd"]
    assert published["client"] == "web" and published["message_id"] == message_id
    assert published["duration_seconds"] > 0 and published["body_bytes"] == len("itembook")
    assert [delivered["stage"], delivered["operation"]] == ["delivered", "xreadgroup"]
    assert [delivered["group"], delivered["consumer"], delivered["attempt"]] == [GROUP, "alice", 1]
    assert "queue_seconds" in delivered
    assert [settled["stage"], settled["operation"], settled["outcome"]] == ["settled", "process", "ok"]
    assert settled["duration_seconds"] > 0
    assert {each["trace_id"] for each in (published, delivered, settled)} == {published["trace_id"]}
    assert not any(each["sampled"] for each in (published, delivered, settled))
    assert json.loads(ask(quiet, "trace", "-o", "json").stdout) == {"traces": []}


def test_the_tap_in_the_terminal_is_one_aligned_line_per_step(world, quiet, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    watcher = world.keep(Watcher(quiet))
    message_id = live_a_life(quiet.client())
    header, *rows = watcher.wait_for_lines(4)
    assert [row[14:23] for row in rows] == ["published", "delivered", "settled  "]
    assert all(row[header.index("MESSAGE"):].startswith(message_id) for row in rows)
    assert all(row[header.index("TRACE"):].startswith("(") for row in rows)
    assert "\x1b" not in "".join(watcher.lines)


def test_filters_and_rate(world, kept):
    client = kept.client()
    client.set(PROBE, "not a stream")
    errors = world.keep(Watcher(kept, "-o", "json", "--outcome", "error", probe=fail))
    news = world.keep(Watcher(kept, "-o", "json", "--destination", "new*", "--rate", "5"))
    time.sleep(1)  # the second in which it has shown a probe
    client.set("text", "not a stream")
    with pytest.raises(Exception, match="WRONGTYPE"):
        client.xadd("text", {"a": "b"})
    pipe = client.pipeline(transaction=False)
    for _ in range(200):
        pipe.publish("news", "hello")
        pipe.publish("other", "hello")
    pipe.execute()
    [failed] = errors.messages(1)
    assert [failed["destination"], failed["error"], failed["outcome"]] == ["text", "WRONGTYPE", "error"]

    def told():
        lines = [json.loads(line) for line in list(news.lines)]
        shown = [line for line in lines if "stage" in line]
        missing = sum(line["skipped"] + line["dropped"] for line in lines if "skipped" in line)
        assert all(line["destination"] == "news" for line in shown)
        return len(shown) + missing == 200 and 5 <= len(shown) <= 50

    wait_for(told, what="200 messages, shown or counted")


def test_the_tap_ends_with_the_drain_and_watching_with_the_watcher(world, kept, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    leaving = world.keep(Watcher(kept, "-o", "json"))
    staying = world.keep(Watcher(kept, "-o", "json"))
    leaving.process.kill()
    live_a_life(kept.client())
    staying.messages(3)
    wait_for(lambda: Watcher._watchers(kept) == 1, what="the end of the connection")
    assert kept.stop() == 0
    code, complaint = staying.end()
    assert code == 0 and "shutting down" in complaint


def test_a_trace_without_a_collector(kept, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    message_id = live_a_life(kept.client())

    def summary():
        listed = json.loads(ask(kept, "trace", "-o", "json", "--destination", STREAM).stdout)["traces"]
        return next((each for each in listed if each["root"] == "xadd orders"), None)

    wait_for(lambda: (summary() or {"spans": 0})["spans"] >= 4, what="the trace")
    trace_id = summary()["trace_id"]
    status, body = kept.get(f"/api/v1/traces/{trace_id}")
    spans = {span["name"]: span for span in json.loads(body)["spans"]}
    assert status == 200
    assert spans["xack orders"]["parent_span_id"] == spans["process orders"]["span_id"]
    assert spans["process orders"]["attributes"]["messaging.message.id"] == message_id
    assert spans["process orders"]["attributes"]["tacho.consumer.name"] == "alice"
    assert "parent_span_id" not in spans["xadd orders"]

    drawn = ask(kept, "trace", trace_id)
    assert drawn.returncode == 0
    title, _, _, *rows = drawn.stdout.splitlines()
    assert title == f"trace {trace_id}"
    names = [row.split("  ")[0].rstrip() for row in rows]
    assert "xadd orders" in rows[0] and "producer" in rows[0]
    process, settle = [next(row for row in rows if name in row) for name in ("process orders", "xack orders")]
    assert process.index("process") < settle.index("xack"), names
    assert "attempt 1" in process and "consumer alice" in process and "━" in process


def test_what_is_asked_wrongly_is_said(kept, tmp_path):
    assert ask(kept, "trace", "xyz").returncode == 2
    assert ask(kept, "tap", "--outcome", "fine").returncode == 2
    unknown = ask(kept, "trace", "0123456789abcdef0123456789abcdef")
    assert unknown.returncode == 1 and "nothing is kept of this trace" in unknown.stderr
    nobody = subprocess.run([binary(), "tap", "--http", "127.0.0.1:1"], capture_output=True, text=True, timeout=60)
    assert nobody.returncode == 1 and "no sidecar answers at 127.0.0.1:1" in nobody.stderr
    status, body = kept.get("/api/v1/traces?limit=x")
    assert status == 400 and json.loads(body)["detail"] == "limit: expected a whole number from 1 to 1000"


def test_recent_traces_can_be_switched_off(world, redis_server):
    tacho = world.tacho(redis_server, settings={"traces": {"keep_spans": 0}})
    tacho.client().xadd(STREAM, {"a": "b"})
    refused = ask(tacho, "trace")
    assert refused.returncode == 1 and "traces.keep_spans" in refused.stderr
