"""Publishing: every form of XADD, every standing of the context it carries."""

import pytest
import redis

from harness import RawClient, injected_context, stored

STREAM = "orders"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FIELDS = [("item", "book")]


def test_a_valid_context_of_the_application_is_left_alone(world, redis_server, receiver, app):
    traceparent = world.app_context(TRACE, SPAN)
    message_id = app.xadd(STREAM, {"item": "book", "traceparent": traceparent})
    assert stored(redis_server) == [(message_id, [("item", "book"), ("traceparent", traceparent)])]
    span = receiver.wait_for_names("xadd orders").one("xadd orders")
    assert span.kind == "CLIENT"
    assert span.trace_id == TRACE and span.parent_id == SPAN
    assert [link.context for link in span.links] == [(TRACE, SPAN)]
    assert span["messaging.message.id"] == message_id
    assert span["messaging.operation.type"] == "send"


def test_the_whole_chain_hangs_under_the_application(world, receiver, app, direct):
    traceparent = world.app_context(TRACE, SPAN)
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"traceparent": traceparent, "correlationid": "order-17"})
    app.xreadgroup("g", "alice", {STREAM: ">"})
    app.xack(STREAM, "g", message_id)
    view = receiver.wait_for_names("xadd orders", "process orders", "xack orders", "xreadgroup orders")
    assert set(view.traces) == {TRACE}
    processed = view.one("process orders")
    assert processed.parent_id == SPAN
    assert [link.context for link in processed.links] == [(TRACE, SPAN)]
    for span in (view.one("xadd orders"), processed):
        assert span["messaging.message.conversation_id"] == "order-17"


def test_tracestate_of_the_application_is_kept_and_told(world, redis_server, receiver, app):
    fields = {"traceparent": world.app_context(TRACE, SPAN), "tracestate": "vendor=value,other=2"}
    app.xadd(STREAM, fields)
    assert stored(redis_server)[0][1] == list(fields.items())
    assert receiver.wait_for_names("xadd orders").one("xadd orders").trace_state == "vendor=value,other=2"


def test_a_context_not_sampled_by_the_application_gives_no_span(redis_server, receiver, tacho, app, direct):
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    fields = {"n": "1", "traceparent": f"00-{TRACE}-{SPAN}-00"}
    app.xadd(STREAM, fields)
    app.xreadgroup("g", "alice", {STREAM: ">"})
    assert stored(redis_server)[0][1] == list(fields.items())
    tacho.client(client_name="another-application").xadd("other", {"n": "2"})
    view = receiver.wait_for_names("xadd other")
    assert view.named("xadd orders") == []
    for span in view.named("process orders") + view.named("xreadgroup orders"):
        assert span.parent_id == "", "a parent that was not sampled is a missing parent"


def test_a_later_version_is_read_by_its_first_four_fields(world, redis_server, receiver, app):
    world.app_context(TRACE, SPAN)
    later = f"01-{TRACE}-{SPAN}-01-what-the-future-brings"
    app.xadd(STREAM, {"traceparent": later})
    assert stored(redis_server)[0][1] == [("traceparent", later)]
    assert receiver.wait_for_names("xadd orders").one("xadd orders").parent_id == SPAN


def test_the_field_name_is_read_in_any_case(world, redis_server, receiver, app):
    traceparent = world.app_context(TRACE, SPAN)
    app.xadd(STREAM, {"TraceParent": traceparent})
    assert stored(redis_server)[0][1] == [("TraceParent", traceparent)]
    assert receiver.wait_for_names("xadd orders").one("xadd orders").parent_id == SPAN


@pytest.mark.parametrize("invalid", [
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{TRACE}-{SPAN.upper().replace('0', 'A')}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01-more",
    f"00-{TRACE}-{SPAN}-0",
    f"00-{TRACE[:-1]}-{SPAN}-01",
    f"00-{TRACE}{SPAN}-01",
    f"00-{TRACE}-{SPAN}-0g",
    "",
    "hello",
], ids=["uppercase-trace", "uppercase-span", "zero-trace", "zero-span", "version-ff", "too-long", "too-short",
        "short-trace", "no-dash", "bad-flags", "empty", "word"])
def test_an_invalid_context_is_data_of_the_application(redis_server, receiver, app, invalid):
    app.xadd(STREAM, {"n": "1", "traceparent": invalid})
    assert stored(redis_server)[0][1] == [("n", "1"), ("traceparent", invalid)]
    span = receiver.wait_for_names("xadd orders").one("xadd orders")
    assert span.parent_id == "" and span.links == ()
    assert span.trace_id != TRACE
    assert span.kind == "CLIENT", "nothing was injected"


