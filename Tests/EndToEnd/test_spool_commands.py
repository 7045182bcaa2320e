"""`tacho spool`: what Redis will never take is seen, sent on once the cause is gone, or deleted."""

import json
import urllib.error
import urllib.request

import pytest

from harness import wait_for
from harness.log_files import run
from harness.spool import operate, set_aside, spooled, start

STREAM = "orders"


def command(tacho, *words, code=0):
    return run("spool", *words, "--http", tacho.http, code=code)


def objects(tacho, *words):
    return [json.loads(line) for line in command(tacho, *words, "-o", "json")[0].splitlines()]


def with_set_aside(world, receiver, count=3, **options):
    """Messages that were published while the breaker was open, to a key that is no stream when it closes."""
    server = world.redis()
    tacho = start(world, server, receiver, **options)
    client, direct = tacho.client(), server.client()
    client.xadd(STREAM, {"n": "first"})
    operate(tacho, "open")
    wait_for(lambda: client.xadd(STREAM, {"n": "probe"}) and spooled(tacho), what="a spooled message")
    ids = [client.xadd(STREAM, {"n": number, b"raw\xff": b"\x00\n\\"}) for number in range(count)]
    direct.delete(STREAM)
    direct.set(STREAM, "no stream any more")
    operate(tacho, "close")
    wait_for(lambda: spooled(tacho) == 0, what="all to be set aside")
    # The first of them, by whose arrival the spool was noticed.
    oldest = objects(tacho, "show", "--limit", 1)[0]["id"]
    command(tacho, "purge", oldest)
    assert set_aside(tacho) == count
    return tacho, server, ids


def test_what_was_set_aside_is_listed_shown_and_sent_on_when_the_cause_is_gone(world, receiver):
    tacho, server, ids = with_set_aside(world, receiver)
    [row] = objects(tacho, "ls")
    assert (row["listener"], row["database"], row["stream"], row["sent_on"]) == ("shop", 0, STREAM, True)
    assert row["waiting"] == {"messages": 0, "bytes": 0}
    assert row["set_aside"]["messages"] == 3 and row["set_aside"]["reasons"] == {"WRONGTYPE": 3}
    assert "WRONGTYPE 3" in command(tacho)[0], "`tacho spool` alone lists"

    shown = objects(tacho, "show")
    assert [one["promised"] for one in shown] == ids
    assert all(one["command"] == ["XADD", STREAM] and one["reason"] == "WRONGTYPE" for one in shown)
    assert shown[0]["fields"][:2] == [["n", "0"], [{"base64": "cmF3/w=="}, "\x00\n\\"]]
    text, _ = command(tacho, "show", shown[0]["id"])
    assert f"trace       {shown[0]['trace_id']}" in text and "field       raw\\xff=\\x00\\n\\\\" in text
    assert len(objects(tacho, "show", "--limit", 2)) == 2
    assert "no message 7-7 is set aside" in command(tacho, "show", "7-7", code=1)[1]

    # As long as the cause is there, they come back.
    assert "would send on 3, leave 0" in command(tacho, "redrive", "--all", "--dry-run")[0]
    assert objects(tacho, "redrive", shown[0]["id"]) == [{"dry_run": False, "redriven": 1, "skipped": 0}]
    wait_for(lambda: set_aside(tacho) == 3, what="it to be set aside again")

    server.client().delete(STREAM)
    assert objects(tacho, "redrive", "--reason", "WRONGTYPE")[0]["redriven"] == 3
    wait_for(lambda: spooled(tacho) == 0, what="the spool to drain")
    assert set_aside(tacho) == 0 and objects(tacho, "ls") == []
    entries = server.client(decode_responses=False).xrange(STREAM)
    assert sorted(fields[b"n"] for _, fields in entries) == [b"0", b"1", b"2"]
    # Each belongs to the trace of its publish, also the time that it was kept. The id that was promised holds where
    # order allows: the one that came back last is behind those that were published after it.
    seen = receiver.wait_for_names(*["forward orders"] * 3)
    forwards = {span.trace_id: span for span in seen.named("forward orders")}
    for identifier, fields in entries:
        traced = fields[b"traceparent"].decode().split("-")
        assert forwards[traced[1]].parent_id == traced[2]
        assert forwards[traced[1]]["messaging.message.id"] == identifier.decode()
    assert [identifier.decode() for identifier, _ in entries[:2]] == ids[1:]


def test_what_was_set_aside_survives_a_restart_and_is_purged(world, receiver, tmp_path):
    tacho, server, _ = with_set_aside(world, receiver, data=tmp_path / "data", spool={"messages": 4})
    before = objects(tacho, "show")
    listen = tacho.address
    assert tacho.stop() == 0
    tacho = start(world, server, receiver, data=tmp_path / "data", listen=listen, spool={"messages": 4})
    assert objects(tacho, "show") == before and set_aside(tacho) == 3
    assert objects(tacho, "show", "--waiting") == []
    # It counts for the bounds: the producer learns of it, and the disk does not fill.
    server.client().delete(STREAM)
    client = tacho.client()
    client.xadd(STREAM, {"n": 0})
    operate(tacho, "open")
    wait_for(lambda: client.xadd(STREAM, {"n": 1}) and spooled(tacho), what="a spooled message")
    assert [one["state"] for one in objects(tacho, "show", "--waiting")] == ["waiting"]
    with tacho.raw() as raw:
        assert "the spool is full" in raw.ask("XADD", STREAM, "*", "n", "2")
    assert command(tacho, "purge", before[0]["id"], before[1]["id"])[0] == "deleted 2\n"
    client.xadd(STREAM, {"n": 2})
    assert command(tacho, "purge", "--stream", STREAM, "--since", "2020-01-01T00:00:00Z")[0] == "deleted 1\n"
    assert objects(tacho, "purge", "--all") == [{"purged": 0}]
    assert set_aside(tacho) == 0


def test_orders_say_what_they_mean_and_come_from_no_web_page(world, receiver):
    tacho, _, _ = with_set_aside(world, receiver, count=1)
    for words in (["redrive"], ["purge"], ["purge", "--all", "--stream", STREAM], ["redrive", "--since", "yesterday"],
                  ["show", "--waiting", "--reason", "WRONGTYPE"]):
        command(tacho, *words, code=2)
    assert "expected ids of messages" in command(tacho, "purge", "seven", code=1)[1]

    def ask(path, body, headers=None):
        request = urllib.request.Request(f"http://{tacho.http}/api/v1/spool{path}", body, method="POST",
                                         headers=headers or {})
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=10)
        return error.value.code

    assert ask("/purge", b'{"all": true}', {"Origin": "http://example.com"}) == 403
    assert ask("/purge", b"{}") == ask("/redrive", b'{"filter": {}}') == ask("/purge", b'{"all": 1}') == 400
    assert tacho.get("/api/v1/spool/messages?after=xyz")[0] == tacho.get("/api/v1/spool?state=waiting")[0] == 400
    assert set_aside(tacho) == 1
    lonely = world.tacho(world.redis(), receiver)
    assert "no step of resilience.on_open stores messages" in command(lonely, code=1)[1]
