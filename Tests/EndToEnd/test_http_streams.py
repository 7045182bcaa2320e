"""The embedded event log over HTTP: the CloudEvents SDK, plain requests, and redis-py on the same streams."""

import json

import jsonschema
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from openapi_spec_validator import validate

from harness import EventsHTTP, EventStream, in_parallel, wait_for

STREAM, GROUP = "orders", "billing"
EVENTS, RECEIVE = f"/streams/{STREAM}/events", f"/streams/{STREAM}/groups/{GROUP}/receive"
SETTINGS = f"/api/v1/streams/{STREAM}/settings"
REQUIRED = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.placed"}


@pytest.fixture
def bus(world, receiver):
    return world.tacho("embedded", receiver)


@pytest.fixture
def http(world, bus):
    return world.keep(EventsHTTP(bus.http))


def made(number=1, data=None, **attributes):
    return CloudEvent({"id": str(number), "source": "/shop", "type": "order.placed",
                       "datacontenttype": "application/json", **attributes}, data or {"item": "book"})


def send(http, message, path=EVENTS, **headers):
    return http.post(path, message.body, {**message.headers, **headers})


def group(http, **policy):
    answer = http.ask("PUT", f"/streams/{STREAM}/groups/{GROUP}", policy)
    assert answer.status in (200, 201), answer


def receive(http, consumer="alice", **wanted):
    answer = http.post(RECEIVE, {"consumer": consumer, **wanted})
    assert answer.status == 200, answer
    return answer.json["events"]


def settle(http, how, events, **wanted):
    ids = [event["tachoid"] for event in events]
    return http.post(f"/streams/{STREAM}/groups/{GROUP}/{how}", {"ids": ids, **wanted})


def problem(answer, status):
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status and answer.json["title"]
    return answer.json["detail"]


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_the_sdk_s_events_come_back_as_they_were_sent(http, bus, write):
    sent = made(subject="Euro €", tenant="t9", data={"item": "Bücher", "n": [1, 2.5, None]})
    answer = send(http, write(sent))
    assert answer.status == 201
    [event] = http.events(STREAM)
    assert event["tachoid"] == answer.json["events"][0]["id"] and event["tachooffset"] == "1"
    again = from_http_event(HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(event).encode()))
    for name, value in sent.get_attributes().items():
        assert again.get_attributes()[name] == value, name
    assert again.get_data() == {"item": "Bücher", "n": [1, 2.5, None]}
    [(_, fields)] = bus.client().xrange(STREAM)
    assert fields["ce_id"] == "1" and fields["ce_tenant"] == "t9" and json.loads(fields["data"]) == again.get_data()
    assert fields["traceparent"] == event["traceparent"]


def test_batches_plain_json_bytes_and_entries_of_redis(http, bus):
    batch = [{**REQUIRED, "id": str(number), "data_base64": "AP8="} for number in range(3)]
    answer = http.post(EVENTS, json.dumps(batch).encode(), {"content-type": "application/cloudevents-batch+json"})
    assert [place["offset"] for place in answer.json["events"]] == [1, 2, 3]
    assert http.post(EVENTS, {"plain": True}).status == 201
    entry = bus.client().xadd(STREAM, {"item": "pen"})
    events = http.events(STREAM)
    assert [event["id"] for event in events[:3]] == ["0", "1", "2"] and events[0]["data_base64"] == "AP8="
    assert events[3]["data"] == {"plain": True}
    assert (events[4]["id"], events[4]["source"], events[4]["data"]) == (entry, "/streams/orders", {"item": "pen"})
    as_batch = http.get(EVENTS, accept="application/cloudevents-batch+json")
    assert as_batch.json == events
    lines = http.get(EVENTS, accept="application/x-ndjson").body.splitlines()
    assert [json.loads(line) for line in lines] == events
    first = http.get(EVENTS + "?limit=2")
    assert first.json["next"] == 3 and first.headers["link"] == f'<{EVENTS}?from=3&limit=2>; rel="next"'
    assert len(http.events(STREAM, "?type=order.placed&from=2&to=3")) == 2
    assert http.events(STREAM, f"?trace={events[4]['traceparent'][3:35]}") == [events[4]]
    assert http.events(STREAM, "?since=2199-01-01T00:00:00Z") == []


