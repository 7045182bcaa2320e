"""Faults that need no learning, with a real Redis and real clients: breakers open, say so, close, and leave a trail."""

import signal
import threading

import redis

from harness import wait_for
from harness.breakers import STREAM, assert_the_trail_tells, refusal, start, state
from harness.process import freeze


def assert_all_is_as_before(tacho, apps):
    wait_for(lambda: (state(tacho), state(tacho, "upstream")) == ("closed", "closed"), what="the breakers to close")
    sent = [app.sent for app in apps]
    wait_for(lambda: all(app.sent > before + 5 for app, before in zip(apps, sent)), what="traffic as before")
    for app in apps:
        app.close()
    assert_the_trail_tells(tacho, apps)


def test_memory_that_is_used_up_refuses_publishes_and_nothing_else(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    direct = bad_network.server.client()
    app = publish(tacho)
    wait_for(lambda: app.sent > 50, what="traffic")
    direct.config_set("maxmemory", 1)
    wait_for(lambda: state(tacho) == "open", what="the breaker to open")
    wait_for(lambda: app.rejected, what="a refusal")
    assert any(error.startswith("OOM ") or "OOM" in error or "maxmemory" in error for error in app.failed), app.failed
    reader = tacho.client()
    assert reader.xlen(STREAM) > 0
    assert reader.ping()
    wait_for(lambda: state(tacho, "upstream") == "closed", what="the other breaker to be closed")
    direct.config_set("maxmemory", 0)
    wait_for(lambda: state(tacho) == "closed", what="the breaker to close")
    sent = app.sent
    wait_for(lambda: app.sent > sent + 50, what="traffic as before")
    app.close()
    assert_the_trail_tells(tacho, [app])


def test_a_redis_that_was_made_a_replica_is_left_alone_until_it_is_master_again(world, receiver, bad_network, publish):
    """A failover, as the side sees it that loses: reads go on, and every publish is answered with -READONLY."""
    tacho = start(world, bad_network, receiver)
    direct = bad_network.server.client()
    app = publish(tacho)
    wait_for(lambda: app.sent > 50, what="traffic")
    # A replica of nobody that answers.
    direct.execute_command("REPLICAOF", "127.0.0.1", "1")
    wait_for(lambda: app.rejected, what="a refusal")
    assert any("READONLY" in error or "read only" in error for error in app.failed), app.failed
    assert app.rejected[0].startswith("TACHO breaker 'orders publish' is open, try again in "), app.rejected
    reader = tacho.client()
    assert reader.xlen(STREAM) > 0 and state(tacho, "upstream") == "closed"
    direct.execute_command("REPLICAOF", "NO", "ONE")
    wait_for(lambda: state(tacho) == "closed", what="the breaker to close")
    sent = app.sent
    wait_for(lambda: app.sent > sent + 50, what="traffic as before")
    app.close()
    assert_the_trail_tells(tacho, [app])


def test_a_network_that_swallows_every_answer_is_noticed_and_forgiven(world, receiver, bad_network, publish):
    """A stall: connections stay open, and nothing comes back on them."""
    tacho = start(world, bad_network, receiver)
    apps = [publish(tacho, pause=0.02, patience=1) for _ in range(20)]
    wait_for(lambda: all(app.sent > 5 for app in apps), what="traffic")
    bad_network.hold()
    fresh = tacho.client(socket_timeout=5)
    wait_for(lambda: refusal(fresh) is not None, what="a clear error")
    bad_network.release()
    assert_all_is_as_before(tacho, apps)


def test_a_stopped_redis_costs_timeouts_and_then_clear_errors(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    apps = [publish(tacho, pause=0.02, patience=1) for _ in range(20)]
    wait_for(lambda: all(app.sent > 5 for app in apps), what="traffic")
    process = bad_network.server.process
    freeze(process)
    try:
        wait_for(lambda: "open" in (state(tacho), state(tacho, "upstream")), what="a breaker to open")
        fresh = tacho.client(socket_timeout=5)
        wait_for(lambda: refusal(fresh) is not None, what="a clear error")
    finally:
        process.send_signal(signal.SIGCONT)
    assert_all_is_as_before(tacho, apps)


def test_a_redis_that_sleeps_is_left_alone_until_it_wakes(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    # Clients that give up and come again keep asking; those that wait tell the breaker only once.
    apps = [publish(tacho, pause=0.02, patience=1) for _ in range(20)]
    wait_for(lambda: all(app.sent > 5 for app in apps), what="traffic")
    sleeper = bad_network.server.client()
    asleep = threading.Thread(target=lambda: sleeper.execute_command("DEBUG", "SLEEP", "8"), daemon=True)
    asleep.start()
    wait_for(lambda: "open" in (state(tacho), state(tacho, "upstream")), what="a breaker to open")
    fresh = tacho.client(socket_timeout=5)
    wait_for(lambda: refusal(fresh) is not None, what="a clear error")
    asleep.join(20)
    assert_all_is_as_before(tacho, apps)


def test_a_redis_that_is_gone_is_asked_by_probes_only(world, receiver, bad_network):
    tacho = start(world, bad_network, receiver, connect_patience_milliseconds=0)
    wait_for(lambda: tacho.client().ping(), what="an answer")
    bad_network.server.kill()

    def attempt():
        try:
            tacho.client(socket_timeout=5).ping()
            return None
        except redis.RedisError as error:
            return str(error)

    def refused_by_the_breaker():
        error = attempt()
        return error is not None and "breaker 'upstream' is open" in error

    wait_for(refused_by_the_breaker, what="the upstream's breaker to open")
    failures = tacho.metrics().sum("tacho_upstream_failures_total")
    for _ in range(50):
        attempt()
    # Fifty clients, and the dead server was asked by no more than a few probes.
    assert tacho.metrics().sum("tacho_upstream_failures_total") - failures < 25
    bad_network.server.restart()
    wait_for(lambda: attempt() is None, what="the upstream to be used again")
    wait_for(lambda: state(tacho, "upstream") == "closed" if attempt() is None else False, what="the breaker to close")


def test_connections_that_are_reset_do_not_confuse_clients(world, receiver, bad_network, publish):
    tacho = start(world, bad_network, receiver)
    app = publish(tacho)
    wait_for(lambda: app.sent > 50, what="traffic")
    bad_network.refuse()
    wait_for(lambda: any("breaker 'upstream' is open" in error for error in app.failed + app.rejected),
             what="a clear error")
    bad_network.heal()
    sent = app.sent
    wait_for(lambda: app.sent > sent + 50, what="traffic as before")
    app.close()
    ids = bad_network.server.client().xrange(STREAM, count=1000)
    numbers = [int(fields["n"]) for _, fields in ids]
    assert numbers == sorted(set(numbers)), "a message was stored twice, or out of order"
    wait_for(lambda: (state(tacho), state(tacho, "upstream")) == ("closed", "closed"), what="the breakers to close")
    assert_the_trail_tells(tacho, [app])
