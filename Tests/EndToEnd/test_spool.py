"""`on_open: spool`: publishes that a breaker would refuse are stored, and reach Redis later, in order and once."""

import json
import subprocess
import threading

import pytest
import redis

from harness import command, tacho as program, wait_for
from harness.spool import operate, spooled, start

STREAM = "orders"


def numbers(server, stream=STREAM, **options):
    return [int(fields["n"]) for _, fields in server.client(**options).xrange(stream)]


def sequence(identifier):
    return tuple(map(int, identifier.split("-")))


def test_an_open_breaker_loses_nothing_and_keeps_the_order(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver)
    client = tacho.client()
    client.xadd(STREAM, {"n": 0})
    operate(tacho, "open")
    wait_for(lambda: client.xadd("other", {"n": 0}), what="the other stream to pass")
    ids, number = [], 1
    while not spooled(tacho):
        ids.append(client.xadd(STREAM, {"n": number}))
        number += 1
    first = number - 1
    for number in range(number, number + 200):
        ids.append(client.xadd(STREAM, {"n": number}, maxlen=10_000, approximate=False))
    assert [sequence(one) for one in ids] == sorted(sequence(one) for one in ids)
    assert len(numbers(server)) <= first, "what is spooled must not be there yet"
    # Reads pass, and acknowledgements; what the client is told of a spooled entry is its id.
    assert client.xlen(STREAM) <= first
    operate(tacho, "close")
    # Whoever publishes meanwhile queues behind.
    more = list(range(number + 1, number + 100))
    ids += [client.xadd(STREAM, {"n": one}) for one in more]
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    assert numbers(server) == list(range(0, more[-1] + 1))
    assert [one for one, _ in server.client().xrange(STREAM)][1:] == ids, "the ids are those that were promised"
    seen = tacho.metrics()
    assert seen.sum("tacho_spool_stored_total") == seen.sum("tacho_spool_forwarded_total", outcome="forwarded") >= 200
    # Directly again.
    last = client.xadd(STREAM, {"n": 1_000})
    assert sequence(last)[1] < 1 << 32 and numbers(server)[-1] == 1_000


def test_a_trace_tells_of_the_time_in_the_spool(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver)
    client = tacho.client()
    client.xadd("orders", {"n": 0})
    operate(tacho, "open")
    wait_for(lambda: client.xadd(STREAM, {"n": 1}) and spooled(tacho), what="a spooled message")
    operate(tacho, "close")
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    seen = receiver.wait_for_names("forward orders")
    forward = seen.named("forward orders")[0]
    (publish,) = [span for span in seen.named("xadd orders") if span.span_id == forward.parent_id]
    assert publish["tacho.outcome"] == "spooled"
    assert publish["messaging.message.id"] == forward["messaging.message.id"]
    stored = server.client().xrange(STREAM, min=publish["messaging.message.id"], count=1)[0][1]
    assert stored["traceparent"].split("-")[1:3] == [publish.trace_id, publish.span_id]


@pytest.mark.expect_exit
def test_a_redis_that_is_gone_and_a_sidecar_that_is_killed(world, receiver, tmp_path):
    server = world.redis("--appendonly", "yes")
    tacho = start(world, server, receiver, data=tmp_path / "data")
    tacho.client().xadd(STREAM, {"n": 0})
    server.kill()
    client = tacho.client()
    sent = [0]

    def publish(number, to):
        """As an application does that tries again until it is answered; a lost answer may send twice."""
        try:
            to.xadd(STREAM, {"n": number})
            sent.append(number)
            return True
        except redis.RedisError:
            return False

    for number in range(1, 151):
        wait_for(lambda n=number: publish(n, client), what="an answer from the spool")
    with pytest.raises(redis.RedisError):
        client.get("a")
    wait_for(lambda: spooled(tacho) >= 150, what="the spool to fill")
    # What was not exported yet dies with the process.
    receiver.wait_for_names(*["xadd orders"] * 151)
    listen = tacho.address
    tacho.kill()
    tacho = start(world, server, receiver, data=tmp_path / "data", listen=listen)
    assert "spooled messages of an earlier run are sent on" in tacho.logs()
    assert spooled(tacho) == 150
    client = tacho.client()
    for number in range(151, 161):
        wait_for(lambda n=number: publish(n, client), what="an answer from the spool")
    # It has tried, before there was anybody.
    tacho.wait_for_metric("tacho_retries_total", lambda got: got > 0, operation="forward")
    server.restart()
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    assert numbers(server) == sent == list(range(161))
    wait_for(lambda: publish(161, client), what="traffic")
    wait_for(lambda: numbers(server)[-1] == 161, what="the message, by whichever way")


@pytest.mark.expect_exit
def test_a_kill_between_sending_and_noting_sends_nothing_twice(world, receiver, tmp_path):
    server = world.redis("--appendonly", "yes")
    network = world.relay(server.address)
    tacho = start(world, network.address, receiver, data=tmp_path / "data")
    client = tacho.client()
    client.xadd(STREAM, {"n": 0})
    operate(tacho, "open")
    count = 0
    while count < 300:
        count += 1
        client.xadd(STREAM, {"n": count})
    waits = spooled(tacho)
    receiver.wait_for_names(*["xadd orders"] * 301)
    # Replies come late: some entries are there that the sidecar does not know of when it dies.
    network.delay(0.02)
    operate(tacho, "close")
    wait_for(lambda: len(numbers(server)) > 320 - waits, what="a few to arrive")
    network.hold()
    wait_for(lambda: len(numbers(server)) + spooled(tacho) > 301, what="one whose reply is on its way")
    listen = tacho.address
    tacho.kill()
    network.heal()
    tacho = start(world, network.address, receiver, data=tmp_path / "data", listen=listen)
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    assert numbers(server) == list(range(count + 1))
    assert tacho.metrics().sum("tacho_spool_forwarded_total", outcome="already_there") > 0


