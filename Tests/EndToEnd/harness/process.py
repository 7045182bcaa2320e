"""Ending and stopping what a test started."""

import os
import signal
import subprocess

from .net import wait_for


def end(process, number, timeout=20):
    """Sends the signal and waits; a process that does not go is killed. None and one that has gone are left alone."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=timeout)


def freeze(process):
    """Stops it until SIGCONT. The signal alone is a request: other threads may go on for a moment."""
    process.send_signal(signal.SIGSTOP)
    tasks = f"/proc/{process.pid}/task"

    def state(thread):
        with open(f"{tasks}/{thread}/stat") as line:
            return line.read().rpartition(")")[2].split()[0]

    wait_for(lambda: all(state(thread) == "T" for thread in os.listdir(tasks)), what="the process to stand still")
