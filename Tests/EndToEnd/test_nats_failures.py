"""What breaks around NATS sessions: servers die, leave in order or come back, clients vanish, the program stops."""

import asyncio
import signal

import pytest
from nats.errors import Error, NoServersError

from harness import Address, NatsApp, RawClient, RawNats, collect, free_port, nats_server, run, until, wait_for

RECONNECTING = {"allow_reconnect": True}


def refusal_of(tacho):
    with RawClient(tacho.address) as raw:
        return raw.rest()


def test_a_server_that_is_not_there(world, receiver):
    # Without a breaker: that would soon answer in the upstream's place.
    tacho = world.tacho(Address(port=free_port()), receiver, protocol="nats",
                        settings={"resilience": {"breaker": "off"}})
    for _ in range(3):
        answer = refusal_of(tacho)
        assert answer.startswith(b"-ERR 'tacho: upstream 127.0.0.1:") and answer.endswith(b"Connection refused'\r\n")
    assert tacho.metrics().sum("tacho_upstream_failures_total", reason="refused") == 3
    tacho.wait_for_metric("tacho_connections", 0)
    with pytest.raises((Error, NoServersError)):
        run(NatsApp.connect(tacho))


def test_a_server_that_comes_up_after_the_program(world, receiver):
    server = world.nats()
    server.kill()
    tacho = world.tacho(server, receiver)
    assert refusal_of(tacho).startswith(b"-ERR")
    server.restart()

    async def scenario():
        app = await NatsApp.connect(tacho)
        subscription = await app.subscribe("orders")
        await app.publish("orders", b"x")
        await subscription.next_msg(timeout=10)

    run(scenario())
    receiver.wait_for_names("publish orders", "process orders")


class Numbered:
    """A subscriber and a publisher that go on whatever happens, and note what came."""

    def __init__(self):
        self.sent = 0
        self.got = set()
        self.gone = 0
        self.back = 0

    async def start(self, target):
        self.subscriber = await NatsApp.connect(target, **RECONNECTING, disconnected_cb=self._gone,
                                                reconnected_cb=self._back)
        self.publisher = await NatsApp.connect(target, **RECONNECTING)
        await self.subscriber.subscribe("numbers", cb=self._take)
        await self.subscriber.flush()
        self._task = asyncio.create_task(self._publish())
        return self

    async def _gone(self):
        self.gone += 1

    async def _back(self):
        self.back += 1

    async def _take(self, message):
        self.got.add(int(message.data))

    async def _publish(self):
        while True:
            try:
                await self.publisher.publish("numbers", str(self.sent).encode())
                await self.publisher.flush(timeout=1)
                self.sent += 1
            except (Error, OSError, asyncio.TimeoutError):
                pass
            await asyncio.sleep(0.002)

    async def more(self, count=50):
        """So many messages that were sent from now on arrive."""
        start = self.sent
        await until(lambda: len([number for number in self.got if number > start]) >= count, what="traffic")

    async def stop(self):
        self._task.cancel()


@pytest.mark.partial_traces("messages are lost with the server")
def test_a_server_killed_and_restarted_in_mid_stream(nats, nats_tacho, receiver):
    async def scenario():
        traffic = await Numbered().start(nats_tacho)
        await traffic.more()
        for _ in range(2):
            gone, back = traffic.gone, traffic.back
            nats.kill()
            await until(lambda: traffic.gone > gone, what="the loss to be noticed")
            await asyncio.to_thread(nats.restart)
            await until(lambda: traffic.back > back, what="the client to come back")
            await traffic.more()
        for client in (traffic.subscriber, traffic.publisher):
            assert client.connected_url.port == nats_tacho.address.port
            assert {server.uri.port for server in client._server_pool} == {nats_tacho.address.port}
        await traffic.stop()

    run(scenario())
    nats_tacho.wait_for_metric("tacho_spans_queued", 0)
    nats_tacho.metrics().assert_ledger_closes()
    assert nats_tacho.metrics().sum("tacho_sessions_opaque_total") == 0
    assert nats_tacho.is_running


@pytest.mark.partial_traces("messages are lost with the server")
@pytest.mark.parametrize("ending", ["killed", "lame duck"])
def test_another_server_of_the_cluster_stands_in(world, receiver, ending):
    first, *others = world.nats_cluster('lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"')
    wait_for(lambda: len(first.greeting().get("connect_urls", [])) == 3, what="the server to name its cluster")
    tacho = world.tacho(first, receiver)
    warned = []

    async def lame_duck():
        warned.append(True)

    async def scenario():
        watcher = await NatsApp.connect(tacho, **RECONNECTING, lame_duck_mode_cb=lame_duck)
        traffic = await Numbered().start(tacho)
        await traffic.more()
        if ending == "killed":
            first.kill()
        else:
            first.enter_lame_duck_mode()
            await until(lambda: warned, what="the warning to come through")
        await until(lambda: traffic.back >= 1, timeout=60, what="the client to come back")
        await until(lambda: traffic.publisher.is_connected and watcher.is_connected, timeout=60, what="the others")
        await traffic.more()
        assert traffic.subscriber.connected_url.port == tacho.address.port
        assert {server.uri.port for server in traffic.subscriber._server_pool} == {tacho.address.port}
        await traffic.stop()

    run(scenario())
    assert sum(server.ask_monitor("/varz")["total_connections"] for server in others) >= 3
    assert "another server of its cluster stands in" in tacho.logs()


