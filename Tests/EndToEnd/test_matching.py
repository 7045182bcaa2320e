"""Replies belong to their commands in every mode of a connection. The proof is always the same: the message id on a
span comes from the reply, so a slip by one shows as a wrong id."""

import threading

import pytest
import redis

from harness import RawClient, command, parse, stored, wait_for
from harness.raw import Push, RedisError

STREAM = "orders"


def assert_matched(receiver, replies, stream=STREAM):
    """Every entry id that was answered is on exactly one span, and on no other."""
    ids = [reply.decode() for reply in replies]
    view = receiver.wait_for(lambda seen: len(seen.named(f"xadd {stream}")) >= len(ids))
    found = [span.get("messaging.message.id") for span in view.named(f"xadd {stream}")]
    assert sorted(found, key=str) == sorted(ids)
    return view


def xadd(number, stream=STREAM):
    return command("XADD", stream, "*", "n", number)


# Pipelines


def test_ten_thousand_commands_in_one_write(redis_server, receiver, tacho):
    kinds = [lambda n: xadd(n), lambda n: command("SET", f"k{n}", "v"), lambda n: command("GET", f"k{n - 1}"),
             lambda n: command("NOSUCH"), lambda n: command("LRANGE", "nothing", "0", "-1")]
    commands = [kinds[number % 5](number) for number in range(10_000)]
    with tacho.raw(timeout=100) as raw:
        sender = threading.Thread(target=raw.send, args=(b"".join(commands),), daemon=True)
        sender.start()
        replies = [parse(reply) for reply in raw.replies(len(commands))]
        sender.join(60)
    assert all(reply == "OK" for reply in replies[1::5])
    assert all(reply == b"v" for reply in replies[2::5])
    assert all(isinstance(reply, RedisError) for reply in replies[3::5])
    assert all(reply == [] for reply in replies[4::5])
    assert_matched(receiver, replies[0::5])
    assert [dict(fields)["n"] for _, fields in stored(redis_server)] == [str(n) for n in range(0, 10_000, 5)]


def test_a_hundred_thousand_commands_from_a_client_that_reads_last(tacho, direct):
    """redis-py writes a whole pipeline before it reads one reply: 20 MB of replies wait meanwhile."""
    direct.set("key", "x" * 200)
    pipeline = tacho.client(socket_timeout=200).pipeline(transaction=False)
    for _ in range(100_000):
        pipeline.get("key")
    assert pipeline.execute() == ["x" * 200] * 100_000


def test_pipelines_on_many_connections_at_once(receiver, tacho):
    ids, failures = [], []

    def run(number):
        try:
            client = tacho.client()
            for _ in range(5):
                pipeline = client.pipeline(transaction=False)
                for step in range(20):
                    pipeline.xadd(STREAM, {"n": f"{number}.{step}"})
                    pipeline.get("missing")
                ids.extend(each.encode() for each in pipeline.execute() if each)
        except Exception as failure:  # noqa: BLE001  (told to the test's own thread)
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == [] and len(ids) == 1000
    assert_matched(receiver, ids)


# Transactions


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_transaction_ends_each_span_with_its_slot(redis_server, receiver, tacho, protocol):
    with tacho.raw() as raw:
        raw.call("HELLO", protocol)
        raw.send(command("MULTI") + command("SET", "a", "1") + xadd(1) + command("GET", "a") + xadd(2)
                 + command("EXEC") + xadd(3))
        assert raw.replies(5) == [b"+OK\r\n"] + [b"+QUEUED\r\n"] * 4
        ok, first, value, second = parse(raw.reply())
        third = parse(raw.reply())
        assert (ok, value) == ("OK", b"1")
    assert_matched(receiver, [first, second, third])
    assert [dict(fields)["n"] for _, fields in stored(redis_server)] == ["1", "2", "3"]
    assert all("traceparent" in dict(fields) for _, fields in stored(redis_server))


def test_an_error_in_a_slot_is_the_error_of_that_span(receiver, tacho, direct):
    direct.set("text", "x")
    with tacho.raw() as raw:
        raw.send(command("MULTI") + xadd(1, "text") + xadd(2) + command("EXEC"))
        raw.replies(3)
        wrong, right = parse(raw.reply())
    assert isinstance(wrong, RedisError)
    view = assert_matched(receiver, [right])
    failed = receiver.wait_for_names("xadd text").one("xadd text")
    assert failed["error.type"] == "WRONGTYPE" and view.one("xadd orders").status == "UNSET"


