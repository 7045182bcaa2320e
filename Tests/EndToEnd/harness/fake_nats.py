"""A NATS server that says what it is told and remembers what it hears, byte for byte."""

import socket
import threading

from .net import LOOPBACK, Address, wait_for

GREETING = (b'INFO {"server_id":"SCRIPTED","server_name":"scripted","version":"2.9.10","proto":1,"headers":true,'
            b'"max_payload":1048576,"jetstream":true,"client_id":7}\r\n')


class FakeNats:
    """Serves one client after the other. `heard` is everything of the latest; `say` speaks to it."""

    def __init__(self, greeting=GREETING):
        self.greeting = greeting
        self.heard = bytearray()
        self._client = None
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address = Address(port=self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.heard = bytearray()
            self._client = client
            client.sendall(self.greeting)
            threading.Thread(target=self._listen_to, args=(client, self.heard), daemon=True).start()

    @staticmethod
    def _listen_to(client, heard):
        try:
            while data := client.recv(1 << 18):
                heard += data
        except OSError:
            pass

    def say(self, data, sizes=None):
        """Sends the bytes, in writes of these sizes if there are any."""
        if sizes is None:
            return self._client.sendall(data)
        start = 0
        while start < len(data):
            step = next(sizes)
            self._client.sendall(data[start:start + step])
            start += step

    def wait_for_bytes(self, count):
        wait_for(lambda: len(self.heard) >= count, timeout=30, what=f"{count} bytes (there are {len(self.heard)})")

    def close(self):
        self._listener.close()
        if self._client is not None:
            self._client.close()
