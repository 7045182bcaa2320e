"""The commands that work on the files of an embedded log."""

import json
import os
import subprocess

from .net import PATIENCE
from .tacho import binary


def environment():
    """That of the caller, without settings for the program."""
    return {key: text for key, text in os.environ.items() if not key.startswith(("OTEL_", "TACHO_"))}


def run(*words, code=0, timeout=2 * PATIENCE, **options):
    """Runs `tacho` with these words, expects an exit code and returns (output, complaints)."""
    done = subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=timeout,
                          env=environment(), **options)
    said = done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode == code, f"tacho {words} ended with {done.returncode}: {said}"
    return done.stdout, done.stderr


def lines(*words, code=0, **options):
    """The same with -o json: the objects that were printed."""
    return [json.loads(line) for line in run(*words, "-o", "json", code=code, **options)[0].splitlines()]


def verify(place, code=0):
    """What `tacho verify` says of each stream, by name."""
    return {each["stream"]: each for each in lines("verify", place, code=code) if "stream" in each}


class CopyingProcess:
    """`tacho backup --max-lag` as a child."""

    def __init__(self, data, target, lag):
        self.process = subprocess.Popen(
            [binary(), "backup", str(target), "--data", str(data), "--max-lag", str(lag), "-o", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())

    def wait_for(self, step):
        """Reads lines until one tells of this step."""
        for line in self.process.stdout:
            told = json.loads(line)
            if told["step"] == step:
                return told
        raise AssertionError(f"it ended: {self.process.stderr.read()}")

    def stop(self):
        """Ends it in order; returns the exit code."""
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


class Closing:
    """Gives `World.keep` something to close."""

    def __init__(self, close):
        self.close = close
