"""What breaks around the program: Redis dies, clients vanish, the program itself is told to stop."""

import signal
import threading

import pytest
import redis

from harness import Address, Tacho, command, free_port, parse, wait_for
from harness.process import freeze

STREAM = "orders"


def test_an_upstream_that_refuses_is_told_in_resp(world, receiver):
    tacho = world.tacho(Address(port=free_port()), receiver)
    for _ in range(3):
        with tacho.raw() as raw:
            raw.send(command("PING"))
            answer = raw.rest()
        assert answer.startswith(b"-") and answer.endswith(b"\r\n") and answer.count(b"\r\n") == 1, answer
        assert b"upstream" in answer.lower() or b"refused" in answer.lower() or b"redis" in answer.lower(), answer
    assert tacho.metrics().sum("tacho_upstream_failures_total") >= 3
    tacho.wait_for_metric("tacho_connections", 0)
    with pytest.raises((redis.ResponseError, redis.ConnectionError)):
        tacho.client().ping()


def test_a_unix_socket_that_is_not_there(world, receiver):
    tacho = world.tacho(Address(path=str(world.scratch / "nobody.sock")), receiver)
    with tacho.raw() as raw:
        raw.send(command("PING"))
        assert raw.rest().startswith(b"-")


def test_redis_comes_up_after_the_program(world, receiver):
    server = world.redis()
    server.kill()
    tacho = world.tacho(server, receiver)
    with tacho.raw() as raw:
        raw.send(command("PING"))
        assert raw.rest().startswith(b"-")
    server.restart()
    tacho.client().xadd(STREAM, {"n": "1"})
    receiver.wait_for_names("xadd orders")


def test_redis_killed_and_restarted_under_traffic(redis_server, receiver, tacho):
    stop, known, failures, lock = threading.Event(), [], [], threading.Lock()

    def publish(number):
        client = tacho.client()
        step = 0
        while not stop.is_set():
            step += 1
            try:
                message_id = client.xadd(STREAM, {"n": f"{number}.{step}"})
                with lock:
                    known.append((message_id, step))
            except (redis.ConnectionError, redis.ResponseError, redis.TimeoutError) as failure:
                with lock:
                    failures.append(failure)
                stop.wait(0.01)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(known) > 200, what="traffic")
        for _ in range(2):
            redis_server.kill()
            before = len(failures)
            wait_for(lambda: len(failures) > before + 8, what="the failure to be noticed")
            redis_server.restart()
            after = len(known)
            wait_for(lambda: len(known) > after + 200, what="traffic again")
    finally:
        stop.set()
        for thread in threads:
            thread.join(90)
    ids = {message_id for message_id, _ in known}
    view = receiver.wait_for(
        lambda seen: ids <= {span.get("messaging.message.id") for span in seen.named("xadd orders")}, timeout=60)
    # A message id may come twice, since Redis forgot everything; a span of an unanswered XADD has no id.
    for span in view.named("xadd orders"):
        if "messaging.message.id" not in span.attributes:
            assert span.status == "ERROR" or span.get("tacho.outcome") == "disconnected", span
    tacho.wait_for_metric("tacho_spans_queued", 0)
    tacho.metrics().assert_ledger_closes()
    assert tacho.is_running


def test_a_reply_that_never_comes_leaves_a_marked_span(redis_server, receiver, tacho):
    with tacho.raw() as raw:
        assert raw.ask("PING") == "PONG"
        freeze(redis_server.process)
        raw.send(command("XADD", STREAM, "*", "f", "v"))
        tacho.wait_for_metric("tacho_injected_messages_total", 1)
        redis_server.kill()
        raw.rest()
    span = receiver.wait_for_names("xadd orders").one("xadd orders")
    assert span.status == "ERROR" or span.get("tacho.outcome") == "disconnected"
    assert "messaging.message.id" not in span.attributes


def test_half_close_still_gets_every_reply(receiver, tacho):
    with tacho.raw() as raw:
        raw.send(command("PING") * 100 + command("XADD", STREAM, "*", "f", "v"))
        raw.half_close()
        answer = raw.rest()
    assert answer.startswith(b"+PONG\r\n" * 100 + b"$")
    message_id = parse(answer[len(b"+PONG\r\n" * 100):]).decode()
    assert receiver.wait_for_names("xadd orders").one("xadd orders")["messaging.message.id"] == message_id
    tacho.wait_for_metric("tacho_connections", 0)


def test_a_reset_by_the_client_ends_the_upstream_too(redis_server, receiver, tacho):
    opened = [tacho.raw() for _ in range(50)]
    for raw in opened:
        raw.call("XADD", STREAM, "*", "f", "v")
        raw.send(command("BLPOP", "nothing", "0"))
    wait_for(lambda: redis_server.client().info("clients")["blocked_clients"] == 50, what="all to block")
    for raw in opened:
        raw.abort()
    wait_for(lambda: redis_server.client().info("clients")["blocked_clients"] == 0, what="Redis to let them go")
    tacho.wait_for_metric("tacho_connections", 0)


