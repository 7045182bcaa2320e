"""A Redis that says what a test has told it to, for what a real one says only in trouble."""

import threading

from .raw import RawClient
from .scripted_server import ScriptedServer


class ScriptedRedis(ScriptedServer):
    """Answers each command with what `answer(words)` returns, in bytes."""

    def __init__(self, answer):
        self.answer = answer
        self.commands = []
        self._lock = threading.Lock()
        super().__init__()

    def serve(self, connection):
        # A command has the form of a reply: an array of bulk strings.
        reader = RawClient(_Accepted(connection))
        try:
            while True:
                frame = reader.reply()
                words = [part for part in frame.split(b"\r\n")[2::2]]
                with self._lock:
                    self.commands.append(words)
                    said = self.answer(words)
                connection.sendall(said)
        except (EOFError, OSError):
            connection.close()

    def count(self, name):
        with self._lock:
            return sum(words[0].upper() == name for words in self.commands)


class _Accepted:
    def __init__(self, connection):
        self.connection = connection

    def connect(self, _timeout):
        return self.connection
