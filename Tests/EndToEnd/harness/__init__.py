"""What the end-to-end tests stand on: real servers, the real program, a scripted collector, and eyes for both ends."""

from . import jaeger_rules
from .certificates import Authority
from .entries import injected_context, pairs, stored
from .events_http import EventsHTTP, EventStream, in_parallel
from .fake_nats import FakeNats, TracingNats
from .metrics import Metrics
from .nats_client import NatsApp, RawNats, collect, run, until
from .nats_server import NatsServer
from .net import Address, free_port, wait_for
from .otlp import Answer, OTLPReceiver
from .prometheus import Prometheus
from .raw import RawClient, command, parse
from .redis_server import RedisServer
from .relay import Relay, TLSFront
from .scripted_redis import ScriptedRedis
from .spans import Span, TraceView
from .stream_socket import StreamSocket
from .tacho import Tacho

__all__ = [
    "Address", "Answer", "Authority", "EventStream", "EventsHTTP", "FakeNats", "Metrics", "NatsApp", "NatsServer",
    "OTLPReceiver", "Prometheus", "RawClient", "RawNats", "RedisServer", "Relay", "ScriptedRedis", "Span", "StreamSocket", "TLSFront", "Tacho",
    "TraceView", "TracingNats", "collect", "command", "free_port", "in_parallel", "injected_context", "jaeger_rules", "pairs",
    "parse", "run", "stored", "until", "wait_for",
]
