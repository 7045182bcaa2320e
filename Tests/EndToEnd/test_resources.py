"""Everything is bounded: memory, descriptors, and what one slow or huge peer can hold."""

import os
import resource
import signal

from harness import command, wait_for
from harness.process import freeze

MIB = 1024  # in KiB
GROWTH_ALLOWED_KIB = 8 * MIB


def warmed_up(tacho):
    """Every path taken once, so that growth is not the first use of a pool."""
    with tacho.raw(timeout=200) as raw:
        raw.call("XADD", "warm", "*", "f", "v")
        raw.call("SET", "warm2", b"x" * (4 << 20))
        raw.call("GET", "warm2")
    tacho.metrics()
    tacho.reset_peak()
    return tacho.peak_rss_kib()


def test_a_value_of_512_mib_passes_both_ways_in_bounded_memory(tacho, record_property):
    size = 512 << 20
    chunk = os.urandom(1 << 20)
    before = warmed_up(tacho)
    with tacho.raw(timeout=200) as raw:
        raw.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % size)
        for _ in range(512):
            raw.send(chunk)
        raw.send(b"\r\n")
        assert raw.reply() == b"+OK\r\n"
        after_set = tacho.peak_rss_kib()
        raw.send(command("GET", "big"))
        assert raw.read_until(b"\r\n") == b"$%d\r\n" % size
        for _ in range(512):
            assert raw.read_exact(1 << 20) == chunk
        assert raw.read_exact(2) == b"\r\n"
        assert raw.ask("PING") == "PONG"
        raw.call("DEL", "big")
    after_get = tacho.peak_rss_kib()
    print(f"resident: {before} KiB before, peak {after_set} KiB after SET, peak {after_get} KiB after GET")
    record_property("rss_growth_kib", after_get - before)
    assert after_get - before < GROWTH_ALLOWED_KIB, f"grew by {after_get - before} KiB"


def test_a_client_that_does_not_read_holds_no_memory_of_ours(tacho, direct):
    size, count = 1 << 20, 200
    before = warmed_up(tacho)
    direct.set("big", "x" * size)
    direct.config_resetstat()
    with tacho.raw(timeout=200) as raw:
        raw.send(command("GET", "big") * count)
        wait_for(lambda: direct.info("commandstats").get("cmdstat_get", {}).get("calls") == count,
                 what="Redis to have answered everything")
        grown = tacho.peak_rss_kib() - before
        raw.skip((len(b"$1048576\r\n") + size + 2) * count)
        assert raw.ask("PING") == "PONG"
    print(f"grew by {grown} KiB while {count} MiB of replies waited")
    assert grown < GROWTH_ALLOWED_KIB, f"grew by {grown} KiB"
    assert tacho.peak_rss_kib() - before < GROWTH_ALLOWED_KIB


def test_an_upstream_that_does_not_read_holds_no_memory_of_ours(world, redis_server, receiver):
    """Redis is stopped: what the client writes is held back in the client."""
    tacho = world.tacho(redis_server, receiver)
    before = warmed_up(tacho)
    with tacho.raw() as raw:
        raw.call("PING")
        raw.socket.settimeout(1)
        freeze(redis_server.process)
        try:
            sent = 0
            value = b"x" * (1 << 20)
            try:
                while sent < 300:
                    raw.send(command("SET", "k", value))
                    sent += 1
            except TimeoutError:
                pass
            grown = tacho.peak_rss_kib() - before
        finally:
            redis_server.process.send_signal(signal.SIGCONT)
    assert sent < 300, "the program swallowed 300 MiB for an upstream that does not read"
    assert grown < GROWTH_ALLOWED_KIB + 4 * MIB, f"grew by {grown} KiB"


def test_a_pipeline_without_end_and_without_reading_is_bounded(tacho, direct):
    """A million small commands wait for their replies: what is remembered of each must be little or limited."""
    direct.set("k", "x" * 1000)
    before = warmed_up(tacho)
    with tacho.raw(timeout=3) as raw:
        batch = command("GET", "k") * 10_000
        try:
            for _ in range(100):
                raw.send(batch)
        except TimeoutError:
            pass  # back-pressure is a good answer too
        grown = tacho.peak_rss_kib() - before
    assert grown < 64 * MIB, f"grew by {grown} KiB"
    with tacho.raw() as raw:
        assert raw.ask("PING") == "PONG"


