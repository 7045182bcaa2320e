"""Secrets pass through and leave no trace: not in logs, spans, metrics or what the program says."""

import os

import nkeys
import pytest
import redis
from nats.errors import Error as NatsError

from harness import NatsApp, RawClient, RawNats, command, run

SECRET = "hunter2-QvZr81-secret"
WRONG = "wrong-Kp55x-secret"


@pytest.fixture
def redis_server(world):
    return world.redis("--requirepass", SECRET)


@pytest.fixture
def direct(redis_server):
    return redis_server.client(password=SECRET)


def assert_nowhere(tacho, receiver, *secrets, last="xadd last"):
    receiver.wait_for_names(last)
    told = {"log": tacho.logs(), "output": tacho.output(), "metrics": tacho.metrics().text,
            "openmetrics": tacho.openmetrics().text, "spans": receiver.raw().decode("latin-1")}
    for secret in secrets:
        for place, text in told.items():
            assert secret not in text, f"{secret} is in the {place}"


def authenticated(tacho):
    raw = tacho.raw()
    assert raw.call("AUTH", SECRET) == b"+OK\r\n"
    return raw


def test_authentication_right_and_wrong(receiver, tacho):
    with tacho.raw() as raw:
        assert raw.call("XADD", "orders", "*", "f", "v").startswith(b"-NOAUTH")
        assert raw.call("AUTH", WRONG).startswith(b"-WRONGPASS")
        assert raw.call("AUTH", "default", WRONG).startswith(b"-WRONGPASS")
        assert raw.call("HELLO", "3", "AUTH", "default", WRONG).startswith(b"-WRONGPASS")
        assert raw.call("AUTH", "default", SECRET) == b"+OK\r\n"
        assert raw.call("HELLO", "3", "AUTH", "default", SECRET, "SETNAME", "me").startswith(b"%")
        message_id = raw.ask("XADD", "last", "*", "f", "v").decode()
    view = receiver.wait_for_names("xadd orders", "xadd last")
    refused = view.one("xadd orders")
    assert refused.status == "ERROR" and refused["error.type"] == "NOAUTH"
    assert view.one("xadd last")["messaging.message.id"] == message_id
    assert_nowhere(tacho, receiver, SECRET, WRONG)


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_with_a_password(receiver, tacho, protocol):
    assert tacho.client(password=SECRET, protocol=protocol).xadd("last", {"f": "v"})
    with pytest.raises(redis.AuthenticationError):
        tacho.client(password=WRONG, protocol=protocol).ping()
    assert_nowhere(tacho, receiver, SECRET, WRONG)


def test_every_command_that_carries_a_secret(redis_server, receiver, tacho):
    rule = "rule-J3mm-secret"
    with authenticated(tacho) as raw:
        for words in (
            ["ACL", "SETUSER", "alice", "on", f">{rule}", "~*", "+@all"], ["ACL", "SETUSER", "bob", f"#{rule}"],
            ["CONFIG", "SET", "masterauth", rule], ["CONFIG", "SET", "nonsense", rule],
            ["MIGRATE", "127.0.0.1", "1", "key", "0", "10", "AUTH", rule],
            ["MIGRATE", "127.0.0.1", "1", "key", "0", "10", "AUTH2", "alice", rule],
            ["AUTH", "alice", rule], ["AUTH", rule, rule, rule], ["HELLO", "3", "AUTH", "alice", rule],
            ["HELLO", "3", "AUTH", rule], ["HELLO", rule], [rule], [rule, rule], ["CLIENT", rule],
            ["CLIENT", "KILL", rule],
            ["EVAL", f"return redis.error_reply('{rule}')", "0"], ["SET", rule, rule], ["GET", rule],
            ["XADD", "list", "*", rule, rule], ["XGROUP", "CREATE", rule],
        ):
            raw.call(*words)
        raw.send(f"AUTH {rule}\r\nAUTH alice {rule} x\r\n{rule}\r\n".encode())
        raw.replies(3)
        raw.call("XADD", "last", "*", "f", "v")
    assert_nowhere(tacho, receiver, rule, SECRET)


def test_a_secret_in_a_session_that_is_not_understood(receiver, tacho):
    with tacho.raw() as raw:
        raw.send(command("AUTH", WRONG) + b"*1\r\n$x" + SECRET.encode() + b"\r\n" + WRONG.encode() + b"\r\n")
        raw.half_close()
        raw.rest()
    with authenticated(tacho) as raw:
        raw.call("XADD", "last", "*", "f", "v")
    assert_nowhere(tacho, receiver, SECRET, WRONG)


def test_an_error_text_of_redis_stays_out_of_spans(receiver, tacho):
    """Error texts may quote arguments; only their first word, the code, is told."""
    with authenticated(tacho) as raw:
        raw.call("XADD", "orders", "secret-argument-77", "f", "v")
        raw.call("SET", "text", "x")
        raw.call("XADD", "text", "*", "f", "v")
        raw.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "quoted-stream", ">")
        raw.call("XADD", "last", "*", "f", "v")
    view = receiver.wait_for_names("xadd text", "xreadgroup quoted-stream")
    assert view.one("xadd text")["error.type"] == "WRONGTYPE"
    assert_nowhere(tacho, receiver, "secret-argument-77")


