"""A client of `/streams/{stream}/socket`: the websockets library, and the few lines that CloudEvents take."""

import itertools
import json
import socket

from websockets.sync.client import connect

from .net import PATIENCE

SUBPROTOCOL = "cloudevents.json"


class StreamSocket:
    """One connection. What the socket itself says is kept apart from the events that it delivers."""

    def __init__(self, address, stream, subprotocols=(SUBPROTOCOL,), host=None, **options):
        """`host` is the name under which the client thinks that it knows the server."""
        self.connection = connect(f"ws://{host or address}/streams/{stream}/socket", subprotocols=list(subprotocols),
                                  sock=address.connect(), close_timeout=5, **options)
        self._ids = (f"r{number}" for number in itertools.count(1))
        self.events = []
        self.answers = []

    def send(self, text):
        self.connection.send(text)

    def tell(self, word, **data):
        """A message for the socket; its id."""
        made = next(self._ids)
        self.send(json.dumps({"specversion": "1.0", "id": made, "source": "/test", "type": f"tacho.socket.{word}",
                              "data": data}))
        return made

    def ask(self, word, **data):
        """The same, and the answer: (word, data)."""
        return self.answer(self.tell(word, **data))

    def publish(self, event_id, type="order.placed", source="/shop", data=None, **attributes):
        """Publishes an event and waits for its receipt."""
        self.send(event(event_id, type, source, data, **attributes))
        return self.answer(event_id)

    def answer(self, request=None, timeout=PATIENCE):
        """The answer to a request; without one, whatever the socket says next."""
        while True:
            for number, (word, data) in enumerate(self.answers):
                if request is None or data.get("request") == request:
                    return self.answers.pop(number)
            self._read(timeout)

    def take(self, count, timeout=PATIENCE):
        """The next events, exactly so many."""
        while len(self.events) < count:
            self._read(timeout)
        taken, self.events = self.events[:count], self.events[count:]
        return taken

    def _read(self, timeout):
        message = json.loads(self.connection.recv(timeout=timeout))
        if message["type"].startswith("tacho.socket."):
            self.answers.append((message["type"].removeprefix("tacho.socket."), message["data"]))
        else:
            self.events.append(message)

    def nothing_comes(self):
        """A round trip brings no event: an unknown word is answered at once."""
        assert self.ask("nothing")[0] == "refused"
        assert self.events == []

    def drop(self):
        """Cuts the connection without a goodbye."""
        self.connection.socket.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.connection.close()


def event(event_id, type="order.placed", source="/shop", data=None, **attributes):
    return json.dumps({"specversion": "1.0", "id": event_id, "source": source, "type": type, **attributes,
                       **({} if data is None else {"data": data})})


def offsets(events):
    return [int(each["tachooffset"]) for each in events]
