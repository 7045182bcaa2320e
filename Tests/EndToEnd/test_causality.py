"""Which message caused which, inferred from outside, against the truth: precision and recall per shape of worker.

An edge is a result and a job that it was made from. A result's parent, where it was inferred, claims one edge; links to
candidates claim nothing, and are counted apart. Sequential shapes are those that settle a job after its result and have
one job at a time.
"""

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import Address, free_port, stored

WORKERS = Path(__file__).parent / "workers" / "causality.py"
JOB_COUNT = 48

# Shapes in which every edge must be found and no other claimed.
SEQUENTIAL = {"sequential", "sequential_transaction", "sequential_xread", "fan_out", "two_connections", "pooled_1",
              "asyncio_1", "sequential_poisoned"}
# Shapes with one job at a time in each process, so that the confidence, too, is known.
CERTAIN = {"sequential", "fan_out"}
ALL = ["sequential", "sequential_transaction", "sequential_xread", "sequential_poisoned", "sequential_heartbeat",
       "acknowledges_first", "fan_out", "join_of_two", "batch", "batch_naming_ids", "two_connections", "pooled_1",
       "pooled_4", "asyncio_1", "asyncio_4", "asyncio_16", "asyncio_16_correlated", "prefork_3"]


@dataclass
class Score:
    """Edges of one shape: (result id, job id)."""

    true: set = field(default_factory=set)
    claimed: dict = field(default_factory=dict)
    linked: set = field(default_factory=set)

    def precision(self, confidence=None):
        edges = {edge for edge, how in self.claimed.items() if confidence in (None, how[1])}
        return len(edges & self.true) / len(edges) if edges else None

    @property
    def recall(self):
        return len(self.true & set(self.claimed)) / len(self.true)

    @property
    def recall_with_links(self):
        return len(self.true & (set(self.claimed) | self.linked)) / len(self.true)

    def row(self, name):
        def number(value):
            return "   -" if value is None else f"{value:.2f}"

        rules = ", ".join(f"{rule} {how} {count}" for (rule, how), count in sorted(Counter(
            self.claimed.values()).items()))
        return (f"{name:32} {len(self.true):5} {len(self.claimed):7}   {number(self.precision())}  "
                f"{number(self.precision('certain'))}  {number(self.recall)}  {number(self.recall_with_links)}   {rules}")


HEADER = f"{'shape':32} edges claimed  prec. cert. recall +links  rules"
SCORES = {}


def run_shape(world, shape, listen, settings=None):
    server, receiver = world.redis(), world.receiver()
    tacho = world.tacho(server, receiver, listen=listen, settings=settings)
    server.client().xgroup_create("jobs", "workers", id="0", mkstream=True)
    seeder = tacho.client(client_name="seeder")
    for number in range(1, JOB_COUNT + 1):
        seeder.xadd("jobs", {"job": str(number), "correlation_id": f"order-{number:06}"})
    seeder.close()
    subprocess.run([sys.executable, WORKERS, shape, str(listen.path or f"127.0.0.1:{tacho.address.port}")],
                   check=True, timeout=200)
    return server, receiver, tacho


def score(server, receiver):
    jobs = {dict(fields)["job"]: entry_id for entry_id, fields in stored(server, "jobs")}
    results = stored(server, "results")
    view = receiver.wait_for(lambda view: len(view.named("xadd results")) >= len(results))
    made = Score()
    by_context = {span.context: span for span in view.spans}
    job_of_context = {span.context: span["messaging.message.id"] for span in view.spans
                      if span.name in ("process jobs", "xadd jobs")}
    for result_id, fields in results:
        names = [name for name in dict(fields)["of"].split(",") if name]
        made.true |= {(result_id, jobs[name]) for name in names}
        [span] = view.with_message("xadd results", result_id)
        if "tacho.causality" in span.attributes:
            parent = (span.trace_id, span.parent_id)
            cause = next(link for link in span.links if link.context == parent).attributes["messaging.message.id"]
            assert job_of_context.get(parent, cause) == cause
            assert dict(fields)["causationid"] == cause
            made.claimed[result_id, cause] = (span["tacho.causality"], span["tacho.causality.confidence"])
        else:
            assert not span.parent_id
        for link in span.links:
            if link.attributes.get("tacho.causality") == "candidate":
                made.linked.add((result_id, link.attributes["messaging.message.id"]))
    assert by_context
    return made, view


@pytest.mark.parametrize("transport", ["unix", "tcp"])
@pytest.mark.parametrize("shape", ALL)
def test_edges_of(world, shape, transport):
    listen = Address(path=str(world.scratch / "t.sock")) if transport == "unix" else Address(port=free_port())
    server, receiver, tacho = run_shape(world, shape, listen)
    # What was left unsettled is closed with the program.
    tacho.stop()
    made, _ = score(server, receiver)
    SCORES[f"{shape} ({transport})"] = made
    print(HEADER, made.row(shape), sep="\n")
    assert made.precision("certain") in (None, 1.0)
    if shape in SEQUENTIAL:
        assert (made.precision(), made.recall) == (1.0, 1.0), made.row(shape)
    if shape in CERTAIN:
        assert {how for _, how in made.claimed.values()} == {"certain"}, made.row(shape)
    if shape == "prefork_3":
        assert made.precision() == 1.0 and made.recall_with_links == 1.0, made.row(shape)
        if transport == "unix":
            assert made.recall == 1.0, made.row(shape)
            assert {how for _, how in made.claimed.values()} == {"certain"}, made.row(shape)
    if shape in ("batch", "join_of_two", "asyncio_4", "asyncio_16", "pooled_4"):
        assert made.recall_with_links >= 0.9, made.row(shape)