def unanswered(receiver, tacho, *streams):
    """The spans of messages that Redis never took: there may be none, and they have no id."""
    with tacho.raw() as raw:
        last = parse(raw.call("XADD", "last", "*", "n", "1")).decode()
    view = receiver.wait_for(lambda seen: seen.with_message("xadd last", last))
    spans = [span for stream in streams for span in view.named(f"xadd {stream}")]
    assert all("messaging.message.id" not in span.attributes for span in spans), view
    return spans


def test_a_discarded_transaction_publishes_nothing(receiver, tacho, direct):
    with tacho.raw() as raw:
        raw.send(command("MULTI") + xadd(1) + command("DISCARD") + command("PING"))
        assert raw.replies(4) == [b"+OK\r\n", b"+QUEUED\r\n", b"+OK\r\n", b"+PONG\r\n"]
    unanswered(receiver, tacho, STREAM)
    assert direct.exists(STREAM) == 0


def test_a_watched_key_that_changed_publishes_nothing(receiver, tacho, direct):
    with tacho.raw() as raw:
        raw.call("WATCH", "key")
        direct.set("key", "changed")
        raw.send(command("MULTI") + xadd(1) + command("EXEC") + xadd(2, "after"))
        assert raw.replies(3) == [b"+OK\r\n", b"+QUEUED\r\n", b"*-1\r\n"]
        after = parse(raw.reply())
    unanswered(receiver, tacho, STREAM)
    assert_matched(receiver, [after], "after")
    assert direct.exists(STREAM) == 0


def test_an_aborted_transaction_publishes_nothing(receiver, tacho, direct):
    with tacho.raw() as raw:
        raw.send(command("MULTI") + xadd(1) + command("NOSUCH") + xadd(2) + command("EXEC") + xadd(3, "after"))
        replies = raw.replies(5)
        assert replies[1] == replies[3] == b"+QUEUED\r\n" and replies[4].startswith(b"-EXECABORT")
        after = parse(raw.reply())
    for span in unanswered(receiver, tacho, STREAM):
        assert span.status == "ERROR" and span["error.type"] == "EXECABORT"
    assert_matched(receiver, [after], "after")
    assert direct.exists(STREAM) == 0


def test_a_transaction_of_redis_py_with_a_group(receiver, tacho, direct):
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    app = tacho.client()
    message_id = app.xadd(STREAM, {"n": "1"})
    app.xreadgroup("g", "alice", {STREAM: ">"})
    pipeline = app.pipeline(transaction=True)
    pipeline.xack(STREAM, "g", message_id)
    pipeline.xadd("done", {"n": "1"})
    acknowledged, done_id = pipeline.execute()
    assert acknowledged == 1
    view = receiver.wait_for_names("process orders", "xack orders", "xadd done")
    assert view.one("process orders").get("tacho.outcome", "acknowledged") == "acknowledged"
    assert view.one("xadd done")["messaging.message.id"] == done_id


# Blocking commands


def test_blocking_commands_that_time_out_or_wake_up(receiver, tacho, direct):
    with tacho.raw() as raw:
        assert raw.ask("BLPOP", "list", "0.02") is None
        assert raw.ask("XREAD", "BLOCK", "20", "STREAMS", STREAM, "$") is None
        raw.send(command("BLPOP", "list", "20") + xadd(1) + command("XREAD", "BLOCK", "20000", "STREAMS", "more", "$")
                 + xadd(2))
        wait_for(lambda: direct.info("clients")["blocked_clients"] == 1, what="the client to block")
        direct.rpush("list", "woken")
        assert parse(raw.reply()) == [b"list", b"woken"]
        first = parse(raw.reply())
        wait_for(lambda: direct.info("clients")["blocked_clients"] == 1, what="the client to block again")
        direct.xadd("more", {"f": "v"})
        assert parse(raw.reply())[0][0] == b"more"
        second = parse(raw.reply())
    assert_matched(receiver, [first, second])


