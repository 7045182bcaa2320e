"""A sidecar that spools what a breaker would refuse, and an operator's hand on the breaker."""

import urllib.parse
import urllib.request

from .net import wait_for

SPOOL = {"on_open": "spool", "learning_seconds": 0, "call_timeout_milliseconds": 500,
         "connect_patience_milliseconds": 0}


def start(world, upstream, receiver=None, data="./data", listen=None, **resilience):
    settings = {"resilience": {**SPOOL, **resilience}, "data": str(data), "tracing": {"causality": "off"}}
    return world.tacho(upstream, receiver, settings=settings, listen=listen, options={"name": "shop"})


def operate(tacho, word, key="orders publish"):
    wait_for(lambda: f'"{key}"'.encode() in tacho.get("/api/v1/breakers")[1], what="the breaker to appear")
    url = f"http://{tacho.http}/api/v1/breakers/{word}?key={urllib.parse.quote(key)}"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60) as answer:
        assert answer.status == 200


def spooled(tacho):
    return tacho.metrics().sum("tacho_spool_messages")


def set_aside(tacho):
    return tacho.metrics().sum("tacho_spool_set_aside_messages")
