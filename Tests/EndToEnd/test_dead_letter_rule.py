"""The dead-letter rule with a real Redis: the broker's own count decides, and nothing is lost on the way."""

import json

import redis

from harness import wait_for

STREAM, GROUP, LETTERS = "orders", "workers", "orders.dlq"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def start(world, upstream, receiver=None, options=None, **resilience):
    letters = {"deliveries": 3, "idle_milliseconds": 300, **resilience.pop("letters", {})}
    settings = {"resilience": {"dead_letters": letters, **resilience}, "data": "./data"}
    return world.tacho(upstream, receiver, settings=settings, options=options)


def fail(client, times, start="0-0", count=100):
    """Takes what waits, and what was taken, so many times, and acknowledges nothing."""
    for number in range(times):
        if number == 0:
            client.xreadgroup(GROUP, "first", {STREAM: ">"}, count=count)
        else:
            client.xautoclaim(STREAM, GROUP, "next", 0, start_id=start, count=count)


def letters(client):
    return [fields for _, fields in client.xrange(LETTERS)]


def pending(client):
    return client.xpending(STREAM, GROUP)["pending"]


def test_a_message_delivered_too_often_is_kept_and_acknowledged(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver)
    client, direct = tacho.client(), server.client()
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    good = client.xadd(STREAM, {"item": "book"})
    bad = client.xadd(STREAM, {"item": "bomb", "traceparent": world.app_context(TRACE, SPAN)})
    client.xreadgroup(GROUP, "first", {STREAM: ">"})
    client.xack(STREAM, GROUP, good)
    for _ in range(2):
        client.xautoclaim(STREAM, GROUP, "next", 0)
    wait_for(lambda: letters(direct), what="a dead letter")
    wait_for(lambda: pending(direct) == 0, what="the acknowledgement, which follows the letter")
    (letter,) = letters(direct)
    assert letter["item"] == "bomb" and letter["traceparent"].startswith(f"00-{TRACE}-{SPAN}")
    told = {name.removeprefix("tacho-dead-letter-"): value for name, value in letter.items() if "dead-letter" in name}
    assert told.pop("at").endswith("Z")
    assert told == {"stream": STREAM, "group": GROUP, "id": bad, "consumer": "next", "reason": "deliveries",
                    "deliveries": "3", "counted": "3"}
    assert len(direct.xrange(STREAM)) == 2, "the message itself stays in its stream"
    tacho.wait_for_metric("tacho_dead_letter_rule_total", 1, outcome="moved")
    wait_for(lambda: "a message was moved to the dead letters" in tacho.logs(), what="the log")
    # Its trace tells where it went.
    span = receiver.wait_for_names("move orders").one("move orders")
    assert span["tacho.outcome"] == "dead_lettered" and span["tacho.delivery.attempt"] == 3
    assert span.trace_id == TRACE


def test_what_others_read_counts_too(world, receiver):
    """The rule asks the broker, so deliveries on connections that pass elsewhere count, and a consumer that is at work
    is left alone."""
    server = world.redis()
    tacho = start(world, server, receiver, letters={"idle_milliseconds": 60_000})
    client, direct = tacho.client(), server.client()
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    client.xadd(STREAM, {"item": "bomb"})
    fail(direct, 3)
    client.xreadgroup(GROUP, "first", {STREAM: ">"}, block=10)
    wait_for_looks(tacho)
    assert letters(direct) == [], "its third delivery may yet succeed"
    # A fourth delivery: the third has had no effect either.
    direct.xautoclaim(STREAM, GROUP, "next", 0)
    wait_for(lambda: letters(direct), what="a dead letter")
    assert letters(direct)[0]["tacho-dead-letter-deliveries"] == "4"


