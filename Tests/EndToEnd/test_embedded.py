"""The embedded event log with real clients: the same programs as with a real Redis, and what only a log has to show."""

import asyncio
import os
import shutil
import subprocess
import threading
import time

import pytest
import redis.asyncio

from harness import RawClient, Tacho, command, free_port, parse, wait_for

GROUP, STREAM = "workers", "orders"


@pytest.fixture(params=["redis", "embedded"])
def bus(request, world, receiver):
    """The program before a real Redis, and with its own log."""
    upstream = world.redis() if request.param == "redis" else "embedded"
    made = world.tacho(upstream, receiver)
    made.kind = request.param
    return made


@pytest.mark.parametrize("protocol", [2, 3])
def test_one_trace_from_publish_to_acknowledgement(bus, receiver, protocol):
    app = bus.client(protocol=protocol)
    app.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"item": "book", "price": "12"})
    assert message_id in repr(app.xreadgroup(GROUP, "alice", {STREAM: ">"}))
    assert app.xack(STREAM, GROUP, message_id) == 1
    view = receiver.wait_for_names("xadd orders", "xreadgroup orders", "process orders", "xack orders")
    published, processed = view.one("xadd orders"), view.one("process orders")
    assert published["messaging.system"] == "redis"
    assert published["messaging.message.id"] == message_id
    if bus.kind == "embedded":
        assert published["server.address"] == "embedded"
        assert "server.port" not in published.attributes
    assert processed.trace_id == published.trace_id and processed.parent_id == published.span_id
    assert view.one("xack orders").links_to(published)
    assert set(view.traces) == {published.trace_id}


def test_a_client_library_finds_everything_it_knows(bus):
    app = bus.client(client_name="shop-1")
    assert app.ping() and app.echo("x") == "x"
    assert app.client_getname() == "shop-1" and app.client_id() > 0
    assert app.info()["redis_version"].startswith("7.")
    ids = [app.xadd(STREAM, {"n": str(number)}) for number in range(10)]
    assert app.xlen(STREAM) == 10
    assert [entry[0] for entry in app.xrange(STREAM)] == ids
    assert [entry[0] for entry in app.xrevrange(STREAM, count=2)] == ids[:-3:-1]
    app.xgroup_create(STREAM, GROUP, id="0")
    app.xreadgroup(GROUP, "alice", {STREAM: ">"}, count=4)
    assert app.xpending(STREAM, GROUP)["pending"] == 4
    assert [row["message_id"] for row in app.xpending_range(STREAM, GROUP, "-", "+", 2)] == ids[:2]
    assert [entry[0] for entry in app.xclaim(STREAM, GROUP, "bob", 0, ids[:2])] == ids[:2]
    _, claimed, deleted = app.xautoclaim(STREAM, GROUP, "carol", 0)
    assert [entry[0] for entry in claimed] == ids[:4] and deleted == []
    assert app.xack(STREAM, GROUP, *ids[:4]) == 4
    assert app.xinfo_stream(STREAM)["length"] == 10
    assert app.xinfo_groups(STREAM)[0]["lag"] == 6
    assert {row["name"] for row in app.xinfo_consumers(STREAM, GROUP)} == {"alice", "bob", "carol"}
    assert app.xtrim(STREAM, maxlen=3, approximate=False) == 7
    assert app.xdel(STREAM, ids[-1]) == 1
    assert app.type(STREAM) == "stream" and list(app.scan_iter()) == [STREAM]
    assert app.expire(STREAM, 100) and 0 < app.ttl(STREAM) <= 100
    with app.pipeline(transaction=True) as transaction:
        transaction.xadd(STREAM, {"n": "a"})
        transaction.xadd(STREAM, {"n": "b"})
        transaction.xlen(STREAM)
        assert transaction.execute()[2] == 4
    assert app.delete(STREAM) == 1 and app.exists(STREAM) == 0