def test_a_correlation_id_of_the_application_is_used(redis_server, receiver, app):
    app.xadd(STREAM, {"n": "1", "correlationid": "order-17"})
    [(_, fields)] = stored(redis_server)
    assert [name for name, _ in fields] == ["n", "correlationid", "traceparent"]
    assert fields[1] == ("correlationid", "order-17")
    span = receiver.wait_for_names("xadd orders").one("xadd orders")
    assert span.kind == "PRODUCER"
    assert span["messaging.message.conversation_id"] == "order-17"


@pytest.mark.parametrize("form", [
    ["XADD", STREAM, "*"],
    ["xAdD", STREAM, "*"],
    ["XADD", STREAM, "MAXLEN", "1000", "*"],
    ["XADD", STREAM, "MAXLEN", "=", "1000", "*"],
    ["XADD", STREAM, "MAXLEN", "~", "1000", "*"],
    ["XADD", STREAM, "maxlen", "~", "1000", "limit", "50", "*"],
    ["XADD", STREAM, "MINID", "0-1", "*"],
    ["XADD", STREAM, "MINID", "~", "0-1", "LIMIT", "10", "*"],
    ["XADD", STREAM, "5-1"],
    ["XADD", STREAM, "7"],
    ["XADD", STREAM, "1700000000000-*"],
    ["XADD", STREAM, "NOMKSTREAM", "MAXLEN", "~", "1000", "*"],
], ids=lambda form: " ".join(form[2:]) + ("" if form[0].isupper() else " (any case)"))
def test_forms(redis_server, receiver, tacho, direct, form):
    if "NOMKSTREAM" in form:
        direct.xgroup_create(STREAM, "g", mkstream=True)
    with tacho.raw() as raw:
        message_id = raw.ask(*form, "item", "book").decode()
    [(entry_id, fields)] = stored(redis_server)
    assert entry_id == message_id
    context, _ = injected_context(fields, FIELDS)
    span = receiver.wait_for_names("xadd orders").one("xadd orders")
    assert span.context == context and span["messaging.message.id"] == message_id


def test_nomkstream_without_a_stream(redis_server, receiver, app, direct):
    assert app.xadd(STREAM, {"n": "1"}, nomkstream=True) is None
    assert direct.exists(STREAM) == 0
    app.xadd("other", {"n": "1"})
    view = receiver.wait_for_names("xadd other")
    for span in view.named("xadd orders"):
        assert "messaging.message.id" not in span.attributes and span.status == "UNSET"


def test_fields_of_any_bytes_survive(redis_server, receiver, tacho):
    values = [b"", b"\r\n", bytes(range(256)), b"x" * 100_000, "žluťoučký".encode()]
    with tacho.raw() as raw:
        raw.ask("XADD", STREAM, "*", *[word for value in values for word in (b"f" + value[:3], value)])
    with RawClient(redis_server.address) as raw:
        [[_, flat]] = raw.ask("XRANGE", STREAM, "-", "+")
    assert flat[1:10:2] == values and flat[0:10:2] == [b"f" + value[:3] for value in values]
    assert len(flat) == 14
    receiver.wait_for_names("xadd orders")


def test_a_field_given_twice_stays_twice(redis_server, receiver, tacho):
    with tacho.raw() as raw:
        raw.ask("XADD", STREAM, "*", "f", "1", "f", "2")
    injected_context(stored(redis_server)[0][1], [("f", "1"), ("f", "2")])
    receiver.wait_for_names("xadd orders")


@pytest.mark.parametrize("prepare, words, prefix", [
    (["SET", STREAM, "text"], ["XADD", STREAM, "*", "f", "v"], "WRONGTYPE"),
    (["XADD", STREAM, "9-9", "f", "v"], ["XADD", STREAM, "5-5", "f", "v"], "ERR"),
], ids=["wrong-type", "id-too-small"])
def test_a_refused_message_is_an_error(receiver, redis_server, tacho, direct, prepare, words, prefix):
    direct.execute_command(*prepare)
    with RawClient(redis_server.address) as raw:
        expected = raw.call(*words)
    with tacho.raw() as raw:
        assert raw.call(*words) == expected
    span = receiver.wait_for_names("xadd orders").one("xadd orders")
    assert span.status == "ERROR" and span["error.type"] == prefix
    assert "messaging.message.id" not in span.attributes


