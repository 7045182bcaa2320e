"""Encrypted NATS on either side of the program, and clients that prove who they are through it."""

import base64
import hashlib
import json
import os
import ssl
import subprocess

import nkeys
import pytest
from nats.errors import Error

from harness import NatsApp, RawClient, RawNats, collect, free_port, run, wait_for
from harness.tacho import binary

SUBJECT = "orders.new"
NAMES = ("publish orders.new", "process orders.new")


@pytest.fixture
def authority(world):
    return world.authority()


def server_tls(certificate, more=""):
    return (f'tls {{ cert_file: "{certificate.certificate}", key_file: "{certificate.key}", '
            f'ca_file: "{certificate.authority}", timeout: 10 {more} }}')


def listen_tls(certificate, mode="on", **more):
    return {"mode": mode, "certificate": str(certificate.certificate), "key": str(certificate.key), **more}


def tls(**sides):
    return {"tls": sides}


async def there_and_back(target, patience=60, **options):
    """Publishes to itself, small and large; returns what came."""
    app = await NatsApp.connect(target, **options)
    subscription = await app.subscribe(SUBJECT)
    bodies = [b"first", b"", os.urandom(900_000)]
    for body in bodies:
        await app.publish(SUBJECT, body)
    got = await collect(subscription, len(bodies), timeout=patience)
    assert [message.data for message in got] == bodies
    return got


def assert_read(tacho):
    """The session was understood, encrypted or not."""
    assert tacho.metrics().sum("tacho_sessions_opaque_total") == 0


@pytest.mark.parametrize("upstream_mode", ["off", "on", "handshake_first"])
@pytest.mark.parametrize("client_mode", ["off", "on", "handshake_first"])
def test_every_pair_of_modes(world, receiver, authority, client_mode, upstream_mode):
    ours, theirs = authority.issue("sidecar"), authority.issue("server")
    server = world.nats(server_tls(theirs) if upstream_mode == "on" else "")
    upstream = world.tls_front(server, theirs.server_context()) if upstream_mode == "handshake_first" else server
    sides = {}
    if client_mode != "off":
        sides["listen"] = listen_tls(ours, client_mode)
    if upstream_mode != "off":
        sides["upstream"] = {"mode": upstream_mode, "ca": str(authority.certificate)}
    tacho = world.tacho(upstream, receiver, protocol="nats", options=tls(**sides) if sides else None)
    options = {"tls": ours.client_context()} if client_mode != "off" else {}
    got = run(there_and_back(tacho, tls_handshake_first=client_mode == "handshake_first", **options))
    assert all(message.headers and "traceparent" in message.headers for message in got[:2])
    receiver.wait_for_names(*NAMES)
    assert_read(tacho)
    metrics = tacho.metrics()
    for side, mode in (("client", client_mode), ("upstream", upstream_mode)):
        done = metrics.sum("tacho_tls_handshakes_total", side=side, outcome="completed")
        assert done == (0 if mode == "off" else 1)


def test_the_greeting_speaks_of_our_side_alone(world, receiver, authority):
    theirs = authority.issue("server")
    server = world.nats(server_tls(theirs))
    assert server.greeting()["tls_required"] is True
    upstream = {"mode": "on", "ca": str(authority.certificate)}
    plain = world.tacho(server, receiver, options=tls(upstream=upstream))
    with RawNats(plain) as raw:
        assert not raw.info.get("tls_required") and not raw.info.get("tls_available")
    both = world.tacho(server, receiver, options=tls(upstream=upstream, listen=listen_tls(authority.issue("sidecar"))))
    with RawNats(both) as raw:
        assert raw.info["tls_required"] is True
    listening = world.tacho(world.nats(), receiver, options=tls(listen=listen_tls(authority.issue("sidecar"))))
    with RawNats(listening) as raw:
        assert raw.info["tls_required"] is True


def test_bytes_in_crumbs_through_both_handshakes(world, receiver, authority):
    ours, theirs = authority.issue("sidecar"), authority.issue("server")
    relay = world.relay(world.nats(server_tls(theirs)).address, crumb=7)
    tacho = world.tacho(relay, receiver, protocol="nats", options=tls(
        listen=listen_tls(ours), upstream={"mode": "on", "ca": str(authority.certificate)}))

    async def small(target):
        app = await NatsApp.connect(target, tls=ours.client_context())
        subscription = await app.subscribe(SUBJECT)
        for number in range(20):
            await app.publish(SUBJECT, b"x" * number)
        assert [len(message.data) for message in await collect(subscription, 20)] == list(range(20))

    run(small(world.relay(tacho.address, crumb=5)))
    receiver.wait_for_names(*NAMES)
    assert_read(tacho)


