"""A real redis-server on loopback with a scratch directory, started, killed and restarted at will."""

import os
import shutil
import signal
import subprocess

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .net import LOOPBACK, PATIENCE, Address, free_port, wait_for
from .process import end
from .raw import RawClient


def client(address, **options):
    """A plain redis-py client that never repeats a command on its own."""
    options.setdefault("protocol", 2)
    options.setdefault("decode_responses", True)
    options.setdefault("socket_timeout", PATIENCE)
    options.setdefault("retry", Retry(NoBackoff(), 0))
    if address.path:
        return redis.Redis(unix_socket_path=address.path, **options)
    return redis.Redis(host=LOOPBACK, port=address.port, **options)


class RedisServer:
    """One redis-server. `address` is its TCP side, `unix_address` its socket in the scratch directory."""

    def __init__(self, scratch, *arguments):
        if shutil.which("redis-server") is None:
            pytest.skip("redis-server is not installed")
        os.makedirs(scratch, exist_ok=True)
        self.scratch = str(scratch)
        self.arguments = arguments
        self.address = Address(port=free_port())
        self.unix_address = Address(path=os.path.join(self.scratch, "redis.sock"))
        self.password = None
        self.process = None
        self._clients = []

    def start(self):
        assert not self.address.listens(), f"port {self.address.port} belongs to somebody else"
        with open(os.path.join(self.scratch, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--bind", LOOPBACK, "--port", str(self.address.port),
                 "--unixsocket", self.unix_address.path, "--save", "", "--appendonly", "no",
                 "--dir", self.scratch, "--daemonize", "no", *self.arguments],
                stdout=log, stderr=log)
        wait_for(self._answers_as_mine, what="redis-server to answer")
        return self

    def _answers_as_mine(self):
        assert self.process.poll() is None, f"redis-server ended with {self.process.returncode}: see {self.scratch}"
        try:
            with RawClient(self.address) as raw:
                if "requirepass" in " ".join(self.arguments):
                    return raw.call("PING").startswith(b"-NOAUTH")
                return f"process_id:{self.process.pid}\r".encode() in raw.call("INFO", "server")
        except OSError:
            return False

    def client(self, **options):
        """A client that goes straight to this server and not through the program under test."""
        made = client(self.address, **options)
        self._clients.append(made)
        return made

    def connections(self):
        """How many clients the server has, besides the one that asks."""
        with RawClient(self.address) as raw:
            return raw.call("CLIENT", "LIST").count(b"id=") - 1

    def kill(self):
        """The server dies at once, as by `kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self):
        for made in self._clients:
            made.close()
        self._clients.clear()
        self._end(signal.SIGTERM)

    def _end(self, number):
        end(self.process, number)
        self.process = None

    def restart(self):
        """Up again on the same port, empty."""
        self._end(signal.SIGKILL)
        return self.start()