def test_a_blocked_client_can_be_unblocked(receiver, tacho, direct):
    with tacho.raw() as raw:
        number = raw.ask("CLIENT", "ID")
        raw.send(command("BLPOP", "list", "0") + xadd(1))
        wait_for(lambda: direct.client_unblock(number, error=True), what="the client to be unblocked")
        assert raw.reply().startswith(b"-UNBLOCKED")
        assert_matched(receiver, [parse(raw.reply())])


# Replies on and off


def test_client_reply_skip(redis_server, receiver, tacho):
    with tacho.raw() as raw:
        raw.send(command("CLIENT", "REPLY", "SKIP") + xadd(1, "silent") + xadd(2) + command("PING"))
        second = parse(raw.reply())
        assert raw.reply() == b"+PONG\r\n"
    assert_matched(receiver, [second])
    [(_, fields)] = stored(redis_server, "silent")
    span = receiver.wait_for_names("xadd silent").one("xadd silent")
    assert dict(fields)["traceparent"].split("-")[1:3] == [span.trace_id, span.span_id]
    assert "messaging.message.id" not in span.attributes


def test_client_reply_off_and_on(redis_server, receiver, tacho, direct):
    direct.xgroup_create("silent", "g", id="0", mkstream=True)
    with tacho.raw() as raw:
        first = parse(raw.call("XADD", STREAM, "*", "n", "1"))
        raw.send(command("CLIENT", "REPLY", "OFF") + xadd(1, "silent") + command("SET", "a", "b") + command("NOSUCH")
                 + command("CLIENT", "REPLY", "ON") + xadd(2))
        assert raw.reply() == b"+OK\r\n"
        second = parse(raw.reply())
    assert_matched(receiver, [first, second])
    # Nobody hears the id, but the message is traced on all the same.
    consumer = tacho.client()
    consumer.xreadgroup("g", "alice", {"silent": ">"})
    consumer.xack("silent", "g", stored(redis_server, "silent")[0][0])
    view = receiver.wait_for_names("xadd silent", "process silent")
    assert view.one("process silent").parent_id == view.one("xadd silent").span_id


# Subscriptions


@pytest.mark.parametrize("protocol", [2, 3])
def test_subscriptions_of_every_kind(receiver, tacho, direct, protocol):
    with tacho.raw() as raw:
        raw.call("HELLO", protocol)
        raw.send(command("SUBSCRIBE", "a", "b") + command("PSUBSCRIBE", "a*") + command("SSUBSCRIBE", "s"))
        confirmed = [parse(reply) for reply in raw.replies(4)]
        assert [list(each) for each in confirmed] == [
            [b"subscribe", b"a", 1], [b"subscribe", b"b", 2], [b"psubscribe", b"a*", 3], [b"ssubscribe", b"s", 1]]
        assert all(isinstance(each, Push) == (protocol == 3) for each in confirmed)
        direct.publish("a", "one")
        direct.execute_command("SPUBLISH", "s", "two")
        got = [list(parse(reply)) for reply in raw.replies(3)]
        assert got == [[b"message", b"a", b"one"], [b"pmessage", b"a*", b"a", b"one"], [b"smessage", b"s", b"two"]]
        raw.send(command("PING"))
        assert parse(raw.reply()) == ("PONG" if protocol == 3 else [b"pong", b""])
        raw.send(command("UNSUBSCRIBE") + command("PUNSUBSCRIBE") + command("SUNSUBSCRIBE") + xadd(1))
        assert [list(parse(reply))[0] for reply in raw.replies(4)] == [
            b"unsubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe"]
        assert_matched(receiver, [parse(raw.reply())])


def test_resp2_refuses_commands_while_subscribed(receiver, tacho, direct):
    with tacho.raw() as raw:
        raw.send(command("SUBSCRIBE", "a") + command("GET", "x") + xadd(1) + command("UNSUBSCRIBE", "a") + xadd(2))
        subscribed, get, refused, unsubscribed = (parse(reply) for reply in raw.replies(4))
        assert subscribed == [b"subscribe", b"a", 1] and unsubscribed == [b"unsubscribe", b"a", 0]
        assert isinstance(get, RedisError) and isinstance(refused, RedisError)
        second = parse(raw.reply())
    view = receiver.wait_for(lambda seen: seen.with_message("xadd orders", second.decode()))
    for span in view.named("xadd orders"):
        assert span.get("messaging.message.id") == second.decode() or span.status == "ERROR"


