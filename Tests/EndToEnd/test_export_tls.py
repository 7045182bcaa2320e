"""Spans over https: whose word is taken for the collector's name, and who the collector believes we are."""

import ssl
import subprocess

import pytest

from harness import wait_for

STREAM = "orders"


def make_certificate(directory, name):
    """A self-signed certificate for 127.0.0.1 and its key; it is its own authority."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def collector(tmp_path):
    return make_certificate(tmp_path, "collector")


def server_side(certificate, key, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_authority)
    return context


def test_a_collector_with_a_known_authority(world, redis_server, collector):
    receiver = world.receiver(tls=server_side(*collector))
    tacho = world.tacho(redis_server, receiver, environment={"OTEL_EXPORTER_OTLP_CERTIFICATE": str(collector[0])})
    tacho.client().xadd(STREAM, {"n": "1"})
    assert receiver.wait_for_names("xadd orders").one("xadd orders").kind == "PRODUCER"


def test_a_collector_that_wants_to_know_who_we_are(world, redis_server, collector, tmp_path):
    certificate, key = make_certificate(tmp_path, "sidecar")
    receiver = world.receiver(tls=server_side(*collector, client_authority=certificate))
    tacho = world.tacho(redis_server, receiver, environment={
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(collector[0]),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(certificate),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(key),
    })
    tacho.client().xadd(STREAM, {"n": "1"})
    receiver.wait_for_names("xadd orders")


@pytest.mark.partial_traces("the collector is not trusted, so it gets nothing")
def test_an_unknown_authority_gets_no_span_and_traffic_does_not_notice(world, redis_server, collector, direct):
    receiver = world.receiver(tls=server_side(*collector))
    tacho = world.tacho(redis_server, receiver, environment={"OTEL_BSP_EXPORT_TIMEOUT": "200"})
    client = tacho.client()
    for number in range(10):
        client.xadd(STREAM, {"n": str(number)})
    wait_for(lambda: "export" in tacho.logs(), what="the log to say that spans do not arrive")
    assert direct.xlen(STREAM) == 10
    assert receiver.requests == []
    tacho.metrics().assert_ledger_closes()
    assert tacho.metrics().sum("tacho_spans_exported_total") == 0
