"""`on_open` as a list of steps: who gets what may not go to the upstream, with two real Redis servers."""

import json
import os
import signal
import subprocess
import urllib.parse
import urllib.request

import pytest
import redis

from harness import tacho as program, wait_for

STREAM = "orders"
SETTINGS = {"learning_seconds": 0, "call_timeout_milliseconds": 500, "connect_patience_milliseconds": 0,
            "secondary": {"connect_milliseconds": 300, "wait_milliseconds": 500}}


def start(world, primary, other=None, receiver=None, **resilience):
    options = {"name": "shop"}
    if other:
        options["secondary"] = {"address": str(other.address)}
    settings = {"resilience": {**SETTINGS, **resilience}, "data": "./data", "tracing": {"causality": "off"}}
    return world.tacho(primary, receiver, settings=settings, options=options)


def operate(tacho, word, key="orders publish"):
    wait_for(lambda: f'"{key}"'.encode() in tacho.get("/api/v1/breakers")[1], what="the breaker to appear")
    url = f"http://{tacho.http}/api/v1/breakers/{word}?key={urllib.parse.quote(key)}"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10) as answer:
        assert answer.status == 200


def redrive(tacho, reason):
    subprocess.run([program.binary(), "spool", "redrive", "--reason", reason, "--http", str(tacho.http)], check=True,
                   capture_output=True)


def waiting(tacho):
    return tacho.metrics().sum("tacho_spool_messages")


def taken(tacho, step):
    return tacho.metrics().sum("tacho_fallback_total", step=step, outcome="taken")


def publish_until(tacho, step, sent, stream=STREAM):
    """Publishes as an application does that tries again with a new connection, until this step has taken one."""
    before = taken(tacho, step)

    def publish():
        client = tacho.client(socket_timeout=1)
        try:
            sent.append((client.xadd(stream, {"n": len(sent)}), len(sent)))
        except redis.RedisError:
            # Nobody has it, or nobody knows: the primary had it in its hands, or the secondary as it died.
            pass
        finally:
            client.close()
        return taken(tacho, step) > before

    wait_for(publish, timeout=20, what=f"{step} to take a message")


def numbers(server, stream=STREAM):
    return [int(fields["n"]) for _, fields in server.client().xrange(stream)]


@pytest.mark.parametrize("death", ["SIGKILL", "SIGSTOP"])
def test_a_dead_primary_then_a_dead_secondary_then_both_again(world, receiver, death):
    primary, secondary = world.redis(), world.redis()
    tacho = start(world, primary, secondary, receiver, on_open=["secondary", "spool"],
                  secondary={"connect_milliseconds": 300, "wait_milliseconds": 3_000})
    sent = []
    tacho.client().xadd(STREAM, {"n": -1})
    if death == "SIGKILL":
        primary.kill()
    else:
        os.kill(primary.process.pid, signal.SIGSTOP)
    publish_until(tacho, "secondary", sent)
    client = tacho.client()
    for _ in range(20):
        sent.append((client.xadd(STREAM, {"n": len(sent)}), len(sent)))
    there = secondary.client().xrange(STREAM)
    assert [entry for entry in ((one, int(fields["n"])) for one, fields in there) if entry in sent] == sent
    seen = receiver.wait_for_names(*["xadd orders"] * len(sent))
    last = next(span for span in seen.named("xadd orders") if span["messaging.message.id"] == there[-1][0])
    assert last["tacho.fallback.step"] == "secondary" and last["server.port"] == secondary.address.port
    assert there[-1][1]["traceparent"].split("-")[1:3] == [last.trace_id, last.span_id]

    secondary.kill()
    spooled = []
    publish_until(tacho, "spool", spooled)
    for _ in range(10):
        spooled.append((tacho.client().xadd(STREAM, {"n": len(spooled)}), len(spooled)))
    if death == "SIGKILL":
        # Nothing was written to disk: the stream begins anew.
        primary.start()
    else:
        os.kill(primary.process.pid, signal.SIGCONT)
    wait_for(lambda: waiting(tacho) == 0, timeout=20, what="the spool to drain")
    arrived = [(one, int(fields["n"])) for one, fields in primary.client().xrange(STREAM)]
    assert [entry for entry in arrived if entry in spooled] == spooled, "in order, under the ids that were told"
    # Nobody has to ask for it: clients are with the primary again.
    def is_direct():
        with_primary = tacho.client().xadd(STREAM, {"n": 99})
        return primary.client().xrange(STREAM, min=with_primary, max=with_primary)

    wait_for(is_direct, timeout=20, what="the primary to be used")


def test_a_full_spool_then_dead_letters_then_a_clear_error(world, receiver):
    primary, secondary = world.redis(), world.redis()
    tacho = start(world, primary, secondary, receiver, on_open=["secondary", "spool", "dead_letter"],
                  spool={"messages": 2}, aside={"messages": 2})
    client = tacho.client()
    client.xadd(STREAM, {"n": -1})
    operate(tacho, "open")
    secondary.kill()
    ids = [client.xadd(STREAM, {"n": number}) for number in range(4)]
    with pytest.raises(redis.ResponseError) as error:
        client.xadd(STREAM, {"n": 4})
    assert "TACHO the message was not taken: " in str(error.value)
    assert str(error.value).endswith("the spool is full; no more messages are kept aside")
    assert (taken(tacho, "spool"), taken(tacho, "dead_letter")) == (2, 2)
    assert tacho.metrics().sum("tacho_spool_set_aside_messages") == 2
    outcomes = [span.get("tacho.outcome") for span in receiver.wait_for_names(*["xadd orders"] * 6).named("xadd orders")]
    assert sorted(filter(None, outcomes)) == ["set_aside", "set_aside", "spooled", "spooled"]
    operate(tacho, "close")
    wait_for(lambda: waiting(tacho) == 0, what="the spool to drain")
    # What is kept aside stays, and nothing queues behind it.
    assert client.xadd(STREAM, {"n": 5}) and numbers(primary) == [-1, 0, 1, 5]
    assert len(set(ids)) == 4 and tacho.metrics().sum("tacho_spool_set_aside_messages") == 2
    # A person has it sent on: behind what was published since, so under new ids.
    redrive(tacho, "spool_order")
    wait_for(lambda: numbers(primary) == [-1, 0, 1, 5, 2, 3], what="the dead letters to arrive")
    wait_for(lambda: tacho.metrics().sum("tacho_spool_set_aside_messages") == 0, what="nothing to be left aside")