@pytest.fixture(scope="module", autouse=True)
def table(request):
    yield
    if SCORES:
        with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            print("", HEADER, *[made.row(name) for name, made in SCORES.items()], sep="\n")


# What the messages carry

def hold_one(world, tacho, server, **fields):
    """A client that holds one message of `jobs`, with the entry as stored."""
    server.client().xgroup_create("jobs", "workers", id="0", mkstream=True)
    seeder = tacho.client(client_name="seeder")
    job_id = seeder.xadd("jobs", fields or {"job": "1"})
    app = tacho.client(client_name="worker", single_connection_client=True)
    app.xreadgroup("workers", "w", {"jobs": ">"})
    [(_, job)] = stored(server, "jobs")
    return app, job_id, dict(job)


def test_the_chain_keeps_trace_and_correlation_id(world, redis_server, receiver, tacho):
    app, job_id, job = hold_one(world, tacho, redis_server)
    result_id = app.xadd("results", {"n": "1"})
    app.xack("jobs", "workers", job_id)
    [(_, fields)] = stored(redis_server, "results")
    assert [name for name, _ in fields] == ["n", "traceparent", "correlationid", "causationid"]
    result = dict(fields)
    assert result["traceparent"][3:35] == job["traceparent"][3:35]
    assert result["correlationid"] == job["correlationid"]
    assert result["causationid"] == job_id
    view = receiver.wait_for_names("process jobs", "xadd results", "xack jobs")
    span = view.one("xadd results")
    assert span.parent_id == view.one("process jobs").span_id and span.kind == "PRODUCER"
    assert (span["tacho.causality"], span["tacho.causality.confidence"]) == ("connection", "certain")
    assert span["messaging.message.id"] == result_id
    assert span["messaging.message.conversation_id"] == job["correlationid"]
    assert len(view.traces) == 1


@pytest.mark.parametrize("name", ["correlationId", "X-Correlation-ID", "correlation_id"])
def test_the_applications_correlation_id_is_inherited_and_never_altered(world, redis_server, tacho, name):
    app, _, _ = hold_one(world, tacho, redis_server, **{name: "order-17"})
    app.xadd("results", {"n": "1"})
    app.xadd("results", {"n": "2", name: "order-18"})
    (_, inherits), (_, has_own) = stored(redis_server, "results")
    assert dict(inherits)["correlationid"] == "order-17"
    assert has_own[:2] == [("n", "2"), (name, "order-18")]
    assert [field for field, _ in has_own[2:]] == ["traceparent", "causationid"]


def test_a_context_of_the_applications_own_wins(world, redis_server, receiver, tacho):
    app, job_id, _ = hold_one(world, tacho, redis_server)
    own = world.app_context("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    app.xadd("results", {"traceparent": own})
    app.xack("jobs", "workers", job_id)
    span = receiver.wait_for_names("xadd results", "process jobs", "xack jobs").one("xadd results")
    assert span.parent_id == "b7ad6b7169203331" and "tacho.causality" not in span.attributes
    [(_, fields)] = stored(redis_server, "results")
    assert fields == [("traceparent", own)]


def test_what_was_added_is_stripped_and_nothing_else(world, redis_server, receiver):
    tacho = world.tacho(redis_server, receiver, context={"deliver": "strip"})
    app, job_id, _ = hold_one(world, tacho, redis_server)
    app.xadd("results", {"causationid": "mine", "n": "1"})
    app.xadd("results", {"n": "2"})
    app.xadd("results", {"correlation_id": "order-18"})
    assert [fields for _, fields in app.xrange("results")] == [
        {"causationid": "mine", "n": "1"}, {"n": "2"}, {"correlation_id": "order-18"}]
    app.xack("jobs", "workers", job_id)


def test_off_means_off(world, redis_server, receiver):
    tacho = world.tacho(redis_server, receiver, settings={"tracing": {"causality": "off"}})
    app, job_id, job = hold_one(world, tacho, redis_server)
    app.xadd("results", {"n": "1"})
    app.xack("jobs", "workers", job_id)
    [(_, fields)] = stored(redis_server, "results")
    assert [name for name, _ in fields] == ["n", "traceparent", "correlationid"]
    assert dict(fields)["traceparent"][3:35] != job["traceparent"][3:35]
    receiver.wait_for_names("xadd results", "process jobs", "xack jobs")


def test_configured_correlation_fields(world, redis_server, receiver):
    tacho = world.tacho(redis_server, receiver, settings={"tracing": {"correlation_fields": "flow, order-no"}})
    app, job_id, _ = hold_one(world, tacho, redis_server, **{"Order-No": "A-17"})
    app.xadd("results", {"n": "1"})
    app.xack("jobs", "workers", job_id)
    [(_, fields)] = stored(redis_server, "results")
    assert dict(fields)["correlationid"] == "A-17"
    receiver.wait_for_names("xadd results", "process jobs", "xack jobs")
