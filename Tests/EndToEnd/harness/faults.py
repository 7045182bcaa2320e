"""A TCP relay that does to Redis what networks and broken servers do: delay, stall, reset, refuse."""

import socket
import struct
import threading
import time

from .net import LOOPBACK, Address


class FaultyRelay:
    """Forwards to `target`. What `delay`, `stall`, `reset` and `refuse` say holds until `heal`."""

    def __init__(self, target):
        self.target = target
        self.delay_seconds = 0.0
        self._flows = threading.Event()
        self._flows.set()
        self._refuses = False
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address = Address(port=self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def delay(self, seconds):
        """Every reply comes later by so much."""
        self.delay_seconds = seconds

    def stall(self):
        """No reply comes any more; nothing is closed."""
        self._flows.clear()

    def reset(self):
        """Every connection is reset, once."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for end in sockets:
            try:
                # With a linger of zero, close sends RST.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)
                end.close()
            except OSError:
                pass

    def refuse(self):
        """New connections are reset as soon as they come."""
        self._refuses = True
        self.reset()

    def heal(self):
        self.delay_seconds = 0.0
        self._refuses = False
        self._flows.set()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            try:
                server = self.target.connect(timeout=None)
            except OSError:
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source, sink, suffers):
        try:
            while data := source.recv(65536):
                if suffers:
                    if self.delay_seconds:
                        time.sleep(self.delay_seconds)
                    self._flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def stop(self):
        self.heal()
        self._listener.close()
        self.reset()