def test_one_trace_over_both_protocols(world, http, bus, receiver):
    app = bus.client()
    app.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    send(http, to_binary_event(made()))
    [[_, [(entry, _)]]] = app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    assert settle(http, "ack", [{"tachoid": entry}]).json == {"acknowledged": 1}
    view = receiver.wait_for_names("publish orders", "xreadgroup orders", "process orders", "ack orders")
    published, processed = view.one("publish orders"), view.one("process orders")
    assert published.kind == "PRODUCER" and published["messaging.system"] == "tachograph"
    assert published["messaging.message.id"] == entry
    assert processed.parent_id == published.span_id and processed["tacho.delivery.attempt"] == 1
    assert view.one("ack orders").parent_id == processed.span_id
    assert set(view.traces) == {published.trace_id}


def test_receive_transform_publish_in_one_transaction(world, http, bus, receiver):
    group(http)
    caller = world.app_context("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    send(http, to_binary_event(made()), traceparent=caller)
    events = receive(http, wait_milliseconds=5000)
    assert events[0]["tachoattempt"] == 1 and events[0]["traceparent"][3:35] == caller[3:35]
    publish = [{"stream": "payments", "event": {**REQUIRED, "source": "/billing", "data": {"paid": True}}}]
    assert problem(settle(http, "ack", events, consumer="bob", publish=publish), 409)
    done = settle(http, "ack", events, consumer="alice", publish=publish)
    assert done.json["acknowledged"] == 1 and done.json["events"][0]["offset"] == 1
    # A retry finds the event settled: it publishes nothing twice.
    assert "no longer" in problem(settle(http, "ack", events, consumer="alice", publish=publish), 409)
    assert [event["causationid"] for event in http.events("payments")] == [events[0]["tachoid"]]
    view = receiver.wait_for_names("publish orders", "process orders", "publish payments")
    sent = [span for span in view.named("publish payments") if span.status == "UNSET"]
    assert [span.parent_id for span in sent] == [view.one("process orders").span_id]
    assert sent[0]["tacho.causality"] == "transaction"


def test_a_context_of_the_application_s_own_is_not_altered(world, http, bus):
    own = world.app_context("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    send(http, to_structured_event(made(traceparent=own, tracestate="a=1", correlationid="c-1")))
    [event] = http.events(STREAM)
    assert (event["traceparent"], event["tracestate"], event["correlationid"]) == (own, "a=1", "c-1")


def test_repeated_events_and_expected_versions(http):
    first = send(http, to_binary_event(made(1)))
    again = send(http, to_structured_event(made(1, data={"other": 1})))
    assert (first.status, again.status) == (201, 200)
    assert again.json["events"] == [{**first.json["events"][0], "duplicate": True}]
    cart = {"tacho-entity": "cart-7", "tacho-expected-version": "0"}
    assert http.post("/streams/carts/events", {"did": "open"}, cart).json["version"] == 1
    conflict = http.post("/streams/carts/events", {"did": "open"}, cart)
    assert "0 was expected" in problem(conflict, 409)
    assert (conflict.json["expected_version"], conflict.json["actual_version"]) == (0, 1)
    outcomes = in_parallel(8, lambda _: add_to_cart(http.address, cart | {"tacho-expected-version": "1"}))
    assert sorted(outcomes) == [201] + [409] * 7
    assert [event["tachoversion"] for event in http.events("carts", "?entity=cart-7")] == ["1", "2"]


def add_to_cart(address, headers):
    """One append on a connection of its own."""
    one = EventsHTTP(address)
    try:
        return one.post("/streams/carts/events", {"did": "add"}, headers).status
    finally:
        one.close()


def test_followers_resume_behind_what_they_have_seen(world, http, bus):
    follower = EventStream(bus.http, EVENTS)
    send(http, to_binary_event(made(1)))
    bus.client().xadd(STREAM, {"item": "pen"})
    number, event = follower.next()
    assert (number, event["id"]) == (1, "1")
    follower.close()
    send(http, to_binary_event(made(3)))
    resumed = world.keep(EventStream(bus.http, EVENTS, last=1))
    assert [resumed.next()[0] for _ in range(2)] == [2, 3]
    send(http, to_binary_event(made(4, type="other")))
    send(http, to_binary_event(made(5)))
    chosen = world.keep(EventStream(bus.http, EVENTS + "?from=1&type=other"))
    assert chosen.next()[0] == 4
    assert [resumed.next()[0] for _ in range(2)] == [4, 5]


def test_long_polls_wake_one_by_one_and_leases_pass_on(world, bus, http):
    group(http, lease_milliseconds=60_000)
    clients = [world.keep(EventsHTTP(bus.http)) for _ in range(3)]
    assert receive(http, wait_milliseconds=50) == []
    begun = []

    def poll(number):
        begun.append(number)
        return receive(clients[number], f"c{number}", wait_milliseconds=15_000)

    def publish(_):
        wait_for(lambda: len(begun) == 3, what="the polls")
        return [send(http, to_binary_event(made(number))).status for number in range(3)]

    *polled, statuses = in_parallel(4, lambda number: poll(number) if number < 3 else publish(number))
    assert statuses == [201] * 3
    assert sorted(event["id"] for events in polled for event in events) == ["0", "1", "2"]
    [kept, lost, given] = [events[0] for events in polled]
    assert settle(http, "extend", [kept], consumer="c0", lease_milliseconds=30_000).json == {"extended": 1}
    assert settle(http, "extend", [lost], consumer="c1", lease_milliseconds=1).json == {"extended": 1}
    assert settle(http, "nack", [given], delay_milliseconds=0, reason="busy").json == {"rejected": 1}
    again = []
    wait_for(lambda: again.extend(receive(http, "d", max=9, wait_milliseconds=500)) or len(again) == 2,
             what="what was given back")
    assert {event["id"]: event["tachoattempt"] for event in again} == {lost["id"]: 2, given["id"]: 2}


@pytest.mark.partial_traces
def test_dead_letters_are_shown_edited_redriven_and_purged(http, receiver):
    group(http, backoff=[0], max_deliveries=1)
    for number in range(3):
        send(http, to_binary_event(made(number)))
    events = receive(http, max=3)
    settle(http, "nack", events[:2], reason="no stock")
    settle(http, "nack", events[2:], reason="broken", final=True)
    spans = receiver.wait_for(lambda view: len(view.named(f"process {STREAM}")) == 3).named(f"process {STREAM}")
    assert sorted(span["tacho.outcome"] for span in spans) == ["dead_lettered", "dead_lettered", "terminated"]
    letters = http.get("/dead-letters?stream=orders&limit=2").json
    assert [letter["reason"] for letter in letters["dead_letters"]] == ["deliveries_exhausted"] * 2
    assert letters["dead_letters"][0]["attempts"][0]["error"] == "no stock" and letters["next"] == 2
    [last] = http.get("/dead-letters?reason=rejected").json["dead_letters"]
    assert last["error"] == "broken" and last["trace_id"] == events[2]["traceparent"][3:35]
    assert problem(http.post("/dead-letters/purge", {}), 400)
    fixed = to_structured_event(made(9, data={"item": "fixed"}))
    assert http.ask("PUT", "/dead-letters/1", fixed.body, dict(fixed.headers)).json["edited"] is True
    plan = http.post("/dead-letters/redrive", {"all": True, "dry_run": True}).json
    assert plan == {"dry_run": True, "returned": 2, "appended": 1, "skipped": 0}
    assert http.post("/dead-letters/redrive", {"filter": {"numbers": [1, 2]}}).json["returned"] == 1
    assert {event["id"] for event in receive(http, max=9)} == {"1", "9"}
    assert http.post("/dead-letters/purge", {"filter": {"group": GROUP}}).json == {"purged": 1}
    assert problem(http.get("/dead-letters/3"), 404)


def test_what_a_head_request_asks_for_takes_no_place_among_those_who_wait(http):
    for _ in range(513):
        assert http.ask("HEAD", EVENTS, headers={"accept": "text/event-stream"}).status == 200
    group(http)
    assert receive(http, wait_milliseconds=1) == []


@pytest.mark.partial_traces
def test_replay_to_a_stream_and_to_a_group(http, receiver):
    group(http)
    for number in range(5):
        send(http, to_binary_event(made(number)))
    settle(http, "ack", receive(http, max=5))
    lines = http.post(f"/streams/{STREAM}/replay", {"to_stream": "copy", "from": 2, "pace": 1000}).body.splitlines()
    assert json.loads(lines[-1]) == {"replayed": 4, "skipped": 0, "offset": 5, "last_offset": 5, "done": True}
    copies = http.events("copy")
    assert [event["id"] for event in copies] == ["1", "2", "3", "4"]
    assert all(event["tachoreplay"] and event["tachoreplayof"].startswith("orders/") for event in copies)
    http.post(f"/streams/{STREAM}/replay", {"to_group": GROUP, "to": 2})
    assert [event["tachoreplay"] for event in receive(http, max=9)] == [True, True]
    assert problem(http.post(f"/streams/{STREAM}/replay", {"to_group": "none"}), 404)


BAD_INPUT = [
    (EVENTS, b"{", {"content-type": "application/json"}, 400, "not JSON"),
    (EVENTS, b"x", {"content-type": "text/plain"}, 415, "expected a CloudEvent"),
    (EVENTS, b"<e/>", {"content-type": "application/cloudevents+xml"}, 415, "only JSON"),
    (EVENTS, b"{}", {"content-type": "application/cloudevents+json"}, 400, "specversion"),
    (EVENTS, b"[{}]", {"content-type": "application/cloudevents-batch+json"}, 400, "event 0 of the batch"),
    (EVENTS, b"", {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t"}, 400, "source is required"),
    (EVENTS, b"{}", {"content-type": "application/json", "tacho-expected-version": "x"}, 400, "Expected-Version"),
    (EVENTS + "?now=1", b"{}", {"content-type": "application/json"}, 400, "no query parameters"),
    (EVENTS, b"{}", {"content-type": "application/json", "origin": "http://evil.test"}, 403, "web pages"),
    (EVENTS, b" " * 2_000, {"content-type": "application/json"}, 413, "larger than 1024"),
    (EVENTS, json.dumps([REQUIRED] * 6).encode(), {"content-type": "application/cloudevents-batch+json"}, 413,
     "more than 5 events"),
    (RECEIVE, b"{}", {}, 400, "consumer"),
    (RECEIVE, b'{"consumer":"a","max":99}', {}, 400, "max: expected a whole number from 1 to 5"),
    (RECEIVE, b'{"consumer":"a","extra":1}', {}, 400, "unknown member"),
    (RECEIVE, b'{"consumer":"a"}', {}, 404, "no such group"),
    ("/streams/%zz/events", b"{}", {"content-type": "application/json"}, 400, "percent-encoded"),
    (f"/streams/{STREAM}/groups/g/ack", b'{"ids":["x"]}', {}, 400, "ids of events"),
]


def test_bad_input_is_told_at_the_door(world):
    bus = world.tacho("embedded", settings={"http": {"limits": {"body_bytes": 1024, "batch_events": 5}}})
    http = world.keep(EventsHTTP(bus.http))
    for path, body, headers, status, says in BAD_INPUT:
        assert says in problem(http.post(path, body, headers), status), (path, body)
    assert http.events(STREAM) == []


def test_more_than_the_rate_is_told_to_come_back(world):
    bus = world.tacho("embedded", settings={"http": {"limits": {"events_per_second": 3}}})
    http = world.keep(EventsHTTP(bus.http))
    answers = []

    def is_refused():
        answers.append(send(http, to_binary_event(made(len(answers)))))
        return answers[-1].status == 429

    # On a machine that sends fewer than three a second that may take a while.
    wait_for(is_refused, every=0, what="a refusal")
    assert [answer.status for answer in answers[:3]] == [201] * 3
    assert "events per second" in problem(answers[-1], 429) and int(answers[-1].headers["retry-after"]) >= 1


def test_methods_and_places_that_are_not(http):
    answer = http.ask("PATCH", EVENTS)
    assert "GET, POST" in problem(answer, 405) and answer.headers["allow"] == "GET, POST"
    assert "no such stream" in problem(http.get("/streams/none"), 404)
    assert problem(http.get("/dead-letters/7"), 404)


def test_without_a_log_the_routes_say_so(world, redis_server):
    bus = world.tacho(redis_server)
    assert "no event log" in problem(world.keep(EventsHTTP(bus.http)).get("/streams"), 404)
    opened = world.tacho(redis_server, settings={"http": {"events": "on"}})
    assert world.keep(EventsHTTP(opened.http)).get("/streams").json == {"streams": [], "next": None}


@pytest.mark.partial_traces
@pytest.mark.expect_exit
def test_what_was_answered_survives_and_waiting_ends_with_the_process(world, http, bus):
    group(http)
    ids = [send(http, to_binary_event(made(number))).json["events"][0]["id"] for number in range(20)]
    bus.kill()
    second = world.tacho("embedded", settings={"data": str(bus.scratch / "tacho-data")})
    again = world.keep(EventsHTTP(second.http))
    assert [event["tachoid"] for event in again.events(STREAM)] == ids
    follower = EventStream(second.http, EVENTS)
    second.sigterm()
    with pytest.raises(AssertionError, match="has ended"):
        follower.next()
    assert second.wait() == 0


@pytest.mark.partial_traces
def test_the_openapi_document_is_valid_and_what_is_answered_fits_it(http):
    document = http.get("/openapi.json").json
    validate(document)
    group(http, lease_milliseconds=1000, backoff={"first_milliseconds": 5, "factor": 2})
    calls = [
        ("POST", EVENTS, "/streams/{stream}/events", to_binary_event(made())),
        ("GET", EVENTS, "/streams/{stream}/events", None),
        ("GET", "/streams", "/streams", None),
        ("GET", f"/streams/{STREAM}", "/streams/{stream}", None),
        ("GET", f"/streams/{STREAM}/groups", "/streams/{stream}/groups", None),
        ("PUT", f"/streams/{STREAM}/groups/{GROUP}", "/streams/{stream}/groups/{group}", {}),
        ("PUT", SETTINGS, "/api/v1/streams/{stream}/settings", {"keep_events": 5}),
        ("GET", SETTINGS, "/api/v1/streams/{stream}/settings", None),
        ("POST", RECEIVE, "/streams/{stream}/groups/{group}/receive", {"consumer": "a"}),
        ("POST", f"/streams/{STREAM}/groups/{GROUP}/nack", "/streams/{stream}/groups/{group}/nack",
         {"ids": ["1-1"], "final": True}),
        ("GET", "/dead-letters", "/dead-letters", None),
        ("POST", "/dead-letters/redrive", "/dead-letters/redrive", {"all": True}),
        ("GET", "/dead-letters/1", "/dead-letters/{number}", None),
    ]
    for method, path, template, body in calls:
        message = body if isinstance(body, HTTPMessage) else None
        answer = http.ask(method, path, message.body if message else body, dict(message.headers) if message else None)
        responses = document["paths"][template][method.lower()]["responses"]
        described = responses.get(str(answer.status), responses["default"])["content"]
        schema = described[answer.headers["content-type"]]["schema"]
        jsonschema.validate(answer.json, {**schema, "components": document["components"]})
