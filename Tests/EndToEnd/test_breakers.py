"""Circuit breakers with a real Redis behind a network that misbehaves, and real clients in front."""

import json
import threading
import urllib.error
import urllib.request

import pytest
import redis

from harness import RawClient, command, wait_for
from harness.breakers import KEY, STREAM, USUAL_SECONDS, applied, cli, history, moves_of, refusal, rejected, start, state

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
    """A week of days and nights, deployments, careless clients, patient readers and large values, within a minute."""
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
    for day in range(7):
        for hour in range(24):
            # By night a message now and then, by day many; at noon with large ones in transactions.
            for number in range(1 + 12 * (6 < hour < 20)):
                client.xadd(STREAM, {"n": number, "day": day})
            if hour == 12:
                with client.pipeline(transaction=True) as pipeline:
                    for number in range(20):
                        pipeline.xadd(STREAM, {"n": number, "load": "x" * 50_000}, maxlen=100)
                    pipeline.execute()
            stop.wait(0.08)
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
    wait_for(lambda: refusal(client) is not None, what="a refusal")
    client.xadd("bills", {"n": "1"})
    assert json.loads(cli(tacho, "breakers", "close", KEY, "-o", "json"))["override"] == "closed"
    wait_for(lambda: refusal(client) is None, what="calls to pass")
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
    wait_for(lambda: refusal(client) is not None, what="a refusal")
    with tacho.raw() as raw:
        raw.send(command("SET", "a", "1") + command("XADD", STREAM, "*", "n", "1") + command("GET", "a")
                 + command("MULTI") + command("SET", "a", "2") + command("XADD", STREAM, "*", "n", "2")
                 + command("EXEC") + command("GET", "a") + command("QUIT"))
        lines = raw.rest().split(b"\r\n")
    assert lines[1].startswith(b"-TACHO breaker 'orders publish' is open")
    assert lines[0] == b"+OK" and lines[2:4] == [b"$1", b"1"] and lines[4:6] == [b"+OK", b"+QUEUED"]
    assert lines[6].startswith(b"-TACHO ") and lines[7].startswith(b"-EXECABORT ")
    assert lines[8:10] == [b"$1", b"1"], "the transaction was executed although a part of it was refused"
    assert RawClient(bad_network.server.address).call("XLEN", STREAM) == b":1\r\n"