def test_secrets_in_transactions_and_while_redis_is_away(redis_server, receiver, tacho):
    with authenticated(tacho) as raw:
        raw.send(command("MULTI") + command("AUTH", WRONG) + command("CONFIG", "SET", "masterauth", WRONG)
                 + command("EXEC"))
        raw.replies(4)
        raw.call("XADD", "last", "*", "f", "v")
    redis_server.kill()
    with tacho.raw() as raw:
        raw.send(command("AUTH", WRONG))
        raw.rest()
    assert_nowhere(tacho, receiver, WRONG, SECRET)


def test_the_environment_and_headers_of_the_collector_are_secret_too(world, redis_server, receiver):
    token = "token-99fe-secret"
    tacho = world.tacho(redis_server, receiver, environment={
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{token}"})
    with authenticated(tacho) as raw:
        raw.call("XADD", "last", "*", "f", "v")
    assert_nowhere(tacho, receiver, token)
    assert {key.lower(): text for key, text in receiver.requests[0].headers.items()}[
        "authorization"] == f"Bearer {token}"


def test_a_direct_connection_says_the_same(redis_server, tacho):
    for words in (["PING"], ["AUTH", WRONG], ["AUTH", "a", "b", "c"], ["HELLO", "3"], ["ACL", "WHOAMI"]):
        with RawClient(redis_server.address) as direct, tacho.raw() as raw:
            assert raw.call(*words) == direct.call(*words)


# NATS

USER_SEED = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
OTHER_SEED = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
USER_KEY = nkeys.from_seed(bytearray(USER_SEED)).public_key.decode()


async def publish_last(target, **options):
    app = await NatsApp.connect(target, **options)
    await app.publish("last", b"x")
    await app.flush()


@pytest.mark.parametrize(("settings", "right", "wrong"), [
    (f"authorization {{ user: alice, password: {SECRET} }}", {"user": "alice", "password": SECRET},
     {"user": "alice", "password": WRONG}),
    (f"authorization {{ token: {SECRET} }}", {"token": SECRET}, {"token": WRONG}),
    (f"authorization {{ users: [ {{ nkey: {USER_KEY} }} ] }}", {"nkeys_seed_str": USER_SEED.decode()},
     {"nkeys_seed_str": OTHER_SEED.decode()}),
], ids=["password", "token", "nkey"])
def test_nats_credentials_right_and_wrong(world, receiver, settings, right, wrong):
    tacho = world.tacho(world.nats(settings), receiver)
    with pytest.raises(NatsError):
        run(publish_last(tacho, **wrong))
    run(publish_last(tacho, **right))
    others = [nkeys.from_seed(bytearray(OTHER_SEED)).public_key.decode()] if "nkey" in settings else []
    assert_nowhere(tacho, receiver, SECRET, WRONG, USER_SEED.decode(), OTHER_SEED.decode(), USER_KEY, *others,
                   last="publish last")


def test_nats_signatures_tokens_and_seeds_in_any_place(world, receiver):
    """Also where they do not belong, and in sessions that are given up."""
    secret = "sUAM-nats-secret-41x"
    tacho = world.tacho(world.nats(), receiver)
    fields = {"auth_token": secret, "user": secret, "pass": secret, "jwt": secret, "nkey": secret, "sig": secret,
              "proxy_sig": secret}
    with RawNats(tacho).connect(**fields) as raw:
        raw.send(f"SUB {secret} {secret}\r\nUNSUB {secret}\r\n".encode())
        raw.ping()
        raw.publish("last", secret.encode(), header=f"NATS/1.0\r\nAuthorization: {secret}\r\n\r\n".encode())
        raw.ping()
    for garbage in (f"CONNECT {{{secret}\r\n", f"NONSENSE {secret}\r\n", f"PUB {secret} x\r\n"):
        with RawNats(tacho) as raw:
            raw.send(garbage.encode())
            raw.half_close()
            raw.rest()
    assert_nowhere(tacho, receiver, secret, last="publish last")


def test_the_server_is_not_quoted(world, receiver):
    """Errors of the server may repeat what a client has sent."""
    tacho = world.tacho(world.nats("authorization { users: [ { user: a, password: b, permissions: "
                                   '{ publish: "last" } } ] }'), receiver)
    with RawNats(tacho).connect(user="a", **{"pass": "b"}) as raw:
        raw.publish("private-subject-93x", b"x")
        assert b"private-subject-93x" in raw.line()
        raw.publish("last", b"x")
        raw.ping()
    receiver.wait_for_names("publish last")
    assert "private-subject-93x" not in tacho.logs()


def test_keys_of_tls_stay_in_their_files(world, receiver, nats):
    authority = world.authority()
    certificate = authority.issue("sidecar")
    tacho = world.tacho(nats, receiver, options={"tls": {"listen": {
        "mode": "on", "certificate": str(certificate.certificate), "key": str(certificate.key)}}})
    run(publish_last(tacho, tls=certificate.client_context()))
    body = certificate.key.read_text().splitlines()[1]
    assert_nowhere(tacho, receiver, body, last="publish last")