def test_resp3_pushes_between_replies(receiver, tacho, direct):
    ids = []
    with tacho.raw() as raw:
        raw.call("HELLO", 3)
        raw.send(command("SUBSCRIBE", "news"))
        raw.reply()
        pushes = 0
        for number in range(200):
            direct.publish("news", str(number))
            raw.send(xadd(number) + command("GET", "nothing"))
            replies = []
            while len(replies) < 2:
                value = parse(raw.reply())
                if isinstance(value, Push):
                    assert value == [b"message", b"news", str(pushes).encode()]
                    pushes += 1
                else:
                    replies.append(value)
            assert replies[1] is None
            ids.append(replies[0])
    assert pushes >= 199
    assert_matched(receiver, ids)


def test_resp3_publishing_to_oneself(receiver, tacho):
    """The push comes before the reply of the very command that caused it."""
    with tacho.raw() as raw:
        raw.call("HELLO", 3)
        raw.call("SUBSCRIBE", "me")
        raw.send(command("PUBLISH", "me", "x") + xadd(1))
        values = [parse(reply) for reply in raw.replies(3)]
        assert sorted(map(str, values[:2])) == sorted(map(str, [Push([b"message", b"me", b"x"]), 1]))
    assert_matched(receiver, [values[2]])


def test_redis_py_pubsub(tacho):
    app = tacho.client()
    listener = app.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("a")
    listener.psubscribe("b*")
    wait_for(lambda: listener.get_message() is None and app.pubsub_numsub("a") == [("a", 1)], what="the subscription")
    wait_for(lambda: app.pubsub_numpat() == 1, what="the pattern")
    assert app.publish("a", "1") == 1 and app.publish("bb", "2") == 1
    got = []
    wait_for(lambda: got.append(listener.get_message(timeout=1)) or len([each for each in got if each]) == 2)
    assert [each["data"] for each in got if each] == ["1", "2"]
    listener.close()


def test_sharded_subscription_on_its_own(receiver, tacho, direct):
    with tacho.raw() as raw:
        assert raw.ask("SSUBSCRIBE", "x") == [b"ssubscribe", b"x", 1]
        direct.execute_command("SPUBLISH", "x", "hello")
        assert parse(raw.reply()) == [b"smessage", b"x", b"hello"]
        assert raw.ask("SUNSUBSCRIBE") == [b"sunsubscribe", b"x", 0]
        assert_matched(receiver, [raw.ask("XADD", STREAM, "*", "f", "v")])


# Other modes


def test_monitor(redis_server, receiver, tacho, direct):
    with tacho.raw() as raw:
        first = raw.ask("XADD", STREAM, "*", "f", "v")
        assert raw.call("MONITOR") == b"+OK\r\n"
        direct.set("watched", "value")
        raw.read_until(b'"SET" "watched" "value"\r\n')
        raw.send(command("RESET"))
        raw.read_until(b"+RESET\r\n")
        assert raw.call("PING") == b"+PONG\r\n"
        raw.ask("XADD", "later", "*", "f", "v")
    assert_matched(receiver, [first])


def test_invalidations_of_client_side_caching(receiver, tacho, direct):
    with tacho.raw() as raw:
        raw.call("HELLO", 3)
        assert raw.call("CLIENT", "TRACKING", "ON") == b"+OK\r\n"
        ids = []
        for number in range(50):
            assert raw.ask("GET", "cached") == (str(number - 1).encode() if number else None)
            direct.set("cached", str(number))
            raw.send(xadd(number))
            push, reply = (parse(each) for each in raw.replies(2))
            assert push == Push([b"invalidate", [b"cached"]]) and isinstance(push, Push)
            ids.append(reply)
        raw.call("GET", "cached")
        direct.flushdb()
        assert parse(raw.reply()) == [b"invalidate", None]
        ids_after = raw.ask("XADD", "after", "*", "f", "v")
    assert_matched(receiver, ids)
    assert_matched(receiver, [ids_after], "after")


