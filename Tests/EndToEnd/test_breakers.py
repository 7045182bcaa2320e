"""Circuit breakers with a real Redis behind a network that misbehaves, and real clients in front."""

import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
import redis

from harness import RawClient, Relay, command, tacho as program, wait_for
from harness.process import freeze

STREAM = "orders"
KEY = "orders publish"
# What is learned acts at once; nothing else is set but how long an answer may take at all.
LEARNING = {"learning_seconds": 0, "call_timeout_milliseconds": 500}
# What an answer takes where something is learned from it: beside that, the machine's own pauses are small.
USUAL_SECONDS = 0.03


class Publisher:
    """A client that publishes steadily, and notes what came of it."""

    def __init__(self, tacho, stream=STREAM, pause=0.01, patience=60):
        self.client = tacho.client(socket_timeout=patience)
        self.stream = stream
        self.pause = pause
        self.sent = 0
        self.rejected = []
        self.failed = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                self.client.xadd(self.stream, {"n": number}, maxlen=1000)
                self.sent += 1
            except redis.ResponseError as error:
                (self.rejected if "breaker '" in str(error) else self.failed).append(str(error))
            except (redis.ConnectionError, redis.TimeoutError) as error:
                self.failed.append(str(error))
            self._stop.wait(self.pause)

    def close(self):
        self._stop.set()
        self._thread.join(60)


@pytest.fixture
def bad_network(world):
    server = world.redis("--enable-debug-command", "yes")
    relay = Relay(server.address)
    relay.server = server
    world.keep(_Closing(relay.stop))
    return relay


class _Closing:
    def __init__(self, close):
        self.close = close


def start(world, relay, receiver=None, data="./data", listen=None, **resilience):
    settings = {"resilience": {**LEARNING, **resilience}, "data": str(data),
                # These clients share one process, and causes that are inferred between them mean nothing.
                "tracing": {"causality": "off"}}
    return world.tacho(relay.address, receiver, settings=settings, listen=listen)


@pytest.fixture
def publish(world):
    """Starts publishers; they end before the programs do."""
    made = []

    def begin(tacho, **options):
        made.append(Publisher(tacho, **options))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def breaker(tacho, key=KEY):
    status, body = tacho.get("/api/v1/breakers")
    assert status == 200, body
    found = [one for one in json.loads(body)["breakers"] if one["key"] == key]
    return found[0] if found else None


def state(tacho, key=KEY):
    found = breaker(tacho, key)
    return found and found["state"]


def applied(tacho, parameter, key=KEY):
    _, body = tacho.get("/api/v1/thresholds")
    for one in json.loads(body)["thresholds"]:
        if one["key"] == key and one["parameter"] == parameter:
            return one["applied"]
    return None


def history(tacho, what=None):
    _, body = tacho.get("/api/v1/thresholds/history?limit=1000")
    records = json.loads(body)["records"]
    return [one for one in records if what is None or one["what"] == what]


def moves_of(tacho):
    """The breaker's changes of state, the oldest first."""
    return [one for one in reversed(history(tacho, "state")) if one["key"] == KEY]


def rejected(apps):
    return [error for app in apps for error in app.rejected]


def cli(tacho, *arguments, fails=False):
    done = subprocess.run([program.binary(), *arguments, "--http", str(tacho.http)], capture_output=True, text=True,
                          timeout=120, check=False)
    assert fails or done.returncode == 0, done.stderr
    return done.stderr if fails else done.stdout


# A latency step, and everything that tells its story