def test_asyncio_producers_and_consumers(bus, receiver):
    count = 40
    bus.client().xgroup_create(STREAM, GROUP, id="0", mkstream=True)

    async def run():
        app = redis.asyncio.Redis(host="127.0.0.1", port=bus.address.port, decode_responses=True, socket_timeout=60)
        ids = await asyncio.gather(*[app.xadd(STREAM, {"n": str(number)}) for number in range(count)])

        async def consume(name):
            done = 0
            while got := await app.xreadgroup(GROUP, name, {STREAM: ">"}, count=1):
                entries = got[0][1] if isinstance(got, list) else next(iter(got.values()))[0]
                done += await app.xack(STREAM, GROUP, entries[0][0])
            return done

        done = await asyncio.gather(*[consume(f"c{number}") for number in range(4)])
        await app.aclose()
        return ids, sum(done)

    ids, done = asyncio.run(run())
    assert done == count and len(set(ids)) == count
    view = receiver.wait_for(lambda seen: [len(seen.named(f"{name} orders")) for name in ("xadd", "process", "xack")]
                             == [count] * 3)
    for message_id in ids:
        [published] = view.with_message("xadd orders", message_id)
        [processed] = view.with_message("process orders", message_id)
        assert processed.trace_id == published.trace_id and processed.parent_id == published.span_id


def test_walrus_has_its_streams_and_groups(bus):
    walrus = pytest.importorskip("walrus")
    database = walrus.Database(host="127.0.0.1", port=bus.address.port, socket_timeout=60)
    group = database.consumer_group("app", ["orders", "returns"])
    group.create()
    group.set_id("$")
    first = group.orders.add({"item": "book"})
    second = group.returns.add({"item": "pen"})
    read = dict(group.read())
    assert {first, second} == {message_id for messages in read.values() for message_id, _ in messages}
    assert group.orders.ack(first) == 1
    assert [row["message_id"] for row in group.returns.pending()] == [second]
    assert len(database.Stream("orders")) == 1
    database.close()


