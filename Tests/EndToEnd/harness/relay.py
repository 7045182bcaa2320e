"""TCP relays with bad manners, placed between the program and a server: what networks and broken servers do."""

import asyncio
import socket
import struct
import threading
import time

from .net import LOOPBACK, Address


class Relay:
    """Forwards to `target`. `crumb` is the size of a write in bytes, 0 for whatever was read. What `delay`, `hold` and
    `refuse` say holds until `heal`."""

    def __init__(self, target, crumb=0):
        self.target = target
        self.crumb = crumb
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

    def hold(self):
        """No reply comes any more; nothing is closed."""
        self._flows.clear()

    def release(self):
        self._flows.set()

    def reset(self):
        """Every connection is reset, once."""
        for end in self._take_sockets():
            try:
                _lay_mine(end)
                end.shutdown(socket.SHUT_RD)
            except OSError:
                pass
            end.close()

    def _take_sockets(self):
        with self._lock:
            sockets, self._sockets = self._sockets, []
        return sockets

    def refuse(self):
        """New connections are reset as soon as they come."""
        self._refuses = True
        self.reset()

    def heal(self):
        self.delay_seconds = 0.0
        self._refuses = False
        self.release()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                _lay_mine(client)
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
                step = self.crumb or len(data)
                for position in range(0, len(data), step):
                    sink.sendall(data[position:position + step])
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
        for end in self._take_sockets():
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def _lay_mine(end):
    """With a linger of zero, close sends RST."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class TLSFront:
    """Speaks TLS from the first byte with whoever connects, and plainly with `target`."""

    def __init__(self, target, context):
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, LOOPBACK, 0, ssl=context), self._loop)
        self._server = starting.result(10)
        self.address = Address(port=self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self.target.port)
        except OSError:
            return writer.close()
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer), return_exceptions=True)

    @staticmethod
    async def _pump(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    def stop(self):
        def end():
            self._server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.call_later(0.1, self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join(5)