@pytest.mark.parametrize("words", [
    ["XADD", STREAM, "IDMP", "producer", "iid-1", "*", "f", "v"],
    ["XADD", STREAM, "IDMPAUTO", "producer", "*", "f", "v"],
    ["XADD", STREAM, "KEEPREF", "*", "f", "v"],
    ["XADD", STREAM, "*", "f"],
    ["XADD", STREAM, "*"],
    ["XADD", STREAM],
    ["XADD"],
    ["XADD", STREAM, "MAXLEN", "*", "f", "v"],
    ["XADD", STREAM, "MAXLEN", "~", "many", "*", "f", "v"],
    ["XADD", STREAM, "MAXLEN", "5", "LIMIT", "3", "*", "f", "v"],
    ["XADD", STREAM, "not-an-id", "f", "v"],
    ["XADD", STREAM, "0-0", "f", "v"],
], ids=lambda words: " ".join(words))
def test_what_redis_refuses_is_refused_in_its_own_words(redis_server, tacho, direct, words):
    with RawClient(redis_server.address) as raw:
        expected = raw.call(*words)
    direct.flushall()
    assert expected.startswith(b"-") or "IDMP" in words[2]
    if not expected.startswith(b"-"):
        pytest.skip("this Redis knows the option")
    with tacho.raw() as raw:
        assert raw.call(*words) == expected
        assert raw.ask("PING") == "PONG"
    assert direct.exists(STREAM) == 0


def test_never_inject(world, redis_server, receiver, direct):
    tacho = world.tacho(redis_server, receiver, context={"inject": "never", "deliver": "keep"})
    app = tacho.client()
    direct.xgroup_create(STREAM, "g", id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"item": "book"})
    assert stored(redis_server) == [(message_id, FIELDS)]
    app.xreadgroup("g", "alice", {STREAM: ">"})
    app.xack(STREAM, "g", message_id)
    view = receiver.wait_for_names("xadd orders", "process orders")
    assert view.one("xadd orders").kind == "CLIENT"
    assert view.one("process orders").parent_id == "" and view.one("process orders").links == ()


@pytest.mark.parametrize("inject, sampler, carries", [
    ("sampled", "always_off", False), ("sampled", "always_on", True),
    ("always", "always_off", True), ("always", "always_on", True),
])
def test_injection_and_sampling(world, redis_server, receiver, direct, inject, sampler, carries):
    tacho = world.tacho(redis_server, receiver, context={"inject": inject, "deliver": "keep"},
                        environment={"OTEL_TRACES_SAMPLER": sampler})
    app = tacho.client()
    app.xadd(STREAM, {"item": "book"})
    [(_, fields)] = stored(redis_server)
    if not carries:
        assert fields == FIELDS
    else:
        injected_context(fields, FIELDS)
        sampled = int(dict(fields)["traceparent"][-2:], 16) & 1
        assert sampled == (1 if sampler == "always_on" else 0)
    if sampler == "always_on":
        receiver.wait_for_names("xadd orders")
    else:
        seen = tacho.wait_for_metric("tacho_spans_started_total", lambda got: got >= 1)
        assert seen.sum("tacho_spans_sampled_total") == 0
        tacho.stop()
        assert receiver.view().spans == []


def test_what_is_too_large_to_edit_passes_and_is_counted(redis_server, receiver, tacho):
    before = tacho.metrics().sum("tacho_unedited_frames_total")
    large = "x" * (2 << 20)
    with tacho.raw() as raw:
        message_id = raw.ask("XADD", STREAM, "*", "large", large).decode()
        small_id = raw.ask("XADD", STREAM, "*", "small", "1").decode()
    [(first, large_fields), (second, small_fields)] = stored(redis_server)
    assert (first, second) == (message_id, small_id)
    assert large_fields == [("large", large)]
    injected_context(small_fields, [("small", "1")])
    assert tacho.metrics().sum("tacho_unedited_frames_total") == before + 1
    view = receiver.wait_for(lambda seen: seen.with_message("xadd orders", small_id))
    for span in view.with_message("xadd orders", message_id):
        assert span.kind == "CLIENT"


def test_publishing_inside_a_function_call_is_not_mistaken(receiver, redis_server, app):
    app.eval("return redis.call('XADD', KEYS[1], '*', 'f', 'v')", 1, STREAM)
    assert stored(redis_server)[0][1] == [("f", "v")]
    with pytest.raises(redis.ResponseError):
        app.execute_command("XADDX", STREAM, "*", "f", "v")
