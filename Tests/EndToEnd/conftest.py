"""Fixtures: everything a test starts is stopped again, and every test's spans pass the rules of a good trace."""

from contextlib import ExitStack

import pytest

from harness import (Authority, NatsServer, OTLPReceiver, RedisServer, Relay, Tacho, TLSFront, breakers, jaeger_rules,
                     nats_server)


class World:
    """Starts things and remembers them. Contexts that the application made up are named with `external`."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.external = set()
        self.tachos = []
        self.receivers = []
        self._numbers = iter(range(1000))
        self._endings = ExitStack()

    def redis(self, *arguments):
        server = RedisServer(self._place("redis"), *arguments)
        self._endings.callback(server.stop)
        return server.start()

    def nats(self, settings="", **options):
        return self._started(NatsServer(self._place("nats"), settings, **options))

    def nats_leaf_pair(self):
        """A hub and its leaf, connected."""
        hub, leaf = map(self._started, nats_server.leaf_pair(self._place))
        nats_server.wait_for_leaf(hub, leaf)
        return hub, leaf

    def nats_cluster(self, settings=""):
        """Three servers that know each other."""
        servers = [self._started(server) for server in nats_server.cluster_of_three(self._place, settings)]
        nats_server.wait_for_cluster(servers)
        return servers

    def _started(self, server):
        self._endings.callback(server.stop)
        return server.start()

    def authority(self, name="authority"):
        return Authority(self._place("certificates"), name)

    def receiver(self, up=True, tls=None):
        made = OTLPReceiver(tls)
        self.receivers.append(made)
        self._endings.callback(made.stop)
        return made.up() if up else made

    def relay(self, target, crumb=0):
        made = Relay(target, crumb)
        self._endings.callback(made.stop)
        return made

    def tls_front(self, target, context):
        made = TLSFront(target.address, context)
        self._endings.callback(made.stop)
        return made

    def tacho(self, upstream, receiver=None, **options):
        if isinstance(upstream, NatsServer):
            options.setdefault("protocol", "nats")
        return self.adopt(Tacho(self._place("tacho"), getattr(upstream, "address", upstream), receiver, **options))

    def adopt(self, made):
        """Starts a program that a test has prepared, and ends it with the test."""
        self.tachos.append(made)
        self._endings.callback(made.kill)
        self._endings.callback(made.close_clients)
        return made.start()

    def keep(self, closeable):
        """Has something with a `close` closed with the test."""
        self._endings.callback(closeable.close)
        return closeable

    def app_context(self, trace_id, span_id):
        """Names a span of the application's own, and returns its traceparent."""
        self.external.add((trace_id, span_id))
        return f"00-{trace_id}-{span_id}-01"

    def _place(self, kind):
        return self.scratch / f"{kind}{next(self._numbers)}"

    def stop_programs(self):
        """Drains every program; returns what was wrong about how it ended."""
        wrong = []
        for tacho in self.tachos:
            deaf = tacho.receiver is not None and not tacho.receiver.is_up
            if deaf:
                tacho.close_clients()
                tacho.kill()
            elif tacho.process is not None and tacho.stop() != 0:
                wrong.append(f"tacho ended with {tacho.exit_code}")
            if "Fatal error" in tacho.logs():
                wrong.append("a fatal error in the log")
        return wrong

    def stop_everything(self):
        self._endings.close()


# What fills the machine or is measured in memory runs before the others, with nothing beside it.
ALONE = {"test_resources.py", "test_lab.py"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in ALONE:
            item.add_marker(pytest.mark.alone)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, f"report_{report.when}", report)
    made = item.funcargs.get("world") if hasattr(item, "funcargs") else None
    if report.failed and made is not None:
        for tacho in made.tachos:
            report.sections.append(("log of tacho", tacho.logs()[-6000:]))


@pytest.fixture
def world(request, tmp_path):
    made = World(tmp_path)
    try:
        yield made
        report = getattr(request.node, "report_call", None)
        if report is not None and report.passed:
            _check_the_end(made, request.node)
    finally:
        made.stop_everything()


def _check_the_end(made, node):
    wrong = made.stop_programs()
    assert node.get_closest_marker("expect_exit") or not wrong, wrong
    if node.get_closest_marker("partial_traces"):
        return
    for receiver in made.receivers:
        view = receiver.view()
        broken = jaeger_rules.problems(view, made.external)
        assert not broken, "\n".join(broken[:20]) + f"\n{view}"


@pytest.fixture
def redis_server(world):
    return world.redis()


@pytest.fixture
def receiver(world):
    return world.receiver()


@pytest.fixture
def tacho(world, redis_server, receiver):
    """The usual arrangement: inject always, deliver as stored, a collector that listens."""
    return world.tacho(redis_server, receiver)


@pytest.fixture
def nats(world):
    """A nats-server with JetStream."""
    return world.nats()


@pytest.fixture
def nats_tacho(world, nats, receiver):
    """The usual arrangement, in front of NATS."""
    return world.tacho(nats, receiver)


@pytest.fixture
def app(tacho):
    """redis-py through the program."""
    return tacho.client()


@pytest.fixture
def direct(redis_server):
    """redis-py straight to Redis."""
    return redis_server.client()


# Breakers


@pytest.fixture
def bad_network(world):
    """A Redis behind a network that misbehaves."""
    server = world.redis("--enable-debug-command", "yes")
    relay = world.relay(server.address)
    relay.server = server
    return relay


@pytest.fixture
def publish(world):
    """Starts publishers; they end before the programs do."""
    made = []

    def begin(tacho, **options):
        made.append(breakers.Publisher(tacho, **options))
        return made[-1]

    yield begin
    for one in made:
        one.close()
