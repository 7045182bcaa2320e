"""JetStream through the program: acknowledged publishing, pull, push and ordered consumers, settling, stores."""

import asyncio
import os

import pytest
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import APIError, BadRequestError, NoStreamResponseError
from test_nats_core import programs, run_program  # noqa: F401

from harness import NatsApp, collect, run, until

STREAM, SUBJECT = "ORDERS", "orders.new"


async def with_stream(target, **more):
    """A client with JetStream, and the stream."""
    app = await NatsApp.connect(target)
    js = app.jetstream()
    await js.add_stream(StreamConfig(name=STREAM, subjects=["orders.>"], **more))
    return app, js


def consumer(**more):
    return ConsumerConfig(**{"durable_name": "workers", "ack_policy": AckPolicy.EXPLICIT, **more})


def test_publishing_ends_with_the_acknowledgement(nats, nats_tacho, receiver):
    async def scenario():
        _, js = await with_stream(nats_tacho)
        first = await js.publish(SUBJECT, b"one", headers={"Nats-Msg-Id": "7"})
        second = await js.publish(SUBJECT, b"one", headers={"Nats-Msg-Id": "7"})
        third = await js.publish(SUBJECT, b"two")
        assert (first.seq, second.seq, third.seq) == (1, 1, 2) and second.duplicate

    run(scenario())
    spans = receiver.wait_for(lambda seen: len(seen.named("publish orders.new")) == 3).named("publish orders.new")
    assert [span["messaging.message.id"] for span in spans] == ["1", "1", "2"]
    assert {span.get("tacho.stream.name") for span in spans} == {STREAM}
    assert [span.get("tacho.outcome") for span in spans] == [None, "duplicate", None]
    assert all(span.end > span.start and span.status == "UNSET" for span in spans)


def test_what_the_stream_refuses(nats_tacho, receiver):
    async def scenario():
        _, js = await with_stream(nats_tacho)
        await js.publish(SUBJECT, b"x")
        with pytest.raises(APIError):
            await js.publish(SUBJECT, b"x", headers={"Nats-Expected-Last-Sequence": "99"})
        with pytest.raises(NoStreamResponseError):
            await js.publish("nowhere", b"x")

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.spans) == 3)
    refused = view.named("publish orders.new")[1]
    assert refused.status == "ERROR" and refused["error.type"] == "10071"
    [nowhere] = [span for span in view.spans if span["messaging.destination.name"] == "nowhere"]
    assert nowhere.status == "ERROR" and nowhere["error.type"] == "503"


def test_a_pull_consumer_fetches_and_acknowledges(nats, nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        subscription = await js.pull_subscribe("orders.>", durable="workers", stream=STREAM)
        for number in range(5):
            await js.publish(SUBJECT, b"%d" % number)
        for message in await subscription.fetch(5, timeout=10):
            await message.ack()
        [] = await nothing(subscription)
        await app.flush()

    async def nothing(subscription):
        with pytest.raises(NatsTimeout):
            await subscription.fetch(2, timeout=0.3)
        return []

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.named("process ORDERS")) == 5 and seen.named("fetch ORDERS"))
    sends = {span["messaging.message.id"]: span for span in view.named("publish orders.new")}
    batch = max(view.named("fetch ORDERS"), key=lambda span: span.get("messaging.batch.message_count", 0))
    assert batch.kind == "CLIENT" and batch["messaging.batch.message_count"] == 5
    assert all(batch.links_to(send) for send in sends.values())
    for process in view.named("process ORDERS"):
        send = sends[process["messaging.message.id"]]
        assert process.kind == "CONSUMER" and process.parent_id == send.span_id
        assert process["messaging.consumer.group.name"] == "workers"
        assert process["messaging.destination.name"] == STREAM
        assert process["tacho.consumer.sequence"] == int(process["messaging.message.id"])
        assert process["tacho.consumer.pending"] == 5 - process["tacho.consumer.sequence"]
    assert len(view.named("ack ORDERS")) == 5 and {span.kind for span in view.named("ack ORDERS")} == {"CLIENT"}
    metrics = nats_tacho.metrics()
    assert metrics.sum("tacho_queue_seconds_count", messaging_system="nats") == 5
    assert metrics.sum("messaging_process_duration_seconds_count", messaging_system="nats") == 5
    assert metrics.sum("tacho_deliveries_open") == 0


