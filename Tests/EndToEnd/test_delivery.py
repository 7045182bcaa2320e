"""Delivery: what consumers see, what is followed until its acknowledgement, and what is made invisible again."""

import time

import pytest

from harness import RawClient, command, parse, stored

STREAM, GROUP = "orders", "workers"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def entries(reply):
    """The entries of an XREAD or XREADGROUP reply of redis-py, whichever protocol made it."""
    return reply[0][1] if isinstance(reply, list) else next(iter(reply.values()))[0]


# Deliveries and their spans


def test_a_batch_has_one_receive_span_and_a_process_span_per_message(receiver, tacho, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    ids = [app.xadd(STREAM, {"n": str(number)}) for number in range(10)]
    app.xreadgroup(GROUP, "alice", {STREAM: ">"}, count=10)
    assert app.xack(STREAM, GROUP, *ids) == 10
    view = receiver.wait_for(lambda seen: len(seen.named("process orders")) == 10 and seen.named("xack orders")
                             and seen.named("xreadgroup orders") and len(seen.named("xadd orders")) == 10)
    producers = {span["messaging.message.id"]: span for span in view.named("xadd orders")}
    assert list(producers) == ids

    received = view.one("xreadgroup orders")
    assert received["messaging.batch.message_count"] == 10
    assert received.parent_id == ""
    assert [link.context for link in received.links] == [producers[each].context for each in ids]
    assert [link.attributes.get("messaging.message.id") for link in received.links] == ids

    for processed in view.named("process orders"):
        producer = producers[processed["messaging.message.id"]]
        assert processed.trace_id == producer.trace_id and processed.parent_id == producer.span_id
        assert "messaging.batch.message_count" not in processed.attributes

    settled = view.one("xack orders")
    assert settled["messaging.batch.message_count"] == 10
    assert {link.context for link in settled.links} == {span.context for span in producers.values()}
    assert settled.parent_id == ""


def test_many_links_are_capped_and_said_to_be(receiver, tacho, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    count = 500
    pipeline = app.pipeline(transaction=False)
    for number in range(count):
        pipeline.xadd(STREAM, {"n": str(number)})
    ids = pipeline.execute()
    app.xreadgroup(GROUP, "alice", {STREAM: ">"}, count=count)
    app.xack(STREAM, GROUP, *ids)
    view = receiver.wait_for(lambda seen: len(seen.named("process orders")) == count
                             and len(seen.named("xadd orders")) == count and seen.named("xreadgroup orders"))
    received = view.one("xreadgroup orders")
    assert received["messaging.batch.message_count"] == count
    assert 1 <= len(received.links) <= count
    assert {span.parent_id for span in view.named("process orders")} == {
        span.span_id for span in view.named("xadd orders")}


def test_two_streams_in_one_read(receiver, app, direct):
    for stream in ("orders", "bills"):
        direct.xgroup_create(stream, GROUP, id="0", mkstream=True)
    ids = {stream: app.xadd(stream, {"n": "1"}) for stream in ("orders", "bills")}
    app.xreadgroup(GROUP, "alice", {"orders": ">", "bills": ">"})
    for stream, message_id in ids.items():
        app.xack(stream, GROUP, message_id)
    view = receiver.wait_for_names("process orders", "process bills", "xack orders", "xack bills")
    for stream in ids:
        assert view.one(f"process {stream}").parent_id == view.one(f"xadd {stream}").span_id


def test_noack_has_no_process_span(receiver, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    app.xadd(STREAM, {"n": "1"})
    assert entries(app.xreadgroup(GROUP, "alice", {STREAM: ">"}, noack=True))
    app.xadd("last", {"n": "1"})
    view = receiver.wait_for_names("xreadgroup orders", "xadd last")
    assert view.named("process orders") == []
    assert view.one("xreadgroup orders").links_to(view.one("xadd orders"))


def test_xread_has_no_process_span(receiver, app):
    message_id = app.xadd(STREAM, {"n": "1"})
    assert entries(app.xread({STREAM: "0"}))
    app.xadd("last", {"n": "1"})
    view = receiver.wait_for_names("xread orders", "xadd last")
    assert view.named("process orders") == []
    received = view.one("xread orders")
    assert received.kind == "CLIENT" and received["messaging.operation.type"] == "receive"
    assert received.links_to(view.one("xadd orders"))
    assert received["messaging.message.id"] == message_id


def test_an_empty_read_is_no_span(receiver, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"}, block=20)
    app.xread({STREAM: "0"}, block=20)
    app.xadd("last", {"n": "1"})
    view = receiver.wait_for_names("xadd last")
    assert [span.name for span in view.spans] == ["xadd last"]


def test_a_message_without_context_starts_its_own_trace(receiver, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    message_id = direct.xadd(STREAM, {"n": "1"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    app.xack(STREAM, GROUP, message_id)
    processed = receiver.wait_for_names("process orders", "xack orders").one("process orders")
    assert processed.parent_id == "" and processed.links == ()
    assert processed["messaging.message.id"] == message_id


@pytest.mark.parametrize("how", ["xclaim", "xautoclaim"])
def test_a_claim_by_another_consumer_is_a_second_attempt(receiver, tacho, direct, how):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    alice, bob = tacho.client(), tacho.client()
    message_id = alice.xadd(STREAM, {"n": "1"})
    alice.xreadgroup(GROUP, "alice", {STREAM: ">"})
    if how == "xclaim":
        assert [each[0] for each in bob.xclaim(STREAM, GROUP, "bob", 0, [message_id])] == [message_id]
    else:
        assert [each[0] for each in bob.xautoclaim(STREAM, GROUP, "bob", 0)[1]] == [message_id]
    bob.xack(STREAM, GROUP, message_id)
    view = receiver.wait_for_names("xadd orders", "process orders", "process orders", "xack orders")
    producer = view.one("xadd orders")
    attempts = {span["tacho.consumer.name"]: span for span in view.named("process orders")}
    assert set(attempts) == {"alice", "bob"}
    assert attempts["alice"]["tacho.delivery.attempt"] == 1
    assert attempts["alice"]["tacho.outcome"] == "redelivered"
    assert attempts["bob"]["tacho.delivery.attempt"] == 2
    assert attempts["bob"].get("tacho.outcome", "acknowledged") == "acknowledged"
    for span in attempts.values():
        assert span.parent_id == producer.span_id and span.links_to(producer)
    assert attempts["alice"].span_id != attempts["bob"].span_id


def test_a_claim_of_ids_only_delivers_nothing(receiver, tacho, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    app = tacho.client()
    message_id = app.xadd(STREAM, {"n": "1"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    assert app.xclaim(STREAM, GROUP, "bob", 0, [message_id], justid=True) == [message_id]
    assert app.xautoclaim(STREAM, GROUP, "carol", 0, justid=True) == [message_id]
    app.xack(STREAM, GROUP, message_id)
    view = receiver.wait_for_names("process orders", "xack orders")
    assert len(view.named("process orders")) == 1, view


def test_reading_ones_own_pending_entries_again(receiver, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"n": "1"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    assert entries(app.xreadgroup(GROUP, "alice", {STREAM: "0"}))
    app.xack(STREAM, GROUP, message_id)
    view = receiver.wait_for_names("process orders", "xack orders")
    ended = [span for span in view.named("process orders") if span.get("tacho.outcome") != "redelivered"]
    assert len(ended) == 1


def test_deleting_an_entry_ends_its_process_span(receiver, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"n": "1"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    assert app.xdel(STREAM, message_id) == 1
    assert receiver.wait_for_names("process orders").one("process orders")["tacho.outcome"] == "deleted"


def test_acknowledging_twice_ends_once(receiver, app, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"n": "1"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    assert [app.xack(STREAM, GROUP, message_id), app.xack(STREAM, GROUP, message_id)] == [1, 0]
    assert app.xack(STREAM, GROUP, "1-1") == 0
    app.xadd("last", {"n": "1"})
    view = receiver.wait_for_names("process orders", "xack orders", "xadd last")
    assert len(view.named("process orders")) == 1


def test_two_groups_process_the_same_message(receiver, app, direct):
    for group in ("workers", "audit"):
        direct.xgroup_create(STREAM, group, id="0", mkstream=True)
    message_id = app.xadd(STREAM, {"n": "1"})
    for group in ("workers", "audit"):
        app.xreadgroup(group, "alice", {STREAM: ">"})
    for group in ("workers", "audit"):
        app.xack(STREAM, group, message_id)
    view = receiver.wait_for_names("process orders", "process orders", "xack orders", "xack orders")
    assert {span["messaging.consumer.group.name"] for span in view.named("process orders")} == {"workers", "audit"}
    assert {span.parent_id for span in view.named("process orders")} == {view.one("xadd orders").span_id}


def test_a_read_that_fails_is_an_error(receiver, app):
    with pytest.raises(Exception, match="NOGROUP"):
        app.xreadgroup("nobody", "alice", {STREAM: ">"})
    span = receiver.wait_for_names("xreadgroup orders").one("xreadgroup orders")
    assert span.status == "ERROR" and span["error.type"] == "NOGROUP"


# Strip: the round trip is invisible


@pytest.fixture
def strip(world, redis_server, receiver):
    return world.tacho(redis_server, receiver, context={"inject": "always", "deliver": "strip"})


class Twins:
    """The same entries twice: published through the program in database 0, and by hand in database 1."""

    def __init__(self, redis_server, tacho, protocol):
        self.ours = tacho.raw()
        self.control = RawClient(redis_server.address)
        for connection, database in ((self.ours, 0), (self.control, 1)):
            connection.call("HELLO", protocol)
            connection.call("SELECT", database)
        self.first = int(time.time() * 1000) - 5000

    def close(self):
        self.ours.close()
        self.control.close()

    def both(self, *words):
        """Both answers; they must be the same, byte for byte."""
        ours, control = self.ours.call(*words), self.control.call(*words)
        assert ours == control, f"{words}\nthrough us {ours!r}\ndirect     {control!r}"
        return ours

    def fill(self):
        contexts = ["traceparent", f"00-{TRACE}-{SPAN}-01"]
        lists = [["item", "book"], ["item", "pen", "price", "1"], ["f", "", "", "g"], contexts,
                 ["n", "1", *contexts, "correlationid", "order-17"], ["correlationid", "order-18", "n", "2"],
                 ["n", "3", "correlationid", "order-19"], ["traceparent", "nonsense", "correlationid", "x"],
                 ["blob", bytes(range(256)) * 20], ["last", "1"]]
        for number, fields in enumerate(lists):
            self.both("XADD", STREAM, f"{self.first + number}-0", *fields)
        return [f"{self.first + number}-0" for number in range(len(lists))]


@pytest.fixture
def twins(world, redis_server, strip, request):
    world.app_context(TRACE, SPAN)
    return world.keep(Twins(redis_server, strip, request.param))


both_protocols = pytest.mark.parametrize("twins", [2, 3], indirect=True, ids=["resp2", "resp3"])


@both_protocols
def test_strip_is_invisible_in_every_read(redis_server, receiver, twins):
    ids = twins.fill()
    assert len(dict(stored(redis_server)[0][1])) == 3, "the injected fields are in Redis all the same"
    twins.both("XREAD", "STREAMS", STREAM, "0")
    twins.both("XREAD", "COUNT", "3", "STREAMS", STREAM, ids[1])
    twins.both("XREAD", "BLOCK", "10", "STREAMS", STREAM, "$")
    twins.both("XREAD", "COUNT", "1", "STREAMS", STREAM, "nothing", "0", "0")
    twins.both("XRANGE", STREAM, "-", "+")
    twins.both("XRANGE", STREAM, ids[2], f"({ids[5]}", "COUNT", "2")
    twins.both("XREVRANGE", STREAM, "+", "-")
    twins.both("XREVRANGE", STREAM, "+", "-", "COUNT", "4")
    twins.both("XRANGE", "nothing", "-", "+")
    twins.both("XINFO", "STREAM", STREAM)


@both_protocols
def test_strip_is_invisible_to_groups(receiver, twins):
    ids = twins.fill()
    twins.both("XGROUP", "CREATE", STREAM, GROUP, "0")
    twins.both("XREADGROUP", "GROUP", GROUP, "alice", "COUNT", "6", "STREAMS", STREAM, ">")
    twins.both("XREADGROUP", "GROUP", GROUP, "alice", "STREAMS", STREAM, "0")
    twins.both("XREADGROUP", "GROUP", GROUP, "bob", "NOACK", "STREAMS", STREAM, ">")
    twins.both("XCLAIM", STREAM, GROUP, "bob", "0", *ids[:4])
    twins.both("XCLAIM", STREAM, GROUP, "bob", "0", *ids[:4], "JUSTID")
    twins.both("XDEL", STREAM, ids[2])
    twins.both("XAUTOCLAIM", STREAM, GROUP, "carol", "0", "0", "COUNT", "3")
    twins.both("XAUTOCLAIM", STREAM, GROUP, "carol", "0", "0")
    twins.both("XAUTOCLAIM", STREAM, GROUP, "carol", "0", "0", "JUSTID")
    twins.both("XREADGROUP", "GROUP", GROUP, "carol", "STREAMS", STREAM, "0")
    twins.both("XACK", STREAM, GROUP, *ids)


@both_protocols
def test_strip_is_invisible_in_transactions_and_pipelines(receiver, twins):
    ids = twins.fill()
    twins.both("MULTI")
    twins.both("XRANGE", STREAM, "-", "+")
    twins.both("XADD", STREAM, f"{twins.first + 100}-0", "n", "4")
    twins.both("XREAD", "STREAMS", STREAM, ids[7])
    twins.both("XINFO", "STREAM", STREAM)
    twins.both("EXEC")
    batch = command("XREAD", "STREAMS", STREAM, "0") + command("GET", "none") + command("XREVRANGE", STREAM, "+", "-")
    for connection in (twins.ours, twins.control):
        connection.send(batch * 20)
    assert twins.ours.replies(60) == twins.control.replies(60)


@both_protocols
def test_strip_is_invisible_in_the_full_description(receiver, twins):
    twins.fill()

    def described(reply):
        pairs = reply if isinstance(reply[0], tuple) else list(zip(reply[::2], reply[1::2]))
        return dict(pairs)

    for words in (["XINFO", "STREAM", STREAM, "FULL"], ["XINFO", "STREAM", STREAM, "FULL", "COUNT", "3"]):
        ours, control = (described(each.ask(*words)) for each in (twins.ours, twins.control))
        assert ours == control


@both_protocols
def test_strip_leaves_what_the_application_wrote(redis_server, receiver, twins):
    """An application that writes both fields itself sees both again, whatever their values."""
    ids = twins.fill()
    flat = dict(parse(twins.both("XRANGE", STREAM, ids[4], ids[4])))[ids[4].encode()]
    assert flat == [b"n", b"1", b"traceparent", f"00-{TRACE}-{SPAN}-01".encode(), b"correlationid", b"order-17"]


def test_strip_still_traces(receiver, strip, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    app = strip.client()
    message_id = app.xadd(STREAM, {"item": "book"})
    assert entries(app.xreadgroup(GROUP, "alice", {STREAM: ">"})) == [(message_id, {"item": "book"})]
    app.xack(STREAM, GROUP, message_id)
    view = receiver.wait_for_names("xadd orders", "process orders", "xack orders")
    assert view.one("process orders").parent_id == view.one("xadd orders").span_id


def test_keep_shows_the_entry_as_stored(redis_server, app):
    message_id = app.xadd(STREAM, {"item": "book"})
    assert [(message_id, list(fields.items())) for _, fields in app.xrange(STREAM)] == stored(redis_server)


# Publish and subscribe


@pytest.mark.parametrize("protocol", [2, 3])
def test_publish_and_subscribe_have_spans(receiver, tacho, protocol):
    with tacho.raw() as subscriber, tacho.raw() as publisher:
        subscriber.call("HELLO", protocol)
        subscriber.call("SUBSCRIBE", "news")
        subscriber.call("PSUBSCRIBE", "new*")
        assert publisher.ask("PUBLISH", "news", "hello") == 2
        assert list(parse(subscriber.reply())) == [b"message", b"news", b"hello"]
        assert list(parse(subscriber.reply())) == [b"pmessage", b"new*", b"news", b"hello"]
    view = receiver.wait_for_names("publish news", "process news", "process new*")
    published = view.one("publish news")
    assert published["messaging.operation.type"] == "send"
    assert published.kind == "CLIENT", "the payload is not touched, so no context is injected"
    assert view.one("process news").kind == "CONSUMER"
    assert view.one("process new*")["messaging.destination.template"] == "new*"
    assert view.one("process new*")["messaging.destination.name"] == "news"