def test_dead_letters_alone_are_sent_on_by_a_person(world):
    """Without the spool as a step, too, somebody is there to send on what is redriven."""
    primary = world.redis()
    tacho = start(world, primary, on_open="dead_letter")
    client = tacho.client()
    client.xadd(STREAM, {"n": 0})
    operate(tacho, "open")
    kept = client.xadd(STREAM, {"n": 1})
    operate(tacho, "close")
    assert numbers(primary) == [0]
    redrive(tacho, "breaker_open")
    wait_for(lambda: numbers(primary) == [0, 1], what="the dead letter to arrive")
    assert primary.client().xrange(STREAM)[1][0] == kept


def test_a_silent_secondary_leaves_no_doubt_unspoken_and_nothing_twice(world, receiver):
    primary, secondary = world.redis(), world.redis()
    tacho = start(world, primary, secondary, receiver, on_open=["secondary", "spool"])
    client = tacho.client()
    client.xadd(STREAM, {"n": -1})
    operate(tacho, "open")
    assert client.xadd(STREAM, {"n": 0})
    os.kill(secondary.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(redis.ResponseError) as error:
            client.xadd(STREAM, {"n": 1})
        assert "whether it has the message is not known" in str(error.value)
        # Its breaker opens: then it is not asked any more, and no client waits for it.
        sent = []
        wait_for(lambda: _try(client, sent) and taken(tacho, "spool") > 0, timeout=20, what="the spool to be used")
    finally:
        os.kill(secondary.process.pid, signal.SIGCONT)
    operate(tacho, "close")
    wait_for(lambda: waiting(tacho) == 0, what="the spool to drain")
    both = numbers(primary) + numbers(secondary)
    assert len(both) == len(set(both)), "no message is with both"


def _try(client, sent):
    number = 100 + len(sent)
    sent.append(number)
    try:
        client.xadd(STREAM, {"n": number})
    except redis.ResponseError as error:
        assert "not known" in str(error) or "not taken" in str(error)
    return True


def test_destinations_have_their_own_steps_and_a_password_is_used(world, receiver, tmp_path):
    primary, secondary = world.redis(), world.redis("--requirepass", "s3cret")
    (tmp_path / "password").write_text("s3cret\n")
    settings = {"resilience": {**SETTINGS, "on_open": "fail", "rules": [
        {"destination": "pay.*", "on_open": ["secondary", "spool"]}, {"destination": "pa*", "on_open": "dead_letter"}]},
        "data": "./data"}
    tacho = world.tacho(primary, receiver, settings=settings, options={"name": "shop", "secondary": {
        "address": str(secondary.address), "credentials": {"password_file": str(tmp_path / "password")}}})
    client = tacho.client(db=3)
    for stream in ("pay.card", "parcels", STREAM):
        client.xadd(stream, {"n": 0})
        operate(tacho, "open", f"{stream} publish")
    identifier = client.xadd("pay.card", {"n": 1})
    assert secondary.client(db=3, password="s3cret").xrange("pay.card")[0][0] == identifier
    client.xadd("parcels", {"n": 1})
    assert taken(tacho, "dead_letter") == 1
    with pytest.raises(redis.ResponseError, match="breaker 'orders publish' is open"):
        client.xadd(STREAM, {"n": 1})
    assert "s3cret" not in tacho.logs()


def test_what_a_listener_cannot_do_is_said_at_the_door(tmp_path):
    path = tmp_path / "tacho.yaml"

    def check(listeners, on_open):
        path.write_text(json.dumps({"listeners": listeners, "resilience": {"on_open": on_open}}))
        environment = {key: text for key, text in os.environ.items() if not key.startswith("TACHO_")}
        done = subprocess.run([program.binary(), "check", "--config", str(path)], capture_output=True, text=True,
                              check=False, env=environment)
        return done.returncode, done.stdout + done.stderr

    redis_listener = {"protocol": "redis", "listen": "16399", "upstream": "6379"}
    nats_listener = {"protocol": "nats", "listen": "14299", "upstream": "4222", "name": "bus"}
    code, text = check([redis_listener], ["secondary", "spool"])
    assert code == 2 and "resilience.on_open: secondary needs a listener" in text and f"{path}:1:" in text
    code, text = check([nats_listener], ["secondary", "dead_letter"])
    assert code == 2 and "secondary needs a listener with protocol redis" in text
    assert "dead_letter needs a listener" in text
    code, text = check([{**redis_listener, "secondary": {"address": "6380"}}, nats_listener], ["secondary", "spool"])
    assert code == 0 and "listener bus skips secondary" in text
