"""The harness is proven first, without the program: a wrong eye sees no fault."""

import threading
import urllib.error
import urllib.request

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from harness import Answer, RawClient, TraceView, command, jaeger_rules, parse, wait_for
from harness.spans import spans_of


def test_redis_dies_and_comes_back_on_its_port(world):
    server = world.redis()
    server.client().set("key", "value")
    server.kill()
    assert not server.address.listens()
    server.restart()
    assert server.client().get("key") is None
    with RawClient(server.unix_address) as raw:
        assert raw.call("PING") == b"+PONG\r\n"


def test_raw_replies_are_whole_and_exact(world):
    server = world.redis()
    with RawClient(server.address) as raw:
        raw.send(command("HELLO", "3") + command("HSET", "h", "a", "1") + command("HGETALL", "h")
                 + command("GET", "no"))
        hello, added, table, nothing = raw.replies(4)
        assert hello.startswith(b"%") and (b"proto", 3) in parse(hello)
        assert added == b":1\r\n"
        assert table == b"%1\r\n$1\r\na\r\n$1\r\n1\r\n" and parse(table) == [(b"a", b"1")]
        assert nothing == b"_\r\n" and parse(nothing) is None
        raw.drip(command("PING"))
        assert raw.read_exact(7) == b"+PONG\r\n"
        raw.call("SET", "big", b"x" * 3_000_000)
        raw.send(command("GET", "big"))
        assert raw.read_until(b"\r\n") == b"$3000000\r\n"
        raw.skip(3_000_002)
        assert raw.ask("PING") == "PONG"


def test_relay_crumbles_and_holds(world):
    server = world.redis()
    relay = world.relay(server.address, crumb=1)
    with RawClient(relay.address) as raw:
        assert raw.call("ECHO", "crumbs") == b"$6\r\ncrumbs\r\n"
        relay.hold()
        raw.send(command("PING"))
        raw.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            raw.reply()
        relay.release()
        raw.socket.settimeout(60)
        assert raw.reply() == b"+PONG\r\n"


def _request(*spans):
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    for key, text in {"service.name": "shop", "host.name": "here"}.items():
        resource_spans.resource.attributes.add(key=key).value.string_value = text
    scope = resource_spans.scope_spans.add(schema_url=jaeger_rules.SCHEMA)
    for fields in spans:
        attributes = {
            "messaging.system": "redis", "messaging.operation.name": fields["name"].split()[0],
            "messaging.operation.type": fields.pop("type"), "messaging.destination.name": "orders",
            "server.address": "127.0.0.1"} | fields.pop("attributes", {})
        span = scope.spans.add(trace_id=b"t" * 16, flags=1, start_time_unix_nano=1, end_time_unix_nano=2, **fields)
        for key, text in attributes.items():
            span.attributes.add(key=key).value.string_value = text
    return request


ADDED = {"name": "xadd orders", "type": "send", "kind": 4, "span_id": b"producer"}
PROCESSED = {"name": "process orders", "type": "process", "kind": 5, "span_id": b"consumer",
             "parent_span_id": b"producer"}


@pytest.mark.parametrize("spans, complaint", [
    ([ADDED, PROCESSED], None),
    ([PROCESSED], "orphan"),
    ([ADDED | {"kind": 3}, PROCESSED], "not under a PRODUCER"),
    ([ADDED, PROCESSED | {"parent_span_id": b""}], "2 roots"),
    ([ADDED | {"name": "orders xadd"}], "the name is not"),
    ([ADDED | {"type": "publish"}], "operation type 'publish'"),
    ([ADDED | {"attributes": {"messaging.client_id": "me"}}], "dead attribute name"),
    ([ADDED | {"attributes": {"error.type": "ERR"}}], "status UNSET with error.type"),
    ([ADDED | {"kind": 2}], "kind SERVER"),
])
def test_rules_see_what_is_wrong(spans, complaint):
    view = TraceView(spans_of(_request(*[dict(span) for span in spans])))
    found = jaeger_rules.problems(view)
    if complaint is None:
        assert found == []
    else:
        assert any(complaint in problem for problem in found), found


def test_a_context_of_the_application_is_no_orphan():
    view = TraceView(spans_of(_request(dict(PROCESSED))))
    assert jaeger_rules.problems(view, {(view.spans[0].trace_id, b"producer".hex())}) == []


def test_receiver_obeys_its_script(world):
    receiver = world.receiver()

    def post():
        body = _request(dict(ADDED)).SerializeToString()
        with urllib.request.urlopen(urllib.request.Request(receiver.url + "/v1/traces", body), timeout=60) as answer:
            return answer.status

    receiver.script.extend([Answer(status=503, retry_after="7"), Answer(close=True)])
    with pytest.raises(urllib.error.HTTPError) as refused:
        post()
    assert refused.value.code == 503 and refused.value.headers["Retry-After"] == "7"
    with pytest.raises(OSError):
        post()
    assert receiver.view().spans == []
    posting = threading.Thread(target=post)
    posting.start()
    assert receiver.wait_for(1).one("xadd orders").kind == "PRODUCER"
    posting.join(60)
    receiver.down()
    with pytest.raises(OSError):
        post()
    receiver.up()
    assert post() == 200
    assert [request.status for request in receiver.requests] == [503, 0, 200, 200]


def test_waiting_says_what_it_waited_for():
    with pytest.raises(AssertionError, match="in vain for the moon"):
        wait_for(lambda: False, timeout=0.01, what="the moon")