def test_hello_switches_both_ways(receiver, tacho):
    ids = []
    with tacho.raw() as raw:
        for protocol in (3, 2, 3, 3, 2):
            hello = raw.call("HELLO", protocol)
            assert hello[:1] == (b"%" if protocol == 3 else b"*")
            ids.append(raw.ask("XADD", STREAM, "*", "f", "v"))
            entries = raw.call("XREAD", "STREAMS", STREAM, "0")
            assert entries[:1] == (b"%" if protocol == 3 else b"*")
        assert raw.call("HELLO", 7).startswith(b"-NOPROTO")
        ids.append(raw.ask("XADD", STREAM, "*", "f", "v"))
    assert_matched(receiver, ids)


def test_reset_leaves_every_mode(receiver, tacho, direct):
    with tacho.raw() as raw:
        raw.call("HELLO", 3)
        raw.send(command("SUBSCRIBE", "a") + command("MULTI") + xadd(1, "dropped") + command("RESET") + xadd(2))
        assert [raw.reply() for _ in range(4)][1:] == [b"+OK\r\n", b"+QUEUED\r\n", b"+RESET\r\n"]
        second = parse(raw.reply())
        assert raw.call("XREAD", "COUNT", "1", "STREAMS", STREAM, "0")[:1] == b"*"
    assert_matched(receiver, [second])
    assert direct.exists("dropped") == 0


def test_quit_answers_and_ends(receiver, tacho):
    with tacho.raw() as raw:
        raw.send(xadd(1) + command("QUIT"))
        first = parse(raw.reply())
        assert raw.rest() == b"+OK\r\n"
    assert_matched(receiver, [first])
    tacho.wait_for_metric("tacho_connections", 0)


def test_select_keeps_databases_apart(receiver, tacho, direct):
    ids = []
    with tacho.raw() as raw:
        for database in (0, 3, 0):
            assert raw.call("SELECT", database) == b"+OK\r\n"
            ids.append(raw.ask("XADD", STREAM, "*", "db", database))
    assert direct.xlen(STREAM) == 2
    assert_matched(receiver, ids)


def test_the_same_id_in_two_databases_is_two_messages(receiver, tacho):
    """Stream, group and id are equal in both; only the database differs."""
    with tacho.raw() as first, tacho.raw() as second:
        second.call("SELECT", 1)
        for raw in (first, second):
            raw.call("XGROUP", "CREATE", STREAM, "g", "0", "MKSTREAM")
            raw.call("XADD", STREAM, "5-5", "f", "v")
            raw.call("XREADGROUP", "GROUP", "g", "alice", "STREAMS", STREAM, ">")
        for raw in (first, second):
            assert raw.ask("XACK", STREAM, "g", "5-5") == 1
    view = receiver.wait_for_names(*["xadd orders", "process orders", "xack orders"] * 2)
    assert {span.parent_id for span in view.named("process orders")} == {
        span.span_id for span in view.named("xadd orders")}
    assert [span.get("tacho.outcome", "acknowledged") for span in view.named("process orders")] == ["acknowledged"] * 2
    assert [span["tacho.delivery.attempt"] for span in view.named("process orders")] == [1, 1]


def test_shutdown_ends_the_session_and_not_the_program(redis_server, receiver, tacho):
    with tacho.raw() as raw:
        first = raw.ask("XADD", STREAM, "*", "f", "v")
        raw.send(command("SHUTDOWN", "NOSAVE"))
        raw.rest()
    redis_server.process.wait(60)
    assert_matched(receiver, [first])
    redis_server.restart()
    with tacho.raw() as raw:
        assert raw.ask("PING") == "PONG"


def test_inline_commands(redis_server, receiver, tacho):
    with tacho.raw() as raw:
        raw.send(b"PING\r\n")
        assert raw.reply() == b"+PONG\r\n"
        raw.send(b"\r\nSET a \"two words\"\r\nGET a\nPING\r\n")
        assert raw.replies(3) == [b"+OK\r\n", b"$9\r\ntwo words\r\n", b"+PONG\r\n"]
        raw.send(b"XADD orders * item book\r\n" + xadd(2) + b"ping\r\n")
        first, second, pong = (parse(each) for each in raw.replies(3))
        assert pong == "PONG"
    entries = stored(redis_server)
    assert [fields[0] for _, fields in entries] == [("item", "book"), ("n", "2")]
    view = receiver.wait_for(lambda seen: seen.with_message("xadd orders", second.decode()))
    inline = view.with_message("xadd orders", first.decode())
    assert len(inline) <= 1 and len(view.named("xadd orders")) == 1 + len(inline)