def test_a_client_that_goes_away_is_no_failure_of_the_upstream(tacho, direct):
    """The upstream ends the connection because we told it that the client has gone."""
    for ending in (command("BLPOP", "nothing", "0"), b"*3\r\n$3\r\nSET\r\n$1"):
        for leave in ("close", "half_close", "abort"):
            with tacho.raw() as raw:
                raw.call("PING")
                raw.send(ending)
                if leave == "half_close":
                    raw.half_close()
                    raw.rest()
                else:
                    getattr(raw, leave)()
    tacho.wait_for_metric("tacho_connections", 0)
    assert tacho.metrics().sum("tacho_upstream_failures_total") == 0
    assert "upstream closed" not in tacho.logs()


def test_redis_closing_a_connection_closes_it_for_the_client(tacho, direct):
    with tacho.raw() as raw:
        number = raw.ask("CLIENT", "ID")
        direct.client_kill_filter(_id=number)
        assert raw.rest() == b""
    tacho.wait_for_metric("tacho_connections", 0)


def test_max_clients_of_redis_is_passed_on(world, receiver):
    server = world.redis("--maxclients", "4")
    tacho = world.tacho(server, receiver)
    opened = [tacho.raw() for _ in range(4)]
    try:
        for raw in opened:
            assert raw.ask("PING") == "PONG"
        with tacho.raw() as one_too_many:
            assert one_too_many.rest().startswith(b"-ERR max number of clients reached")
    finally:
        for raw in opened:
            raw.close()


# The end of the program


def test_sigterm_loses_no_reply(redis_server, receiver, tacho, direct):
    """Whatever Redis has carried out by the end was answered to the client that asked for it."""
    answered = [0] * 8
    started = threading.Barrier(9)

    def count(number):
        with tacho.raw() as raw:
            raw.call("PING")
            started.wait(60)
            try:
                while True:
                    raw.send(command("INCR", f"counter{number}") * 20)
                    for _ in range(20):
                        reply = raw.reply()
                        assert reply.startswith(b":"), reply
                        answered[number] = int(reply[1:-2])
            except (EOFError, OSError):
                pass

    threads = [threading.Thread(target=count, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    started.wait(60)
    wait_for(lambda: min(answered) > 100, what="traffic")
    tacho.sigterm()
    assert tacho.wait() == 0
    for thread in threads:
        thread.join(60)
    assert answered == [int(direct.get(f"counter{number}")) for number in range(8)]


def test_sigterm_waits_for_replies_on_their_way(world, redis_server, receiver):
    relay = world.relay(redis_server.address)
    tacho = world.tacho(relay, receiver)
    with tacho.raw() as raw:
        assert raw.ask("PING") == "PONG"
        relay.hold()
        raw.send(command("INCR", "n") * 1000 + command("XADD", STREAM, "*", "f", "v"))
        wait_for(lambda: redis_server.client().get("n") == "1000", what="Redis to be done")
        tacho.sigterm()
        wait_for(lambda: not tacho.address.listens(), what="the listener to close")
        relay.release()
        replies = raw.replies(1001)
        assert replies[:1000] == [b":%d\r\n" % number for number in range(1, 1001)]
        assert raw.rest() == b""
    assert tacho.wait() == 0
    message_id = parse(replies[1000]).decode()
    assert receiver.view().one("xadd orders")["messaging.message.id"] == message_id


def test_sigterm_flushes_spans_and_open_deliveries(world, redis_server, receiver, direct):
    tacho = world.tacho(redis_server, receiver, environment={"OTEL_BSP_SCHEDULE_DELAY": "60000"})
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    app = tacho.client()
    app.xadd(STREAM, {"n": "1"})
    app.xreadgroup("g", "alice", {STREAM: ">"})
    tacho.close_clients()
    assert tacho.stop() == 0
    names = [span.name for span in receiver.view().spans]
    assert "xadd orders" in names and "xreadgroup orders" in names


def test_sigterm_with_idle_blocked_and_subscribed_clients(tacho):
    """Nobody of these will ever be done; the program ends all the same, and in order."""
    opened = [tacho.raw() for _ in range(6)]
    try:
        for raw in opened:
            assert raw.ask("PING") == "PONG"
        opened[0].send(command("BLPOP", "nothing", "0"))
        opened[1].call("SUBSCRIBE", "a")
        opened[2].call("MONITOR")
        opened[3].send(b"*2\r\n$4\r\nECHO\r\n$10\r\nhal")
        tacho.sigterm()
        assert tacho.wait() == 0
    finally:
        for raw in opened:
            raw.close()


def test_sigint_drains_as_well(tacho):
    tacho.client().ping()
    tacho.process.send_signal(signal.SIGINT)
    assert tacho.wait() == 0


def test_a_port_that_is_taken_is_an_error_in_plain_words(world, redis_server):
    other = Tacho(world.scratch / "taken", redis_server.address, listen=redis_server.address)
    try:
        with pytest.raises(AssertionError, match="exit code"):
            other.start()
        code = other.process.wait(60)
        assert code not in (0, None) and code > 0, "an error code, and not a crash"
        assert str(redis_server.address.port) in other.logs() + other.output()
        assert "Fatal error" not in other.logs()
    finally:
        other.kill()


def test_a_second_start_finds_the_unix_socket_of_a_killed_one(world, redis_server, receiver):
    listen = Address(path=str(world.scratch / "tacho.sock"))
    first = world.tacho(redis_server, receiver, listen=listen)
    first.kill()
    world.tachos.remove(first)
    second = world.tacho(redis_server, receiver, listen=listen)
    with second.raw() as raw:
        assert raw.ask("PING") == "PONG"