def refused(tacho, reason, **options):
    """Nobody gets through, and the client, the log and the metrics say why."""
    with RawNats(tacho) if tacho.greets else RawClient(tacho.address) as raw:
        answer = raw.rest()
    assert answer.startswith(b"-ERR 'tacho: TLS with upstream") and reason.encode() in answer, answer
    wait_for(lambda: "TLS with the upstream failed" in tacho.logs() and reason in tacho.logs(), what="the log")
    assert tacho.metrics().sum("tacho_tls_handshakes_total", side="upstream", outcome="failed") >= 1
    assert tacho.metrics().sum("tacho_upstream_failures_total", reason="tls") >= 1
    with pytest.raises((Error, OSError)):
        run(there_and_back(tacho, **options))


@pytest.mark.parametrize("mode", ["on", "handshake_first"])
def test_an_upstream_that_is_not_trusted(world, receiver, authority, mode):
    theirs = authority.issue("server")
    server = world.nats(server_tls(theirs) if mode == "on" else "")
    upstream = server if mode == "on" else world.tls_front(server, theirs.server_context())
    stranger = world.authority("stranger")
    tacho = world.tacho(upstream, receiver, protocol="nats", options=tls(
        upstream={"mode": mode, "ca": str(stranger.certificate)}))
    tacho.greets = mode == "on"
    refused(tacho, "the certificate is not trusted")


def test_names_and_what_is_checked_of_them(world, receiver, authority):
    theirs = authority.issue("server", names=("DNS:nats.internal",))
    server = world.nats(server_tls(theirs))
    upstream = {"mode": "on", "ca": str(authority.certificate)}
    wrong = world.tacho(server, receiver, options=tls(upstream=upstream))
    wrong.greets = True
    refused(wrong, "does not bear the expected name")
    for more in ({"server_name": "nats.internal"}, {"verify": "any_name"}):
        run(there_and_back(world.tacho(server, receiver, options=tls(upstream=upstream | more))))
    blind = world.tacho(server, receiver, options=tls(upstream={"mode": "on", "verify": "insecure_none"}))
    run(there_and_back(blind))
    assert "does not check who its upstream is" in blind.logs()


def test_a_plain_upstream_where_tls_was_asked_for(world, receiver, nats, authority):
    """No way back to plain text, and nothing but the reason reaches the client."""
    tacho = world.tacho(nats, receiver, options=tls(upstream={"mode": "on", "ca": str(authority.certificate)}))
    with RawClient(tacho.address) as raw:
        assert raw.rest() == b"-ERR 'tacho: the upstream offers no TLS, and this listener is told to use it'\r\n"
    with pytest.raises((Error, OSError)):
        run(there_and_back(tacho))


def test_certificates_of_clients(world, receiver, authority):
    """The server wants one of the program, the program one of its clients."""
    ours, theirs, app = authority.issue("sidecar"), authority.issue("server"), authority.issue("app")
    server = world.nats(server_tls(theirs, more=", verify: true"))
    upstream = {"mode": "on", "ca": str(authority.certificate)}
    nameless = world.tacho(server, receiver, options=tls(upstream=upstream))
    with pytest.raises((Error, OSError)):
        run(there_and_back(nameless, patience=5))
    shown = upstream | {"certificate": str(ours.certificate), "key": str(ours.key)}
    tacho = world.tacho(server, receiver, options=tls(
        upstream=shown, listen=listen_tls(ours, client_ca=str(authority.certificate))))
    run(there_and_back(tacho, tls=ours.client_context(shows=app)))
    with pytest.raises((Error, OSError, ssl.SSLError)):
        run(there_and_back(tacho, patience=5, tls=ours.client_context()))
    outsider = world.authority("stranger").issue("outsider")
    with pytest.raises((Error, OSError, ssl.SSLError)):
        run(there_and_back(tacho, patience=5, tls=ours.client_context(shows=outsider)))
    tacho.wait_for_metric("tacho_tls_handshakes_total", 2, side="client", outcome="failed")
    receiver.wait_for_names(*NAMES)