def test_a_cluster_that_is_not_to_be_followed(world, receiver):
    first, *_ = world.nats_cluster()
    tacho = world.tacho(first, receiver, options={"nats": {"failover": "off"}})
    with RawNats(tacho).connect():
        first.kill()
    wait_for(lambda: refusal_of(tacho).startswith(b"-ERR 'tacho: upstream"), what="the refusal")


def test_across_a_leaf_node(world, receiver):
    """Two programs, one in front of each server: one trace."""
    hub, leaf = world.nats_leaf_pair()
    here, there = world.tacho(leaf, receiver, service="edge"), world.tacho(hub, receiver, service="centre")

    async def scenario():
        consumer = await (await NatsApp.connect(there)).subscribe("readings.*")
        await consumer._conn.flush()
        producer = await NatsApp.connect(here)
        await until(lambda: nats_server.hears_of(leaf, "readings.*"), what="the leaf to hear of the interest")
        for number in range(10):
            await producer.publish(f"readings.{number}", b"x")
        assert len(await collect(consumer, 10)) == 10

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.spans) == 20)
    for process in view.named("process readings.*"):
        [send] = [span for span in view.traces[process.trace_id] if span.span_id == process.parent_id]
        assert (send.resource["service.name"], process.resource["service.name"]) == ("edge", "centre")


def test_a_reply_that_never_comes(nats, nats_tacho, receiver):
    """The client is gone before its answer: the request ends as disconnected."""
    with RawNats(nats).connect() as silent, RawNats(nats_tacho).connect() as raw:
        silent.send(b"SUB q 1\r\n")
        silent.ping()
        raw.send(b"SUB _INBOX.me.* 1\r\n")
        raw.publish("q", b"?", reply="_INBOX.me.1")
        assert silent.next().reply == "_INBOX.me.1"
    [span] = receiver.wait_for(lambda seen: len(seen.spans) == 1).spans
    assert span.status == "ERROR" and span["messaging.destination.name"] == "q"


def test_clients_that_reset_their_connections(nats, nats_tacho):
    opened = [RawNats(nats_tacho).connect() for _ in range(40)]
    for raw in opened:
        raw.send(b"SUB orders 1\r\nPUB orders 3\r\nab")
    wait_for(lambda: nats.connections() == 40, what="all to be connected")
    for raw in opened:
        raw.abort()
    wait_for(lambda: nats.connections() == 0, what="the server to let them go")
    nats_tacho.wait_for_metric("tacho_connections", 0)


def test_a_subscriber_that_does_not_read(world, receiver):
    """Its server gives up on it; meanwhile the program holds next to nothing for it."""
    server = world.nats('write_deadline: "2s"\nmax_pending: 8MB')
    tacho = world.tacho(server, receiver)
    with RawNats(tacho).connect() as stuck, RawNats(server).connect() as direct:
        stuck.send(b"SUB flood 1\r\n")
        stuck.ping()
        before = tacho.rss_kib()
        tacho.reset_peak()
        for _ in range(400):
            direct.publish("flood", b"x" * 250_000)
        wait_for(lambda: server.connections() == 1, what="the server to give up")
    assert tacho.peak_rss_kib() - before < 50_000
    tacho.wait_for_metric("tacho_connections", 0)


def test_sigterm_with_idle_and_waiting_clients(nats_tacho):
    opened = [RawNats(nats_tacho).connect() for _ in range(4)]
    try:
        opened[0].send(b"SUB orders 1\r\n")
        opened[1].send(b"PUB orders 10\r\nhal")
        opened[2].send(b"SUB _INBOX.x 1\r\nPUB q _INBOX.x 0\r\n\r\n")
        nats_tacho.sigterm()
        assert nats_tacho.wait() == 0
    finally:
        for raw in opened:
            raw.close()


def test_a_publisher_loses_nothing_to_sigterm(nats, nats_tacho, receiver):
    """What the program has taken it passes on before it goes."""
    with RawNats(nats).connect() as direct, RawNats(nats_tacho).connect() as raw:
        direct.send(b"SUB orders 1\r\n")
        direct.ping()
        for number in range(500):
            raw.publish("orders", b"%d" % number)
        raw.ping()
        nats_tacho.process.send_signal(signal.SIGTERM)
        assert nats_tacho.wait() == 0
        assert [direct.next().payload for _ in range(500)] == [b"%d" % number for number in range(500)]
    assert len(receiver.view().named("publish orders")) == 500