def test_one_message_at_a_time(nats_tacho, receiver):
    async def scenario():
        _, js = await with_stream(nats_tacho)
        subscription = await js.pull_subscribe("orders.>", durable="workers", stream=STREAM)
        await js.publish(SUBJECT, b"x")
        [message] = await subscription.fetch(1, timeout=10)
        await message.ack_sync(timeout=10)

    run(scenario())
    view = receiver.wait_for_names("publish orders.new", "fetch ORDERS", "process ORDERS", "ack ORDERS")
    send, process = view.one("publish orders.new"), view.one("process ORDERS")
    assert {span.trace_id for span in view.spans} == {send.trace_id}
    assert process.links_to(send) and process.end >= process.start


def test_a_push_consumer_with_a_queue_group(nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        done = []

        async def work(message):
            await message.ack()
            done.append(message.data)

        for _ in range(2):
            other = await NatsApp.connect(nats_tacho)
            await other.jetstream().subscribe("orders.>", queue="team", durable="team", stream=STREAM, cb=work,
                                              manual_ack=True)
        for number in range(10):
            await js.publish(SUBJECT, b"%d" % number)
        await until(lambda: len(done) == 10, what="the work")
        await app.flush()

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.named("process ORDERS")) == 10)
    sends = {span.span_id for span in view.named("publish orders.new")}
    assert {span.parent_id for span in view.named("process ORDERS")} == sends
    assert {span["messaging.consumer.group.name"] for span in view.named("process ORDERS")} == {"team"}


@pytest.mark.parametrize("way", ["nak", "delayed nak", "term", "timeout"])
def test_messages_that_come_again_and_that_do_not(nats_tacho, receiver, way):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        subscription = await js.pull_subscribe(
            "orders.>", durable="workers", stream=STREAM, config=consumer(ack_wait=1.0))
        await js.publish(SUBJECT, b"x")
        [message] = await subscription.fetch(1, timeout=10)
        if way == "nak":
            await message.nak()
        elif way == "delayed nak":
            await message.nak(delay=0.3)
        elif way == "term":
            await message.term()
            await app.flush()
            return
        [again] = await subscription.fetch(1, timeout=10)
        assert again.metadata.num_delivered == 2
        await again.ack()
        await app.flush()

    run(scenario())
    if way == "term":
        view = receiver.wait_for_names("process ORDERS", "term ORDERS")
        assert view.one("process ORDERS").get("tacho.outcome") == "terminated"
        return
    view = receiver.wait_for(lambda seen: len(seen.named("process ORDERS")) == 2 and seen.named("ack ORDERS"))
    first, second = sorted(view.named("process ORDERS"), key=lambda span: span.start)
    assert {first.parent_id, second.parent_id} == {view.one("publish orders.new").span_id}
    assert second["tacho.delivery.attempt"] == 2
    if way != "timeout":
        assert first.get("tacho.outcome") == "rejected" and view.named("nack ORDERS")
    assert nats_tacho.metrics().sum("tacho_redeliveries_total", messaging_system="nats") == 1


def test_work_that_takes_longer(nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        subscription = await js.pull_subscribe(
            "orders.>", durable="workers", stream=STREAM, config=consumer(ack_wait=1.0))
        await js.publish(SUBJECT, b"x")
        [message] = await subscription.fetch(1, timeout=10)
        for _ in range(3):
            await asyncio.sleep(0.5)
            await message.in_progress()
        await message.ack()
        await app.flush()

    run(scenario())
    process = receiver.wait_for_names("process ORDERS", "ack ORDERS").one("process ORDERS")
    assert process.end - process.start > 1_400_000_000 and process.get("tacho.outcome") is None


@pytest.mark.partial_traces("the last delivery of a message that nobody acknowledges has no end of its own")
def test_a_message_that_was_delivered_too_often_is_a_dead_letter_of_its_trace(nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        advisories = await app.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>")
        subscription = await js.pull_subscribe(
            "orders.>", durable="workers", stream=STREAM, config=consumer(ack_wait=0.5, max_deliver=2))
        await js.publish(SUBJECT, b"poison")
        for _ in range(2):
            await subscription.fetch(1, timeout=10)
        with pytest.raises(NatsTimeout):
            await subscription.fetch(1, timeout=1)
        await advisories.next_msg(timeout=10)

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.named("process ORDERS")) == 2)
    last = max(view.named("process ORDERS"), key=lambda span: span.start)
    assert last.get("tacho.outcome") == "dead_lettered"
    assert last.get("tacho.dead_letter.reason") == "max_deliveries"
    assert last.trace_id == view.one("publish orders.new").trace_id
    assert nats_tacho.metrics().sum("tacho_dead_letters_total", reason="max_deliveries") == 1