def test_ten_thousand_connections_leave_nothing_behind(redis_server, receiver, tacho):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tacho.raw() as raw:
        raw.call("XADD", "orders", "*", "f", "v")
    receiver.wait_for(1)
    tacho.wait_for_metric("tacho_connections", 0)
    wait_for(lambda: redis_server.connections() == 0, what="Redis to be alone")
    fds, memory = tacho.fds(), tacho.rss_kib()
    waves, width = 50, 200
    for wave in range(waves):
        opened = [tacho.raw() for _ in range(width)]
        for raw in opened:
            raw.send(command("PING"))
        for raw in opened:
            assert raw.reply() == b"+PONG\r\n"
        for number, raw in enumerate(opened):
            # Some end in order, some abruptly, some in the middle of a command, some while they wait for a reply.
            if number % 4 == 1:
                raw.abort()
            elif number % 4 == 2:
                raw.send(b"*3\r\n$3\r\nSET\r\n$1")
                raw.close()
            elif number % 4 == 3:
                raw.send(command("BLPOP", "nothing", "0"))
                raw.close()
            else:
                raw.close()
    tacho.wait_for_metric("tacho_connections", 0)
    assert tacho.metrics().sum("tacho_connections_accepted_total") >= waves * width
    wait_for(lambda: redis_server.connections() == 0, what="Redis to be alone again")
    wait_for(lambda: tacho.fds() <= fds + 4, what=f"descriptors to return from {tacho.fds()} to {fds}")
    grown = tacho.rss_kib() - memory
    assert grown < 16 * MIB, f"{waves * width} connections left {grown} KiB behind"


def test_a_thousand_connections_at_once(receiver, tacho):
    opened = [tacho.raw() for _ in range(1000)]
    try:
        for raw in opened:
            raw.send(command("XADD", "orders", "*", "f", "v"))
        ids = {raw.reply() for raw in opened}
        assert len(ids) == 1000
        assert tacho.metrics().sum("tacho_connections") == 1000
    finally:
        for raw in opened:
            raw.close()
    receiver.wait_for(lambda view: len(view.named("xadd orders")) == 1000)


def test_open_deliveries_are_bounded_by_number(tacho, direct):
    """Nobody ever acknowledges: the table of deliveries grows to its limit and not beyond."""
    direct.xgroup_create("orders", "g", id="0", mkstream=True)
    pipeline = direct.pipeline(transaction=False)
    for number in range(50_000):
        pipeline.xadd("orders", {"n": number})
    pipeline.execute()
    before = warmed_up(tacho)
    app = tacho.client()
    while app.xreadgroup("g", "alice", {"orders": ">"}, count=5000):
        pass
    metrics = tacho.metrics()
    open_now = metrics.sum("tacho_deliveries_open")
    ended = metrics.sum("tacho_deliveries_evicted_total")
    assert open_now + ended == 50_000
    grown = tacho.peak_rss_kib() - before
    assert grown < 128 * MIB, f"{open_now} open deliveries take {grown} KiB"


def test_a_long_stream_reply_is_not_collected(tacho, direct):
    """64 MiB of entries in one reply pass; memory stays by the limit of one frame, not by the reply."""
    pipeline = direct.pipeline(transaction=False)
    for number in range(1024):
        pipeline.xadd("orders", {"blob": "x" * 65_536})
    pipeline.execute()
    before = warmed_up(tacho)
    with tacho.raw(timeout=200) as raw:
        raw.send(command("XRANGE", "orders", "-", "+"))
        assert raw.reply().count(b"$65536\r\n") == 1024
        assert raw.ask("PING") == "PONG"
    grown = tacho.peak_rss_kib() - before
    assert grown < GROWTH_ALLOWED_KIB, f"grew by {grown} KiB"