def test_a_client_that_speaks_tls_with_the_server_itself(world, receiver, authority):
    """Nothing is configured: the bytes pass, and the session says that it cannot read them."""
    theirs = authority.issue("server")
    tacho = world.tacho(world.nats(server_tls(theirs)), receiver)
    got = run(there_and_back(tacho, tls=theirs.client_context()))
    assert not any(message.headers for message in got)
    assert tacho.metrics().sum("tacho_sessions_opaque_total") == 1
    assert receiver.view().spans == []


def test_plain_and_silent_clients_at_an_encrypted_listener(world, receiver, nats, authority):
    tacho = world.tacho(nats, receiver, options=tls(listen=listen_tls(authority.issue("sidecar"), "handshake_first")),
                        settings={"limits": {"connect_timeout_milliseconds": 1500}})
    with RawClient(tacho.address) as plain:
        plain.send(b"CONNECT {}\r\n")
        plain.rest()
    with RawClient(tacho.address) as silent:
        silent.rest()
    wait_for(lambda: tacho.logs().count("TLS with a client failed") == 2, what="both to be told")
    assert "does not speak TLS" in tacho.logs() and "no handshake within 1500 ms" in tacho.logs()
    tacho.wait_for_metric("tacho_connections", 0)


def test_large_messages_under_tls(world, receiver, authority):
    ours, theirs = authority.issue("sidecar"), authority.issue("server")
    server = world.nats("max_payload: 8388608\n" + server_tls(theirs))
    tacho = world.tacho(server, receiver, options=tls(
        listen=listen_tls(ours), upstream={"mode": "on", "ca": str(authority.certificate)}))

    async def scenario():
        app = await NatsApp.connect(tacho, tls=ours.client_context())
        subscription = await app.subscribe(SUBJECT)
        body = os.urandom(8_000_000)
        for _ in range(3):
            await app.publish(SUBJECT, body)
        for message in await collect(subscription, 3, timeout=40):
            assert message.data == body

    run(scenario())


def test_redis_under_tls_on_both_sides(world, receiver, authority):
    ours, theirs = authority.issue("sidecar"), authority.issue("server")
    port = free_port()
    redis = world.redis("--tls-port", str(port), "--tls-cert-file", str(theirs.certificate), "--tls-key-file",
                        str(theirs.key), "--tls-ca-cert-file", str(authority.certificate))
    app = authority.issue("app")
    tacho = world.tacho(f"127.0.0.1:{port}", receiver, options=tls(
        listen=listen_tls(ours), upstream={"mode": "on", "ca": str(authority.certificate),
                                           "certificate": str(app.certificate), "key": str(app.key)}))
    client = tacho.client(ssl=True, ssl_ca_certs=str(authority.certificate))
    message_id = client.xadd("orders", {"n": "1"})
    client.set("large", "x" * 3_000_000)
    assert client.get("large") == "x" * 3_000_000
    assert redis.client().xlen("orders") == 1
    assert receiver.wait_for_names("xadd orders").one("xadd orders")["messaging.message.id"] == message_id
    assert_read(tacho)


def test_a_redis_that_is_not_trusted_is_an_error_reply(world, receiver, authority):
    front = world.tls_front(world.redis(), authority.issue("server").server_context())
    tacho = world.tacho(front, receiver, options=tls(
        upstream={"mode": "on", "ca": str(world.authority("stranger").certificate)}))
    with tacho.raw() as raw:
        answer = raw.call("PING")
    assert answer.startswith(b"-ERR tacho: TLS with upstream") and b"not trusted" in answer


@pytest.mark.parametrize(("change", "complaint"), [
    ({"listen": {"mode": "on"}}, "tls.listen.mode: needs tls.listen.certificate too"),
    ({"listen": {"certificate": "c.pem"}}, "has no effect while tls.listen.mode is off"),
    ({"upstream": {"mode": "on", "ca": "nowhere.pem"}}, "nowhere.pem cannot be read: No such file or directory"),
    ({"upstream": {"mode": "on", "ca": "empty.pem"}}, "empty.pem holds no certificate in PEM form"),
    ({"upstream": {"mode": "on", "server_name": "127.0.0.1"}}, "expected a host name"),
    ({"upstream": {"mode": "on", "verify": "maybe"}}, "expected full, any_name or insecure_none"),
])
def test_mistakes_are_told_with_their_place(tmp_path, change, complaint):
    (tmp_path / "empty.pem").write_text("")
    path = tmp_path / "tacho.yaml"
    path.write_text(str({"listeners": [
        {"protocol": "nats", "listen": "14222", "upstream": "4222", "tls": change}]}).replace("'", '"'))
    made = subprocess.run([binary(), "check", "--config", str(path)], capture_output=True, text=True, cwd=tmp_path)
    assert made.returncode == 2
    assert complaint in made.stderr and "tacho.yaml:1:" in made.stderr, made.stderr