def test_a_dead_letter_is_on_its_trace_also_when_its_consumer_has_given_it_back(nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        advisories = await app.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>")
        # Made past the sidecar, which so does not know how often is too often.
        past = await NatsApp.connect(nats_tacho.upstream)
        await past.jetstream().add_consumer(STREAM, consumer(ack_wait=0.5, max_deliver=1))
        subscription = await js.pull_subscribe_bind("workers", STREAM)
        await js.publish(SUBJECT, b"poison")
        await (await subscription.fetch(1, timeout=10))[0].nak(delay=0.2)
        with pytest.raises(NatsTimeout):
            await subscription.fetch(1, timeout=1)
        await advisories.next_msg(timeout=10)

    run(scenario())
    view = receiver.wait_for_names("process ORDERS", "dead_letter ORDERS")
    processed, given_up = view.one("process ORDERS"), view.one("dead_letter ORDERS")
    assert processed.get("tacho.outcome") == "rejected" and processed.get("tacho.redelivery.delay.seconds") == 0.2
    assert given_up.parent_id == processed.span_id and given_up.get("tacho.dead_letter.reason") == "max_deliveries"


def test_without_a_word_of_the_server_the_last_delivery_tells(nats_tacho, receiver):
    async def scenario():
        _, js = await with_stream(nats_tacho)
        subscription = await js.pull_subscribe(
            "orders.>", durable="workers", stream=STREAM, config=consumer(ack_wait=2.0, max_deliver=1))
        await js.publish(SUBJECT, b"poison")
        await js.publish(SUBJECT, b"food")
        _, food = await subscription.fetch(2, timeout=10)
        await food.ack()
        await asyncio.to_thread(receiver.wait_for_names, "process ORDERS", "process ORDERS")

    run(scenario())
    poison, food = sorted(receiver.view().named("process ORDERS"), key=lambda span: span["messaging.message.id"])
    assert poison.get("tacho.dead_letter.reason") == "inferred" and food.get("tacho.dead_letter.reason") is None
    assert nats_tacho.metrics().sum("tacho_dead_letters_total") == 1


def test_an_acknowledgement_of_all_ends_what_came_before(nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        subscription = await js.pull_subscribe(
            "orders.>", durable="workers", stream=STREAM, config=consumer(ack_policy=AckPolicy.ALL))
        for number in range(5):
            await js.publish(SUBJECT, b"%d" % number)
        messages = await subscription.fetch(5, timeout=10)
        await messages[3].ack()
        await app.flush()

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.named("process ORDERS")) == 4)
    assert view.one("ack ORDERS").get("messaging.batch.message_count") == 4
    assert nats_tacho.metrics().sum("tacho_deliveries_open") == 1


def test_an_ordered_consumer(nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        for number in range(30):
            await js.publish(SUBJECT, b"%d" % number)
        subscription = await js.subscribe("orders.>", stream=STREAM, ordered_consumer=True)
        assert [message.data for message in await collect(subscription, 30)] == [b"%d" % n for n in range(30)]
        await app.flush()

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.named("process ORDERS")) == 30)
    sends = {span.span_id for span in view.named("publish orders.new")}
    assert {span.parent_id for span in view.named("process ORDERS")} == sends
    for span in view.spans:
        assert "_INBOX" not in span.name + str(span.attributes)


def test_heartbeats_and_flow_control_are_no_messages(nats_tacho, receiver):
    async def scenario():
        app, js = await with_stream(nats_tacho)
        subscription = await js.subscribe("orders.>", stream=STREAM, flow_control=True, idle_heartbeat=0.2)
        await js.publish(SUBJECT, b"x")
        await (await subscription.next_msg(timeout=10)).ack()
        await asyncio.sleep(1)
        await app.flush()

    run(scenario())
    view = receiver.wait_for_names("process ORDERS", "ack ORDERS")
    assert len(view.named("process ORDERS")) == 1
    assert nats_tacho.metrics().sum("messaging_client_consumed_messages_total", messaging_system="nats") == 1


