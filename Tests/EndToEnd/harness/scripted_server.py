"""The far end of a script: accepts connections on loopback and hands each to a thread of its own."""

import socket
import threading

from .net import LOOPBACK, Address


class ScriptedServer:
    """Calls `serve(connection)` for each client, beside the others."""

    def __init__(self):
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address = Address(port=self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted(connection)

    def accepted(self, connection):
        threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        raise NotImplementedError

    def close(self):
        self._listener.close()
