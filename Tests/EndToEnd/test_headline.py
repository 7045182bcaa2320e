"""The main job: one message's life, from publish to acknowledgement, is one trace."""

import asyncio
import shutil
import subprocess

import pytest
import redis.asyncio

from harness import Address, command, injected_context, parse, stored

GROUP, STREAM = "workers", "orders"


def assert_common(span, redis_server, operation_type):
    assert span["messaging.system"] == "redis"
    assert span["messaging.operation.type"] == operation_type
    assert span["messaging.destination.name"] == STREAM
    assert span["server.address"] == "127.0.0.1"
    assert span["server.port"] == redis_server.address.port
    assert span.resource["service.name"] == "shop"
    assert span.status == "UNSET"
    assert "messaging.batch.message_count" not in span.attributes


@pytest.mark.parametrize("protocol", [2, 3])
def test_one_trace_from_publish_to_acknowledgement(redis_server, receiver, tacho, direct, protocol):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    app = tacho.client(protocol=protocol)
    message_id = app.xadd(STREAM, {"item": "book", "price": "12"})
    delivered = app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    assert message_id in repr(delivered)
    assert app.xack(STREAM, GROUP, message_id) == 1
    view = receiver.wait_for_names("xadd orders", "xreadgroup orders", "process orders", "xack orders")
    assert len(view.spans) == 4

    published = view.one("xadd orders")
    assert_common(published, redis_server, "send")
    assert published.kind == "PRODUCER"
    assert published.parent_id == ""
    assert published["messaging.message.id"] == message_id

    [(entry_id, fields)] = stored(redis_server)
    (trace_id, span_id), correlation_id = injected_context(fields, [("item", "book"), ("price", "12")])
    assert entry_id == message_id
    assert published.context == (trace_id, span_id)
    assert published["messaging.message.conversation_id"] == correlation_id

    processed = view.one("process orders")
    assert_common(processed, redis_server, "process")
    assert processed.kind == "CONSUMER"
    assert processed.trace_id == trace_id and processed.parent_id == span_id
    assert [link.context for link in processed.links] == [(trace_id, span_id)]
    assert processed["messaging.consumer.group.name"] == GROUP
    assert processed["tacho.consumer.name"] == "alice"
    assert processed["tacho.delivery.attempt"] == 1
    assert processed["tacho.queue.seconds"] >= 0
    assert processed["messaging.message.id"] == message_id
    assert processed["messaging.message.conversation_id"] == correlation_id

    received = view.one("xreadgroup orders")
    assert_common(received, redis_server, "receive")
    assert received.kind == "CLIENT"
    assert [link.context for link in received.links] == [(trace_id, span_id)]
    assert received["messaging.consumer.group.name"] == GROUP

    settled = view.one("xack orders")
    assert_common(settled, redis_server, "settle")
    assert settled.kind == "CLIENT"
    assert settled.links_to(published)
    assert settled["messaging.consumer.group.name"] == GROUP

    assert set(view.traces) == {trace_id}
    assert published.start <= received.end <= settled.end


def test_producer_and_consumer_on_different_connections(redis_server, receiver, tacho, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    producer, consumer, settler = tacho.client(), tacho.client(), tacho.client()
    message_id = producer.xadd(STREAM, {"n": "1"})
    consumer.xreadgroup(GROUP, "alice", {STREAM: ">"})
    settler.xack(STREAM, GROUP, message_id)
    view = receiver.wait_for_names("xadd orders", "process orders", "xack orders")
    assert view.one("process orders").parent_id == view.one("xadd orders").span_id
    assert view.one("xack orders").links_to(view.one("xadd orders"))


def test_unix_sockets_on_both_sides(world, redis_server, receiver, direct):
    listen = Address(path=str(world.scratch / "tacho.sock"))
    tacho = world.tacho(redis_server.unix_address, receiver, listen=listen)
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    app = tacho.client()
    message_id = app.xadd(STREAM, {"n": "1"})
    app.xreadgroup(GROUP, "alice", {STREAM: ">"})
    app.xack(STREAM, GROUP, message_id)
    view = receiver.wait_for_names("xadd orders", "process orders", "xack orders")
    assert view.one("xadd orders")["server.address"] == redis_server.unix_address.path
    assert "server.port" not in view.one("xadd orders").attributes


def test_asyncio_producers_and_consumers(receiver, tacho, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    count = 40

    async def run():
        app = redis.asyncio.Redis(host="127.0.0.1", port=tacho.address.port, decode_responses=True, socket_timeout=60)
        ids = await asyncio.gather(*[app.xadd(STREAM, {"n": str(number)}) for number in range(count)])

        async def consume(name):
            done = 0
            while got := await app.xreadgroup(GROUP, name, {STREAM: ">"}, count=1):
                entries = got[0][1] if isinstance(got, list) else next(iter(got.values()))[0]
                done += await app.xack(STREAM, GROUP, entries[0][0])
            return done

        done = await asyncio.gather(*[consume(f"c{number}") for number in range(4)])
        await app.aclose()
        return ids, sum(done)

    ids, done = asyncio.run(run())
    assert done == count
    view = receiver.wait_for(lambda seen: [len(seen.named(f"{name} orders")) for name in ("xadd", "process", "xack")]
                             == [count] * 3)
    for message_id in ids:
        [published] = view.with_message("xadd orders", message_id)
        [processed] = view.with_message("process orders", message_id)
        assert processed.trace_id == published.trace_id and processed.parent_id == published.span_id


def test_blocking_read_delivers_what_is_published_later(receiver, tacho, direct):
    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    with tacho.raw() as consumer:
        consumer.send(command("XREADGROUP", "GROUP", GROUP, "alice", "BLOCK", "20000", "STREAMS", STREAM, ">"))
        message_id = tacho.client().xadd(STREAM, {"n": "1"})
        [[stream, [[entry_id, _]]]] = parse(consumer.reply())
        assert (stream, entry_id.decode()) == (b"orders", message_id)
        assert consumer.ask("XACK", STREAM, GROUP, message_id) == 1
    view = receiver.wait_for_names("xadd orders", "xreadgroup orders", "process orders", "xack orders")
    assert view.one("process orders").parent_id == view.one("xadd orders").span_id


def test_redis_cli_by_the_three_commands(redis_server, receiver, tacho, direct):
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")

    def cli(*words):
        done = subprocess.run(["redis-cli", "-p", str(tacho.address.port), *words],
                              capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    direct.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    message_id = cli("XADD", STREAM, "*", "item", "book")
    assert message_id in cli("XREADGROUP", "GROUP", GROUP, "alice", "STREAMS", STREAM, ">")
    assert cli("XACK", STREAM, GROUP, message_id) == "1"
    view = receiver.wait_for_names("xadd orders", "process orders", "xack orders")
    assert len(view.traces) == 1, view
    assert view.one("process orders").parent_id == view.one("xadd orders").span_id
    assert view.one("process orders")["tacho.queue.seconds"] >= 0


def test_the_name_of_the_client_is_told(receiver, tacho):
    tacho.client(client_name="checkout-1").xadd(STREAM, {"n": "1"})
    view = receiver.wait_for_names("xadd orders")
    assert view.one("xadd orders")["messaging.client.id"] == "checkout-1"
