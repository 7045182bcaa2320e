"""What /metrics says: formats, counts, exemplars, and the two health pages."""

import shutil
import subprocess
import threading
import urllib.parse

import pytest

from harness import Prometheus, wait_for

STREAM, GROUP = "orders", "workers"


def is_exported(metrics):
    sampled, exported, *_ = metrics.ledger()
    return sampled == exported


@pytest.fixture
def traffic(receiver, tacho, app, direct):
    """Ten messages through a group, one refused, one empty read, some commands that are no messages."""
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    ids = [app.xadd(STREAM, {"n": str(number)}) for number in range(10)]
    for message_id in ids:
        app.xreadgroup(GROUP, "alice", {STREAM: ">"}, count=1)
        app.xack(STREAM, GROUP, message_id)
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    direct.set("text", "x")
    with pytest.raises(Exception, match="WRONGTYPE"):
        app.xadd("text", {"n": "1"})
    app.get("text")
    receiver.wait_for(lambda view: len(view.named("xack orders")) == 10 and view.named("xadd text"))
    wait_for(lambda: is_exported(tacho.metrics()), what="the collector's thanks for all spans")
    return ids


def test_counts_of_messages(traffic, tacho, redis_server):
    metrics = tacho.metrics()
    labels = {"messaging_system": "redis", "messaging_destination_name": STREAM}
    assert metrics.sum("messaging_client_sent_messages_total", **labels) == 10
    assert metrics.sum("messaging_client_sent_messages_total", error_type="WRONGTYPE") <= 1
    assert metrics.sum("messaging_client_consumed_messages_total", **labels) == 10
    assert metrics.sum("messaging_process_duration_seconds_count", messaging_consumer_group_name=GROUP, **labels) == 10
    assert metrics.sum("messaging_client_operation_duration_seconds_count", messaging_operation_name="xadd",
                       **labels) == 10
    assert metrics.sum("messaging_client_operation_duration_seconds_count", messaging_operation_name="xadd",
                       error_type="WRONGTYPE") == 1
    assert metrics.sum("messaging_client_operation_duration_seconds_count", messaging_operation_name="xack",
                       **labels) == 10
    assert metrics.sum("tacho_queue_seconds_count", **labels) == 10
    assert metrics.sum("tacho_injected_messages_total", messaging_destination_name=STREAM) == 10
    assert metrics.sum("tacho_deliveries_open") == 0
    assert metrics.sum("tacho_build_info") == 1
    assert metrics.sum("db_client_operation_duration_seconds_count") >= 1
    assert {sample.labels["server_port"] for sample in metrics.named("messaging_client_sent_messages_total")} <= {
        str(redis_server.address.port)}


def test_buckets_are_those_of_the_conventions(traffic, tacho):
    expected = ["0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5", "5.0", "7.5",
                "10.0", "+Inf"]
    metrics = tacho.metrics()
    for name in ("messaging_client_operation_duration_seconds", "messaging_process_duration_seconds"):
        family = {}
        for sample in metrics.named(name + "_bucket"):
            series = tuple(sorted((key, text) for key, text in sample.labels.items() if key != "le"))
            family.setdefault(series, []).append((sample.labels["le"], sample.value))
        assert family
        for buckets in family.values():
            assert [bound if bound == "+Inf" else str(float(bound)) for bound, _ in buckets] == expected
            values = [value for _, value in buckets]
            assert values == sorted(values), "buckets are cumulative"


def test_formats_by_negotiation(traffic, tacho):
    text = tacho.metrics()
    assert text.content_type.startswith("text/plain; version=0.0.4")
    assert tacho.metrics("text/plain").content_type.startswith("text/plain; version=0.0.4")
    assert tacho.metrics("*/*").content_type.startswith("text/plain; version=0.0.4")
    for accept in ("application/openmetrics-text; version=1.0.0",
                   "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                   "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"):
        openmetrics = tacho.metrics(accept)
        assert openmetrics.content_type.startswith("application/openmetrics-text; version=1.0.0")
        assert openmetrics.text.endswith("# EOF\n")
    preferred = tacho.metrics("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.3")
    assert preferred.content_type.startswith("text/plain")


def test_both_formats_agree(traffic, tacho):
    def series(metrics):
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in metrics.samples
                if not sample.name.startswith("process_") and not sample.name.endswith("_created")
                and "export" not in sample.name}

    def unified(found):
        return {(name, tuple((key, str(float(value)) if key == "le" else value) for key, value in labels)): number
                for (name, labels), number in found.items()}

    # Two scrapes, between which a guard may have said something new.
    wait_for(lambda: unified(series(tacho.metrics())) == unified(series(tacho.openmetrics())), what="equal scrapes")


def test_exemplars_are_traces_that_were_exported(traffic, receiver, tacho):
    assert tacho.metrics().exemplars() == []
    assert "trace_id" not in tacho.metrics().text
    exemplars = tacho.openmetrics().exemplars()
    assert exemplars
    exported = {span.context for span in receiver.view().spans}
    traces = {trace_id for trace_id, _ in exported}
    for exemplar in exemplars:
        assert exemplar.labels["trace_id"] in traces
        if "span_id" in exemplar.labels:
            assert (exemplar.labels["trace_id"], exemplar.labels["span_id"]) in exported


