"""Dead letters, replays and settings of streams on the command line, against a running sidecar."""

import json
import urllib.request

from harness.log_files import run
from harness.net import wait_for


def ask(tacho, method, path, body):
    request = urllib.request.Request(f"http://{tacho.http}{path}", json.dumps(body).encode(), method=method,
                                     headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        text = response.read()
        return json.loads(text) if text else None


def command(tacho, *words, code=0):
    return run(*words, "--http", tacho.http, code=code)


def objects(tacho, *words):
    return [json.loads(line) for line in command(tacho, *words, "-o", "json")[0].splitlines()]


def with_dead_letters(world, count=3):
    """Events that a group has given up at once."""
    tacho = world.tacho("embedded")
    with tacho.raw() as raw:
        for number in range(count):
            raw.ask("XADD", "orders", "*", "item", f"book{number}", "amount", number)
    ask(tacho, "PUT", "/streams/orders/groups/billing", {"max_deliveries": 1})
    got = ask(tacho, "POST", "/streams/orders/groups/billing/receive", {"consumer": "alice", "max": count})
    ids = [each["tachoid"] for each in got["events"]]
    assert len(ids) == count
    ask(tacho, "POST", "/streams/orders/groups/billing/nack", {"ids": ids, "reason": "no such book"})
    return tacho


def test_dead_letters_are_listed_edited_redriven_and_purged(world):
    tacho = with_dead_letters(world)
    letters = objects(tacho, "dlq", "ls")
    assert [letter["number"] for letter in letters] == [1, 2, 3]
    assert letters[0]["attempts"][0]["consumer"] == "alice"
    text, _ = command(tacho, "dlq", "ls", "--stream", "orders", "--limit", 2)
    assert len(text.splitlines()) == 2 and "deliveries_exhausted: no such book" in text
    assert command(tacho, "dlq", "ls", "--stream", "other")[0] == ""
    text, _ = command(tacho, "dlq", "show", 2)
    assert "alice: no such book" in text and "item=book1" in text
    text, _ = command(tacho, "dlq", "edit", 2, "--set", "amount=12", "--set", "new=a=b", "--remove", "item")
    assert "edited" in text and "amount=12" in text and "new=a=b" in text and "item=" not in text
    assert "would give back 2, append anew 1" in command(tacho, "dlq", "redrive", "--all", "--dry-run")[0]
    assert len(objects(tacho, "dlq", "ls")) == 3
    assert objects(tacho, "dlq", "redrive", 1, 2) == [{"dry_run": False, "returned": 1, "appended": 1, "skipped": 0}]
    with tacho.raw() as raw:
        assert raw.ask("XLEN", "orders") == 4
        fields = raw.ask("XREVRANGE", "orders", "+", "-", "COUNT", "1")[0][1]
        assert fields[fields.index(b"amount") + 1] == b"12"
    assert command(tacho, "dlq", "purge", "--group", "billing")[0] == "deleted 1\n"
    assert objects(tacho, "dlq", "ls") == []
    assert "no dead letter" in command(tacho, "dlq", "show", 9, code=1)[1]
    for words in (["redrive"], ["purge", "--all", "3"], ["edit", "1"], ["ls", "--since", "noon"]):
        command(tacho, "dlq", *words, code=2)


def test_a_range_is_replayed_to_a_stream_and_to_a_group(world):
    tacho = world.tacho("embedded")
    with tacho.raw() as raw:
        for number in range(1200):
            raw.send(b"*5\r\n$4\r\nXADD\r\n$6\r\norders\r\n$1\r\n*\r\n$1\r\nn\r\n$4\r\n%04d\r\n" % number)
        for _ in range(1200):
            raw.reply()
        assert command(tacho, "replay", "orders", "--to-stream", "copy", "--from", 101)[0] == "replayed 1100 events\n"
        assert raw.ask("XLEN", "copy") == 1100
        first = raw.ask("XRANGE", "copy", "-", "+", "COUNT", "1")[0][1]
        assert first[:2] == [b"n", b"0100"] and b"replay_of" in first
        raw.ask("XGROUP", "CREATE", "orders", "billing", "$")
        done = objects(tacho, "replay", "orders", "--to-group", "billing", "--from", 1, "--to", 10)[-1]
        assert done["done"] and done["replayed"] == 10
    got = ask(tacho, "POST", "/streams/orders/groups/billing/receive", {"consumer": "c", "max": 100})
    assert len(got["events"]) == 10
    assert "no such stream" in command(tacho, "replay", "none", "--to-stream", "x", code=1)[1].lower()
    command(tacho, "replay", "orders", code=2)
    command(tacho, "replay", "orders", "--to-stream", "x", "--pace", "slow", code=2)


def test_settings_of_a_stream_are_set_and_act(world):
    tacho = world.tacho("embedded")
    text, _ = command(tacho, "streams", "set", "orders", "--keep-events", 5, "--dedup", "field:order",
                      "--dedup-seconds", 60, "--compress-from", 1000)
    assert "kept events    5" in text and "field:order, for 60000 ms" in text and "1000 bytes" in text
    with tacho.raw() as raw:
        first = raw.ask("XADD", "orders", "*", "order", "7")
        assert raw.ask("XADD", "orders", "*", "order", "7") == first
        for number in range(20):
            raw.ask("XADD", "orders", "*", "n", number, "data", "x" * 3000)
        wait_for(lambda: raw.ask("XLEN", "orders") == 5)
        assert len(raw.ask("XREVRANGE", "orders", "+", "-", "COUNT", "1")[0][1][3]) == 3000
    [listed] = objects(tacho, "streams", "ls")
    assert (listed["stream"], listed["length"], listed["duplicates"]) == ("orders", 5, 1)
    assert listed["bytes"] < 5 * 1000
    assert "orders  events 5" in command(tacho, "streams", "ls")[0]
    [changed] = objects(tacho, "streams", "set", "orders", "--keep-events", "off", "--remove-unread", "true")
    assert changed["keep_events"] is None and changed["removes_unread"] and changed["deduplication"] == "field:order"
    assert objects(tacho, "streams", "show", "orders") == [changed]
    assert "no such stream" in command(tacho, "streams", "show", "none", code=1)[1].lower()
    assert "expected none" in command(tacho, "streams", "set", "orders", "--dedup", "magic", code=1)[1]
    for words in (["set", "orders"], ["set", "orders", "--keep-events", "0"], ["set", "orders", "--keep-bytes", "x"]):
        command(tacho, "streams", *words, code=2)