def test_deliveries_while_a_breaker_is_open_do_not_count(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver, learning_seconds=0)
    client, direct = tacho.client(), server.client()
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    client.xadd("payments", {"n": "1"})
    wait_for(lambda: b'"payments publish"' in tacho.get("/api/v1/breakers")[1], what="the breaker to appear")
    _operate(tacho, "open", "payments publish")
    wait_for(lambda: _is_refused(client), what="a refusal")
    # The workers cannot pay, so they fail; that is no fault of the message.
    client.xadd(STREAM, {"item": "book"})
    fail(client, 8)
    looks = wait_for_looks(tacho)
    assert letters(direct) == []
    _operate(tacho, "close", "payments publish")
    wait_for_looks(tacho)
    assert letters(direct) == [] and looks
    # From now on they count.
    for _ in range(2):
        client.xautoclaim(STREAM, GROUP, "next", 0)
        wait_for_looks(tacho)
    assert letters(direct) == []
    client.xautoclaim(STREAM, GROUP, "next", 0)
    wait_for(lambda: letters(direct), what="a dead letter")
    assert letters(direct)[0]["tacho-dead-letter-counted"] == "3"


def test_too_many_dead_letters_are_the_consumers_fault(world, receiver):
    server = world.redis()
    tacho = start(world, server, receiver)
    client, direct = tacho.client(), server.client()
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    for number in range(60):
        client.xadd(STREAM, {"n": number})
    fail(client, 4)
    tacho.wait_for_metric("tacho_dead_letter_rule_total", lambda got: got >= 1, outcome="held")
    assert len(letters(direct)) <= 12 and pending(direct) >= 48
    wait_for(lambda: "too many messages would be dead letters" in tacho.logs(), what="the log")


def test_a_letter_that_was_written_and_not_acknowledged_is_not_written_again(world, receiver):
    """As a process leaves it that dies between the two."""
    server = world.redis()
    direct = server.client()
    direct.xgroup_create(STREAM, GROUP, mkstream=True)
    bad = direct.xadd(STREAM, {"item": "bomb"})
    fail(direct, 4)
    direct.xadd(LETTERS, {"item": "bomb", "tacho-dead-letter-stream": STREAM, "tacho-dead-letter-group": GROUP,
                          "tacho-dead-letter-id": bad})
    tacho = start(world, server, receiver)
    tacho.client().xreadgroup(GROUP, "first", {STREAM: ">"}, block=10)
    wait_for(lambda: pending(direct) == 0, what="the acknowledgement")
    assert len(letters(direct)) == 1


def test_the_sidecar_signs_in_for_itself_and_survives_a_bad_network(world, receiver, tmp_path):
    server = world.redis("--requirepass", "secret word")
    relay = world.relay(server.address)
    (tmp_path / "password").write_text("secret word\n")
    tacho = start(world, relay.address, receiver, options={
        "credentials": {"password_file": str(tmp_path / "password")}})
    client, direct = tacho.client(password="secret word", db=3), server.client(password="secret word", db=3)
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    client.xadd(STREAM, {"item": "bomb"})
    fail(client, 1)
    relay.reset()
    for _ in range(3):
        direct.xautoclaim(STREAM, GROUP, "next", 0)
    wait_for(lambda: letters(direct), what="a dead letter in the same database")
    wait_for(lambda: pending(direct) == 0, what="the acknowledgement, which follows the letter")
    assert "secret word" not in tacho.logs()


def test_nothing_is_moved_unless_asked_for(world, receiver):
    server = world.redis()
    tacho, asked = world.tacho(server, receiver), start(world, server, receiver)
    client, other = tacho.client(), asked.client()
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    client.xadd(STREAM, {"item": "bomb"})
    fail(client, 20)
    # As long as it takes one that is asked to look, twice.
    other.xgroup_create("others", GROUP, mkstream=True)
    other.xreadgroup(GROUP, "first", {"others": ">"}, block=10)
    wait_for_looks(asked)
    assert pending(server.client()) == 1 and not tacho.metrics().named("tacho_dead_letter_rule_total")


def _is_refused(client):
    try:
        client.xadd("payments", {"n": "2"})
        return False
    except redis.ResponseError:
        return True


def _operate(tacho, word, key):
    import urllib.parse
    import urllib.request
    url = f"http://{tacho.http}/api/v1/breakers/{word}?key={urllib.parse.quote(key)}"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60) as answer:
        assert answer.status == 200
        json.loads(answer.read())


def wait_for_looks(tacho):
    """Two more rounds of the rule: it asks the broker over a connection of its own."""
    server = tacho.client()

    def asked():
        return server.info("commandstats").get("cmdstat_xpending", {"calls": 0})["calls"]

    before = asked()
    return wait_for(lambda: asked() >= before + 2, what="the rule to look")
