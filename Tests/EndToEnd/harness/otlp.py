"""A collector that does as it is told: it decodes with the official messages, and fails on command."""

import gzip
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from .net import LOOPBACK, PATIENCE, free_port
from .spans import TraceView, spans_of


@dataclass
class Answer:
    """How to treat one request: after `delay` seconds, and not before the event `after`. Spans count as received only
    when they are answered with 200."""

    status: int = 200
    delay: float = 0.0
    after: threading.Event | None = None
    retry_after: str = ""
    close: bool = False
    rejected_spans: int = 0
    message: str = ""


@dataclass
class Request:
    """One request as it arrived."""

    path: str
    headers: dict
    body: bytes
    spans: list
    status: int


class OTLPReceiver:
    """Listens on one loopback port for its whole life; `down()` and `up()` take it away and bring it back.

    `script` holds answers for the next requests; when it is empty, `usual` applies. With `tls`, a server-side
    `ssl.SSLContext`, it speaks https.
    """

    def __init__(self, tls=None):
        self.port = free_port()
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self.port}"
        self.usual = Answer()
        self.script = deque()
        self.requests = []
        self._spans = []
        self._changed = threading.Condition()
        self._server = None

    @property
    def is_up(self):
        return self._server is not None

    def up(self):
        if self._server is None:
            self._server = _Server((LOOPBACK, self.port), _Handler)
            self._server.receiver = self
            if self.tls:
                # The handshake belongs to the connection's own thread, not to the one that accepts.
                self._server.socket = self.tls.wrap_socket(
                    self._server.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def down(self):
        """Refuses connections from now on, and cuts those that are open."""
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()
            server.cut()

    stop = down

    def view(self):
        """Everything received so far."""
        with self._changed:
            return TraceView(self._spans)

    def raw(self):
        """All bytes of all requests, for searching."""
        with self._changed:
            return b"\n".join(request.body for request in self.requests)

    def wait_for(self, wanted, timeout=PATIENCE):
        """Waits for a number of spans, or until a predicate on the `TraceView` holds; returns the view."""
        holds = wanted if callable(wanted) else lambda view: len(view.spans) >= wanted
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                view = TraceView(self._spans)
                if holds(view):
                    return view
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"the spans waited for did not come in {timeout:g} s; what came:\n{view}")
                self._changed.wait(left)

    def wait_for_names(self, *names, timeout=PATIENCE):
        """Waits until every name is there at least as often as it is listed."""
        return self.wait_for(
            lambda view: all(len(view.named(name)) >= names.count(name) for name in names), timeout)

    def _answer_for(self):
        with self._changed:
            return self.script.popleft() if self.script else self.usual

    def _took(self, request):
        with self._changed:
            self.requests.append(request)
            if request.status == 200:
                self._spans.extend(request.spans)
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, *arguments):
        self._connections = set()
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        self._connections.add(request)
        super().process_request(request, client_address)

    def close_request(self, request):
        self._connections.discard(request)
        super().close_request(request)

    def handle_error(self, request, client_address):
        pass  # a connection that was cut is no news

    def cut(self):
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_POST(self):
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        answer = receiver._answer_for()
        if answer.delay:
            time.sleep(answer.delay)
        if answer.after:
            answer.after.wait()
        decoded = ExportTraceServiceRequest.FromString(body)
        request = Request(self.path, dict(self.headers), body, spans_of(decoded), 0 if answer.close else answer.status)
        if answer.close:
            receiver._took(request)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        receiver._took(request)
        response = ExportTraceServiceResponse()
        if answer.rejected_spans or answer.message:
            response.partial_success.rejected_spans = answer.rejected_spans
            response.partial_success.error_message = answer.message
        payload = response.SerializeToString()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/x-protobuf")
        if answer.retry_after:
            self.send_header("Retry-After", answer.retry_after)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
