"""What the end-to-end tests stand on: a real Redis, the real program, a scripted collector, and eyes for both ends."""

from . import jaeger_rules
from .entries import injected_context, pairs, stored
from .metrics import Metrics
from .net import Address, free_port, wait_for
from .otlp import Answer, OTLPReceiver
from .prometheus import Prometheus
from .raw import RawClient, command, parse
from .redis_server import RedisServer
from .relay import Relay
from .spans import Span, TraceView
from .tacho import Tacho

__all__ = [
    "Address", "Answer", "Metrics", "OTLPReceiver", "Prometheus", "RawClient", "RedisServer", "Relay", "Span", "Tacho",
    "TraceView", "command", "free_port", "injected_context", "jaeger_rules",
    "pairs", "parse", "stored", "wait_for",
]
