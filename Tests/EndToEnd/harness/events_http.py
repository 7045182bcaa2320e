"""The event log's HTTP face as a client sees it, on one kept connection."""

import http.client
import json
import threading
from urllib.parse import quote

from .net import LOOPBACK, PATIENCE


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class EventsHTTP:
    """Requests to one address, `Tacho.http`. A body that is not bytes is sent as JSON."""

    def __init__(self, address, timeout=PATIENCE):
        self.address = address
        self._connection = http.client.HTTPConnection(LOOPBACK, address.port, timeout=timeout)

    def close(self):
        self._connection.close()

    def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def get(self, path, **headers):
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path, body=None, headers=None):
        return self.ask("POST", path, body, headers)

    def events(self, stream, query=""):
        answer = self.get(f"/streams/{quote(stream, safe='')}/events{query}")
        assert answer.status == 200, answer
        return answer.json["events"]


class EventStream:
    """Follows a stream by server-sent events on a connection of its own, until closed."""

    def __init__(self, address, path, last=None):
        self._connection = http.client.HTTPConnection(LOOPBACK, address.port, timeout=PATIENCE)
        headers = {"accept": "text/event-stream"} | ({"last-event-id": str(last)} if last is not None else {})
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()
        assert self.response.status == 200, self.response.read()
        # The first comment says that whatever comes from now on is seen.
        assert self.response.readline().startswith(b":")

    def next(self):
        """(id, event) of the next one."""
        number = None
        while line := self.response.readline():
            if line.startswith(b"id: "):
                number = int(line[4:])
            elif line.startswith(b"data: "):
                return number, json.loads(line[6:])
        raise AssertionError("the stream has ended")

    def close(self):
        self.response.close()
        self._connection.close()


def in_parallel(count, work):
    """Runs `work(number)` that many times at once and returns the results in order."""
    results = [None] * count

    def run(number):
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