def test_no_exemplar_of_a_trace_that_was_not_sampled(world, redis_server, receiver, direct):
    tacho = world.tacho(redis_server, receiver, environment={"OTEL_TRACES_SAMPLER": "always_off"})
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    app = tacho.client()
    message_id = app.xadd(STREAM, {"n": "1"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    app.xack(STREAM, GROUP, message_id)
    metrics = tacho.openmetrics()
    assert metrics.sum("tacho_queue_seconds_count") == 1
    assert metrics.exemplars() == []


def test_promtool_finds_nothing(traffic, tacho):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", "check", "metrics"], input=tacho.metrics().text, text=True,
                          capture_output=True, timeout=120)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_prometheus_scrapes_it(traffic, world, tacho, tmp_path):
    """A real server, with its own parser and its own opinion of a target that is up."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    prometheus = world.keep(Prometheus(tmp_path / "prometheus", [tacho.http])).start()
    results = wait_for(lambda: prometheus.query("messaging_client_sent_messages_total"),
                       what="prometheus to have scraped")
    assert {each["metric"]["messaging_destination_name"] for each in results} >= {STREAM}
    # A scrape that takes longer than a second counts as none.
    wait_for(lambda: [up["value"][1] for up in prometheus.query("up")] == ["1"], what="the target to be up")
    seconds = results[0]["value"][0]
    exemplars = wait_for(lambda: prometheus.ask(
        "query_exemplars", query="tacho_queue_seconds_bucket", start=seconds - 600, end=seconds + 60), what="exemplars")
    assert exemplars[0]["exemplars"][0]["labels"]["trace_id"]


def test_destinations_are_capped(world, redis_server, receiver):
    tacho = world.tacho(redis_server, receiver)
    pipeline = tacho.client().pipeline(transaction=False)
    for number in range(1500):
        pipeline.xadd(f"stream:{number}", {"n": "1"})
    pipeline.execute()
    sent = tacho.metrics().named("messaging_client_sent_messages_total")
    names = {sample.labels["messaging_destination_name"] for sample in sent}
    assert len(names) <= 1001 and "_other" in names
    assert sum(sample.value for sample in sent) == 1500
    receiver.wait_for(1500)


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "new\nline", "žluť", "", "space in it", "{curly}"])
def test_destinations_of_any_text_keep_the_page_readable(receiver, tacho, app, name):
    app.xadd(name, {"n": "1"})
    for metrics in (tacho.metrics(), tacho.openmetrics()):
        [sample] = metrics.named("messaging_client_sent_messages_total")
        assert (sample.labels.get("messaging_destination_name", ""), sample.value) == (name, 1)
    span = receiver.wait_for(1).spans[0]
    assert span.get("messaging.destination.name", "") == name
    assert span.name == f"xadd {name}" or (name == "" and span.name == "xadd")


def test_destinations_that_are_not_utf8_keep_the_page_readable(receiver, tacho):
    with tacho.raw() as raw:
        raw.ask("XADD", b"\xff\xfe\x00bin", "*", "f", "v")
    assert tacho.metrics().sum("messaging_client_sent_messages_total") == 1
    assert tacho.openmetrics().sum("messaging_client_sent_messages_total") == 1
    receiver.wait_for(1)


def test_scrapes_under_load(receiver, tacho):
    stop, failures, ids = threading.Event(), [], []

    def load():
        client = tacho.client()
        try:
            # As many as a slow reader of spans can take.
            while not stop.is_set() and len(ids) < 20_000:
                pipeline = client.pipeline(transaction=False)
                for _ in range(50):
                    pipeline.xadd(STREAM, {"n": "1"})
                ids.extend(pipeline.execute())
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    seen = 0
    for number in range(40):
        metrics = tacho.openmetrics() if number % 2 else tacho.metrics()
        metrics.assert_ledger_closes()
        now = metrics.sum("messaging_client_sent_messages_total")
        assert now >= seen, "a counter went back"
        seen = now
    stop.set()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert tacho.metrics().sum("messaging_client_sent_messages_total") == len(ids)
    receiver.wait_for(len(ids))


def test_health_pages(tacho):
    assert tacho.get("/healthz")[0] == 200
    assert tacho.get("/readyz")[0] == 200
    assert tacho.get("/nothing-here")[0] == 404


def test_the_banner_says_what_it_listens_on(redis_server, tacho):
    said = tacho.output()
    assert str(tacho.address) in said and str(redis_server.address) in said and str(tacho.http) in said
    assert len(tacho.banner) <= 12


def test_log_lines_are_json_when_nobody_watches(redis_server, tacho):
    with tacho.raw() as raw:
        raw.send(b"*1\r\n$bad\r\n")
        raw.half_close()
        raw.rest()
    tacho.wait_for_metric("tacho_sessions_opaque_total", 1)
    lines = tacho.log_lines()
    assert lines and all(isinstance(line, dict) for line in lines)


def test_a_flood_of_bad_sessions_is_logged_sparingly(tacho):
    for _ in range(300):
        with tacho.raw() as raw:
            raw.send(b"*1\r\n$bad\r\n")
            raw.half_close()
            raw.rest()
    tacho.wait_for_metric("tacho_sessions_opaque_total", 300)
    assert len(tacho.log_lines()) < 100
    assert tacho.metrics().sum("tacho_log_lines_suppressed_total") > 0
