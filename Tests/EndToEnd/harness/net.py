"""Addresses, free ports and waiting: the small words every other part of the harness uses."""

import os
import random
import socket
import time
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"

# How long a thing may take that takes no time where nothing else runs. A limit that is never reached costs nothing, and
# a machine that is busy with something else may need much of it.
PATIENCE = 60.0


@dataclass(frozen=True)
class Address:
    """Where something listens: a loopback TCP port, or a unix socket's path."""

    port: int = 0
    path: str = ""

    def __str__(self):
        return f"unix:{self.path}" if self.path else f"{LOOPBACK}:{self.port}"

    def connect(self, timeout=PATIENCE):
        if self.path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout)
            connection.connect(self.path)
        else:
            connection = socket.create_connection((LOOPBACK, self.port), timeout=timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def listens(self):
        try:
            self.connect(timeout=10).close()
            return True
        except OSError:
            return False


# Below the ports that the system gives to clients, and half of them for each of two workers: what one has seen free
# stays free until its server listens.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 2
_PORTS = range(10_000 + 11_000 * _WORKER, 21_000 + 11_000 * _WORKER)
_given_out = {14222, 16379}  # where the program listens when nobody says otherwise


def free_port():
    """A loopback port that nothing listens on, never the same one twice in a run."""
    while True:
        port = random.choice(_PORTS)
        if port in _given_out:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given_out.add(port)
        return port


def wait_for(condition, timeout=PATIENCE, what="the condition", every=0.02):
    """Asks again and again until `condition()` is true, and returns what it returned. The only wait there is."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}; last answer: {answer!r}")
        time.sleep(every)
