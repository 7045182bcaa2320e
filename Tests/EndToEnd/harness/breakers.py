"""What the tests of breakers share: publishers that note what came of each call, and what the sidecar says of its guards."""

import json
import subprocess
import threading

import redis

from . import tacho as program

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


def start(world, relay, receiver=None, data="./data", listen=None, **resilience):
    settings = {"resilience": {**LEARNING, **resilience}, "data": str(data),
                # These clients share one process, and causes that are inferred between them mean nothing.
                "tracing": {"causality": "off"}}
    return world.tacho(relay.address, receiver, settings=settings, listen=listen)


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


def refusal(client):
    try:
        client.xadd(STREAM, {"n": "1"})
        return None
    except redis.RedisError as error:
        return str(error) if "breaker '" in str(error) else None


def assert_the_trail_tells(tacho, apps):
    """Only legal moves, each from where the one before it led, all with a reason, and closed at the end; the metrics
    count the same moves, and every refusal that a client has seen."""
    records = list(reversed(history(tacho, "state")))
    legal = {("closed", "open"), ("open", "half_open"), ("half_open", "open"), ("half_open", "closed")}
    for key in {one["key"] for one in records}:
        moves = [(one["old"], one["new"]) for one in records if one["key"] == key]
        assert set(moves) <= legal, (key, moves)
        assert moves[0][0] == "closed" == moves[-1][1], (key, moves)
        assert all(before[1] == after[0] for before, after in zip(moves, moves[1:])), (key, moves)
    assert all(one["reason"] and one["actor"] == "auto" for one in records), records
    opened = [one for one in records if (one["old"], one["new"]) == ("closed", "open")]
    assert opened and all(one["evidence"]["failures"] + one["evidence"]["slow"] > 0 for one in opened), opened
    seen = tacho.metrics()
    for old, new in legal:
        counted = seen.sum("tacho_breaker_transitions_total", **{"from": old, "to": new})
        assert counted == sum((one["old"], one["new"]) == (old, new) for one in records), (old, new, records)
    assert seen.sum("tacho_breaker_state") == 0
    assert seen.sum("tacho_breaker_rejected_total") >= len(rejected(apps)) > 0