def test_a_latency_step_opens_by_what_was_learned_and_closes_by_itself(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    # Several: one client that waits for each answer sends too little to be judged while answers are slow.
    bad_network.delay(USUAL_SECONDS)
    apps = [publish(tacho, pause=0.05) for _ in range(8)]
    # The threshold of slow calls begins at the timeout and comes down to what is usual, step by step.
    wait_for(lambda: (applied(tacho, "slow_call_seconds") or 1) < 0.26, timeout=150, what="the tuner to learn")
    # A machine that itself stood still for a moment may have opened it; that is over now.
    wait_for(lambda: state(tacho) == "closed", what="the breaker to be closed")
    earlier = len(moves_of(tacho))
    bad_network.delay(0.35)
    wait_for(lambda: state(tacho) == "open", what="the breaker to open")
    first = wait_for(lambda: rejected(apps), what="a refusal")[0]
    assert first.startswith(f"TACHO breaker '{KEY}' is open, try again in "), first
    bad_network.heal()
    wait_for(lambda: state(tacho) == "closed", what="the breaker to close")
    sent = sum(app.sent for app in apps)
    wait_for(lambda: sum(app.sent for app in apps) > sent + 200, what="traffic as before")
    wait_for(lambda: state(tacho) == "closed", what="the breaker to be closed")
    for app in apps:
        app.close()

    # The audit trail: thresholds came down before, then open, half-open, closed.
    assert any(one["parameter"] == "slow_call_seconds" and float(one["new"]) < float(one["old"])
               for one in history(tacho, "threshold"))
    moves = [(one["old"], one["new"]) for one in moves_of(tacho)]
    step = moves[earlier:]
    assert step[:2] == [("closed", "open"), ("open", "half_open")] and step[-1] == ("half_open", "closed"), moves
    opened = moves_of(tacho)[earlier]
    # By slowness, though a busy machine may make a few of the slow calls time out.
    assert opened["evidence"]["slow"] > opened["evidence"]["failures"], opened
    assert "a breaker has opened" in tacho.logs()

    # The metrics agree with the trail and with what the client saw.
    seen = tacho.metrics()
    labels = {"messaging_destination_name": STREAM, "operation": "publish"}
    assert seen.sum("tacho_breaker_rejected_total", **labels) == len(rejected(apps)) > 0
    for one in {move for move in moves}:
        total = seen.sum("tacho_breaker_transitions_total", **labels, **{"from": one[0], "to": one[1]})
        assert total == moves.count(one), (one, total, moves)
    assert seen.sum("tacho_breaker_state", **labels) == 0
    shown = seen.sum("tacho_threshold", **labels, parameter="slow_call_seconds", kind="applied")
    assert shown == applied(tacho, "slow_call_seconds") > 0
    changed = sum(one["parameter"] == "slow_call_seconds" and one["key"] == KEY and one["old"] != one["new"]
                  for one in history(tacho, "threshold"))
    assert seen.sum("tacho_threshold_changes_total", **labels, parameter="slow_call_seconds") == changed

    # And the commands say it in words.
    assert KEY in cli(tacho, "breakers")
    assert "slow_call_seconds" in cli(tacho, "thresholds", *KEY.split())
    assert "half_open" in cli(tacho, "thresholds", "--history", "--limit", "1000")
    explained = cli(tacho, "thresholds", "explain", *KEY.split())
    assert "A call usually takes" in explained and "Usually" in explained, explained


# Faults that need no learning


def test_memory_that_is_used_up_refuses_publishes_and_nothing_else(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    direct = bad_network.server.client()
    app = publish(tacho)
    wait_for(lambda: app.sent > 50, what="traffic")
    direct.config_set("maxmemory", 1)
    wait_for(lambda: state(tacho) == "open", what="the breaker to open")
    wait_for(lambda: app.rejected, what="a refusal")
    assert any(error.startswith("OOM ") or "OOM" in error or "maxmemory" in error for error in app.failed), app.failed
    reader = tacho.client()
    assert reader.xlen(STREAM) > 0
    assert reader.ping()
    wait_for(lambda: state(tacho, "upstream") == "closed", what="the other breaker to be closed")
    direct.config_set("maxmemory", 0)
    wait_for(lambda: state(tacho) == "closed", what="the breaker to close")
    sent = app.sent
    wait_for(lambda: app.sent > sent + 50, what="traffic as before")


def test_a_stopped_redis_costs_timeouts_and_then_clear_errors(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    apps = [publish(tacho, pause=0.02, patience=1) for _ in range(20)]
    wait_for(lambda: all(app.sent > 5 for app in apps), what="traffic")
    process = bad_network.server.process
    freeze(process)
    try:
        wait_for(lambda: "open" in (state(tacho), state(tacho, "upstream")), what="a breaker to open")
        fresh = tacho.client(socket_timeout=5)
        wait_for(lambda: _refusal(fresh) is not None, what="a clear error")
    finally:
        process.send_signal(signal.SIGCONT)
    wait_for(lambda: (state(tacho), state(tacho, "upstream")) == ("closed", "closed"), what="the breakers to close")
    sent = [app.sent for app in apps]
    wait_for(lambda: all(app.sent > before + 5 for app, before in zip(apps, sent)), what="traffic as before")


def _refusal(client):
    try:
        client.xadd(STREAM, {"n": "1"})
        return None
    except redis.RedisError as error:
        return str(error) if "breaker '" in str(error) else None


def test_a_redis_that_sleeps_is_left_alone_until_it_wakes(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    # Clients that give up and come again keep asking; those that wait tell the breaker only once.
    apps = [publish(tacho, pause=0.02, patience=1) for _ in range(20)]
    wait_for(lambda: all(app.sent > 5 for app in apps), what="traffic")
    sleeper = bad_network.server.client()
    asleep = threading.Thread(target=lambda: sleeper.execute_command("DEBUG", "SLEEP", "8"), daemon=True)
    asleep.start()
    wait_for(lambda: "open" in (state(tacho), state(tacho, "upstream")), what="a breaker to open")
    asleep.join(20)
    wait_for(lambda: (state(tacho), state(tacho, "upstream")) == ("closed", "closed"), what="the breakers to close")


def test_a_redis_that_is_gone_is_asked_by_probes_only(world, receiver, bad_network):
    tacho = start(world, bad_network, receiver, connect_patience_milliseconds=0)
    wait_for(lambda: tacho.client().ping(), what="an answer")
    bad_network.server.kill()

    def attempt():
        try:
            tacho.client(socket_timeout=5).ping()
            return None
        except redis.RedisError as error:
            return str(error)

    def refused_by_the_breaker():
        error = attempt()
        return error is not None and "breaker 'upstream' is open" in error

    wait_for(refused_by_the_breaker, what="the upstream's breaker to open")
    failures = tacho.metrics().sum("tacho_upstream_failures_total")
    for _ in range(50):
        attempt()
    # Fifty clients, and the dead server was asked by no more than a few probes.
    assert tacho.metrics().sum("tacho_upstream_failures_total") - failures < 25
    bad_network.server.restart()
    wait_for(lambda: attempt() is None, what="the upstream to be used again")
    wait_for(lambda: state(tacho, "upstream") == "closed" if attempt() is None else False, what="the breaker to close")


def test_connections_that_are_reset_do_not_confuse_clients(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    app = publish(tacho)
    wait_for(lambda: app.sent > 50, what="traffic")
    bad_network.refuse()
    wait_for(lambda: len(app.failed) + len(app.rejected) > 5, what="errors")
    bad_network.heal()
    sent = app.sent
    wait_for(lambda: app.sent > sent + 50, what="traffic as before")
    app.close()
    ids = bad_network.server.client().xrange(STREAM, count=1000)
    numbers = [int(fields["n"]) for _, fields in ids]
    assert numbers == sorted(set(numbers)), "a message was stored twice, or out of order"


# What must not open anything


def test_shadow_counts_and_refuses_nothing(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver, breaker="shadow")
    direct = bad_network.server.client()
    app = publish(tacho)
    wait_for(lambda: app.sent > 50, what="traffic")
    direct.config_set("maxmemory", 1)
    tacho.wait_for_metric("tacho_breaker_would_reject_total", lambda got: got > 10,
                          messaging_destination_name=STREAM, operation="publish")
    direct.config_set("maxmemory", 0)
    sent = app.sent
    wait_for(lambda: app.sent > sent + 50, what="traffic as before")
    app.close()
    assert app.rejected == []
    seen = tacho.metrics()
    assert seen.sum("tacho_breaker_rejected_total") == 0
    assert all(one["shadow"] for one in history(tacho, "state"))


def test_off_guards_nothing(world, receiver, bad_network):
    tacho = start(world, bad_network, receiver, breaker="off")
    tacho.client().xadd(STREAM, {"n": "1"})
    assert not tacho.metrics().named("tacho_breaker_state")
    assert tacho.get("/api/v1/breakers")[0] == 404
    assert "resilience.breaker is off" in cli(tacho, "breakers", fails=True)


def test_normal_life_opens_nothing(world, receiver, bad_network):
    """Days and nights, deployments, careless clients, patient readers and large values, all within a minute."""
    # A busy machine may take its time, too: that is no part of this.
    tacho = start(world, bad_network, receiver, call_timeout_milliseconds=2_000)
    admin = tacho.client()
    admin.xgroup_create(STREAM, "workers", mkstream=True)
    admin.set("plain", "text")
    stop = threading.Event()

    def consume():
        client = tacho.client()
        while not stop.is_set():
            for _, entries in client.xreadgroup("workers", "a", {STREAM: ">"}, count=50, block=1000) or []:
                client.xack(STREAM, "workers", *[entry for entry, _ in entries])

    def blunder():
        client = tacho.client()
        while not stop.is_set():
            for wrong in (["XADD", "plain", "*", "a", "1"], ["XADD", STREAM], ["XACK", "plain", "g", "1-1"],
                          ["XREADGROUP", "GROUP", "nobody", "a", "STREAMS", STREAM, ">"], ["NOSUCHCOMMAND"]):
                with pytest.raises(redis.ResponseError) as error:
                    client.execute_command(*wrong)
                assert "TACHO" not in str(error.value)
            stop.wait(0.05)

    threads = [threading.Thread(target=work, daemon=True) for work in (consume, consume, blunder)]
    for thread in threads:
        thread.start()
    client = tacho.client()
    for day in range(6):
        for hour in range(24):
            # By night a message now and then, by day many; at noon with large ones in transactions.
            for number in range(1 + 12 * (6 < hour < 20)):
                client.xadd(STREAM, {"n": number, "day": day})
            if hour == 12:
                with client.pipeline(transaction=True) as pipeline:
                    for number in range(20):
                        pipeline.xadd(STREAM, {"n": number, "load": "x" * 50_000}, maxlen=100)
                    pipeline.execute()
            stop.wait(0.1)
        bad_network.delay(0.01 if day % 2 else 0.0)
        # A deployment: connections come and go.
        client.close()
        client = tacho.client()
    stop.set()
    for thread in threads:
        thread.join(60)
    seen = tacho.metrics()
    assert seen.sum("tacho_breaker_rejected_total") == 0
    assert seen.sum("tacho_breaker_transitions_total") == 0, history(tacho, "state")
    assert seen.sum("tacho_guarded_calls_total", outcome="mistake") > 100


# Operators


def test_an_operator_opens_closes_and_lets_go(world, receiver, bad_network):
    tacho = start(world, bad_network, receiver)
    client = tacho.client()
    client.xadd(STREAM, {"n": "1"})
    wait_for(lambda: state(tacho) == "closed", what="the breaker to appear")
    assert cli(tacho, "breakers", "open", *KEY.split()).strip() == f"{KEY} is open, forced open until another word"
    wait_for(lambda: _refusal(client) is not None, what="a refusal")
    client.xadd("bills", {"n": "1"})
    assert json.loads(cli(tacho, "breakers", "close", KEY, "-o", "json"))["override"] == "closed"
    wait_for(lambda: _refusal(client) is None, what="calls to pass")
    assert cli(tacho, "breakers", "auto", *KEY.split()).strip() == f"{KEY} is closed"
    assert "no breaker is called so" in cli(tacho, "breakers", "open", "nobody", "publish", fails=True)
    actors = [one["actor"] for one in history(tacho, "state") if one["key"] == KEY]
    assert actors and set(actors) == {"operator"}


def test_a_web_page_gives_no_orders(world, receiver, bad_network):
    tacho = start(world, bad_network, receiver)
    tacho.client().xadd(STREAM, {"n": "1"})
    wait_for(lambda: state(tacho) == "closed", what="the breaker to appear")
    url = f"http://{tacho.http}/api/v1/breakers/open?key=orders%20publish"
    for headers in ({"Origin": "http://example.com"}, {"Origin": "null"}, {"Host": "rebound.example.com"}):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(urllib.request.Request(url, method="POST", headers=headers), timeout=10)
        assert error.value.code == 403
    assert tacho.get("/api/v1/breakers/open?key=orders%20publish")[0] in (404, 405)
    assert state(tacho) == "closed"


def test_what_was_learned_survives_a_restart(world, receiver, bad_network, tmp_path, publish):
    # One step of the tuner, and no further.
    floor = {"slow_call_seconds": 0.35}
    bad_network.delay(USUAL_SECONDS)
    tacho = start(world, bad_network, receiver, data=tmp_path / "kept", min=floor)
    app = publish(tacho)
    wait_for(lambda: (applied(tacho, "slow_call_seconds") or 1) < 0.4, what="the tuner to learn")
    app.close()
    learned = applied(tacho, "slow_call_seconds")
    listen = tacho.address
    assert tacho.stop() == 0
    tacho = start(world, bad_network, receiver, data=tmp_path / "kept", listen=listen, min=floor)
    tacho.client().xadd(STREAM, {"n": "1"})
    wait_for(lambda: applied(tacho, "slow_call_seconds"), what="the breaker to appear")
    assert abs(applied(tacho, "slow_call_seconds") - learned) < 0.05, "learned again from the beginning"
    assert any(one["what"] == "threshold" for one in history(tacho)), "the audit trail of the earlier run"


# Order of replies, with a real server


def test_refusals_keep_their_place_in_a_pipeline(world, receiver, bad_network):
    tacho = start(world, bad_network, receiver)
    client = tacho.client()
    client.xadd(STREAM, {"n": "0"})
    wait_for(lambda: state(tacho) == "closed", what="the breaker to appear")
    cli(tacho, "breakers", "open", KEY)
    wait_for(lambda: _refusal(client) is not None, what="a refusal")
    with tacho.raw() as raw:
        raw.send(command("SET", "a", "1") + command("XADD", STREAM, "*", "n", "1") + command("GET", "a")
                 + command("MULTI") + command("SET", "a", "2") + command("XADD", STREAM, "*", "n", "2")
                 + command("EXEC") + command("GET", "a") + command("QUIT"))
        lines = raw.rest().split(b"\r\n")
    refusal = lines[1]
    assert refusal.startswith(b"-TACHO breaker 'orders publish' is open")
    assert lines[0] == b"+OK" and lines[2:4] == [b"$1", b"1"] and lines[4:6] == [b"+OK", b"+QUEUED"]
    assert lines[6].startswith(b"-TACHO ") and lines[7].startswith(b"-EXECABORT ")
    assert lines[8:10] == [b"$1", b"1"], "the transaction was executed although a part of it was refused"
    assert RawClient(bad_network.server.address).call("XLEN", STREAM) == b":1\r\n"
