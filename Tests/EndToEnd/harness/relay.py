"""A TCP relay with bad manners, placed between the program and Redis: it cuts the stream into crumbs or holds it."""

import asyncio
import socket
import threading

from .net import LOOPBACK, Address


class Relay:
    """Forwards to `target`. `crumb` is the size of a write in bytes, 0 for whatever was read.

    While `hold()` is in force nothing passes from the target to the client.
    """

    def __init__(self, target, crumb=0):
        self.target = target
        self.crumb = crumb
        self._open = threading.Event()
        self._open.set()
        self._sockets = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address = Address(port=self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self):
        self._open.clear()

    def release(self):
        self._open.set()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = self.target.connect(timeout=None)
            self._sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source, sink, holds):
        try:
            while data := source.recv(65536):
                if holds:
                    self._open.wait()
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
        self._open.set()
        self._listener.close()
        for end in self._sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


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