def test_redis_cli_speaks_to_it(bus):
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")

    def cli(*words, script=None):
        return subprocess.run(["redis-cli", "-p", str(bus.address.port), *words], input=script,
                              capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    message_id = cli("XADD", STREAM, "*", "item", "book")
    assert message_id in cli("-3", "XRANGE", STREAM, "-", "+")
    assert cli(script="MULTI\nXLEN orders\nEXEC\n").splitlines()[-1] == "1"


def test_publish_and_subscribe_across_connections(bus):
    app = bus.client()
    listening = app.pubsub()
    listening.subscribe("news")
    listening.psubscribe("n*")
    for _ in range(2):
        listening.get_message(timeout=60)
    assert app.publish("news", "hello") == 2
    got = [listening.get_message(timeout=60) for _ in range(2)]
    assert sorted(message["type"] for message in got) == ["message", "pmessage"]
    listening.close()


def test_fifty_readers_wait_and_each_entry_goes_to_one(bus):
    bus.client().xgroup_create(STREAM, GROUP, id="$", mkstream=True)
    readers = [bus.raw() for _ in range(50)]
    for number, reader in enumerate(readers):
        reader.send(command("XREADGROUP", "GROUP", GROUP, f"c{number}", "COUNT", "1", "BLOCK", "20000",
                            "STREAMS", STREAM, ">"))
    control = bus.client()
    wait_for(lambda: control.info("clients")["blocked_clients"] == 50, what="fifty blocked readers")
    ids = [control.xadd(STREAM, {"n": str(number)}) for number in range(50)]
    got = [parse(reader.reply())[0][1][0][0].decode() for reader in readers]
    assert sorted(got) == sorted(ids)
    for reader in readers:
        reader.close()


def test_a_reader_that_goes_away_is_forgotten(bus):
    control = bus.client()
    with bus.raw() as reader:
        reader.send(command("XREAD", "BLOCK", "0", "STREAMS", STREAM, "$"))
        wait_for(lambda: control.info("clients")["blocked_clients"] == 1, what="a blocked reader")
    wait_for(lambda: control.info("clients")["blocked_clients"] == 0, what="no blocked reader")


# What is only true of the embedded log


def plain_environment():
    """Without the caller's own settings."""
    return {key: text for key, text in os.environ.items() if not key.startswith(("OTEL_", "TACHO_"))}


@pytest.fixture
def embedded(world, receiver):
    return world.tacho("embedded", receiver)


def again(world, tacho, receiver=None):
    """The program once more, on the same data."""
    made = Tacho(tacho.scratch, "embedded", receiver, listen=tacho.address)
    world.tachos.append(made)
    world.keep(Closing(made))
    return made.start()


class Closing:
    def __init__(self, tacho):
        self.close = lambda: (tacho.close_clients(), tacho.kill())


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_keeps_streams_groups_and_pending_deliveries(world, embedded, end):
    app = embedded.client()
    app.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    ids = [app.xadd(STREAM, {"n": str(number)}) for number in range(20)]
    app.xreadgroup(GROUP, "alice", {STREAM: ">"}, count=5)
    app.xack(STREAM, GROUP, *ids[:2])
    before = [app.xrange(STREAM), app.xpending(STREAM, GROUP), app.xinfo_groups(STREAM)]
    if end == "stop":
        assert embedded.stop() == 0
    else:
        embedded.close_clients()
        embedded.kill()
        world.tachos.remove(embedded)
    app = again(world, embedded).client()
    assert [app.xrange(STREAM), app.xpending(STREAM, GROUP), app.xinfo_groups(STREAM)] == before
    got = app.xreadgroup(GROUP, "bob", {STREAM: ">"})
    assert [entry[0] for entry in got[0][1]] == ids[5:]
    assert app.xadd(STREAM, {"n": "last"}) > ids[-1]


@pytest.mark.expect_exit
def test_a_second_process_on_the_same_data_is_refused(world, embedded):
    data = embedded.scratch / "tacho-data"
    second = subprocess.run(
        [embedded.arguments()[0], "run", "--http", "none", "--otlp", "none", "--redis",
         f"{free_port()}=embedded", "--data", str(data)],
        capture_output=True, text=True, timeout=60, env=plain_environment())
    assert second.returncode == 1
    assert "open in another process" in second.stderr and str(embedded.process.pid) in second.stderr
    assert "ready" not in second.stdout
    assert embedded.client().ping()


def test_a_data_directory_that_cannot_be_made_is_told(world, embedded):
    second = subprocess.run(
        [embedded.arguments()[0], "run", "--http", "none", "--otlp", "none", "--redis", f"{free_port()}=embedded",
         "--data", "/proc/nowhere"], capture_output=True, text=True, timeout=60, env=plain_environment())
    assert second.returncode == 1
    assert "/proc/nowhere cannot be used" in second.stderr


def test_without_a_listener_the_embedded_log_is_served(world, tmp_path):
    checked = subprocess.run([Tacho(tmp_path / "x", "embedded").arguments()[0], "check", "-o", "json"],
                             capture_output=True, text=True, timeout=60, cwd=tmp_path,
                             env=plain_environment())
    assert checked.returncode == 0
    assert '"listen" : "127.0.0.1:16379"' in checked.stdout and '"upstream" : "embedded"' in checked.stdout


def test_what_it_does_not_speak_it_says_so(embedded):
    with embedded.raw() as raw:
        reply = raw.call("SET", "key", "value")
        assert reply.startswith(b"-ERR unknown command 'SET': the embedded event log answers streams"), reply
        assert raw.call("XADD", "s", "1-1", "a", "b") == b"$3\r\n1-1\r\n"


def test_a_duplicate_by_the_producers_own_mark_is_the_first_entry(embedded):
    with embedded.raw() as raw:
        first = raw.call("XADD", STREAM, "IDMP", "till-1", "order-7", "*", "item", "book")
        assert raw.call("XADD", STREAM, "IDMP", "till-1", "order-7", "*", "item", "book") == first
        assert raw.call("XADD", STREAM, "IDMP", "till-2", "order-7", "*", "item", "book") != first
        assert raw.ask("XLEN", STREAM) == 2


def test_it_drains_while_clients_publish(embedded):
    acknowledged, stopped = [], threading.Event()

    def publish():
        with RawClient(embedded.address) as raw:
            try:
                while not stopped.is_set():
                    acknowledged.append(raw.ask("XADD", STREAM, "*", "n", len(acknowledged)))
            except (EOFError, OSError):
                pass

    writer = threading.Thread(target=publish)
    writer.start()
    wait_for(lambda: len(acknowledged) > 50, what="some entries")
    code = embedded.stop()
    stopped.set()
    writer.join()
    assert code == 0


def test_a_client_that_reads_late_is_waited_for_and_costs_no_memory(embedded):
    app = embedded.client()
    with app.pipeline(transaction=False) as pipeline:
        for _ in range(2_000):
            pipeline.xadd(STREAM, {"f": "x" * 512})
        pipeline.execute()
    with embedded.raw(timeout=60) as raw:
        size = len(raw.call("XRANGE", STREAM, "-", "+"))
        embedded.reset_peak()
        before = embedded.peak_rss_kib()
        raw.send(command("XRANGE", STREAM, "-", "+") * 200)
        time.sleep(0.5)  # for what should not happen: that all is answered at once
        raw.skip(size * 200)
        assert raw.ask("PING") == "PONG"
    assert embedded.peak_rss_kib() - before < 32 * 1024, "200 replies of a mebibyte were not waiting for their reader"