def test_an_empty_array_and_empty_lines_are_no_commands(receiver, tacho):
    with tacho.raw() as raw:
        raw.send(b"*0\r\n" + b"\r\n" + b"*-1\r\n" + xadd(1) + b"*0\r\n" + command("PING"))
        first, pong = (parse(each) for each in raw.replies(2))
        assert pong == "PONG"
    assert_matched(receiver, [first])


def test_a_command_of_many_arguments_passes(tacho):
    with tacho.raw() as raw:
        words = [f"w{number}" for number in range(100_000)]
        assert raw.ask("RPUSH", "list", *words) == len(words)
        assert raw.ask("LRANGE", "list", "0", "-1") == [word.encode() for word in words]


def test_scripts_answer_deep_and_odd_replies(receiver, tacho):
    deep = "local t = 'x' for i = 1, 60 do t = {t} end return t"
    with tacho.raw() as raw:
        value = raw.ask("EVAL", deep, "0")
        for _ in range(60):
            [value] = value
        assert value == b"x"
        raw.call("HELLO", 3)
        script = "redis.setresp(3) return {double=3.5}"
        assert raw.ask("EVAL", script, "0") == 3.5
        assert raw.ask("EVAL", "redis.setresp(3) return {map={a=1}}", "0") == [(b"a", 1)]
        assert raw.ask("EVAL", "redis.setresp(3) return {set={b=true}}", "0") == [b"b"]
        assert raw.ask("EVAL", "return {big_number='12345678901234567890'}", "0") == 12345678901234567890
        assert raw.ask("EVAL", "return {verbatim_string={format='txt', string='hi'}}", "0") == b"txt:hi"
        assert_matched(receiver, [raw.ask("XADD", STREAM, "*", "f", "v")])


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_type_of_reply(world, receiver, protocol):
    server = world.redis("--enable-debug-command", "yes")
    tacho = world.tacho(server, receiver)
    ids = []
    with RawClient(server.address) as direct, tacho.raw() as raw:
        for connection in (direct, raw):
            connection.call("HELLO", protocol)
        kinds = ["string", "integer", "double", "bignum", "null", "array", "set", "map", "attrib", "verbatim", "true",
                 "false"]
        for kind in kinds:
            words = ["DEBUG", "PROTOCOL", kind]
            assert raw.call(*words) == direct.call(*words), kind
            ids.append(raw.ask("XADD", STREAM, "*", "kind", kind))
        if protocol == 3:
            raw.send(command("DEBUG", "PROTOCOL", "push") + command("PING"))
            push, reply, pong = (parse(each) for each in raw.replies(3))
            assert isinstance(push, Push) and not isinstance(reply, Push) and pong == "PONG"
    assert_matched(receiver, ids)


def test_redis_py_connection_pool_under_threads(receiver, tacho):
    pool = redis.BlockingConnectionPool(host="127.0.0.1", port=tacho.address.port, max_connections=8, protocol=3, socket_timeout=60,
                                        timeout=60)
    ids, failures = [], []

    def run(number):
        try:
            client = redis.Redis(connection_pool=pool)
            for step in range(50):
                ids.append(client.xadd(STREAM, {"n": f"{number}.{step}"}))
                assert client.get("nothing") is None
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    pool.disconnect()
    assert failures == []
    assert_matched(receiver, ids)


def test_the_bytes_of_direct_and_proxied_greetings_agree(redis_server, tacho):
    """What a client library says first: nothing of it may look different."""
    words = [["CLIENT", "SETINFO", "LIB-NAME", "x"], ["CLIENT", "SETNAME", "y"], ["COMMAND", "COUNT"],
             ["CLIENT", "GETNAME"], ["CLIENT", "NO-EVICT", "on"], ["CONFIG", "GET", "maxmemory"]]
    with RawClient(redis_server.address) as direct, tacho.raw() as raw:
        for each in words:
            assert raw.call(*each) == direct.call(*each)