def test_a_key_value_bucket(nats_tacho, receiver):
    async def scenario():
        app = await NatsApp.connect(nats_tacho)
        js = app.jetstream()
        bucket = await js.create_key_value(bucket="settings", history=3)
        watcher = await bucket.watchall()
        await bucket.put("colour", b"red")
        assert (await bucket.get("colour")).value == b"red"
        await bucket.update("colour", b"blue", last=1)
        await bucket.create("size", b"9")
        with pytest.raises(BadRequestError):
            await bucket.update("colour", b"green", last=1)
        await bucket.delete("size")
        seen = []
        while len(seen) < 4:
            entry = await watcher.updates(timeout=60)
            if entry is not None:
                seen.append((entry.key, entry.operation))
        assert seen[-1] == ("size", "DEL")
        await watcher.stop()

    run(scenario())
    view = receiver.wait_for(lambda seen: len(seen.named("put $KV.settings")) == 4 and seen.named(
        "delete $KV.settings"))
    assert sorted(span.status for span in view.named("put $KV.settings")) == ["ERROR", "UNSET", "UNSET", "UNSET"]
    assert view.named("get $KV.settings")
    for span in view.spans:
        assert "colour" not in span.name + str(span.attributes), "keys are not told"


def test_an_object_store(nats_tacho, receiver):
    async def scenario():
        app = await NatsApp.connect(nats_tacho)
        js = app.jetstream()
        store = await js.create_object_store(bucket="files")
        body = os.urandom(400_000)
        await store.put("picture", body)
        assert (await store.get("picture")).data == body
        await store.delete("picture")

    run(scenario())
    view = receiver.wait_for(lambda seen: seen.named("put $O.files"))
    assert any(span["messaging.destination.name"] == "$O.files" for span in view.spans)
    for span in view.spans:
        assert "picture" not in span.name + str(span.attributes)
    assert nats_tacho.metrics().sum("tacho_sessions_opaque_total") == 0


def test_across_domains_of_a_leaf(world, receiver):
    """A consumer of the hub's stream that is connected to the leaf: the longer form of the acknowledgement's subject."""
    hub, leaf = world.nats_leaf_pair()
    there, here = world.tacho(hub, receiver, service="centre"), world.tacho(leaf, receiver, service="edge")

    async def scenario():
        _, js = await with_stream(there)
        await js.publish(SUBJECT, b"x")
        app = await NatsApp.connect(here)
        subscription = await app.jetstream(domain="hub").pull_subscribe("orders.>", durable="workers", stream=STREAM)
        [message] = await subscription.fetch(1, timeout=10)
        await message.ack()
        await app.flush()

    run(scenario())
    view = receiver.wait_for_names("publish orders.new", "process ORDERS")
    process = view.one("process ORDERS")
    assert process.parent_id == view.one("publish orders.new").span_id
    assert process.resource["service.name"] == "edge"


def test_a_stream_that_outlives_its_server(nats, nats_tacho, receiver):
    """Published before, consumed after: the context was stored with the message."""
    async def before():
        _, js = await with_stream(nats_tacho)
        await js.publish(SUBJECT, b"x")

    async def after():
        app = await NatsApp.connect(nats_tacho)
        subscription = await app.jetstream().pull_subscribe("orders.>", durable="workers", stream=STREAM)
        [message] = await subscription.fetch(1, timeout=10)
        await message.ack()
        await app.flush()

    run(before())
    nats.restart()
    run(after())
    view = receiver.wait_for_names("publish orders.new", "process ORDERS", "ack ORDERS")
    assert view.one("process ORDERS").parent_id == view.one("publish orders.new").span_id


def test_the_c_client(programs, nats_tacho, receiver):  # noqa: F811
    assert run_program(programs["jetstream"], f"nats://{nats_tacho.address}") == [
        "published 20", "duplicate", "pulled 20", "pushed 20", "settled"]
    view = receiver.wait_for(lambda seen: len(seen.named("process CSTREAM")) == 40)
    assert len(view.named("publish c.js")) == 21
    assert {span["messaging.consumer.group.name"] for span in view.named("process CSTREAM")} == {"puller", "pusher"}
    assert nats_tacho.metrics().sum("tacho_sessions_opaque_total") == 0