# Who the client is

def seed_of_a_user():
    return nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)


def credentials():
    """(settings of the server, options that are right, options that are wrong) of each way."""
    seed, other = seed_of_a_user(), seed_of_a_user()
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    return {
        "user": ("authorization { user: alice, password: s3cret }",
                 {"user": "alice", "password": "s3cret"}, {"user": "alice", "password": "wrong"}),
        "token": ("authorization { token: t0ken }", {"token": "t0ken"}, {"token": "wrong"}),
        "nkey": (f"authorization {{ users: [ {{ nkey: {public} }} ] }}",
                 {"nkeys_seed_str": seed.decode()}, {"nkeys_seed_str": other.decode()}),
    }


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", ["user", "token", "nkey"])
def test_authentication(world, receiver, authority, way, encrypted):
    settings, right, wrong = credentials()[way]
    options = None
    if encrypted:
        ours, theirs = authority.issue("sidecar"), authority.issue("server")
        settings += "\n" + server_tls(theirs)
        options = tls(listen=listen_tls(ours), upstream={"mode": "on", "ca": str(authority.certificate)})
        right, wrong = right | {"tls": ours.client_context()}, wrong | {"tls": ours.client_context()}
    tacho = world.tacho(world.nats(settings), receiver, options=options)
    run(there_and_back(tacho, **right))
    with pytest.raises(Error, match="Authorization Violation"):
        run(there_and_back(tacho, **wrong))
    run(there_and_back(tacho, **right))
    receiver.wait_for_names(*NAMES)
    assert_read(tacho)


class Identity:
    """A key pair of an operator, an account or a user, and the tokens that it signs for others."""

    def __init__(self, prefix):
        self.seed = nkeys.encode_seed(os.urandom(32), prefix)
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.name = self._pair.public_key.decode()

    def sign(self, subject, kind, **claims):
        """A JWT in the form that NATS uses: header and claims in base64url, signed with ed25519."""
        body = {"iat": 1_700_000_000, "iss": self.name, "name": kind, "sub": subject,
                "nats": {"type": kind, "version": 2, **claims}}
        body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
        words = [self._text(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body)]
        return ".".join([*words, self._text(self._pair.sign(".".join(words).encode()))])

    @staticmethod
    def _text(data):
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unlimited(*names):
    return dict.fromkeys(names, -1)


def test_tokens_of_an_operator(world, receiver, tmp_path):
    """Operator, account and user as JWT: the server's nonce is signed by the client and passes untouched both ways."""
    operator, account, user, stranger = map(Identity, [
        nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_USER, nkeys.PREFIX_BYTE_USER])
    limits = unlimited("subs", "data", "payload", "imports", "exports", "conn", "leaf") | {"wildcards": True}
    file = tmp_path / "operator.jwt"
    file.write_text(operator.sign(operator.name, "operator"))
    token = account.sign(user.name, "user", pub={}, sub={}, **unlimited("subs", "data", "payload"))
    server = world.nats(
        f'operator: "{file}"\nresolver: MEMORY\n'
        f'resolver_preload: {{ {account.name}: "{operator.sign(account.name, "account", limits=limits)}" }}',
        jetstream=False)
    tacho = world.tacho(server, receiver)
    assert RawNats(tacho).info["nonce"]

    def credentials(seed):
        path = tmp_path / "user.creds"
        path.write_text(f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                        f"-----BEGIN USER NKEY SEED-----\n{seed.decode()}\n------END USER NKEY SEED------\n")
        return str(path)

    run(there_and_back(tacho, user_credentials=credentials(user.seed)))
    with pytest.raises(Error, match="Authorization Violation"):
        run(there_and_back(tacho, user_credentials=credentials(stranger.seed)))
    receiver.wait_for_names(*NAMES)
    assert_read(tacho)
    told = tacho.logs().encode() + receiver.raw() + tacho.get("/metrics")[1]
    for secret in (token, token.split(".")[2], user.seed.decode()):
        assert secret.encode() not in told