def test_others_that_publish_meanwhile_cost_the_promised_id_and_nothing_else(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver)
    client, direct = tacho.client(), server.client()
    client.xadd(STREAM, {"n": 0})
    operate(tacho, "open")
    while not spooled(tacho):
        client.xadd(STREAM, {"n": 1})
    for number in range(2, 20):
        client.xadd(STREAM, {"n": number})
    stop = threading.Event()

    def rival():
        other = server.client()
        while not stop.is_set():
            other.xadd(STREAM, {"rival": 1})

    thread = threading.Thread(target=rival, daemon=True)
    thread.start()
    wait_for(lambda: "rival" in direct.xrevrange(STREAM, count=1)[0][1], what="a rival's message")
    operate(tacho, "close")
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    stop.set()
    thread.join(60)
    mine = [int(fields["n"]) for _, fields in direct.xrange(STREAM) if "n" in fields]
    assert mine == sorted(mine) and set(mine) == set(range(20)) and mine.count(19) == 1
    assert tacho.metrics().sum("tacho_spool_forwarded_total", outcome="new_id") > 0


def test_what_cannot_be_promised_is_refused(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver, spool={"messages": 3})
    client = tacho.client()
    client.xadd(STREAM, {"n": 0})
    client.xgroup_create(STREAM, "workers", id="0")
    operate(tacho, "open")
    wait_for(lambda: client.xadd(STREAM, {"n": 1}) and spooled(tacho), what="a spooled message")
    with tacho.raw() as raw:
        raw.send(command("XADD", STREAM, "5-1", "n", "1") + command("XADD", STREAM, "NOMKSTREAM", "*", "n", "1")
                 + command("MULTI") + command("XADD", STREAM, "*", "n", "1") + command("EXEC")
                 + command("XADD", STREAM, "*", "n", "2") + command("SET", "a", "1")
                 + command("XADD", STREAM, "*", "n", "3") + command("XADD", STREAM, "*", "n", "4")
                 + command("GET", "a") + command("QUIT"))
        lines = raw.rest().split(b"\r\n")
    assert lines[0].startswith(b"-TACHO ") and lines[1].startswith(b"-TACHO ") and lines[2] == b"+OK"
    assert lines[3].startswith(b"-TACHO ") and lines[4].startswith(b"-EXECABORT ")
    assert lines[5].startswith(b"$") and b"-" in lines[6] and lines[7] == b"+OK"
    assert lines[8].startswith(b"$") and b"-" in lines[9]
    assert lines[10].startswith(b"-TACHO the message was not taken: ") and lines[10].endswith(b"; the spool is full")
    assert lines[11:13] == [b"$1", b"1"]
    seen = tacho.metrics()
    assert seen.sum("tacho_spool_refused_total", reason="full") == 1
    assert seen.sum("tacho_spool_refused_total", reason="not_spoolable") == 3
    operate(tacho, "close")
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    assert numbers(server)[-3:] == [1, 2, 3]


def test_what_the_broker_will_never_take_stops_nothing(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver)
    client = tacho.client()
    client.xadd(STREAM, {"n": 0})
    operate(tacho, "open")
    wait_for(lambda: client.xadd(STREAM, {"n": 1}) and spooled(tacho), what="a spooled message")
    server.client().delete(STREAM)
    server.client().set(STREAM, "no stream any more")
    operate(tacho, "close")
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    tacho.wait_for_metric("tacho_spool_forwarded_total", lambda got: got >= 1, outcome="refused")
    wait_for(lambda: "is kept aside" in tacho.logs(), what="the log")


def test_memory_that_is_used_up_fills_the_spool_and_the_breaker_closes_by_itself(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver)
    client, direct = tacho.client(), server.client()
    sent = []

    def publish():
        number = len(sent)
        try:
            client.xadd(STREAM, {"n": number})
            sent.append(number)
        except redis.ResponseError as error:
            assert "OOM" in str(error) or "maxmemory" in str(error), error
        return spooled(tacho) > 20

    for _ in range(30):
        publish()
    direct.config_set("maxmemory", 1)
    wait_for(publish, what="the spool to be used")
    direct.config_set("maxmemory", 0)
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    assert numbers(server) == sent


def test_refused_where_it_cannot_work(world, tmp_path):
    for settings, complaint in (({"breaker": "off"}, "spool needs breakers that act"),
                                ({"breaker": "shadow"}, "spool needs breakers that act")):
        path = tmp_path / "tacho.yaml"
        path.write_text(json.dumps({"listeners": [{"protocol": "redis", "listen": "16399", "upstream": "6379"}],
                                    "resilience": {"on_open": "spool", **settings}}))
        done = subprocess.run([program.binary(), "check", "--config", str(path)], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 2 and complaint in done.stdout + done.stderr
