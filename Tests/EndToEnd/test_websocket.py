"""The event log over WebSocket, with a real client: `/streams/{stream}/socket`."""

import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from harness import StreamSocket, wait_for
from harness.stream_socket import event, offsets


@pytest.fixture
def log(world, receiver):
    return world.tacho("embedded", receiver)


@pytest.fixture
def open_socket(world, log):
    """Opens a socket on a stream, closed with the test."""
    return lambda stream="orders", **options: world.keep(StreamSocket(log.http, stream, **options))


def closing(ws):
    """The code and reason with which the server ends the connection."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            ws.connection.recv(timeout=60)
    return caught.value.rcvd.code, caught.value.rcvd.reason


def closed_count(log, reason):
    return log.metrics().sum("tacho_sockets_closed_total", reason=reason)


def test_publish_and_follow(log, open_socket):
    publisher, follower = open_socket(), open_socket()
    assert follower.ask("subscribe", **{"from": "first", "credit": 100})[1]["next_offset"] == 1
    word, receipt = publisher.publish("a-1", data={"item": "book"}, subject="o-1", region="eu")
    assert (word, receipt["offset"], receipt["duplicate"]) == ("published", 1, False)
    [delivered] = follower.take(1)
    assert (delivered["id"], delivered["source"], delivered["type"]) == ("a-1", "/shop", "order.placed")
    assert (delivered["subject"], delivered["region"], delivered["data"]) == ("o-1", "eu", {"item": "book"})
    assert delivered["tachoid"] == receipt["id"] and delivered["tachosubscription"] == "default"
    # The same event as a Redis client sees it, and one of a Redis client as the socket shows it.
    [(entry_id, fields)] = log.client().xrange("orders")
    assert entry_id == receipt["id"] and fields["ce_id"] == "a-1" and json.loads(fields["data"]) == {"item": "book"}
    log.client().xadd("orders", {"item": "pen"})
    [plain] = follower.take(1)
    assert plain["type"] == "tacho.entry" and plain["data"]["item"] == "pen" and plain["tachooffset"] == "2"


def test_a_trace_from_publish_to_acknowledgement(open_socket, receiver):
    ws = open_socket()
    ws.publish("e-1")
    ws.ask("subscribe", group="workers", consumer="a", credit=1, **{"from": "first"})
    [taken] = ws.take(1)
    ws.ask("ack", ids=[taken["tachoid"]])
    view = receiver.wait_for_names("publish orders", "receive orders", "process orders", "ack orders")
    published, processed = view.one("publish orders"), view.one("process orders")
    assert published["messaging.system"] == "tachograph" and published["messaging.message.id"] == taken["tachoid"]
    assert processed.trace_id == published.trace_id and processed.parent_id == published.span_id
    assert taken["traceparent"].split("-")[1] == published.trace_id
    assert view.one("ack orders").links_to(published)


def test_filters_pass_over_events(open_socket):
    ws = open_socket()
    kinds = ["order.placed", "order.paid", "cart.opened", "order.paid.late"]
    for number, kind in enumerate(kinds * 2):
        ws.publish(f"e-{number}", type=kind, source=f"/shop/{number % 2}")
    wishes = {
        "exact": ({"exact": {"type": "order.paid"}}, [2, 6]),
        "prefix": ({"prefix": {"type": "order."}}, [1, 2, 4, 5, 6, 8]),
        "suffix": ({"suffix": {"type": ".late"}}, [4, 8]),
        "all": ({"all": [{"prefix": {"type": "order."}}, {"exact": {"source": "/shop/0"}}]}, [1, 5]),
        "any": ({"any": [{"exact": {"type": "cart.opened"}}, {"exact": {"id": "e-7"}}]}, [3, 7, 8]),
        "not": ({"not": {"prefix": {"type": "order."}}}, [3, 7]),
    }
    for name, (wish, expected) in wishes.items():
        assert ws.ask("subscribe", subscription=name, filter=wish, credit=10, **{"from": "first"})[0] == "subscribed"
        taken = ws.take(len(expected))
        assert offsets(taken) == expected and {each["tachosubscription"] for each in taken} == {name}
    ws.nothing_comes()
    word, problem = ws.ask("subscribe", subscription="sql", filter={"sql": "type = 'x'"})
    assert word == "refused" and problem["status"] == 400 and "unknown filter dialect" in problem["detail"]


def test_credit_is_what_is_delivered(open_socket):
    ws = open_socket()
    for number in range(30):
        ws.publish(f"e-{number}")
    ws.ask("subscribe", **{"from": "first"})
    ws.nothing_comes()
    ws.tell("credit", events=7)
    assert offsets(ws.take(7)) == list(range(1, 8))
    ws.nothing_comes()
    ws.tell("credit", events=100)
    assert offsets(ws.take(23)) == list(range(8, 31))


def test_acknowledge_give_back_and_keep_longer(log, open_socket):
    ws = open_socket()
    word, problem = ws.ask("subscribe", group="workers", consumer="a", credit=10)
    assert word == "subscribed"
    word, problem = ws.answer()
    assert word == "ended" and problem["status"] == 404
    for number in range(3):
        ws.publish(f"e-{number}")
    ws.ask("subscribe", group="workers", consumer="a", credit=10, **{"from": "first"})
    first, second, third = (each["tachoid"] for each in ws.take(3))
    assert ws.ask("ack", ids=[first])[1]["count"] == 1
    assert ws.ask("ack", ids=[first])[1]["count"] == 0
    assert ws.ask("extend", ids=[second], lease_milliseconds=60_000)[1]["count"] == 1
    assert ws.ask("nack", ids=[third], delay_milliseconds=0, reason="no stock")[1]["count"] == 1
    [again] = ws.take(1)
    assert again["tachoid"] == third and again["tachoattempt"] == 2
    assert ws.ask("nack", ids=[third], final=True, reason="broken")[1]["count"] == 1
    ws.nothing_comes()
    assert log.client().xpending("orders", "workers")["pending"] == 1


def test_what_a_lost_socket_held_is_delivered_again(log, open_socket):
    first = open_socket()
    for number in range(4):
        first.publish(f"e-{number}")
    first.ask("subscribe", group="workers", consumer="a", credit=4, **{"from": "first"})
    taken = first.take(4)
    first.ask("ack", ids=[taken[0]["tachoid"]])
    first.drop()
    second = open_socket()
    second.ask("subscribe", group="workers", consumer="b", credit=10)
    again = second.take(3)
    assert {each["tachoid"] for each in again} == {each["tachoid"] for each in taken[1:]}
    assert {each["tachoattempt"] for each in again} == {2}
    assert second.ask("ack", ids=[each["tachoid"] for each in again])[1]["count"] == 3
    wait_for(lambda: closed_count(log, "lost") == 1, what="the lost socket to be counted")


def test_a_lease_that_ends_brings_the_event_again(open_socket):
    ws = open_socket()
    ws.publish("e-1")
    ws.ask("subscribe", group="workers", consumer="a", credit=2, lease_milliseconds=300, **{"from": "first"})
    [first, again] = ws.take(2)
    assert first["tachoid"] == again["tachoid"] and (first["tachoattempt"], again["tachoattempt"]) == (1, 2)


def test_resume_behind_the_last_offset(open_socket):
    first = open_socket()
    for number in range(10):
        first.publish(f"e-{number}")
    first.ask("subscribe", credit=4, **{"from": "first"})
    last = offsets(first.take(4))[-1]
    first.drop()
    second = open_socket()
    second.ask("subscribe", credit=100, **{"from": last + 1})
    assert offsets(second.take(6)) == [5, 6, 7, 8, 9, 10]


def test_a_group_is_read_with_one_filter(open_socket):
    one, other = open_socket(), open_socket()
    paid = {"exact": {"type": "order.paid"}}
    wish = {"group": "paid", "from": "first", "credit": 10}
    assert one.ask("subscribe", consumer="a", filter=paid, **wish)[0] == "subscribed"
    word, problem = other.ask("subscribe", consumer="b", **wish)
    assert word == "refused" and problem["status"] == 409
    for number, kind in enumerate(["order.placed", "order.paid"] * 3):
        one.publish(f"e-{number}", type=kind)
    assert offsets(one.take(3)) == [2, 4, 6]
    assert one.ask("unsubscribe")[0] == "unsubscribed"
    # What the filter left out is done with for the group; what was in hand comes again, to whoever wants all.
    assert other.ask("subscribe", consumer="b", **wish)[0] == "subscribed"
    assert sorted(offsets(other.take(3))) == [2, 4, 6]
    other.nothing_comes()


def test_a_consumer_that_does_not_read_is_slowed_then_dropped(world, receiver):
    log = world.tacho("embedded", receiver, settings={"http": {"limits": {"socket_stall_seconds": 1}}})
    app = log.client()
    pipe = app.pipeline()
    for number in range(400):
        pipe.xadd("big", {"ce_id": str(number), "ce_source": "/t", "ce_type": "big", "ce_datacontenttype": "text/plain",
                          "data": "x" * 50_000})
    pipe.execute()
    ws = world.keep(StreamSocket(log.http, "big", max_queue=1))
    ws.tell("subscribe", credit=100_000, **{"from": "first"})
    wait_for(lambda: closed_count(log, "slow_consumer") == 1)
    # It was not sent all of it, and what it was sent ends with the reason.
    delivered = log.metrics().sum("tacho_socket_events_total", direction="delivered")
    assert 0 < delivered < 400
    code, reason = closing(ws)
    assert code == 1008 and reason.startswith("slow consumer")
    assert app.ping()


@pytest.mark.parametrize("text, code", [
    ("{", 1007), ("[]", 1007), ('{"specversion":"1.0","id":"1","source":"/x"}', 1007),
    (event("1", data="x" * (1 << 20)), 1009), (event("1").encode(), 1003),
], ids=["no JSON", "no object", "no type", "too large", "binary"])
def test_messages_that_no_client_may_send(log, open_socket, text, code):
    ws = open_socket()
    ws.send(text)
    found, reason = closing(ws)
    assert found == code and reason
    assert open_socket().publish("fine")[0] == "published"


def serialized(frame):
    """The bytes of a masked frame; the library itself would not write a reserved bit."""
    reserved = 0x40 if frame.rsv1 else 0
    frame.rsv1 = False
    first, *rest = frame.serialize(mask=True)
    return bytes([first | reserved, *rest])


@pytest.mark.parametrize("frames, code", [
    ([Frame(Opcode.TEXT, b"\xff\xfe")], 1007),
    ([Frame(Opcode.CONT, b"x")], 1002),
    ([Frame(Opcode.TEXT, b"{", fin=False), Frame(Opcode.TEXT, b"}")], 1002),
    ([Frame(Opcode.TEXT, b"{}", rsv1=True)], 1002),
    ([Frame(Opcode.TEXT, b"x" * 600_000, fin=False), Frame(Opcode.CONT, b"x" * 600_000)], 1009),
], ids=["not UTF-8", "continuation", "interleaved", "reserved bit", "fragments"])
def test_frames_that_no_client_may_send(open_socket, frames, code):
    ws = open_socket(compression=None)
    for frame in frames:
        ws.connection.socket.sendall(serialized(frame))
    found, reason = closing(ws)
    assert found == code and reason


def test_a_frame_that_is_not_masked_is_refused(open_socket):
    ws = open_socket(compression=None)
    ws.connection.socket.sendall(Frame(Opcode.TEXT, b"{}").serialize(mask=False))
    assert closing(ws)[0] == 1002


def test_a_message_in_fragments_and_a_byte_at_a_time(open_socket):
    ws = open_socket(compression=None)
    text = event("é-1").encode()
    parts = [Frame(Opcode.TEXT, text[:30], fin=False), Frame(Opcode.PING, b"?"),
             Frame(Opcode.CONT, text[30:], fin=True)]
    for byte in b"".join(part.serialize(mask=True) for part in parts):
        ws.connection.socket.sendall(bytes([byte]))
    assert ws.answer("é-1")[0] == "published"


def test_who_is_not_let_in(log, open_socket):
    def status(stream="orders", **options):
        with pytest.raises(InvalidStatus) as caught:
            open_socket(stream, **options)
        response = caught.value.response
        assert response.headers["content-type"] == "application/problem+json"
        return response.status_code, json.loads(response.body)["detail"]

    assert status(subprotocols=("cloudevents.avro",)) == (
        400, "Sec-WebSocket-Protocol: expected cloudevents.json, the only event format that is spoken here")
    assert status(subprotocols=())[0] == 400
    assert status(origin="http://evil.example")[0] == 403
    assert status(origin="null")[0] == 403
    assert status(host="evil.example")[0] == 403
    assert status(stream="%zz")[0] in (400, 404)
    code, body = log.get("/streams/orders/socket")
    assert code == 400 and "cloudevents.json" in json.loads(body)["detail"]
    # The port still speaks HTTP, on new connections and on those that were refused.
    assert log.get("/healthz")[0] == 200


def test_without_a_log_there_is_no_socket(world, receiver):
    proxy = world.tacho(world.redis(), receiver)
    with pytest.raises(InvalidStatus) as caught:
        StreamSocket(proxy.http, "orders")
    assert caught.value.response.status_code == 404


def test_the_server_says_goodbye(log, open_socket):
    ws = open_socket()
    ws.ask("subscribe", group="workers", consumer="a", credit=5, **{"from": "first"})
    ws.publish("e-1")
    ws.take(1)
    log.sigterm()
    assert closing(ws) == (1001, "the server is stopping")
    assert log.wait() == 0


def test_a_connection_that_says_nothing_does_not_keep_the_server(log):
    with log.http.connect() as silent:
        log.sigterm()
        assert log.wait() == 0
        assert silent.recv(1) == b""
